import type { BlockList } from 'node:net'
import type { Accounts, AccountsHouse } from './accounts/account.ts'
import { type AssertionIssuerConfig, assertionIssuersSettings } from './config/assertion-issuers.ts'
import { type AuthenticationConfig, authenticationSettings } from './config/authentication.ts'
import {
  type AuthorizationDetailConfig,
  authorizationDetailsSettings,
} from './config/authorization-details.ts'
import type { Checks } from './config/checks.ts'
import { type ClientIdMetadataConfig, clientIdMetadataSettings } from './config/client-id-metadata.ts'
import { type ConnectionsConfig, connectionsSettings } from './config/connections.ts'
import { type DeviceConfig, deviceSettings } from './config/device.ts'
import { type DpopConfig, dpopSettings } from './config/dpop.ts'
import { type Fapi2Config, fapi2Settings } from './config/fapi2.ts'
import type { LimitConfig } from './config/limits.ts'
import { type MutualTlsConfig, mutualTlsSettings } from './config/mutual-tls.ts'
import { type OpenidConfig, openidSettings } from './config/openid.ts'
import { type OutboundConfig, outboundSettings } from './config/outbound.ts'
import { type PushedRequestsConfig, pushedRequestsSettings } from './config/pushed-requests.ts'
import { type RegistrationConfig, registrationSettings } from './config/registration.ts'
import { impliedScopes, isOpenidScope, type ScopeConfig, scopeSettings } from './config/scopes.ts'
import { secretProblems } from './config/secret.ts'
import {
  type SelfRegisteredClientsConfig,
  selfRegisteredClientsSettings,
} from './config/self-registered-clients.ts'
import { type StorageConfig, storageSettings } from './config/storage.ts'
import { type TokenExchangeConfig, tokenExchangeSettings } from './config/token-exchange.ts'
import { ConfigError, type ConfigProblem } from './config-error.ts'
import { trustedProxies } from './http/address.ts'
import type { Log, LogLevel } from './log.ts'
import type { Settings } from './settings.ts'

