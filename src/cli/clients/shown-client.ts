import { answerAlgorithms, fromWire } from '../../oauth/clients/client-metadata.ts'
import type { ShownClient } from '../../oauth/clients/client-operations.ts'
import type { Settings } from '../../settings.ts'
import { time } from '../table.ts'

export function stateOf(row: ShownClient): 'active' | 'suspended' | 'revoked' {
  return row.revoked_at !== null ? 'revoked' : row.suspended_at !== null ? 'suspended' : 'active'
}

/** A client in the words of RFC 7591 §2, and what an administrator wants to know beside them. Never a hash. */
export function asMetadata(row: ShownClient, settings: Settings): Record<string, unknown> {
  const { idToken } = answerAlgorithms(settings, row.profile, fromWire(JSON.parse(row.registered_metadata)))
  const words = (list: string) => (list === '' ? [] : list.split(' '))
  const seconds = (milliseconds: number | null) => (milliseconds === null ? null : milliseconds / 1_000)
  return {
    client_id: row.id,
    client_name: row.name,
    state: stateOf(row),
    reason: row.revoked_reason ?? row.suspended_reason,
    description: row.description,
    profile: row.profile,
    source: row.source,
    owner: row.owner,
    token_endpoint_auth_method: row.token_endpoint_auth_method,
    redirect_uris: JSON.parse(row.redirect_uris),
    grant_types: words(row.grant_types),
    scope: row.scope,
    resources: words(row.resources),
    resource_server_for: words(row.resource_server_for),
    require_pkce: row.require_pkce === 1,
    token_format: row.token_format,
    access_token_lifetime: seconds(row.access_token_lifetime),
    refresh_token_lifetime: seconds(row.refresh_token_lifetime),
    code_lifetime: seconds(row.code_lifetime),
    reuse_window: seconds(row.reuse_window),
    requests_per_hour: row.rate_limit_per_hour,
    logo_uri: row.logo_uri,
    client_uri: row.client_uri,
    policy_uri: row.policy_uri,
    tos_uri: row.tos_uri,
    jwks_uri: row.jwks_uri,
    ...(row.jwks === null ? {} : { jwks: JSON.parse(row.jwks) }),
    id_token_signed_response_alg: idToken,
    ...JSON.parse(row.registered_metadata),
    authorizations: row.total_authorizations,
    tokens_issued: row.total_tokens_issued,
    previous_secret_until: time(row.previous_secret_expires_at),
    last_used: time(row.last_used_at),
    created: time(row.created_at),
    changed: time(row.updated_at),
  }
}
