import './required-node.ts'

export type {
  Account,
  Accounts,
  AccountsContext,
  Ask,
  Authenticate,
  PasswordLink,
  PasswordLinks,
} from './accounts/account.ts'
export { AccountsUnavailable, authenticationIsRecent, UnverifiedWebhook } from './accounts/account.ts'
export { type BetterAuthAccountsOptions, betterAuthAccounts } from './accounts/better-auth.ts'
export { type ClerkAccountsOptions, clerkAccounts } from './accounts/clerk.ts'
export { type DevelopmentAccountsOptions, developmentAccounts } from './accounts/development.ts'
export {
  type Auth0AccountsOptions,
  auth0Accounts,
  type JwtAccountsOptions,
  jwtAccounts,
  type SupabaseAccountsOptions,
  supabaseAccounts,
} from './accounts/jwt.ts'
export type { LocalAccountsOptions } from './accounts/local/local-context.ts'
export { localAccounts } from './accounts/local.ts'
export { type OpenidAccountsOptions, openidAccounts } from './accounts/openid.ts'
export type {
  Consents,
  Events,
  EventsOf,
  Page,
  Sessions,
  ShownAccount,
  ShownEvent,
  ShownSession,
  ShownUser,
  UserExport,
  Users,
} from './administration.ts'
export type {
  Access,
  AccessGranted,
  AccessNeeds,
  AccessRefused,
  AccessToken,
  BearerRequest,
} from './api/bearer.ts'
export {
  type AuthenticatesRequests,
  type McpAccess,
  type McpRequest,
  type ProtectedTool,
  type ProtectedTools,
  type ProtectedToolsOptions,
  protectTools,
  type ToolSecurityScheme,
} from './api/mcp.ts'
export {
  type ApiDescription,
  type ApiOperation,
  type ApiParameter,
  gptActionWarnings,
  type OpenApiDocument,
} from './api/openapi.ts'
export {
  type ResourceMetadata,
  resourceMetadata,
  resourceMetadataUrl,
} from './api/resource-metadata.ts'
export type { ApiDpopOptions, ApiMutualTlsOptions } from './api/standalone/proofs.ts'
export {
  type ResourceServer,
  type ResourceServerOptions,
  resourceServer,
} from './api/standalone/resource-server.ts'
export { type Config, defineConfig, type FileConfig } from './config.ts'
export { ConfigError } from './config-error.ts'
export { type Gatehouse, gatehouse } from './gatehouse.ts'
export {
  BodyConsumed,
  type FetchHandler,
  sendResponse,
  toNodeHandler,
} from './http/mount.ts'
export type { Connection } from './http/web.ts'
export type { ConnectedClient } from './oauth/authorization/consents.ts'
export type { ClientInput } from './oauth/clients/client-input.ts'
export type { CreatedClient } from './oauth/clients/client-operations.ts'
export { gptRedirectUris } from './oauth/clients/client-operations.ts'
export type { ShownClient } from './oauth/clients/shown-client.ts'
