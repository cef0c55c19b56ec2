// OpenID Connect Core 1.0 §2 and §3.1.3.7 for the claims of a token whose issuer is pinned in the configuration: Supabase, Auth0, or any issuer with public keys.
import { ConfigError, type ConfigProblem } from '../config-error.ts'
import { parseJson } from '../crypto/bounded-json.ts'
import type { Accounts } from './account.ts'
import { checkTokenRules, type TokenKeys } from './jwt/token-rules.ts'
import type { Claims, TokenRefusal } from './jwt/verifier.ts'
import { checkSignInPages, cookieValues, isSafeUrl } from './sign-in-redirect.ts'
import {
  bearerToken,
  type TokenAccountsOptions,
  type TokenDialect,
  textOf,
  timeOf,
  tokenAccounts,
} from './token-accounts.ts'

/**
 * Where the token stands. `'bearer'`: the Authorization header, for servers behind a proxy that signs users in. A cookie: its
 * whole value is the token (a Bearer header goes first when there is one). A function: anything else, such as a header of
 * the proxy's own.
 */
export type TokenSource = 'bearer' | { cookie: string } | ((request: Request) => string | null | undefined)

export interface JwtAccountsOptions extends TokenAccountsOptions {
  /** Default `'bearer'`. */
  token?: TokenSource
  /** First part of the account's key; default `jwt`. Choose it once: another name makes every user a new one. */
  provider?: string
  /**
   * The claim that says when the user authenticated, in epoch seconds; default `auth_time`. Name `iat` only when the issuer
   * makes one token per sign-in and never refreshes it: a refreshed token would pass for a new sign-in.
   */
  authTimeClaim?: string
}

/**
 * Accounts from the JWTs of one issuer. `audience` or `authorizedParties` is required, because an issuer's tokens for other
 * applications must not sign anybody in here.
 *
 * `prompt=login` and `max_age` are judged by `authTimeClaim`. When a token does not carry it they cannot be satisfied:
 * the client is answered `login_required`, and the browser is not sent round in circles.
 *
 * Throws `ConfigError` with every problem at once.
 */
export function jwtAccounts(options: JwtAccountsOptions): Accounts {
  return accountsOf(options, 'jwtAccounts')
}

export interface SupabaseAccountsOptions
  extends Pick<TokenKeys, 'jwks' | 'jwksUri' | 'secret'>,
    Pick<
      JwtAccountsOptions,
      'signInUrl' | 'signOutUrl' | 'returnParameter' | 'clockTolerance' | 'onRefused'
    > {
  /** `https://REF.supabase.co`, or the project's own domain. */
  projectUrl: string
  /** Default `authenticated`. */
  audience?: string
  /** Default: the session cookie of `@supabase/ssr`, `sb-REF-auth-token`; a Bearer header goes first. */
  token?: TokenSource
  /** Only sessions with a second factor. A project that offers one needs this: `aal1` also means "second step not done yet". */
  requireSecondFactor?: boolean
  /** Let users of an anonymous sign-in connect clients. Default false. */
  allowAnonymous?: boolean
}

/**
 * Accounts of a Supabase project: access tokens of issuer `{projectUrl}/auth/v1`, keys below it. A project that still signs
 * with HS256 gives its JWT `secret` instead of keys; the two are never mixed. Tokens that Supabase issued to OAuth clients
 * (`client_id`) are refused: they belong to the client, not to the user's browser. The time of authentication is the
 * newest entry of `amr`.
 */
export function supabaseAccounts(options: SupabaseAccountsOptions): Accounts {
  if (!isSafeUrl(options.projectUrl) || new URL(options.projectUrl).pathname !== '/') {
    throw new ConfigError([
      {
        path: 'supabaseAccounts.projectUrl',
        given: options.projectUrl,
        allowed: 'the https URL of the project, without a path',
        example: "'https://abcdefghijklmnopqrst.supabase.co'",
      },
      ...checkSignInPages(options, 'supabaseAccounts'),
    ])
  }
  const project = new URL(options.projectUrl)
  const issuer = `${project.origin}/auth/v1`
  const ownKeys = options.jwks ?? options.jwksUri ?? options.secret
  const cookie = `sb-${project.hostname.split('.')[0]}-auth-token`
  return accountsOf(
    {
      ...options,
      issuer,
      audience: options.audience ?? 'authenticated',
      jwksUri: ownKeys === undefined ? `${issuer}/.well-known/jwks.json` : options.jwksUri,
      provider: 'supabase',
      token: options.token ?? ((request) => bearerToken(request) ?? supabaseCookie(request, cookie)),
    },
    'supabaseAccounts',
    { refuses, authTime: newestMethod, profile: supabaseProfile },
  )

  function refuses(claims: Claims): TokenRefusal | undefined {
    if (claims['client_id'] !== undefined) return 'not_a_session'
    if (claims['is_anonymous'] === true && !options.allowAnonymous) return 'not_a_session'
    if (options.requireSecondFactor && claims['aal'] !== 'aal2') return 'not_a_session'
    return undefined
  }
}

export interface Auth0AccountsOptions
  extends Pick<TokenKeys, 'jwks' | 'jwksUri'>,
    Pick<
      JwtAccountsOptions,
      | 'signInUrl'
      | 'signOutUrl'
      | 'returnParameter'
      | 'authorizedParties'
      | 'clockTolerance'
      | 'token'
      | 'authTimeClaim'
      | 'allowImpersonation'
      | 'onRefused'
    > {
  /** `TENANT.eu.auth0.com` or the tenant's own domain. */
  domain: string
  /** The identifier of the API in Auth0, or for ID tokens the client id of the app. Without one Auth0 issues opaque tokens. */
  audience: string | readonly string[]
}