/** Everything a deployment decides. Lifetimes are in seconds, as on the OAuth wire. */
export interface Config {
  /** The server's identity and public address, e.g. `https://auth.example.com` or `https://example.com/auth`. No trailing slash. */
  issuer: string
  /**
   * The root of every key that seals or derives; at least 32 characters, e.g. 32 random bytes in base64. Several, newest
   * first, while one replaces another. Off loopback one that can be guessed, or stands in print, is refused.
   */
  secret: string | string[]
  /** `postgres://user@host/name`, or the path of an SQLite file. Default `.gatehouse/gatehouse.db`. */
  database?: string
  /** Most connections a process holds to PostgreSQL for requests; two more serve lists and reports. Default 6. */
  databaseConnections?: number
  /** Who is signed in. Default: local accounts with sign-in and sign-up pages. */
  accounts?: Accounts | ((house: AccountsHouse) => Accounts)
  /**
   * Scopes with the sentence the consent page shows for each. Those of OpenID Connect (`openid`, `profile`, `email`,
   * `offline_access`) are there without being named; naming one words its sentence.
   */
  scopes?: Record<string, string | ScopeConfig>
  /** What a client may ask of the sign-in itself. */
  authentication?: AuthenticationConfig
  /** APIs the tokens are for (RFC 8707), by their URI. The first is the default audience; with none it is the issuer. */
  resources?: Record<string, ResourceConfig>
  tokens?: TokenConfig
  sessions?: {
    /** Living sessions one user may have with one client. Default 10. */
    quota?: number
    /** At the quota: end the one idle for longest, or refuse the new one. Default `evict`. */
    whenFull?: 'evict' | 'refuse'
    /** Days an ended session stays readable. Default 30. */
    keepDays?: number
  }
  limits?: LimitConfig
  /** How much strangers and users may have stored. */
  storage?: StorageConfig
  connections?: ConnectionsConfig
  signingKeys?: {
    /** An EC P-256 private key in base64 to sign with from the start (PKCS #8 or SEC 1, DER or PEM). */
    ecPrivateKeyBase64?: string
    /** Days until a successor takes over. Default 90. */
    rotateEveryDays?: number
  }
  events?: {
    /** Days the audit log keeps an event. Default 400. */
    keepDays?: number
    /** Days it keeps the events of every token (`token_refresh`, `client_credentials` …). Default 90. */
    keepTokenDays?: number
  }
  pages?: {
    name?: string
    logo?: string
    /** CSS custom properties, e.g. `{ '--accent': '#0a7d55' }`. */
    variables?: Record<string, string>
    /** Sentences of the pages by key, overriding the defaults. */
    texts?: Record<string, string>
  }
  /**
   * Addresses or subnets of proxies whose `x-forwarded-for` is believed; `[]` says that there is none, and every peer is a
   * client itself. Default: unknown, so that peers of a private network count as one that all users share.
   */
  trustedProxies?: string[]
  /** Origins whose browser code may call the token, revocation and metadata endpoints. Default: any, without credentials. */
  cors?: '*' | string[]
  /** Clients that register themselves (RFC 7591). Off unless given. */
  registration?: RegistrationConfig
  /** Clients whose `client_id` is the URL of a document about them. Off unless given. */
  clientIdMetadata?: ClientIdMetadataConfig
  /** What both kinds may be, and how many. */
  selfRegisteredClients?: SelfRegisteredClientsConfig
  /** Clients that authenticate by a TLS certificate, or hold tokens bound to one (RFC 8705). Off unless given. */
  mutualTls?: MutualTlsConfig
  /** Requests to URLs that clients chose. */
  outbound?: OutboundConfig
  /** Authorization requests that clients push before they send the user (RFC 9126). Accepted unless told otherwise. */
  pushedRequests?: PushedRequestsConfig
  /** Types of `authorization_details` (RFC 9396) that clients may ask for, by name. */
  authorizationDetails?: Record<string, AuthorizationDetailConfig>
  /** What ID tokens and other signed answers are signed with and hold, where a client says nothing. */
  openid?: OpenidConfig
  /** Tokens bound to a key of the client. */
  dpop?: DpopConfig
  /** What clients of the profile `fapi2` must do. */
  fapi2?: Fapi2Config
  /** Devices without a browser of their own (RFC 8628). Off unless given; `{}` takes every default. */
  device?: DeviceConfig
  /** Exchanging tokens (RFC 8693). Off unless given. */
  tokenExchange?: TokenExchangeConfig
  /** Who may speak for users with signed assertions (RFC 7523, ID-JAG), by their `iss`. Off unless given. */
  assertionIssuers?: Record<string, AssertionIssuerConfig>
  /** Accept an http issuer outside loopback (a private network that ends TLS elsewhere). Default false. */
  allowInsecureIssuer?: boolean
  /** Apply missing schema migrations at start. Default true on SQLite, false on PostgreSQL (run `npx gatehouse-auth migrate up`). */
  migrate?: boolean
  /**
   * Seconds a listener goes on answering after it was told to end, while `/readyz` fails and kept connections are given up.
   * Default: 5 for `npx gatehouse-auth serve`, 0 on loopback and embedded.
   */
  drain?: number
  /** Run the built-in scheduler (clean-up, key rotation). Default true. */
  jobs?: boolean
  /** Least level that is logged, or a log of your own. Default `info`. */
  log?: LogLevel | Log
}

/**
 * What `gatehouse.config.mts` exports for the command line: a `Config` whose issuer, secret and database may come from
 * the environment instead.
 */
export type FileConfig = Omit<Config, 'issuer' | 'secret'> & Partial<Pick<Config, 'issuer' | 'secret'>>

/** The identity, for a configuration file that wants to be checked as it is typed. */
export function defineConfig(config: FileConfig): FileConfig {
  return config
}

export interface ResourceConfig {
  name?: string
  /** Format of access tokens for this API. Default: `tokens.format`. */
  tokenFormat?: 'jwt' | 'opaque'
  /**
   * Signs its JWT access tokens, for gateways that verify nothing else: `ES256` or `RS256` (RFC 9068 §2.1). Default `ES256`,
   * at a sixth of the cost.
   */
  tokenSigningAlg?: 'ES256' | 'RS256'
  /** Scopes it understands; shown in its metadata (RFC 9728). Default: all. */
  scopes?: string[]
}

export interface TokenConfig {
  /** Default `jwt` (RFC 9068, ES256). */
  format?: 'jwt' | 'opaque'
  /** Default 900. A client may have its own, 60 to 86400. */
  accessTokenLifetime?: number
  /** Default 300. A client may have its own, 30 to 600. */
  codeLifetime?: number
  /** Refresh tokens end when unused for so long. Default 30 days. A client may have its own, up to `sessionLifetime`. */
  refreshTokenLifetime?: number
  /** A session ends after so long whatever happens. Default 90 days. */
  sessionLifetime?: number
  /** A rotated refresh token is answered with the same successor for so long. Default 60; a client may have 0 to 300. */
  reuseWindow?: number
}

const second = 1_000
const day = 86_400 * second

/** In seconds. */
export const longestDrain = 600

