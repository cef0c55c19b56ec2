import type { Settings } from '../settings.ts'
import type { Checks } from './checks.ts'

/** How much strangers and users may have stored. */
export interface StorageConfig {
  /**
   * What one user may have waiting: authorization requests, and as many codes, in 15 minutes, in pieces of 4 KiB (most are
   * one). One client may take a third of it. Default 200, at least 30.
   */
  perUser?: number
  /**
   * The same for everyone together: authorization requests, codes, pushed requests and devices, each by itself. From half of
   * it on each network has a share of a hundredth; beyond it the newest are refused with 503. Default 100000.
   */
  inAll?: number
  /** Living sessions of one user over all clients; beyond it those idle for longest end. Default 200. */
  sessionsPerUser?: number
}

export function storageSettings(
  { perUser, inAll, sessionsPerUser }: StorageConfig = {},
  { problem, count }: Checks,
): Settings['storage'] {
  if (perUser !== undefined && perUser < 30) problem('storage.perUser', 'at least 30', perUser, '200')
  return {
    perUser: count('storage.perUser', perUser, 200),
    inAll: count('storage.inAll', inAll, 100_000),
    sessionsPerUser: count('storage.sessionsPerUser', sessionsPerUser, 200),
  }
}
