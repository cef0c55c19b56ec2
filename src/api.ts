/** `gatehouse-auth/api`: what an API apart from the authorization server needs, and nothing of the server. */
import './required-node.ts'

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
export { ConfigError } from './config-error.ts'
export { type FetchHandler, sendResponse, toNodeHandler } from './http/mount.ts'
