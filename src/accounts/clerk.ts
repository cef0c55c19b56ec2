// Clerk session tokens (claims `azp`, `sid`, `sts`, `fva`, `act`; RFC 7519) and Clerk's `user.deleted` webhook (Standard Webhooks under `svix-…` headers).

import { createHash } from 'node:crypto'
import { ConfigError, type ConfigProblem } from '../config-error.ts'
import { parseJson } from '../crypto/bounded-json.ts'
import { verifyStandardWebhook, webhookKey } from '../crypto/standard-webhooks.ts'
import { exactText } from '../exact-text.ts'
import { type Accounts, UnverifiedWebhook } from './account.ts'
import { checkTokenRules } from './jwt/token-rules.ts'
import type { Claims, TokenRefusal } from './jwt/verifier.ts'
import { checkSignInPages, cookieValues, isSafeUrl } from './sign-in-redirect.ts'
import { bearerToken, type TokenAccountsOptions, textOf, tokenAccounts } from './token-accounts.ts'

export interface ClerkAccountsOptions
  extends Pick<
    TokenAccountsOptions,
    'signInUrl' | 'signOutUrl' | 'returnParameter' | 'clockTolerance' | 'allowImpersonation' | 'onRefused'
  > {
  /** `pk_live_…` or `pk_test_…`. Names the issuer, and lets several Clerk apps share one domain (suffixed cookies). */
  publishableKey?: string
  /** The Frontend API URL, `https://clerk.example.com`, as it stands in `iss`; needed without a publishable key or behind a Clerk proxy. */
  issuer?: string
  /** The instance's PEM public key ("JWT public key" in the dashboard): no network is needed to verify. */
  jwtKey?: string
  /** Default `{issuer}/.well-known/jwks.json`. */
  jwksUrl?: string
  /** Origins of the pages whose tokens count, as they stand in `azp`. A token with another `azp`, or none, is refused. */
  authorizedParties: readonly string[]
  /** Signing secrets of the webhook endpoint, `whsec_…`; two while one is replaced. Without one every webhook is refused. */
  webhookSecret?: string | readonly string[]
}

/** 1 MiB: Clerk's events carry a whole user at most. */
const LONGEST_WEBHOOK = 1_048_576

/**
 * Accounts of a Clerk instance, from its session token: the `__session` cookie (Gatehouse mounted on the app's own host) or a
 * Bearer header. Verified here, without a call to Clerk: signature RS256, `iss`, `azp`, times, `sid` (tokens from JWT
 * templates are not sessions), `sts` (`pending` means unfinished tasks), `act` (somebody impersonates the user; refused
 * unless `allowImpersonation`, then in `claims.act`).
 *
 * The token lives 60 seconds and is renewed by the app's pages only; `expiresAt` says so. A user whose token has expired
 * is sent to `signInUrl`, where Clerk renews it and comes straight back.
 *
 * `prompt=login` and `max_age` are judged by `fva`, the minutes since the first factor. It counts whole minutes, so an
 * authentication up to a minute too old passes. A token without `fva`, or with -1 in it, cannot satisfy them: the client
 * is answered `login_required`. The sign-in page gets `prompt=login` and must then ask again, by reverification or by
 * signing out first; if it only bounces the browser back, the fifth round ends in `login_required` too.
 *
 * The return address goes out as `redirect_url`. Throws `ConfigError` with every problem at once.
 */
export function clerkAccounts(options: ClerkAccountsOptions): Accounts {
  const issuer = options.issuer ?? issuerOf(options.publishableKey) ?? ''
  const keys =
    options.jwtKey === undefined
      ? { jwksUri: options.jwksUrl ?? `${issuer}/.well-known/jwks.json` }
      : { publicKey: options.jwtKey }
  const { allowImpersonation, authorizedParties, clockTolerance, onRefused } = options
  const rules = {
    issuer,
    authorizedParties,
    algorithms: ['RS256'],
    clockTolerance,
    allowImpersonation,
    ...keys,
  }
  const problems = checkOptions(options, rules)
  if (problems.length > 0) throw new ConfigError(problems)

  const secrets = [options.webhookSecret ?? []].flat()
  const pages = {
    signInUrl: options.signInUrl,
    signOutUrl: options.signOutUrl,
    returnParameter: options.returnParameter ?? 'redirect_url',
  }
  const accounts = tokenAccounts(
    { ...rules, ...pages, onRefused },
    {
      provider: 'clerk',
      types: ['jwt'],
      tokens: (request) => sessionTokens(request, options.publishableKey),
      refuses: unfinishedSession,
      authTime: firstFactorTime,
      profile: (claims) => ({
        name: textOf(claims['name']),
        email: textOf(claims['email']),
        picture: textOf(claims['picture']) ?? textOf(claims['image_url']),
      }),
    },
  )
  return { ...accounts, onWebhook }

  async function onWebhook(request: Request) {
    const body = await bodyOf(request)
    const verdict = verifyStandardWebhook({ header: (name) => request.headers.get(name), body, secrets })
    if (!verdict.verified) throw new UnverifiedWebhook(verdict.reason)
    const event = eventOf(body)
    const subject = textOf(event?.data?.id)
    if (event?.type !== 'user.deleted' || subject === undefined) return null
    return { deleted: { provider: 'clerk', issuer, subject } }
  }
}

