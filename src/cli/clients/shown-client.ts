import { answerAlgorithms, toWire } from '../../oauth/clients/client-metadata.ts'
import type { ShownClient } from '../../oauth/clients/shown-client.ts'
import type { Settings } from '../../settings.ts'
import { time } from '../table.ts'

/** A client in the words of RFC 7591 §2, and what an administrator wants to know beside them. Never a hash. */
export function asMetadata(client: ShownClient, settings: Settings): Record<string, unknown> {
  return {
    client_id: client.id,
    client_name: client.name,
    state: client.state,
    reason: client.reason ?? null,
    description: client.description ?? null,
    profile: client.profile,
    source: client.source,
    owner: client.owner ?? null,
    token_endpoint_auth_method: client.tokenEndpointAuthMethod,
    redirect_uris: client.redirectUris,
    grant_types: client.grantTypes,
    scope: client.scope.join(' '),
    resources: client.resources,
    resource_server_for: client.resourceServerFor,
    require_pkce: client.requirePkce,
    token_format: client.tokenFormat ?? null,
    access_token_lifetime: client.accessTokenLifetime ?? null,
    refresh_token_lifetime: client.refreshTokenLifetime ?? null,
    code_lifetime: client.codeLifetime ?? null,
    reuse_window: client.reuseWindow ?? null,
    requests_per_hour: client.requestsPerHour ?? null,
    logo_uri: client.logoUri ?? null,
    client_uri: client.clientUri ?? null,
    policy_uri: client.policyUri ?? null,
    tos_uri: client.tosUri ?? null,
    jwks_uri: client.jwksUri ?? null,
    ...(client.jwks === undefined ? {} : { jwks: client.jwks }),
    id_token_signed_response_alg: answerAlgorithms(settings, client.profile, client).idToken,
    ...toWire(client),
    authorizations: client.authorizations,
    tokens_issued: client.tokensIssued,
    previous_secret_until: time(client.previousSecretExpiresAt ?? null),
    last_used: time(client.lastUsedAt ?? null),
    created: time(client.createdAt),
    changed: time(client.updatedAt),
  }
}
