import { fn, type Given, oneOf, optional, seconds, section } from '../../config/section.ts'

const second = 1_000
const day = 86_400 * second

/** Bounds of what a client may override, in milliseconds. */
export const bounds = {
  accessTokenLifetime: [60 * second, day],
  codeLifetime: [30 * second, 600 * second],
  refreshTokenLifetime: [60 * second, 365 * day],
  reuseWindow: [0, day],
} as const

/** Longest reuse window of clients about which nothing was said, in milliseconds. */
export const longestUsualWindow = 300 * second

/** An access token that is about to be issued, as the host sees it. */
export interface TokenFacts {
  /** The user's subject at the account provider, as `claims` of the accounts gets it; null where a client speaks for itself. */
  account: string | null
  /** `sub` of the token. */
  subject: string
  /** The client it is issued to, by its id. */
  client: string
  scope: readonly string[]
  /** The APIs it is for. */
  resources: readonly string[]
}

/** Claims by name, or nothing. */
export type HostClaims = Record<string, unknown> | null | undefined

const within = (standard: number, name: keyof typeof bounds, most: number = bounds[name][1]) =>
  seconds(standard, bounds[name][0] / second, most / second)

export const tokens = section({
  /** Default `jwt` (RFC 9068, ES256). */
  format: oneOf(['jwt', 'opaque'], 'jwt'),
  /** Default 900. A client may have its own, 60 to 86400. */
  accessTokenLifetime: within(900, 'accessTokenLifetime'),
  /** Default 300. A client may have its own, 30 to 600. */
  codeLifetime: within(300, 'codeLifetime'),
  /** Refresh tokens end when unused for so long. Default 30 days. A client may have its own, up to `sessionLifetime`. */
  refreshTokenLifetime: within(30 * 86_400, 'refreshTokenLifetime'),
  /** A session ends after so long whatever happens. Default 90 days. */
  sessionLifetime: seconds(90 * 86_400, 300, 3_650 * 86_400),
  /** A rotated refresh token is answered with the same successor for so long. Default 60, at most 300; an administrator may give a client 0 to 86400. */
  reuseWindow: within(60, 'reuseWindow', longestUsualWindow),
  /**
   * Adds claims of your own to access tokens (`roles`, `groups`, a tenant), at most 4,096 bytes of JSON, none that this server
   * sets itself. Asked for every token that is issued, at each refresh too; while it throws, none is. Introspection answers
   * what it said for that token. Default: nothing is added.
   */
  claims: optional(
    fn<(token: TokenFacts) => HostClaims | Promise<HostClaims>>(
      'a function that answers an object of claims',
      '(token: TokenFacts) => HostClaims | Promise<HostClaims>',
    ),
  ),
})
export type TokenConfig = Given<typeof tokens>
