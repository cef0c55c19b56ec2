import type { Secrets } from './crypto/secrets.ts'
import type { Limit } from './db/counters.ts'
import type { Database } from './db/database.ts'
import { networkOf } from './http/address.ts'
import type { Log } from './log.ts'
import type { Settings } from './settings.ts'

/** What every domain works with. Made once, in app.ts. */
export interface Core {
  readonly settings: Settings
  readonly db: Database
  readonly secrets: Secrets
  readonly log: Log
  /** Epoch milliseconds. */
  now(): number
}

/** As often as one network, where all users of a server may look like one. */
export const sharedBy = 10

/**
 * How often something may happen from the network of a request. Requests without an address count together, ten times as
 * often as one network's, and so do those of a proxy that is not among `trustedProxies`; a network of many parties is counted
 * instead of its parts while a process has no room for further counters.
 */
export function networkLimit(
  { trustedProxies }: Pick<Settings, 'trustedProxies'>,
  address: string,
  what: string,
  { most, window }: Pick<Limit, 'most' | 'window'>,
): Limit & { shared: boolean } {
  const { name, region, shared } = networkOf(address, trustedProxies !== undefined)
  return {
    key: `${what}:${name}`,
    most: shared ? most * sharedBy : most,
    window,
    shared,
    ...(region === undefined ? {} : { wider: { key: `${what}:${region}`, most: most * sharedBy, window } }),
  }
}

/**
 * What a plain listener says at start when a proxy in front of it must end TLS, and none is configured: to limits all users
 * are then that one address.
 */
export function proxiesUnknown({
  secure,
  trustedProxies,
}: Pick<Settings, 'secure' | 'trustedProxies'>): string | undefined {
  return secure && trustedProxies === undefined
    ? 'the issuer is https and this listener is not, so a proxy must stand in front, and no proxy is trusted: limits per network take all users for one. Set trustedProxies, or GATEHOUSE_TRUSTED_PROXIES, to the addresses of the proxies, e.g. 10.0.0.0/8; or to none'
    : undefined
}
