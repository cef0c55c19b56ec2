// RFC 7517 §4.5, §5, RFC 7591 §2 (jwks, jwks_uri), RFC 7515 §4.1.4 and §4.1.11, RFC 8725 §3.1: the public keys of a client, or
// of an issuer it speaks for, and whether one of them signed a JWT.

import {
  type Algorithm,
  type PublicKey,
  publicKeyFromJwk,
  type UnverifiedJwt,
  verifySignature,
} from '../../crypto/jws.ts'
import { isFailure, type Outbound } from '../../http/guarded-fetch.ts'
import type { Log } from '../../log.ts'
import { isRefusal, type Refusal, refuse } from '../refusals.ts'

/** Whose keys: registered as they are, published at a URL, or none. */
export interface KeyOwner {
  id: string
  jwks: { keys: object[] } | null
  jwksUri: string | null
}

export interface ClientKeys {
  /**
   * The first of the owner's keys that fits. Published keys are read again when none does, but not more often than every ten
   * seconds. Refused with 503 when they cannot be had, with 401 when they may not be fetched.
   */
  find(owner: KeyOwner, fits: (key: PublicKey) => boolean): Promise<PublicKey | undefined | Refusal>
}

/** Times in milliseconds. Published keys are read again in the background after so long… */
const freshFor = 10 * 60_000
/** …and count no more when that has failed for so long, so that a key that was withdrawn ends. */
const staleAfter = 60 * 60_000
/** Between two reads that keys which do not fit may cause. */
const unknownKeyPause = 10_000
/** After a failure nobody asks again for so long. */
const failurePause = 5_000
/** A set may be this long; no request makes more than so many signatures be checked. */
const mostKeys = 20
const mostSets = 1_000

interface PublishedSet {
  keys: readonly PublicKey[] | undefined
  /** When `keys` were read. */
  readAt: number
  failure?: { refusal: Refusal; at: number } | undefined
  reading?: Promise<void> | undefined
}

export function openClientKeys({
  outbound,
  log,
  now,
}: {
  outbound: Outbound
  log: Log
  now(): number
}): ClientKeys {
  const sets = new Map<string, PublishedSet>()

  function setAt(url: string): PublishedSet {
    let set = sets.get(url)
    if (!set) {
      if (sets.size >= mostSets) sets.delete(sets.keys().next().value!)
      sets.set(url, (set = { keys: undefined, readAt: 0 }))
    }
    return set
  }

  /** One request at a time for a URL, whoever asks; afterwards the set has keys or a failure. */
  function read(url: string, set: PublishedSet, owner: string): Promise<void> {
    if (set.failure && now() - set.failure.at < failurePause) return Promise.resolve()
    set.reading ??= fetchKeys(outbound, url)
      .then((found) => {
        if (isRefusal(found)) {
          set.failure = { refusal: found, at: now() }
          log.warn('keys of a client cannot be read', { client: owner, url, ...found.facts })
        } else {
          set.keys = found
          set.readAt = now()
          set.failure = undefined
        }
      })
      .finally(() => (set.reading = undefined))
    return set.reading
  }

  async function findPublished(url: string, owner: string, fits: (key: PublicKey) => boolean) {
    const set = setAt(url)
    const age = now() - set.readAt
    if (set.keys && age <= staleAfter) {
      const found = set.keys.find(fits)
      if (found) {
        if (age > freshFor)
          read(url, set, owner).catch((error) => log.error('fault', { error: String(error) }))
        return found
      }
      if (age < unknownKeyPause) return undefined
    }
    await read(url, set, owner)
    return set.failure ? set.failure.refusal : set.keys?.find(fits)
  }

  return {
    async find({ id, jwks, jwksUri }, fits) {
      if (jwks) return registeredKeys(jwks).find(fits)
      return jwksUri === null ? undefined : findPublished(jwksUri, id, fits)
    },
  }
}

/** Whether a key of the owner signed the JWT with one of these algorithms; the token's own `alg` only chooses among them. */
export async function isSignedBy(
  keys: ClientKeys,
  owner: KeyOwner,
  { header, input, signature }: UnverifiedJwt,
  allowed: readonly Algorithm[],
): Promise<boolean | Refusal> {
  const { alg, kid } = header
  const algorithm = allowed.find((one) => one === alg)
  // Nothing that must be understood is (RFC 7515 §4.1.11).
  if (!algorithm || 'crit' in header) return false
  const found = await keys.find(
    owner,
    (key) =>
      (key.kid === undefined || kid === undefined || key.kid === kid) &&
      key.algorithms.includes(algorithm) &&
      verifySignature(algorithm, key.key, input, signature),
  )
  return isRefusal(found) ? found : found !== undefined
}

/** The keys of a set that can be used here; the others are for somebody else. */
function usableKeys(keys: readonly unknown[]): PublicKey[] {
  const usable = keys.flatMap((jwk) => {
    const key = publicKeyFromJwk(jwk)
    return 'problem' in key ? [] : [key]
  })
  return usable.slice(0, mostKeys)
}

const registered = new WeakMap<object, PublicKey[]>()

/** Read once for each time the client is read. */
function registeredKeys(jwks: { keys: object[] }): PublicKey[] {
  let keys = registered.get(jwks)
  if (!keys) registered.set(jwks, (keys = usableKeys(jwks.keys)))
  return keys
}

async function fetchKeys(outbound: Outbound, url: string): Promise<PublicKey[] | Refusal> {
  const answer = await outbound.getJson(url, { accept: 'application/jwk-set+json, application/json' })
  if (isFailure(answer)) {
    const { failed, detail } = answer
    const forbidden = failed === 'url_refused' || failed === 'address_refused'
    return refuse(
      forbidden ? 'client_keys_forbidden' : 'client_keys_unavailable',
      { failed, detail },
      forbidden ? {} : { retryAfter: failurePause / 1_000 },
    )
  }
  const { keys } = (answer.json ?? {}) as { keys?: unknown }
  if (Array.isArray(keys)) return usableKeys(keys)
  return refuse('client_keys_unavailable', { failed: 'no JWK set' }, { retryAfter: failurePause / 1_000 })
}
