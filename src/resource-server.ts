/** `gatehouse-auth/resource-server`: what an API apart from the authorization server needs, and nothing of the server. */
import './required-node.ts'

export { ConfigError } from './config-error.ts'
export { type FetchHandler, sendResponse, toNodeHandler } from './http/mount.ts'
export type {
  Access,
  AccessGranted,
  AccessNeeds,
  AccessRefused,
  AccessToken,
  BearerRequest,
} from './oauth/bearer.ts'
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
