// OpenID Connect Core §2, §3.1.2.1 (id_token_hint), §3.1.3.3, §3.1.3.6 (at_hash), §12.2: what a client is told about the sign-in
// of its user, signed.

import { hash } from 'node:crypto'
import { type Algorithm, algorithms, parseJwt, signJwt, verifySignature } from '../../crypto/jws.ts'
import { storedClaims } from '../../protocol/claims-parameter.ts'
import { type Refusal, refuse } from '../../protocol/refusals.ts'
import { scopeSet } from '../../protocol/scope.ts'
import type { Client } from '../clients/clients.ts'
import { countBadSignature, noteGoodSignature, signaturesBlocked } from '../guards/signature-failures.ts'
import type { GrantedRow } from '../records/sessions.ts'
import type { Server } from '../server.ts'
import type { MadeAccessToken } from '../token/access-token.ts'
import { userClaims } from './user-claims.ts'

/** What of a session goes into its ID tokens. */
export type IdTokenGrant = Pick<
  GrantedRow,
  'user_id' | 'subject' | 'auth_time' | 'acr' | 'amr' | 'sid' | 'claims'
> & {
  /** Of the authorization request; never in an answer to a refresh (§12.2). */
  nonce?: string | null
}

/**
 * The ID token that goes out with an access token: none where the access token has no `openid`. It lives as long as the access
 * token. To be made before anything is spent: the user's claims may not be there to be had now, which throws.
 */
export async function makeIdToken(
  server: Server,
  client: Client,
  grant: IdTokenGrant,
  access: MadeAccessToken,
  now: number,
): Promise<string | undefined> {
  if (!scopeSet(access.row.access_scope).includes('openid')) return undefined
  const key = await server.keys.ensure(client.answerAlgorithms.idToken)
  const named = storedClaims(grant.claims, 'id_token', client, server.settings)
  const scopes = client.claimsInIdToken ? scopeSet(access.row.access_scope) : []
  const iat = Math.floor(now / 1_000)
  return signJwt(key, 'JWT', {
    ...(named.length === 0 && scopes.length === 0
      ? undefined
      : await userClaims(server, grant.user_id, scopes, named)),
    iss: server.settings.issuer,
    sub: grant.subject,
    aud: client.id,
    iat,
    exp: iat + access.expiresIn,
    ...(grant.nonce ? { nonce: grant.nonce } : undefined),
    ...(grant.auth_time === null ? undefined : { auth_time: Math.floor(grant.auth_time / 1_000) }),
    ...(grant.acr === null ? undefined : { acr: grant.acr }),
    ...(grant.amr === null ? undefined : { amr: grant.amr.split(' ') }),
    ...(grant.sid === null ? undefined : { sid: grant.sid }),
    at_hash: halfHash(key.alg, access.token),
  })
}

/** The left half of the hash that belongs to the algorithm (§3.1.3.6); for Ed25519 that is SHA-512 (RFC 8032 §5.1). */
function halfHash(alg: Algorithm, token: string): string {
  const digest = hash(alg === 'EdDSA' ? 'sha512' : 'sha256', token, 'buffer')
  return digest.subarray(0, digest.length / 2).toString('base64url')
}

/** An ID token of ours that a client shows again. */
export interface IdTokenHint {
  clientId: string
  /** As this client knows the user (`pairwise-subject.ts`). */
  subject: string
  sid: string | null
}

const longestHint = 16_384
/** Whose signatures these are counted as. */
const hints = 'id_token_hint'

/**
 * Reads an `id_token_hint`: an ID token that this server made, expired or not, for whichever client. One whose key is no longer
 * published, a good day after the key was replaced, cannot be told from a forged one.
 */
export function verifyIdTokenHint(
  server: Pick<Server, 'keys' | 'settings' | 'counters' | 'now'>,
  text: string,
  address: string,
): IdTokenHint | Refusal {
  const jwt = text.length > longestHint ? undefined : parseJwt(text)
  if (!jwt) return refuse('id_token_hint_invalid')
  const { header, claims, input, signature } = jwt
  const alg = algorithms.find((one) => one === header['alg'])
  const key = alg && typeof header['kid'] === 'string' ? server.keys.verifier(header['kid'], alg) : undefined
  // Access tokens, logout tokens and whatever else is signed here say so in their header.
  if (!alg || !key || header['typ'] !== 'JWT' || 'crit' in header) return refuse('id_token_hint_invalid')
  const blocked = signaturesBlocked(server, hints, address)
  if (blocked) return blocked
  if (!verifySignature(alg, key, input, signature)) {
    countBadSignature(server, hints, address)
    return refuse('id_token_hint_invalid', { signature: 'wrong' })
  }
  noteGoodSignature(server, hints, address)
  const { iss, sub, aud, iat, exp, at_hash, sid } = claims
  if (
    iss !== server.settings.issuer ||
    typeof sub !== 'string' ||
    typeof aud !== 'string' ||
    typeof iat !== 'number' ||
    typeof exp !== 'number' ||
    typeof at_hash !== 'string'
  )
    return refuse('id_token_hint_invalid', { claims: 'not those of an ID token' })
  return { clientId: aud, subject: sub, sid: typeof sid === 'string' ? sid : null }
}
