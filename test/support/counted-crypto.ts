// Counts what costs: the module's own functions are replaced while a test looks, for everyone who imports them.

import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'

export interface CryptoCounts {
  /** Signatures that were checked. */
  verify: number
  /** Public keys that were read. */
  createPublicKey: number
}

/** What `work` makes of verifications and imports of keys, in this process. */
export async function countCrypto(work: () => Promise<void>): Promise<CryptoCounts> {
  const { verify, createPublicKey } = crypto
  const { subtle } = globalThis.crypto
  const verifyInSubtle = subtle.verify
  const counts: CryptoCounts = { verify: 0, createPublicKey: 0 }
  crypto.verify = ((...given: Parameters<typeof verify>) => {
    counts.verify++
    return verify(...given)
  }) as typeof verify
  crypto.createPublicKey = (given) => {
    counts.createPublicKey++
    return createPublicKey(given)
  }
  subtle.verify = (...given: Parameters<typeof verifyInSubtle>) => {
    counts.verify++
    return verifyInSubtle.apply(subtle, given)
  }
  syncBuiltinESMExports()
  try {
    await work()
  } finally {
    Object.assign(crypto, { verify, createPublicKey })
    Reflect.deleteProperty(subtle, 'verify')
    syncBuiltinESMExports()
  }
  return counts
}
