// RFC 9449 §8, §8.2, §9, §11.1: nonces that bound the age of a DPoP proof. Each is a MAC over the time it was given out in, so
// every process knows every other's, before and after a restart, and nothing is stored.

import type { Secrets } from '../crypto/secrets.ts'

/** One nonce is given out for so long, and good for as long again: at most five minutes. In milliseconds. */
const givenOutFor = 150_000

export interface ProofNonces {
  /** Whether a proof without a nonce is refused. */
  readonly required: boolean
  /** The one to give out, at a time in epoch milliseconds. */
  current(now: number): string
  /** An `ageing` one is still good, but its holder should get the next. `unknown` is too old, or was never ours. */
  ageOf(nonce: string, now: number): 'fresh' | 'ageing' | 'unknown'
}

/**
 * Nonces by time. Those of the period before are still good; so are those of the next one, which a process whose clock is
 * ahead gives out already. While root secrets are replaced those under every listed one are good.
 */
export function nonceByTime(
  secrets: Pick<Secrets, 'ids' | 'macs'>,
  { required }: { required: boolean },
): ProofNonces {
  let known = { of: '', current: '', ages: new Map<string, 'fresh' | 'ageing'>() }

  function at(now: number) {
    const period = Math.floor(now / givenOutFor)
    const of = `${period} ${secrets.ids}`
    if (known.of !== of) {
      const [past, present, future] = [-1, 0, 1].map((n) => secrets.macs('dpop nonce', String(period + n)))
      const ages = new Map<string, 'fresh' | 'ageing'>()
      for (const nonce of [...past!, ...present!, ...future!]) ages.set(nonce, 'ageing')
      for (const nonce of [present![0]!, future![0]!]) ages.set(nonce, 'fresh')
      known = { of, current: present![0]!, ages }
    }
    return known
  }

  return {
    required,
    current: (now) => at(now).current,
    ageOf: (nonce, now) => at(now).ages.get(nonce) ?? 'unknown',
  }
}
