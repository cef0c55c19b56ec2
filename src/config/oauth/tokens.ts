import { type Given, oneOf, seconds, section } from '../section.ts'

const second = 1_000
const day = 86_400 * second

/** Bounds of what a client may override, in milliseconds. */
export const bounds = {
  accessTokenLifetime: [60 * second, day],
  codeLifetime: [30 * second, 600 * second],
  refreshTokenLifetime: [60 * second, 365 * day],
  reuseWindow: [0, 300 * second],
} as const

const within = (standard: number, name: keyof typeof bounds) =>
  seconds(standard, bounds[name][0] / second, bounds[name][1] / second)

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
  /** A rotated refresh token is answered with the same successor for so long. Default 60; a client may have 0 to 300. */
  reuseWindow: within(60, 'reuseWindow'),
})
export type TokenConfig = Given<typeof tokens>
