import { CannotRun } from './failures.ts'
import type { Wire } from './wire.ts'

/** What a server says about itself, as far as the checks read it (RFC 8414 §2; OpenID Connect Discovery §3). */
export interface Metadata {
  issuer: string
  authorization_endpoint?: string
  token_endpoint: string
  registration_endpoint?: string
  introspection_endpoint?: string
  revocation_endpoint?: string
  pushed_authorization_request_endpoint?: string
  device_authorization_endpoint?: string
  userinfo_endpoint?: string
  end_session_endpoint?: string
  jwks_uri?: string
  scopes_supported?: string[]
  response_types_supported?: string[]
  response_modes_supported?: string[]
  grant_types_supported?: string[]
  token_endpoint_auth_methods_supported?: string[]
  token_endpoint_auth_signing_alg_values_supported?: string[]
  code_challenge_methods_supported?: string[]
  dpop_signing_alg_values_supported?: string[]
  request_object_signing_alg_values_supported?: string[]
  authorization_details_types_supported?: string[]
  protected_resources?: string[]
  prompt_values_supported?: string[]
  request_parameter_supported?: boolean
  request_uri_parameter_supported?: boolean
  claims_parameter_supported?: boolean
  require_pushed_authorization_requests?: boolean
  authorization_response_iss_parameter_supported?: boolean
  client_id_metadata_document_supported?: boolean
}

/**
 * The metadata of an issuer: at the well-known addresses of RFC 8414 §3.1, then at OpenID Connect Discovery §4.1. Throws
 * `CannotRun` where there is none, or where it names another issuer (RFC 8414 §3.3).
 */
export async function discover(wire: Wire, issuer: string): Promise<{ server: Metadata; url: string }> {
  const { origin, pathname } = new URL(issuer)
  const path = pathname.replace(/\/$/, '')
  const places = [
    `${origin}/.well-known/oauth-authorization-server${path}`,
    `${origin}/.well-known/openid-configuration${path}`,
    `${origin}${path}/.well-known/openid-configuration`,
  ]
  const seen: string[] = []
  for (const url of new Set(places)) {
    const answer = await wire.send({ method: 'GET', url, headers: { accept: 'application/json' } })
    if (answer.status !== 200 || typeof answer.json['issuer'] !== 'string') {
      seen.push(`${url}: ${answer.status === 0 ? answer.text : answer.status}`)
      continue
    }
    const server = answer.json as unknown as Metadata
    // Whether an issuer ends in a slash is easily mistyped; the metadata knows.
    if (server.issuer.replace(/\/$/, '') !== issuer.replace(/\/$/, '')) {
      throw new CannotRun(`${url} names the issuer ${server.issuer}, not ${issuer} (RFC 8414 §3.3)`)
    }
    if (typeof server.token_endpoint !== 'string') throw new CannotRun(`${url} names no token_endpoint`)
    return { server, url }
  }
  throw new CannotRun(`no metadata was found: ${seen.join('; ')}`)
}

/** OpenID Connect is spoken: the scope `openid` is offered. */
export function speaksOpenId({ scopes_supported: scopes }: Metadata): boolean {
  return scopes?.includes('openid') ?? false
}

export function offersGrant(server: Metadata, grant: string): boolean {
  // The default of RFC 8414 §2.
  return (server.grant_types_supported ?? ['authorization_code', 'implicit']).includes(grant)
}