/** Bounds of what a client may override, in milliseconds. */
export const bounds = {
  accessTokenLifetime: [60 * second, day],
  codeLifetime: [30 * second, 600 * second],
  refreshTokenLifetime: [60 * second, 365 * day],
  reuseWindow: [0, 300 * second],
} as const

/** Checks a configuration and fills in its defaults. Throws `ConfigError` with all problems at once. */
export function resolveConfig(config: Config): Settings {
  const problems: ConfigProblem[] = []
  const problem = (path: string, allowed: string, given?: unknown, example?: string) => {
    problems.push({ path, allowed, example, ...(given === undefined ? {} : { given }) })
  }
  const seconds = (
    path: string,
    given: number | undefined,
    standard: number,
    least: number,
    most: number,
  ) => {
    if (given === undefined) return standard * second
    if (!Number.isInteger(given) || given < least || given > most) {
      problem(path, `a whole number of seconds from ${least} to ${most}`, given, String(standard))
    }
    return given * second
  }
  const count = (path: string, given: number | undefined, standard: number) => {
    if (given !== undefined && (!Number.isInteger(given) || given < 1)) {
      problem(path, 'a whole number of at least 1', given, String(standard))
    }
    return given ?? standard
  }

  const checks: Checks = { problem, seconds, count }
  const issuer = issuerFrom(config, problem)
  const secrets = typeof config.secret === 'string' ? [config.secret] : (config.secret ?? [])
  problems.push(...secretProblems(secrets, issuer === undefined || isLoopback(issuer)))
  const scopes = scopeSettings(config.scopes, checks)
  for (const [uri, resource] of Object.entries(config.resources ?? {})) {
    if (!isResourceUri(uri))
      problem(
        `resources.${uri}`,
        'an absolute URI without fragment (RFC 8707 §2)',
        uri,
        'https://api.example.com',
      )
    for (const scope of resource.scopes ?? []) {
      if (!Object.hasOwn(scopes, scope) || isOpenidScope(scope))
        problem(`resources.${uri}.scopes`, 'scopes that `scopes` names, none of OpenID Connect', scope)
    }
  }
  const tokens = config.tokens ?? {}
  let proxies: BlockList | undefined
  try {
    proxies = config.trustedProxies && trustedProxies(config.trustedProxies)
  } catch (error) {
    problem('trustedProxies', 'addresses or subnets', (error as Error).message, '10.0.0.0/8')
  }
  const sessionLifetime = seconds(
    'tokens.sessionLifetime',
    tokens.sessionLifetime,
    90 * 86_400,
    300,
    3650 * 86_400,
  )
  const limits = config.limits ?? {}
  const pushedRequests = pushedRequestsSettings(config.pushedRequests, checks)

  const registry = {
    issuer: config.issuer,
    scopes,
    resources: [...Object.keys(config.resources ?? {}), config.issuer],
  }
  const settings: Settings = {
    issuer: config.issuer,
    origin: issuer?.origin ?? '',
    base: issuer && issuer.pathname !== '/' ? issuer.pathname : '',
    secure: issuer?.protocol === 'https:',
    loopback: issuer ? isLoopback(issuer) : false,
    secrets,
    database: config.database ?? '.gatehouse/gatehouse.db',
    databaseConnections: count('databaseConnections', config.databaseConnections, 6),
    scopes,
    impliedScopes: impliedScopes(config.scopes, checks),
    authentication: authenticationSettings(config.authentication, checks),
    resources: config.resources ?? {},
    defaultResource: Object.keys(config.resources ?? {})[0] ?? config.issuer,
    tokens: {
      format: tokens.format ?? 'jwt',
      accessTokenLifetime: seconds('tokens.accessTokenLifetime', tokens.accessTokenLifetime, 900, 60, 86_400),
      codeLifetime: seconds('tokens.codeLifetime', tokens.codeLifetime, 300, 30, 600),
      refreshTokenLifetime: seconds(
        'tokens.refreshTokenLifetime',
        tokens.refreshTokenLifetime,
        30 * 86_400,
        60,
        365 * 86_400,
      ),
      sessionLifetime,
      reuseWindow: seconds('tokens.reuseWindow', tokens.reuseWindow, 60, 0, 300),
    },
    sessions: {
      quota: count('sessions.quota', config.sessions?.quota, 10),
      whenFull: config.sessions?.whenFull ?? 'evict',
      keep: count('sessions.keepDays', config.sessions?.keepDays, 30) * day,
    },
    limits: {
      signInFailuresPerAccount: count('limits.signInFailuresPerAccount', limits.signInFailuresPerAccount, 10),
      failuresPerNetwork: count('limits.failuresPerNetwork', limits.failuresPerNetwork, 100),
      clientAuthenticationFailures: count(
        'limits.clientAuthenticationFailures',
        limits.clientAuthenticationFailures,
        50,
      ),
      requestsPerClientPerHour:
        limits.requestsPerClientPerHour === undefined
          ? null
          : count('limits.requestsPerClientPerHour', limits.requestsPerClientPerHour, 1),
    },
    storage: storageSettings(config.storage, checks),
    signingKeys: {
      ecPrivateKeyBase64: config.signingKeys?.ecPrivateKeyBase64 ?? null,
      rotateEvery: count('signingKeys.rotateEveryDays', config.signingKeys?.rotateEveryDays, 90) * day,
    },
    events: {
      keep: count('events.keepDays', config.events?.keepDays, 400) * day,
      keepToken: count('events.keepTokenDays', config.events?.keepTokenDays, 90) * day,
    },
    pages: config.pages ?? {},
    trustedProxies: proxies,
    registration: registrationSettings(config.registration, checks),
    clientIdMetadata: clientIdMetadataSettings(config.clientIdMetadata, checks),
    selfRegisteredClients: selfRegisteredClientsSettings(config.selfRegisteredClients, scopes, checks),
    mutualTls: mutualTlsSettings(config.mutualTls, config, checks),
    outbound: outboundSettings(config.outbound, issuer ? isLoopback(issuer) : false, checks),
    pushedRequests,
    authorizationDetails: authorizationDetailsSettings(config.authorizationDetails, checks),
    openid: openidSettings(config.openid, checks),
    dpop: dpopSettings(config.dpop, checks),
    device: deviceSettings(config.device, checks),
    connections: connectionsSettings(config.connections, checks),
    tokenExchange: tokenExchangeSettings(config.tokenExchange, registry, checks),
    assertionIssuers: assertionIssuersSettings(config.assertionIssuers, registry, checks),
    fapi2: fapi2Settings(config.fapi2, pushedRequests, checks),
    cors: config.cors ?? '*',
    migrate: config.migrate,
    drain: config.drain === undefined ? null : seconds('drain', config.drain, 5, 0, longestDrain),
    jobs: config.jobs ?? true,
    log: config.log ?? 'info',
  }
  const choices: [string, unknown, readonly string[]][] = [
    ['tokens.format', tokens.format, ['jwt', 'opaque']],
    ['sessions.whenFull', config.sessions?.whenFull, ['evict', 'refuse']],
    ...Object.entries(config.resources ?? {}).map(
      ([uri, one]) =>
        [`resources.${uri}.tokenFormat`, one.tokenFormat, ['jwt', 'opaque']] as [string, unknown, string[]],
    ),
    ...Object.entries(config.resources ?? {}).map(
      ([uri, one]) =>
        [`resources.${uri}.tokenSigningAlg`, one.tokenSigningAlg, ['ES256', 'RS256']] as [
          string,
          unknown,
          string[],
        ],
    ),
  ]
  for (const [path, given, allowed] of choices) {
    if (given !== undefined && !allowed.includes(given as string))
      problem(path, allowed.join(' or '), given, allowed[0])
  }
  if (problems.length > 0) throw new ConfigError(problems)
  return settings
}

