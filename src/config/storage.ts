import { count, type Given, section } from './section.ts'

/** How much unauthenticated clients and users may have stored. */
export const storage = section({
  /**
   * What one user may have waiting: authorization requests, and as many codes, in 15 minutes, in pieces of 4 KiB (most are
   * one). One client may take a third of it. Default 200, at least 30.
   */
  perUser: count(200, 30),
  /**
   * The same for everyone together: authorization requests, codes, pushed requests and devices, each by itself. From half of
   * it on each network has a share of a hundredth; beyond it the newest are refused with 503. Default 100000.
   */
  inAll: count(100_000),
  /** Living sessions of one user over all clients; beyond it those idle for longest end. Default 200. */
  sessionsPerUser: count(200),
})
export type StorageConfig = Given<typeof storage>
