// RFC 9068 §2, §2.2, §5 (JWT access tokens), RFC 6749 §1.4, §5.1: making an access token, as a JWT or opaque, and the row it is
// known by.

import { timeOrderedId } from '../../crypto/ids.ts'
import { signJwt } from '../../crypto/jws.ts'
import { makeToken, sha256 } from '../../crypto/tokens.ts'
import { allowedScope, canonicalScope, scopeSet } from '../../protocol/scope.ts'
import type { Client } from '../clients/clients.ts'
import type { Server } from '../server.ts'
import { confirmationOf } from './sender-constraint.ts'
import { hostClaims } from './token-claims.ts'

/** The grant an access token is made from. */
export interface Grant {
  /** `sub`: the user's, or the client's own id where no user is involved (RFC 9068 §2.2). */
  subject: string
  userId: string | null
  sessionId: string | null
  /** No token outlives its session; null where there is none. */
  sessionExpiresAt: number | null
  scope: readonly string[]
  resources: readonly string[]
  authTime: number | null
  /** How the user was authenticated, where that is known (OpenID Connect Core §2); `amr` separated by spaces. */
  acr?: string | null
  amr?: string | null
  /** What the token is bound to (`sender-constraint.ts`); null or absent for a bearer token. */
  binding?: string | null
  /** Further claims, e.g. `act` (RFC 8693 §4.1), `authorization_details` (RFC 9396 §9.1). */
  claims?: Record<string, unknown> | null
}

/** A made token: what the client gets, and the inputs of the row that makes it known. */
export interface MadeAccessToken {
  token: string
  /** Seconds, as on the wire. */
  expiresIn: number
  row: {
    access_id: string
    access_hash: string
    client_id: string
    session_id: string | null
    user_id: string | null
    subject: string
    access_scope: string
    access_resources: string
    access_expires_at: number
    access_claims: string | null
    binding: string | null
    now: number
  }
}

/** To be made before anything is spent: the host's claims may not be there to be had now, which throws. */
export async function makeAccessToken(
  server: Server,
  client: Client,
  given: Grant,
  now: number,
): Promise<MadeAccessToken> {
  const expiresAt = Math.min(now + client.accessTokenLifetime, given.sessionExpiresAt ?? Infinity)
  // A grant outlives what its client may ask for: nothing is issued that it may not have now.
  const allowed = allowedScope(client, server.settings)
  const scope = canonicalScope(given.scope.filter((one) => allowed.includes(one)))
  const { claims: ask } = server.settings.tokens
  const grant = ask === null ? given : await withHostClaims(server, client, given, ask, scope)
  const made =
    tokenFormat(server, client, grant.resources) === 'opaque'
      ? makeToken('gh_at', now)
      : makeJwt(server, client, grant, { scope, now, expiresAt })
  return {
    token: made.token,
    expiresIn: Math.floor((expiresAt - now) / 1_000),
    row: {
      access_id: made.id,
      access_hash: made.hash,
      client_id: client.id,
      session_id: grant.sessionId,
      user_id: grant.userId,
      subject: grant.subject,
      access_scope: scope,
      access_resources: grant.resources.join(' '),
      access_expires_at: expiresAt,
      access_claims: grant.claims ? JSON.stringify(grant.claims) : null,
      binding: grant.binding ?? null,
      now,
    },
  }
}

async function withHostClaims(
  server: Server,
  client: Client,
  grant: Grant,
  ask: NonNullable<Server['settings']['tokens']['claims']>,
  scope: string,
): Promise<Grant> {
  const { subject, userId, resources } = grant
  const facts = { userId, subject, client: client.id, scope: scopeSet(scope), resources }
  const added = await hostClaims(server, ask, facts)
  return added === null ? grant : { ...grant, claims: { ...added, ...grant.claims } }
}

function makeJwt(
  server: Server,
  client: Client,
  grant: Grant,
  { scope, now, expiresAt }: { scope: string; now: number; expiresAt: number },
) {
  const id = timeOrderedId(now)
  const token = signJwt(server.keys.current(signingAlg(server, grant.resources)), 'at+jwt', {
    iss: server.settings.issuer,
    sub: grant.subject,
    aud: grant.resources.length === 1 ? grant.resources[0] : grant.resources,
    client_id: client.id,
    scope,
    iat: Math.floor(now / 1_000),
    exp: Math.floor(expiresAt / 1_000),
    jti: id,
    ...(grant.authTime === null ? {} : { auth_time: Math.floor(grant.authTime / 1_000) }),
    ...(grant.acr ? { acr: grant.acr } : undefined),
    ...(grant.amr ? { amr: grant.amr.split(' ') } : undefined),
    ...(grant.binding ? { cnf: confirmationOf(grant.binding) } : undefined),
    ...grant.claims,
  })
  return { token, id, hash: sha256(token) }
}

/** RS256 only where every API the token is for asks for it: the others verify ES256. */
function signingAlg({ settings }: Server, resources: readonly string[]): 'ES256' | 'RS256' {
  const all =
    resources.length > 0 && resources.every((uri) => settings.resources[uri]?.tokenSigningAlg === 'RS256')
  return all ? 'RS256' : 'ES256'
}

function tokenFormat(server: Server, client: Client, resources: readonly string[]): 'jwt' | 'opaque' {
  if (client.tokenFormat) return client.tokenFormat
  const { settings } = server
  return settings.resources[resources[0] ?? '']?.tokenFormat ?? settings.tokens.format
}
