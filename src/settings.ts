import type { X509Certificate } from 'node:crypto'
import type { BlockList } from 'node:net'
import type { Algorithm } from './crypto/jws.ts'
import type { ConnectionLimits } from './http/connections.ts'
import type { OutboundSettings } from './http/guarded-fetch.ts'
import type { Log, LogLevel } from './log.ts'

/** The configuration with every default filled in; lifetimes in milliseconds. */
export interface Settings {
  issuer: string
  /** Origin of the issuer. */
  origin: string
  /** Path of the issuer, '' at the root. */
  base: string
  /** https: cookies are Secure. */
  secure: boolean
  loopback: boolean
  secrets: string[]
  database: string
  databaseConnections: number
  /** Those of the configuration, then those of OpenID Connect. */
  scopes: Record<string, string>
  /** What a scope implies, to the end. */
  impliedScopes: Record<string, readonly string[]>
  /** What sign-ins can be told apart by, the weakest first. */
  authentication: { acrValues: readonly string[] }
  resources: Record<
    string,
    { name?: string; tokenFormat?: 'jwt' | 'opaque'; tokenSigningAlg?: 'ES256' | 'RS256'; scopes?: string[] }
  >
  defaultResource: string
  tokens: {
    format: 'jwt' | 'opaque'
    accessTokenLifetime: number
    codeLifetime: number
    refreshTokenLifetime: number
    sessionLifetime: number
    reuseWindow: number
  }
  sessions: { quota: number; whenFull: 'evict' | 'refuse'; keep: number }
  limits: {
    signInFailuresPerAccount: number
    failuresPerNetwork: number
    clientAuthenticationFailures: number
    requestsPerClientPerHour: number | null
  }
  /** What may wait in 15 minutes, in pieces of 4 KiB, and how many sessions a user has. */
  storage: { perUser: number; inAll: number; sessionsPerUser: number }
  signingKeys: { ecPrivateKeyBase64: string | null; rotateEvery: number }
  events: { keep: number; keepToken: number }
  pages: {
    name?: string
    logo?: string
    variables?: Record<string, string>
    texts?: Record<string, string>
  }
  /** Empty when there are none; undefined when nobody said. */
  trustedProxies: BlockList | undefined
  /** Clients may register themselves; null when they may not. */
  registration: {
    policy: 'open' | 'initial_access_token'
    requireSoftwareStatement: boolean
    softwareStatementIssuers: ReadonlyMap<
      string,
      { id: string; jwks: { keys: object[] } | null; jwksUri: string | null }
    >
  } | null
  /** Clients may be documents; null when they may not. */
  clientIdMetadata: { hosts: readonly string[] | null; longestFreshness: number } | null
  selfRegisteredClients: {
    scope: readonly string[] | null
    grantTypes: readonly string[]
    redirects: readonly RedirectShape[]
    /** Further schemes of redirect URIs. */
    schemes: readonly string[]
    /** When errors go there before the user was asked anything. */
    redirectErrors: 'allowed' | 'always' | 'never'
    redirectHosts: readonly string[] | null
    perHour: number
    perNetworkPerHour: number
    networks: readonly { list: BlockList; perHour: number }[]
    keepUnused: number
    keepIdle: number
  }
  /** Certificates that a proxy hands over; null where none does. */
  mutualTls: {
    certificateHeader: string
    authorities: readonly X509Certificate[]
    origin: string | null
  } | null
  outbound: OutboundSettings
  /** What connections to the server's own listener may take. */
  connections: ConnectionLimits
  /** Pushed authorization requests; null when they are not accepted. */
  pushedRequests: { required: boolean; lifetime: number; perNetwork: number } | null
  /** The types of `authorization_details` that may be asked for. */
  authorizationDetails: Readonly<Record<string, DetailType>>
  /** For clients that say nothing else. */
  openid: { signingAlg: Algorithm; claimsInIdToken: boolean }
  dpop: { nonces: 'required' | 'optional'; required: boolean }
  fapi2: { messageSigning: boolean }
  /** Devices a person allows elsewhere; null when there are none. */
  device: { lifetime: number; interval: number; perNetwork: number } | null
  /** Which tokens may be exchanged; null when none may. */
  tokenExchange: {
    rules: readonly ExchangeRule[]
    allows: ((exchange: ExchangeFacts) => boolean | Promise<boolean>) | null
  } | null
  /** Who may speak for users, by the `iss` of their assertions. */
  assertionIssuers: ReadonlyMap<string, AssertionIssuer>
  cors: '*' | string[]
  migrate: boolean | undefined
  /** Milliseconds; null where nothing was configured. */
  drain: number | null
  jobs: boolean
  log: LogLevel | Log
}

/** The forms of a redirect URI: https, http on loopback, a private-use scheme. */
export type RedirectShape = 'https' | 'loopback' | 'private_use'

/** What a value in `authorization_details` may be: a part of JSON Schema. Lengths are counted in characters. */
export type DetailSchema = { description?: string } & (
  | { type: 'object'; properties: Record<string, DetailSchema>; required?: readonly string[] }
  | { type: 'array'; items: DetailSchema; minItems?: number; maxItems?: number }
  | { type: 'string'; enum?: readonly string[]; pattern?: string; minLength?: number; maxLength?: number }
  | { type: 'number' | 'integer'; enum?: readonly number[]; minimum?: number; maximum?: number }
  | { type: 'boolean' }
)

/** A type of `authorization_details` (RFC 9396 §2). */
export interface DetailType {
  schema: DetailSchema & { type: 'object' }
  describe: (detail: Record<string, unknown>) => string[]
}

/** One thing one client may do with tokens of others (RFC 8693). */
export interface ExchangeRule {
  client: string
  kind: 'delegation' | 'impersonation'
  resources: readonly string[]
  scope: readonly string[] | null
  subjectClients: readonly string[] | null
  mayAct: string | null
}

/** An exchange that a rule allows, as the deployment's own policy sees it. */
export interface ExchangeFacts {
  /** The client that asks. */
  client: string
  kind: 'delegation' | 'impersonation'
  /** Whom the new token is about, and the client the exchanged token was issued to. */
  subject: string
  subjectClient: string
  /** Who acts: the subject of the actor token, or the client itself. */
  actor: string
  /** What the new token would be good for. */
  scope: readonly string[]
  resources: readonly string[]
}

/** Who may speak for users (RFC 7523 §2.1). */
export interface AssertionIssuer {
  /** `iss`. */
  id: string
  jwks: { keys: object[] } | null
  jwksUri: string | null
  clients: readonly string[]
  accepts: readonly ('id-jag' | 'jwt')[]
  scope: readonly string[] | null
  resources: readonly string[] | null
  provider: string
  unknownUsers: 'refuse' | 'create'
  tenant: string | null
  algorithms: readonly Algorithm[]
  longestLife: number
}
