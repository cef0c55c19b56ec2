// RFC 6750 §2, §2.1, §3.1; RFC 7519 §4.1.3; RFC 9068 §4; RFC 9449 §7.1; RFC 9470 §3, §4; RFC 9700 §4.3.2: what an API demands of a
// request that carries an access token. Both forms of the resource server (beside the authorization server, apart from it) use it.

import type { KeyObject } from 'node:crypto'
import { parseJwt, verifySignature } from '../crypto/jws.ts'
import { told } from '../log.ts'
import { acrSuffices } from '../protocol/authentication-context.ts'
import { type Reason, type Refusal, refuse } from '../protocol/refusals.ts'
import { spelledAs } from '../protocol/resource-indicators.ts'
import { scopeCovers, scopeSet } from '../protocol/scope.ts'

/** A request as an API has it: web-standard (`Request`), or Node's as Express and Fastify hand it out. */
export interface BearerRequest {
  readonly headers: Headers | Readonly<Record<string, string | string[] | undefined>>
  /** Named in the proof beside a token that is bound to a key, as the URL is. */
  readonly method?: string
  readonly url?: string
  /** The whole of it, where Express has cut the path of a router off `url`. */
  readonly originalUrl?: string
  /** Node's own: says whether a trusted proxy handed the request over. */
  readonly socket?: { readonly remoteAddress?: string | undefined }
  /** Node's own list of headers, where a second `Authorization` is not lost. */
  readonly rawHeaders?: readonly string[]
  /** A stream that is read only when it is a form, or what a body parser made of it. */
  readonly body?: unknown
}

/** What one operation of an API demands. */
export interface AccessNeeds {
  /** Every scope the operation needs, as a list or separated by spaces. Default: none. */
  scope?: string | readonly string[]
  /** The API itself, as the `aud` of tokens names it (RFC 8707). Default: the first of `resources`, else the issuer. */
  resource?: string
  /**
   * `session` (default): the token is looked up, so that revocation, disconnection and suspension bite on the next request.
   * `offline`: only signature and claims of a JWT are checked; what was revoked lives until it expires.
   */
  check?: 'session' | 'offline'
  /** Greatest age of the user's authentication in seconds (RFC 9470 §4). */
  maxAge?: number
  /**
   * Classes of authentication that are good enough (`acr`); any of them, or a stronger one where it is known which are
   * stronger (RFC 9470 §4). Default: any class, and none.
   */
  acrValues?: string | readonly string[]
  /**
   * The URL the client sent this request to, which a proof of a key names (RFC 9449 §4.2). Default: the path of the request at
   * the origin of `resource`; never what the Host header says.
   */
  url?: string
  /**
   * The certificate the client showed on the connection, for tokens bound to one (RFC 8705 §3): PEM, DER, or as a proxy wrote it
   * into a header. Default: what a trusted proxy hands over, where the request is one of Node's.
   */
  certificate?: string | Uint8Array
}

/** An access token that holds. Times are epoch milliseconds. */
export interface AccessToken {
  /** `sub`: the user's, or the client's own id where no user is involved (RFC 9068 §2.2). */
  subject: string
  clientId: string
  scope: string[]
  /** The APIs it is for. */
  resource: string[]
  /** The user and the session, known only where the token was looked up beside the authorization server. */
  userId?: string
  sessionId?: string
  expiresAt: number
  authTime?: number
  /** How the user was authenticated (OpenID Connect Core §2), where the server knows it. */
  acr?: string
  amr?: string[]
  /** As a JWT (RFC 9068 §2.2) or an introspection answer (RFC 7662 §2.2) holds them, times in seconds. */
  claims: Readonly<Record<string, unknown>>
}

/** What a result does not have, named so that a host compiled without `strict` may read it after a look at `ok`. */
export type Absent<T> = { [K in keyof T]?: never }

export interface AccessGranted extends AccessToken, Absent<Pick<AccessRefused, 'response' | 'reason'>> {
  ok: true
  /**
   * For the `DPoP-Nonce` header of your answer (RFC 9449 §8.2), where the client's nonce will be too old soon. Without it the
   * client's next request is refused once, with a nonce.
   */
  dpopNonce?: string
}

export interface AccessRefused extends Absent<AccessToken> {
  ok: false
  dpopNonce?: never
  /** The complete answer: status, challenge (RFC 6750 §3), JSON body. Send it as it is. */
  response: Response
  /** Why; finer than what the caller is told. */
  reason: Reason
}

export type Access = AccessGranted | AccessRefused

/** `AccessNeeds` made definite. */
export interface Demands {
  scope: string[]
  resource: string
  maxAge?: number
  acrValues?: string[]
}

/** A scope name, and an `acr` value that can stand in a challenge. */
const wordSyntax = /^[\x21\x23-\x5b\x5d-\x7e]+$/

