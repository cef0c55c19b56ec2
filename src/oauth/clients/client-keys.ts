// RFC 7517 §5, RFC 7591 §2 (jwks, jwks_uri): the public keys of a client, or of an issuer it speaks for.

import { mostKeysInSet, type PublicKey, publicKeyFromJwk } from '../../crypto/jws.ts'
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
   * The key that is chosen among the owner's. Published keys are read again when none is, but not more often than every ten
   * seconds. Refused with 503 when they cannot be had, with 401 when they may not be fetched.
   */
  find(
    owner: KeyOwner,
    choose: (keys: readonly PublicKey[]) => PublicKey | undefined,
  ): Promise<PublicKey | undefined | Refusal>
}

/** Times in milliseconds. Published keys are read again in the background after so long… */
const freshFor = 10 * 60_000
/** …and count no more when that has failed for so long, so that a key that was withdrawn ends. */
const staleAfter = 60 * 60_000
/** Between two reads that keys which do not fit may cause. */
const unknownKeyPause = 10_000
/** After a failure nobody asks again for so long. */
const failurePause = 5_000
/** Members of a set that are looked at. */
const mostLookedAt = 64
const mostSets = 1_000

type Choose = (keys: readonly PublicKey[]) => PublicKey | undefined

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
          set.keys = usableKeys(found)
          if (found.length > mostKeysInSet)
            log.warn('a key set is longer than is read', {
              client: owner,
              keys: found.length,
              most: mostKeysInSet,
            })
          set.readAt = now()
          set.failure = undefined
        }
      })
      .finally(() => (set.reading = undefined))
    return set.reading
  }

  async function findPublished(url: string, owner: string, choose: Choose) {
    const set = setAt(url)
    const age = now() - set.readAt
    if (set.keys && age <= staleAfter) {
      const found = choose(set.keys)
      if (found) {
        if (age > freshFor)
          read(url, set, owner).catch((error) => log.error('fault', { error: String(error) }))
        return found
      }
      if (age < unknownKeyPause) return undefined
    }
    await read(url, set, owner)
    return set.failure ? set.failure.refusal : set.keys && choose(set.keys)
  }

  return {
    async find({ id, jwks, jwksUri }, choose) {
      if (jwks) return choose(registeredKeys(jwks))
      return jwksUri === null ? undefined : findPublished(jwksUri, id, choose)
    },
  }
}

/** The keys of a set that can be used here; the others are for somebody else. */
function usableKeys(keys: readonly unknown[]): PublicKey[] {
  const usable: PublicKey[] = []
  for (const jwk of keys.slice(0, mostLookedAt)) {
    if (usable.length >= mostKeysInSet) break
    const key = publicKeyFromJwk(jwk)
    if (!('problem' in key)) usable.push(key)
  }
  return usable
}

const sets = new Map<string, { keys: object[] }>()

/** A registered set by its text: the same object for the same text, so that its keys are read once. */
export function keySetFrom(text: string): { keys: object[] } {
  let set = sets.get(text)
  if (!set) {
    if (sets.size >= mostSets) sets.delete(sets.keys().next().value!)
    sets.set(text, (set = JSON.parse(text) as { keys: object[] }))
  }
  return set
}

const registered = new WeakMap<object, PublicKey[]>()

function registeredKeys(jwks: { keys: object[] }): PublicKey[] {
  let keys = registered.get(jwks)
  if (!keys) registered.set(jwks, (keys = usableKeys(jwks.keys)))
  return keys
}

async function fetchKeys(outbound: Outbound, url: string): Promise<unknown[] | Refusal> {
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
  if (Array.isArray(keys)) return keys
  return refuse('client_keys_unavailable', { failed: 'no JWK set' }, { retryAfter: failurePause / 1_000 })
}