/**
 * Accounts of an Auth0 tenant. Its issuer ends in a slash, and a token whose `iss` does not is refused. Auth0 issues readable
 * access tokens only to apps that ask for an `audience`; an opaque one is refused as `malformed` (see `onRefused`).
 * `auth_time` stands in ID tokens asked for with `max_age`; an Action may put it into access tokens under a name of its
 * own, which `authTimeClaim` takes.
 */
export function auth0Accounts(options: Auth0AccountsOptions): Accounts {
  const problems: ConfigProblem[] = []
  const host = String(options.domain ?? '').replace(/^https:\/\/|\/$/g, '')
  if (!isSafeUrl(`https://${host}`) || new URL(`https://${host}`).host !== host.toLowerCase()) {
    problems.push({
      path: 'auth0Accounts.domain',
      given: options.domain,
      allowed: 'the domain of the tenant, without a path',
      example: "'tenant.eu.auth0.com'",
    })
  }
  if (options.audience === undefined || options.audience.length === 0) {
    problems.push({
      path: 'auth0Accounts.audience',
      given: options.audience,
      allowed:
        'the identifier of your API in Auth0, which the app must send as `audience` when it signs users in: without it the access token is opaque and cannot be verified',
      example: "'https://api.example.com'",
    })
  }
  if (problems.length > 0) throw new ConfigError([...problems, ...checkSignInPages(options, 'auth0Accounts')])
  const issuer = `https://${host.toLowerCase()}/`
  return accountsOf(
    {
      ...options,
      issuer,
      jwksUri: options.jwks ? options.jwksUri : (options.jwksUri ?? `${issuer}.well-known/jwks.json`),
      provider: 'auth0',
    },
    'auth0Accounts',
  )
}

function accountsOf(
  options: JwtAccountsOptions,
  path: string,
  own: Partial<Pick<TokenDialect, 'refuses' | 'authTime' | 'profile'>> = {},
): Accounts {
  const provider = options.provider ?? 'jwt'
  const source = options.token ?? 'bearer'
  const problems = [
    ...checkTokenRules(options, path),
    ...checkSignInPages(options, path),
    ...checkSource(source, path),
  ]
  if (options.audience === undefined && options.authorizedParties === undefined) {
    problems.push({
      path: `${path}.audience`,
      given: undefined,
      allowed:
        'the `aud` of tokens made for this application, or authorizedParties with its `azp`; without either, a token for any other application of the issuer would sign its user in',
      example: "'https://api.example.com'",
    })
  }
  if (!/^[a-z0-9][a-z0-9_-]{0,31}$/.test(provider) || provider === 'local' || provider === 'development') {
    problems.push({
      path: `${path}.provider`,
      given: provider,
      allowed: 'up to 32 lower-case letters, digits, _ and -; not local or development',
      example: "'jwt'",
    })
  }
  if (problems.length > 0) throw new ConfigError(problems)

  const authTimeClaim = options.authTimeClaim ?? 'auth_time'
  return tokenAccounts(options, {
    provider,
    types: ['jwt', 'at+jwt'],
    tokens: (request) => presentedTokens(request, source),
    authTime: (claims) => timeOf(claims[authTimeClaim]),
    profile: (claims) => ({
      name: textOf(claims['name']),
      email: textOf(claims['email']),
      picture: textOf(claims['picture']),
    }),
    ...own,
  })
}

function checkSource(source: unknown, path: string): ConfigProblem[] {
  if (source === 'bearer' || typeof source === 'function') return []
  const cookie = (source as { cookie?: unknown } | null)?.cookie
  if (typeof cookie === 'string' && /^[\w!#$%&'*+.^`|~-]+$/.test(cookie)) return []
  return [
    {
      path: `${path}.token`,
      given: source,
      allowed: "'bearer', { cookie: name }, or a function from a Request to the token",
      example: "{ cookie: 'access_token' }",
    },
  ]
}

function presentedTokens(request: Request, source: TokenSource): string[] {
  if (typeof source === 'function') {
    const token = source(request)
    return token ? [token] : []
  }
  const bearer = bearerToken(request)
  if (bearer !== undefined) return [bearer]
  return source === 'bearer' ? [] : cookieValues(request, source.cookie)
}

/** The access token inside the session that `@supabase/ssr` keeps in one cookie or, when it is long, in `name.0`, `name.1`, … */
function supabaseCookie(request: Request, name: string): string | undefined {
  let text = cookieValues(request, name)[0] ?? ''
  for (let n = 0; text === '' || n > 0; n++) {
    const chunk = cookieValues(request, `${name}.${n}`)[0]
    if (!chunk) break
    text += chunk
  }
  try {
    const session = parseJson(
      text.startsWith('base64-')
        ? Buffer.from(text.slice('base64-'.length), 'base64url').toString('utf8')
        : decodeURIComponent(text),
    )
    return textOf((session as { access_token?: unknown } | null)?.access_token)
  } catch {
    return undefined
  }
}

/** Supabase notes each step of a sign-in as `{ method, timestamp }`; a refresh adds none. */
function newestMethod(claims: Claims): number | undefined {
  const methods: unknown = claims['amr']
  if (!Array.isArray(methods)) return undefined
  const times = methods
    .filter((entry) => entry?.method !== 'token_refresh')
    .map((entry) => timeOf(entry?.timestamp) ?? 0)
  return Math.max(0, ...times) || undefined
}

function supabaseProfile(claims: Claims): ReturnType<TokenDialect['profile']> {
  const profile = (claims['user_metadata'] ?? {}) as Record<string, unknown>
  return {
    name: textOf(profile['full_name']) ?? textOf(profile['name']),
    email: textOf(claims['email']),
    picture: textOf(profile['avatar_url']) ?? textOf(profile['picture']),
  }
}
