// RFC 6750 §3; RFC 9068 §4; RFC 7662 §2; RFC 9449 §7; RFC 9728 §3: an API that stands apart from the authorization server, without a
// database: it knows the issuer's address, and its own.

import { isLoopback } from '../../config/issuer.ts'
import { ConfigError, type ConfigProblem } from '../../config-error.ts'
import { readToken, sha256 } from '../../crypto/tokens.ts'
import { jsonLog, type Log, type LogLevel } from '../../log.ts'
import { isResourceUri } from '../../oauth/config/resources.ts'
import { isRefusal, type Refusal, refuse } from '../../protocol/refusals.ts'
import { decideAccess } from '../access-decision.ts'
import {
  type Access,
  type AccessGranted,
  type AccessNeeds,
  type AccessToken,
  type BearerRequest,
  demandsOf,
  readJwt,
  rememberVerified,
  tokenFromClaims,
  verifyJwt,
} from '../bearer.ts'
import { refusedAccess } from '../challenge.ts'
import { resourceMetadata, resourceMetadataUrl } from '../resource-metadata.ts'
import { answerDeadline, getJson, IssuerUnavailable, watchIssuer } from './issuer.ts'
import {
  type ApiDpopOptions,
  type ApiMutualTlsOptions,
  apiDpopProblems,
  apiMutualTlsProblems,
  apiRules,
} from './proofs.ts'

export interface ResourceServerOptions {
  /** The authorization server, exactly as it calls itself. */
  issuer: string
  /** This API, as `aud` names it: `https://api.example.com/jobs`. */
  resource: string
  /** What the metadata document calls it. */
  name?: string
  /** Scopes it understands, for the metadata document. */
  scopes?: readonly string[]
  /**
   * Ask the authorization server about every token, as a client that is registered with `resourceServerFor` this API: what
   * was revoked is refused within `cacheFor` seconds (0 to 1, default 1), and opaque tokens work.
   */
  introspection?: { clientId: string; clientSecret: string; cacheFor?: number }
  /**
   * Classes of authentication, the weakest first, as the authorization server knows them: a stronger one does where an
   * operation demands a weaker one. Default: none but the demanded ones do.
   */
  acrValues?: readonly string[]
  /** How proofs of a key are treated. */
  dpop?: ApiDpopOptions
  /** Where certificates come from, to which tokens may be bound instead. */
  mutualTls?: ApiMutualTlsOptions
  /** Accept an http issuer outside loopback. Default false. */
  allowInsecureIssuer?: boolean
  /** Default `warn`. */
  log?: LogLevel | Log
}

export interface ResourceServer {
  /** As `Gatehouse.authenticate`; without `introspection` every check is `offline`. 503 when the authorization server cannot be asked. */
  authenticate(request: BearerRequest, needs?: Omit<AccessNeeds, 'resource'>): Promise<Access>
  /** The path where `metadata()` must be served: `/.well-known/oauth-protected-resource/jobs`. */
  readonly metadataPath: string | undefined
  /** The metadata document as an answer (RFC 9728 §3.2). */
  metadata(): Response
}

/** For tests only. */
interface Surroundings {
  now?: () => number
  deadline?: number
}

/** Protects an API by tokens of an authorization server elsewhere. Throws `ConfigError` with all problems at once. */
export function resourceServer(
  options: ResourceServerOptions,
  { now = Date.now, deadline = answerDeadline }: Surroundings = {},
): ResourceServer {
  const problems = problemsOf(options)
  if (problems.length > 0) throw new ConfigError(problems)
  const { issuer, resource, introspection, dpop = {}, mutualTls } = options
  const log = typeof options.log === 'object' ? options.log : jsonLog(options.log ?? 'warn')
  const insecure = new URL(issuer).protocol === 'http:'
  const server = watchIssuer({ issuer, allowInsecure: insecure, log, now, deadline })
  const verified = rememberVerified(now)
  const rules = { ...apiRules(dpop, mutualTls, { now, log }), acrOrder: options.acrValues ?? [] }
  const metadataUrl = resourceMetadataUrl(resource)
  const askWhetherActive = introspection && introspector({ ...introspection, issuer, server, now, deadline })

  async function verify(token: string): Promise<AccessToken | Refusal> {
    const hash = sha256(token)
    const known = verified.get(hash)
    if (known) return known
    const jwt = readJwt(token)
    if (!jwt) return refuse('access_token_invalid')
    if (isRefusal(jwt)) return jwt
    const fresh = verifyJwt(jwt, await server.key(jwt.kid, jwt.alg), issuer)
    if (!isRefusal(fresh)) verified.set(hash, fresh)
    return fresh
  }

  async function find(token: string, check: AccessNeeds['check']): Promise<AccessToken | Refusal> {
    if (check === 'offline' || !askWhetherActive) return verify(token)
    // Whatever cannot be one of the server's tokens is refused here and costs it nothing.
    if (!readToken('gh_at', token)) {
      const jwt = await verify(token)
      if (isRefusal(jwt) || jwt.expiresAt <= now()) return jwt
    }
    return askWhetherActive(token)
  }

  return {
    metadataPath: metadataUrl === undefined ? undefined : new URL(metadataUrl).pathname,
    metadata() {
      const { name, scopes } = options
      const bindings = { dpop: { required: rules.required }, certificates: mutualTls !== undefined }
      return Response.json(resourceMetadata({ resource, issuer, name, scopes, ...bindings }), {
        headers: { 'cache-control': 'public, max-age=300', 'access-control-allow-origin': '*' },
      })
    },
    async authenticate(request, needs = {}) {
      const demands = demandsOf(needs, resource)
      if (needs.check === 'session' && !askWhetherActive)
        throw new TypeError('check: session needs `introspection` in the options of resourceServer')
      let access: AccessGranted | Refusal
      try {
        access = await decideAccess(request, needs, demands, rules, (token) => find(token, needs.check))
      } catch (error) {
        if (!(error instanceof IssuerUnavailable)) throw error
        log.error('access cannot be decided', { error: error.message })
        access = refuse('unavailable', {}, { retryAfter: error.retryAfter })
      }
      if (!isRefusal(access)) return access
      log.info('access refused', { reason: access.refusal, ...access.facts })
      return refusedAccess(access, demands, { request, metadataUrl, required: rules.required })
    },
  }
}

