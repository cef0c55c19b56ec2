// RFC 7519 §7.2 and RFC 8725 §3 (algorithm allow-list, issuer, audience, explicit typing); RFC 7517 for the keys; RFC 8693 §4.1 for `act`.
import { createSecretKey } from 'node:crypto'
import type { JWTPayload, JWTVerifyGetKey, JWTVerifyOptions } from 'jose'
import { AccountsUnavailable } from '../account.ts'
import { allowedAlgorithms, CLOCK_TOLERANCE, readPublicKey, type TokenRules } from './token-rules.ts'

const LONGEST_SUBJECT = 255

/** Loaded with the first token: a server whose people sign in elsewhere never needs it. */
type Jose = typeof import('jose')

export type TokenRefusal =
  | 'malformed'
  | 'algorithm'
  | 'type'
  | 'unknown_key'
  | 'signature'
  | 'issuer'
  | 'audience'
  | 'authorized_party'
  | 'expired'
  | 'not_yet_valid'
  | 'missing_claim'
  | 'subject'
  | 'impersonation'
  | 'not_a_session'
  | 'ambiguous'

export type Claims = JWTPayload & { sub: string; exp: number }
export type Verdict = { verified: true; claims: Claims } | { verified: false; reason: TokenRefusal }

/**
 * Makes the one function that decides whether a token counts: signature by an allowed algorithm and a known key, `typ` among
 * `types` (or absent), `iss`, `aud`, `azp`, `exp` (required), `nbf`, `iat` not in the future, `sub` of 1 to 255 characters, no `act`.
 * Rejects with `AccountsUnavailable` when the keys cannot be had; everything wrong with a token is a verdict.
 * With `endedAfter` (epoch milliseconds) only a token counts whose `exp` lies between that and now; all else is verified as ever.
 * The rules must have passed `checkTokenRules`.
 */
export function tokenVerifier(
  rules: TokenRules,
  types: readonly string[],
): (token: string, endedAfter?: number) => Promise<Verdict> {
  let opened: Promise<{ jose: Jose; key: JWTVerifyGetKey }> | undefined
  const open = () => (opened ??= import('jose').then((jose) => ({ jose, key: keySource(jose, rules) })))
  const tolerance = rules.clockTolerance ?? CLOCK_TOLERANCE
  const options = {
    algorithms: allowedAlgorithms(rules),
    issuer: rules.issuer,
    audience: rules.audience === undefined ? undefined : [rules.audience].flat(),
    clockTolerance: tolerance,
    requiredClaims: ['exp', 'sub'],
  }

  return async (token, endedAfter) => {
    const { jose, key } = await open()
    let claims: JWTPayload
    let type: string | undefined
    try {
      const { payload, protectedHeader } = await verifyWithAnyKey(jose, token, key, {
        ...options,
        ...(endedAfter === undefined ? {} : { currentDate: lastMoment(jose, token, endedAfter) }),
      })
      claims = payload
      type = protectedHeader.typ
    } catch (error) {
      const reason = refusalOf(jose, error)
      if (reason === undefined) throw error
      return { verified: false, reason }
    }
    const reason = refusedClaim(claims, type)
    return reason ? { verified: false, reason } : { verified: true, claims: claims as Claims }
  }

  function refusedClaim(claims: JWTPayload, type: string | undefined): TokenRefusal | undefined {
    if (type !== undefined && !types.includes(type.toLowerCase().replace(/^application\//, ''))) return 'type'
    if (typeof claims.sub !== 'string' || claims.sub === '' || claims.sub.length > LONGEST_SUBJECT)
      return 'subject'
    if (claims.iat !== undefined && claims.iat > Date.now() / 1000 + tolerance) return 'not_yet_valid'
    const party = claims['azp']
    if (rules.authorizedParties && !rules.authorizedParties.some((known) => known === party)) {
      return 'authorized_party'
    }
    if (claims['act'] !== undefined && !rules.allowImpersonation) return 'impersonation'
    return undefined
  }
}

/** The last second of a token that has ended; where it lives, or ended too long ago, the end of time. */
function lastMoment({ decodeJwt }: Jose, token: string, endedAfter: number): Date {
  const { exp } = decodeJwt(token)
  const end = typeof exp === 'number' ? exp * 1_000 : Number.NaN
  return end > endedAfter && end <= Date.now() ? new Date(end - 1_000) : new Date(8_640_000_000_000_000)
}

/** Keys that are tried for a token without `kid`. */
const MOST_KEYS = 2

/** A token without `kid` may fit several keys of a set; two of them are tried. Of keys with one `kid` the first counts. */
async function verifyWithAnyKey(
  { jwtVerify, decodeProtectedHeader, errors }: Jose,
  token: string,
  key: JWTVerifyGetKey,
  options: JWTVerifyOptions,
) {
  try {
    return await jwtVerify(token, key, options)
  } catch (several) {
    if (!(several instanceof errors.JWKSMultipleMatchingKeys)) throw several
    let left = decodeProtectedHeader(token).kid === undefined ? MOST_KEYS : 1
    for await (const candidate of several) {
      if (left-- === 0) break
      try {
        return await jwtVerify(token, candidate, options)
      } catch (error) {
        if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error
      }
    }
    throw new errors.JWSSignatureVerificationFailed()
  }
}

function keySource(jose: Jose, rules: TokenRules): JWTVerifyGetKey {
  const { createLocalJWKSet, createRemoteJWKSet, errors } = jose
  if (rules.secret !== undefined) {
    const secret = createSecretKey(rules.secret, 'utf8')
    return async () => secret
  }
  if (rules.publicKey !== undefined) {
    const key = readPublicKey(rules.publicKey)
    return async () => key!
  }
  const set = rules.jwks ? createLocalJWKSet(rules.jwks) : createRemoteJWKSet(new URL(rules.jwksUri!))
  return async (header, token) => {
    try {
      return await set(header, token)
    } catch (error) {
      // These three are the token's fault. All others mean that the set cannot be read or used.
      if (
        error instanceof errors.JWKSNoMatchingKey ||
        error instanceof errors.JWKSMultipleMatchingKeys ||
        error instanceof errors.JOSENotSupported
      ) {
        throw error
      }
      throw new AccountsUnavailable(`The keys of ${rules.issuer} cannot be read`, { cause: error })
    }
  }
}

function refusalOf({ errors }: Jose, error: unknown): TokenRefusal | undefined {
  if (error instanceof errors.JWTExpired) return 'expired'
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.reason === 'missing') return 'missing_claim'
    if (error.claim === 'iss') return 'issuer'
    if (error.claim === 'aud') return 'audience'
    return error.claim === 'nbf' && error.reason === 'check_failed' ? 'not_yet_valid' : 'malformed'
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'signature'
  if (error instanceof errors.JWKSNoMatchingKey) return 'unknown_key'
  if (error instanceof errors.JOSEAlgNotAllowed || error instanceof errors.JOSENotSupported)
    return 'algorithm'
  if (error instanceof errors.JWTInvalid || error instanceof errors.JWSInvalid) return 'malformed'
  return undefined
}