/** Throws a plain sentence when the operation itself is described wrongly: that is a mistake of the API, never of its caller. */
export function demandsOf(needs: AccessNeeds, resource: string): Demands {
  const { scope = [], maxAge, acrValues } = needs
  const names = wordsOf('scope', scope)
  if (maxAge !== undefined && !(Number.isInteger(maxAge) && maxAge >= 0))
    throw new TypeError(`maxAge: ${maxAge} is not a whole number of seconds`)
  return {
    scope: names,
    resource,
    ...(maxAge === undefined ? {} : { maxAge }),
    ...(acrValues === undefined ? {} : { acrValues: wordsOf('acrValues', acrValues) }),
  }
}

function wordsOf(name: string, given: string | readonly string[]): string[] {
  const words = typeof given === 'string' ? given.split(' ').filter(Boolean) : [...given]
  const wrong = words.find((word) => !wordSyntax.test(word))
  if (wrong !== undefined)
    throw new TypeError(`${name}: ${JSON.stringify(wrong)} must be visible ASCII without quote or backslash`)
  return words
}

const credentials = /^(bearer|dpop) +([A-Za-z0-9._~+/-]+=*) *$/i
const longestToken = 16_384
/** Forms larger than this, in bytes, are not searched for a second token. */
const formLimit = 64 * 1024

/** How a token is presented: alone (RFC 6750 §2.1), or with a proof of the key it is bound to (RFC 9449 §7.1). */
export type Scheme = 'Bearer' | 'DPoP'

/** The one token of a request, which must stand in the `Authorization` header (RFC 6750 §2.1). */
export async function readAccessToken(
  request: BearerRequest,
): Promise<{ scheme: Scheme; token: string } | Refusal> {
  const header = authorizationOf(request)
  const elsewhere = queryHasToken(request.url) || (await formHasToken(request))
  const isPresented = header !== undefined && /^(bearer|dpop)( |$)/i.test(header)
  if (elsewhere) return refuse(isPresented ? 'bearer_twice' : 'bearer_in_query')
  // Another scheme is no attempt at this one (§3.1): the challenge says what is expected, without an error.
  if (!isPresented) return refuse('token_missing')
  const [, , token] = credentials.exec(header) ?? []
  if (token === undefined) return refuse('bearer_malformed')
  if (token.length > longestToken) return refuse('access_token_invalid', { length: token.length })
  return { scheme: isDpop(header) ? 'DPoP' : 'Bearer', token }
}

/** How a request presents its token, right or wrong: its refusal is told in the same words. */
export function schemeOf(request: BearerRequest): Scheme {
  return isDpop(authorizationOf(request) ?? '') ? 'DPoP' : 'Bearer'
}

const isDpop = (authorization: string) => /^dpop( |$)/i.test(authorization)

/** Several `Authorization` headers end up as one text that no token matches. */
function authorizationOf(request: BearerRequest): string | undefined {
  const all = (request.rawHeaders ?? []).filter(
    (_, n, list) => n % 2 === 1 && /^authorization$/i.test(list[n - 1]!),
  )
  return all.length > 1 ? all.join(', ') : headerOf(request, 'authorization')
}

/** One header by its lower-case name; repeated ones are joined by ', '. */
export function headerOf({ headers }: BearerRequest, name: string): string | undefined {
  if (typeof headers.get === 'function') return (headers as Headers).get(name) ?? undefined
  const value = (headers as Record<string, string | string[] | undefined>)[name]
  return Array.isArray(value) ? value.join(', ') : value
}

function queryHasToken(url: string | undefined): boolean {
  const mark = url?.indexOf('?') ?? -1
  return mark >= 0 && new URLSearchParams(url!.slice(mark)).has('access_token')
}

async function formHasToken(request: BearerRequest): Promise<boolean> {
  const type = headerOf(request, 'content-type')
  if (type === undefined || !/^application\/x-www-form-urlencoded *(;|$)/i.test(type)) return false
  if (typeof (request as Request).clone === 'function') {
    if ((request as Request).bodyUsed) return false
    const text = await startOf((request as Request).clone())
    return new URLSearchParams(text).has('access_token')
  }
  return typeof request.body === 'object' && request.body !== null && 'access_token' in request.body
}

async function startOf({ body }: Request): Promise<string> {
  const reader = body?.getReader()
  const chunks: Uint8Array[] = []
  for (let size = 0; reader && size <= formLimit; ) {
    const { done, value } = await reader.read()
    if (done) break
    chunks.push(value)
    size += value.byteLength
  }
  // Not awaited: it settles only once the API has read its own copy.
  reader?.cancel().catch(() => {})
  return Buffer.concat(chunks).toString('utf8')
}

/** What JWT access tokens are signed with: ES256, or RS256 for an API that verifies nothing else (RFC 9068 §2.1). */
export const tokenAlgorithms = ['ES256', 'RS256'] as const
export type TokenAlgorithm = (typeof tokenAlgorithms)[number]

