// RFC 6749 §2.3.1, RFC 6819 §5.1.4.1.3: how client secrets are made, stored and verified.

import { randomBytes } from 'node:crypto'
import { equalInConstantTime } from '../../crypto/secrets.ts'
import { sha256 } from '../../crypto/tokens.ts'

/** bcrypt reads no more than this (C5): a longer input is no secret of ours and never reaches it. */
const longestBcryptInput = 72
const positiveCacheFor = 60_000
const mostCached = 1_000
/** Slow hashes computed at the same time: the threads they run on are the ones that force the database to disk. */
const mostAtOnce = 2

/** A new secret with 256 random bits, and the form it is stored in. */
export function makeClientSecret(): { secret: string; stored: string } {
  const secret = `gh_cs_${randomBytes(32).toString('base64url')}`
  return { secret, stored: storeClientSecret(secret) }
}

/** A fast hash suffices where the secret itself has 256 random bits. */
export function storeClientSecret(secret: string): string {
  return `sha256$${sha256(secret)}`
}

/** An imported bcrypt hash (`$2a$`, `$2b$`, `$2y$`) in stored form, or undefined when it is not one. */
export function storeBcryptHash(hash: string): string | undefined {
  return /^\$2[aby]\$(0[4-9]|1[0-4])\$[./A-Za-z0-9]{53}$/.test(hash) ? `bcrypt${hash}` : undefined
}

/** Whether a stored secret is expensive to check. */
export function isSlow(stored: string): boolean {
  return stored.startsWith('bcrypt$')
}

/** `mayGuess` says, when the turn of a slow hash comes, whether the caller still has attempts left. */
export type SecretCheck = (
  secret: string,
  stored: string,
  now: number,
  mayGuess: () => boolean | Promise<boolean>,
) => Promise<boolean>

/**
 * Verifies secrets. A bcrypt hash is computed off the event loop, a few at a time, and a match is remembered for a minute;
 * requests with the same secret share one computation.
 */
export function clientSecretCheck(): SecretCheck {
  const matched = new Map<string, number>()
  const underWay = new Map<string, Promise<boolean>>()
  const waiting: (() => void)[] = []
  let running = 0

  async function inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (running < mostAtOnce) running++
    else await new Promise<void>((resolve) => waiting.push(resolve))
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next) next()
      else running--
    }
  }

  async function compare(secret: string, stored: string, key: string, now: number): Promise<boolean> {
    const { verify } = await import('@node-rs/bcrypt')
    const matches = await verify(secret, stored.slice('bcrypt'.length).replace(/^\$2y\$/, '$2b$'))
    if (matches) {
      if (matched.size >= mostCached) matched.clear()
      matched.set(key, now + positiveCacheFor)
    }
    return matches
  }

  return async (secret, stored, now, mayGuess) => {
    if (stored.startsWith('sha256$')) return equalInConstantTime(storeClientSecret(secret), stored)
    if (!stored.startsWith('bcrypt$')) return false
    if (Buffer.byteLength(secret) > longestBcryptInput) return false
    const key = sha256(`${stored} ${secret}`)
    if ((matched.get(key) ?? 0) > now) return true
    let answer = underWay.get(key)
    if (!answer) {
      answer = inTurn(async () => (await mayGuess()) && compare(secret, stored, key, now)).finally(() =>
        underWay.delete(key),
      )
      underWay.set(key, answer)
    }
    return answer
  }
}