const mostAnswers = 10_000

/** Introspection (RFC 7662 §2) with one question at a time per token, whose answer counts for `cacheFor` seconds. */
function introspector(options: {
  clientId: string
  clientSecret: string
  cacheFor?: number
  issuer: string
  server: ReturnType<typeof watchIssuer>
  now: () => number
  deadline: number
}): (token: string) => Promise<AccessToken | Refusal> {
  const { clientId, clientSecret, cacheFor = 1, issuer, server, now, deadline } = options
  const authorization = `Basic ${Buffer.from(`${formEncode(clientId)}:${formEncode(clientSecret)}`).toString('base64')}`
  const answers = new Map<string, { answer: Promise<AccessToken | Refusal>; until: number }>()

  async function ask(token: string): Promise<AccessToken | Refusal> {
    const claims = await getJson(
      await server.introspectionEndpoint(),
      {
        method: 'POST',
        headers: { authorization },
        body: new URLSearchParams({ token, token_type_hint: 'access_token' }),
      },
      deadline,
    )
    if (claims['active'] !== true) return refuse('access_token_revoked')
    if (claims['iss'] !== undefined && claims['iss'] !== issuer)
      return refuse('access_token_invalid', { issuer: 'foreign' })
    return tokenFromClaims(claims) ?? refuse('access_token_invalid', { claims: 'incomplete' })
  }

  return (token) => {
    const hash = sha256(token)
    const known = answers.get(hash)
    if (known && known.until > now()) return known.answer
    // Counted from the question, so that an answer is never older than it may be.
    const entry = { answer: ask(token), until: now() + cacheFor * 1_000 }
    if (answers.size >= mostAnswers) answers.delete(answers.keys().next().value!)
    answers.set(hash, entry)
    entry.answer.catch(() => {
      if (answers.get(hash) === entry) answers.delete(hash)
    })
    return entry.answer
  }
}

/** Both halves of Basic credentials are form-encoded (RFC 6749 §2.3.1). */
function formEncode(text: string): string {
  return new URLSearchParams({ '': text }).toString().slice(1)
}

function problemsOf({
  issuer,
  resource,
  introspection,
  acrValues = [],
  dpop = {},
  mutualTls,
  allowInsecureIssuer,
}: ResourceServerOptions): ConfigProblem[] {
  const problems = [...apiDpopProblems(dpop), ...apiMutualTlsProblems(mutualTls)]
  const url = typeof issuer === 'string' && URL.canParse(issuer) ? new URL(issuer) : undefined
  if (!url || issuer !== url.origin + (url.pathname === '/' ? '' : url.pathname) || issuer.endsWith('/')) {
    problems.push({
      path: 'issuer',
      given: issuer,
      allowed: 'the issuer exactly as the server metadata names it',
      example: 'https://auth.example.com',
    })
  } else if (
    url.protocol !== 'https:' &&
    !(url.protocol === 'http:' && (isLoopback(url) || allowInsecureIssuer))
  ) {
    problems.push({
      path: 'issuer',
      given: issuer,
      allowed: 'https (http on loopback only, or with allowInsecureIssuer)',
    })
  }
  if (typeof resource !== 'string' || !isResourceUri(resource)) {
    problems.push({
      path: 'resource',
      given: resource,
      allowed: 'an absolute URI without fragment (RFC 8707 §2)',
      example: 'https://api.example.com',
    })
  }
  if (!Array.isArray(acrValues) || !acrValues.every((one) => typeof one === 'string')) {
    problems.push({
      path: 'acrValues',
      given: acrValues,
      allowed: 'a list of classes, the weakest first',
    })
  }
  const cacheFor = introspection?.cacheFor
  if (cacheFor !== undefined && !(cacheFor >= 0 && cacheFor <= 1)) {
    problems.push({ path: 'introspection.cacheFor', given: cacheFor, allowed: 'seconds from 0 to 1' })
  }
  for (const name of ['clientId', 'clientSecret'] as const) {
    if (introspection && (typeof introspection[name] !== 'string' || introspection[name] === ''))
      problems.push({ path: `introspection.${name}`, allowed: 'the credentials of a confidential client' })
  }
  return problems
}
