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
  outbound: OutboundSettings
  cors: '*' | string[]
  migrate: boolean | undefined
  jobs: boolean
  log: LogLevel | Log
}