function sessionTokens(request: Request, publishableKey: string | undefined): string[] {
  const bearer = bearerToken(request)
  if (bearer !== undefined) return [bearer]
  const suffixed = publishableKey ? cookieValues(request, `__session_${cookieSuffix(publishableKey)}`) : []
  return suffixed.length > 0 ? suffixed : cookieValues(request, '__session')
}

/** Clerk names its cookies after the instance, so that several apps can share one domain. */
function cookieSuffix(publishableKey: string): string {
  return createHash('sha1').update(publishableKey).digest('base64url').slice(0, 8)
}

function unfinishedSession(claims: Claims): TokenRefusal | undefined {
  const status = claims['sts']
  const active = status === undefined || status === 'active'
  return active && textOf(claims['sid']) !== undefined ? undefined : 'not_a_session'
}

/** `fva` is [minutes since the first factor, minutes since the second] at `iat`, rounded down; -1 means never. */
function firstFactorTime(claims: Claims): number | undefined {
  const ages: unknown = claims['fva']
  const minutes: unknown = Array.isArray(ages) ? ages[0] : undefined
  if (typeof minutes !== 'number' || !(minutes >= 0) || claims.iat === undefined) return undefined
  return (claims.iat - minutes * 60) * 1000
}

/** A publishable key is `pk_live_` or `pk_test_` and the base64 of the Frontend API's host with a dollar sign behind it. */
function issuerOf(publishableKey: string | undefined): string | undefined {
  const encoded = /^pk_(?:live|test)_([A-Za-z0-9+/=]+)$/.exec(publishableKey ?? '')?.[1]
  const host = Buffer.from(encoded ?? '', 'base64').toString('utf8')
  return /^[a-z0-9.-]+\.[a-z0-9.-]+\$$/i.test(host) ? `https://${host.slice(0, -1)}` : undefined
}

async function bodyOf(request: Request): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of request.body ?? []) {
    length += chunk.length
    if (length > LONGEST_WEBHOOK) throw new UnverifiedWebhook('body_too_large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function eventOf(body: Buffer): { type?: unknown; data?: { id?: unknown } | null } | null {
  try {
    return parseJson(exactText(body) ?? '') as ReturnType<typeof eventOf>
  } catch {
    return null
  }
}

function checkOptions(
  options: ClerkAccountsOptions,
  rules: Parameters<typeof checkTokenRules>[0],
): ConfigProblem[] {
  const path = 'clerkAccounts'
  const problems = checkSignInPages(options, path)
  if (options.publishableKey !== undefined && issuerOf(options.publishableKey) === undefined) {
    problems.push({
      path: `${path}.publishableKey`,
      given: options.publishableKey,
      allowed: 'the publishable key from the Clerk dashboard',
      example: "'pk_live_Y2xlcmsuZXhhbXBsZS5jb20k'",
    })
  } else if (!isSafeUrl(rules.issuer) || rules.issuer.endsWith('/')) {
    problems.push({
      path: `${path}.issuer`,
      given: options.issuer,
      allowed: 'the Frontend API URL without a trailing slash, or publishableKey in its place',
      example: "'https://clerk.example.com'",
    })
  } else {
    const named: Record<string, string> = { publicKey: 'jwtKey', algorithms: 'jwtKey', jwksUri: 'jwksUrl' }
    for (const problem of checkTokenRules({ ...rules, authorizedParties: undefined }, path)) {
      const name = problem.path.slice(path.length + 1)
      const rsa =
        name === 'algorithms' ? { allowed: 'an RSA key, for Clerk signs with RS256', example: undefined } : {}
      problems.push({ ...problem, ...rsa, path: `${path}.${named[name] ?? name}` })
    }
  }
  if (options.jwtKey !== undefined && options.jwksUrl !== undefined) {
    problems.push({
      path: `${path}.jwksUrl`,
      given: options.jwksUrl,
      allowed: 'either jwtKey or jwksUrl, not both',
    })
  }
  problems.push(...checkParties(options.authorizedParties, `${path}.authorizedParties`))
  for (const secret of [options.webhookSecret ?? []].flat()) {
    if (typeof secret === 'string' && webhookKey(secret)) continue
    problems.push({
      path: `${path}.webhookSecret`,
      allowed: 'the signing secret of the endpoint in the Clerk dashboard, whsec_ and base64',
      example: 'process.env.CLERK_WEBHOOK_SIGNING_SECRET',
    })
  }
  return problems
}

function checkParties(parties: unknown, path: string): ConfigProblem[] {
  const allowed = 'a list of origins, scheme and host without a path or trailing slash'
  const example = "['https://app.example.com']"
  if (!Array.isArray(parties) || parties.length === 0) return [{ path, given: parties, allowed, example }]
  return parties.flatMap((party, index) =>
    typeof party === 'string' && /^[a-z][a-z0-9+.-]*:\/\/[^/\s]+$/.test(party)
      ? []
      : [{ path: `${path}[${index}]`, given: party, allowed, example }],
  )
}