/** A JWT whose header fits an access token; its signature is not yet checked. */
export interface UnverifiedToken {
  alg: TokenAlgorithm
  kid: string
  claims: Record<string, unknown>
  input: string
  signature: Buffer
}

/** `typ` and `alg` are pinned (RFC 9068 §4, RFC 8725 §3.1, §3.11); undefined when it is no JWT at all. */
export function readJwt(token: string): UnverifiedToken | Refusal | undefined {
  const jwt = parseJwt(token)
  if (!jwt) return undefined
  const { header, claims, input, signature } = jwt
  const { typ, kid } = header
  const alg = tokenAlgorithms.find((one) => one === header['alg'])
  if (typeof typ !== 'string' || !/^(application\/)?at\+jwt$/i.test(typ)) return refuse('access_token_type')
  if (!alg || typeof kid !== 'string' || 'crit' in header)
    return refuse('access_token_invalid', { alg: told(header['alg']) })
  return { alg, kid, claims, input, signature }
}

/** Signature by a key of the JWT's own algorithm, issuer and the claims that must be there (RFC 9068 §2.2, §4). Expiry and audience are `checkDemands`' part. */
export function verifyJwt(
  jwt: UnverifiedToken,
  key: KeyObject | undefined,
  issuer: string,
): AccessToken | Refusal {
  if (!key) return refuse('access_token_invalid', { kid: told(jwt.kid) })
  if (!verifySignature(jwt.alg, key, jwt.input, jwt.signature))
    return refuse('access_token_invalid', { signature: 'wrong' })
  if (jwt.claims['iss'] !== issuer) return refuse('access_token_invalid', { issuer: 'foreign' })
  return tokenFromClaims(jwt.claims) ?? refuse('access_token_invalid', { claims: 'incomplete' })
}

/** Claims of a JWT or of an introspection answer as a token; undefined when one that must be there is missing. */
export function tokenFromClaims(claims: Record<string, unknown>): AccessToken | undefined {
  const { sub, client_id, scope, aud, exp, auth_time, acr, amr } = claims
  const resource = typeof aud === 'string' ? [aud] : aud
  if (typeof sub !== 'string' || typeof client_id !== 'string' || typeof exp !== 'number') return undefined
  if (!Array.isArray(resource) || !resource.every((one) => typeof one === 'string')) return undefined
  return {
    subject: sub,
    clientId: client_id,
    scope: typeof scope === 'string' ? scopeSet(scope) : [],
    resource,
    expiresAt: exp * 1_000,
    ...(typeof auth_time === 'number' ? { authTime: auth_time * 1_000 } : {}),
    ...(typeof acr === 'string' ? { acr } : {}),
    ...(Array.isArray(amr) && amr.every((one) => typeof one === 'string') ? { amr } : {}),
    claims,
  }
}

/**
 * Whether a token that holds is good for this operation, now. An authentication that is not enough is told before a missing
 * scope: its challenge names both, so the client asks the user once.
 */
export function checkDemands(
  token: AccessToken,
  demands: Demands,
  { now, acrOrder }: { now: number; acrOrder: readonly string[] },
): Refusal | undefined {
  const { scope, resource, maxAge, acrValues } = demands
  const client = token.clientId
  if (token.expiresAt <= now) return refuse('access_token_expired', { client })
  if (!token.resource.includes(spelledAs(resource, token.resource)))
    return refuse('access_token_audience', { client, resource })
  if (acrValues !== undefined && !acrSuffices(acrOrder, acrValues, token.acr))
    return refuse('authentication_too_weak', { client, acr: token.acr, acr_values: acrValues.join(' ') })
  if (maxAge !== undefined && !(token.authTime !== undefined && token.authTime >= now - maxAge * 1_000))
    return refuse('authentication_insufficient', { client, max_age: maxAge })
  if (!scopeCovers(token.scope, scope))
    return refuse('scope_insufficient', { client, needed: scope.join(' ') })
  return undefined
}

/** How long the verification of one token is remembered, in milliseconds. */
const rememberedFor = 60_000
const mostRemembered = 10_000

/** Remembers verified tokens by their hash for a minute, so that a hot token's signature is not verified again. */
export function rememberVerified(now: () => number) {
  const tokens = new Map<string, { token: AccessToken; until: number }>()
  return {
    get(hash: string): AccessToken | undefined {
      const known = tokens.get(hash)
      if (!known) return undefined
      if (known.until > now()) return known.token
      tokens.delete(hash)
      return undefined
    },
    set(hash: string, token: AccessToken): void {
      if (tokens.size >= mostRemembered) tokens.delete(tokens.keys().next().value!)
      tokens.set(hash, { token, until: now() + rememberedFor })
    },
  }
}