function issuerFrom(
  config: Config,
  problem: (path: string, allowed: string, given?: unknown, example?: string) => void,
): URL | undefined {
  const example = 'https://auth.example.com'
  if (typeof config.issuer !== 'string' || !URL.canParse(config.issuer)) {
    problem('issuer', 'an absolute URL', config.issuer, example)
    return undefined
  }
  const url = new URL(config.issuer)
  // The issuer is compared byte for byte by clients, so it must be written the way URLs are normalised.
  const canonical = url.origin + (url.pathname === '/' ? '' : url.pathname)
  if (config.issuer !== canonical || config.issuer.endsWith('/')) {
    problem(
      'issuer',
      'scheme, host and path only, in lower case, without trailing slash, query or fragment',
      config.issuer,
      canonical.replace(/\/+$/, ''),
    )
  }
  if (
    url.protocol !== 'https:' &&
    !(url.protocol === 'http:' && (isLoopback(url) || config.allowInsecureIssuer))
  ) {
    problem('issuer', 'https (http on loopback only, or with allowInsecureIssuer)', config.issuer, example)
  }
  return url
}

/** An absolute URI without fragment (RFC 8707 §2). */
export function isResourceUri(text: string): boolean {
  return URL.canParse(text) && !text.includes('#') && /^[a-z][a-z0-9+.-]*:\S+$/i.test(text)
}

export function isLoopback(url: URL): boolean {
  return url.hostname === 'localhost' || url.hostname === '127.0.0.1' || url.hostname === '[::1]'
}
