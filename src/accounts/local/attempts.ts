// NIST SP 800-63B-4 §3.2.2: failed sign-ins are limited per account and per network.
import { sha256 } from '../../crypto/tokens.ts'
import { networkOf } from '../../http/address.ts'
import type { Incoming } from '../../http/message.ts'
import type { AccountsHouse } from '../account.ts'

const failureWindow = 15 * 60_000

/** Too many failed before: `retryAfter` seconds to wait. */
export interface Throttled {
  retryAfter: number
}

/** Counts failed checks of a password. What is under way counts too, so that many guesses at once gain nothing. */
export interface SignInAttempts {
  /** Runs the check, unless too many failed. */
  check(request: Incoming, login: string, check: () => Promise<boolean>): Promise<boolean | Throttled>
  /** Counts something a network may do only so often; answers how long it has to wait, else undefined. */
  limitNetwork(request: Incoming, what: string): Throttled | undefined
}

export function signInAttempts(house: AccountsHouse): SignInAttempts {
  const { counters, settings } = house
  const { failuresPerNetwork, signInFailuresPerAccount } = settings.limits
  const underWay = new Map<string, number>()

  /** An embedding host that does not tell addresses gets no limit per network, rather than one for the whole world. */
  const networkKey = (request: Incoming, what: string) =>
    request.address === '' ? undefined : `${what}:${networkOf(request.address)}`

  function waitFor(key: string | undefined, limit: number): number {
    if (key === undefined) return 0
    const pending = underWay.get(key) ?? 0
    return pending >= limit ? 1_000 : counters.blockedFor(key, limit - pending)
  }

  const throttled = (wait: number): Throttled => ({ retryAfter: Math.ceil(wait / 1_000) })

  return {
    async check(request, login, check) {
      // A login is somebody's address, and need not stand in a table of counters.
      const account = `sign-in:${sha256(login)}`
      const network = networkKey(request, 'network')
      const wait = Math.max(waitFor(account, signInFailuresPerAccount), waitFor(network, failuresPerNetwork))
      if (wait > 0) return throttled(wait)
      const keys = network === undefined ? [account] : [account, network]
      for (const key of keys) underWay.set(key, (underWay.get(key) ?? 0) + 1)
      try {
        const passed = await check()
        if (!passed) await Promise.all(keys.map((key) => counters.count(key, failureWindow, true)))
        return passed
      } finally {
        for (const key of keys) {
          const pending = underWay.get(key)! - 1
          if (pending === 0) underWay.delete(key)
          else underWay.set(key, pending)
        }
      }
    },

    limitNetwork(request, what) {
      const key = networkKey(request, what)
      if (key === undefined) return undefined
      const wait = waitFor(key, failuresPerNetwork)
      if (wait > 0) return throttled(wait)
      void counters.count(key, failureWindow)
      return undefined
    },
  }
}
