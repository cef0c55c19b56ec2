import type { BlockList } from 'node:net'
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
  scopes: Record<string, string>
  resources: Record<string, { name?: string; tokenFormat?: 'jwt' | 'opaque'; scopes?: string[] }>
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
  signingKeys: { ecPrivateKeyBase64: string | null; rotateEvery: number }
  events: { keep: number; keepToken: number }
  pages: {
    name?: string
    logo?: string
    variables?: Record<string, string>
    texts?: Record<string, string>
  }
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
    redirectHosts: readonly string[] | null
    perHour: number
    perNetworkPerHour: number
    networks: readonly { list: BlockList; perHour: number }[]
    keepUnused: number
    keepIdle: number
  }
  outbound: OutboundSettings
  cors: '*' | string[]
  migrate: boolean | undefined
  jobs: boolean
  log: LogLevel | Log
}

/** The forms of a redirect URI: https, http on loopback, a private-use scheme. */
export type RedirectShape = 'https' | 'loopback' | 'private_use'
