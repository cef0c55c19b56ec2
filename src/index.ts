import './required-node.ts'

export type {
  Account,
  Accounts,
  AccountsHouse,
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
export type { LocalAccountsOptions } from './accounts/local/house.ts'
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
export type {
  Access,
  AccessGranted,
  AccessNeeds,
  AccessRefused,
  AccessToken,
  BearerRequest,
} from './oauth/bearer.ts'
export type { ClientInput } from './oauth/clients/client-input.ts'
export type { CreatedClient } from './oauth/clients/client-operations.ts'
export { gptRedirectUris } from './oauth/clients/client-operations.ts'
export type { ShownClient } from './oauth/clients/shown-client.ts'
export type { ConnectedClient } from './oauth/consents.ts'
export {
  type AuthenticatesRequests,
  type McpAccess,
  type McpRequest,
  type ProtectedTool,
  type ProtectedTools,
  type ProtectedToolsOptions,
  protectTools,
  type ToolSecurityScheme,
} from './oauth/mcp.ts'
export {
  type ApiDescription,
  type ApiOperation,
  type ApiParameter,
  gptActionWarnings,
  type OpenApiDocument,
} from './oauth/openapi.ts'
export {
  type ResourceMetadata,
  resourceMetadata,
  resourceMetadataUrl,
} from './oauth/resource-metadata.ts'
export type { ApiDpopOptions, ApiMutualTlsOptions } from './oauth/standalone/proofs.ts'
export {
  type ResourceServer,
  type ResourceServerOptions,
  resourceServer,
} from './oauth/standalone/resource-server.ts'
