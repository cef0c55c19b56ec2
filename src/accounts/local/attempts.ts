// NIST SP 800-63B-4 §3.2.2: failed sign-ins are limited per account and per network.
import { type Core, networkLimit } from '../../core.ts'
import { sha256 } from '../../crypto/tokens.ts'
import type { Counters, Limit } from '../../db/counters.ts'
import type { Incoming } from '../../http/message.ts'

const window = 15 * 60_000
/** Of one account: no person signs in so often, and each costs as much as a failure. */
const mostSuccesses = 60
/** Failures left to each account where all users seem to come from one network, and that has used up its own. */
const mostWhereShared = 3

/** Too many failed before: `retryAfter` seconds to wait. */
export interface Throttled {
  retryAfter: number
}

/** Whose password is checked. */
export interface Attempt {
  login: string
  /** What tells that this browser was signed in before: its failures count for itself alone, and those of others do not count for it. */
  device: string | undefined
}

/** Counts checks of a password. What is under way counts too, so that many guesses at once gain nothing. */
export interface SignInAttempts {
  /** Runs the check, unless too many failed. */
  check(request: Incoming, attempt: Attempt, check: () => Promise<boolean>): Promise<boolean | Throttled>
  /** Counts something a network may do only so often; answers how long it has to wait, else undefined. */
  limitNetwork(request: Incoming, what: string): Promise<Throttled | undefined>
  /** The same without counting. */
  blockedNetwork(request: Incoming, what: string): Promise<Throttled | undefined>
}

export function signInAttempts({
  counters,
  settings,
}: Pick<Core, 'settings'> & { counters: Counters }): SignInAttempts {
  const { failuresPerNetwork, signInFailuresPerAccount } = settings.limits
  const underWay = new Map<string, number>()

  const networkOf = (request: Incoming, what: string) =>
    networkLimit(settings, request.address, what, { most: failuresPerNetwork, window })

  /** Those whom a failure counts for. */
  function blamed(request: Incoming, { login, device }: Attempt): (Limit & { shared?: boolean })[] {
    const most = signInFailuresPerAccount
    if (device !== undefined) return [{ key: `sign-in device:${device}`, most, window }]
    // A login is somebody's address, and need not stand in a table of counters.
    return [{ key: `sign-in:${sha256(login)}`, most, window }, networkOf(request, 'sign-in network')]
  }

  async function waitFor(limits: readonly (Limit & { shared?: boolean })[]): Promise<number> {
    const pending = limits.map(({ key }) => underWay.get(key) ?? 0)
    const wait = async (n: number, limit = limits[n]!) =>
      pending[n]! >= limit.most ? 1_000 : counters.blockedFor(limit, pending[n])
    const own = await wait(0)
    const network = limits[1]
    if (!network || own > 0) return own
    const all = await wait(1)
    if (all === 0 || !network.shared) return all
    return wait(0, { ...limits[0]!, most: Math.min(mostWhereShared, limits[0]!.most) })
  }

  const throttled = (wait: number): Throttled => ({ retryAfter: Math.ceil(wait / 1_000) })

  return {
    async check(request, attempt, check) {
      const success = { key: `signed in:${sha256(attempt.login)}`, most: mostSuccesses, window }
      const limits = blamed(request, attempt)
      const allowed = waitFor(limits)
      for (const { key } of limits) underWay.set(key, (underWay.get(key) ?? 0) + 1)
      try {
        const wait = Math.max(await allowed, await counters.blockedFor(success))
        if (wait > 0) return throttled(wait)
        const passed = await check()
        if (passed) void counters.count(success)
        else await Promise.all(limits.map((limit) => counters.count(limit, true)))
        return passed
      } finally {
        for (const { key } of limits) {
          const pending = underWay.get(key)! - 1
          if (pending === 0) underWay.delete(key)
          else underWay.set(key, pending)
        }
      }
    },

    async limitNetwork(request, what) {
      const wait = await counters.take([networkOf(request, what)])
      return wait > 0 ? throttled(wait) : undefined
    },

    async blockedNetwork(request, what) {
      const wait = await counters.blockedFor(networkOf(request, what))
      return wait > 0 ? throttled(wait) : undefined
    },
  }
}
