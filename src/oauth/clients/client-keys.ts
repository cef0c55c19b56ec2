// RFC 7517 §5, RFC 7591 §2 (jwks, jwks_uri), RFC 9111 §4.2: the public keys of a client, or of an issuer it speaks for.

import { mostKeysInSet, type PublicKey, publicKeyFromJwk } from '../../crypto/jws.ts'
import { freshness, isOutage, staleFor } from '../../http/freshness.ts'
import { isFailure, type Outbound } from '../../http/guarded-fetch.ts'
import { type Log, toldUrl } from '../../log.ts'
import { type Refusal, refuse } from '../../protocol/refusals.ts'

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

/** How long published keys are fresh, in milliseconds: as their server says, within these bounds, and where it says nothing. */
const [leastFreshness, longestFreshness] = [5 * 60_000, 24 * 3_600_000]
const usualFreshness = 10 * 60_000
/** Between two reads that keys which do not fit may cause. */
const unknownKeyPause = 10_000
/** No new request for so long after a failure, or while known keys are good. */
const failurePause = 5_000
const stalePause = 30_000
/** Members of a set that are looked at. */
const mostLookedAt = 64
const mostSets = 1_000

type Choose = (keys: readonly PublicKey[]) => PublicKey | undefined

interface PublishedSet {
  keys: readonly PublicKey[] | undefined
  /** When `keys` were read, and until when they are fresh. */
  readAt: number
  freshUntil: number
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
      sets.set(url, (set = { keys: undefined, readAt: 0, freshUntil: 0 }))
    }
    return set
  }

  const isUsable = (set: PublishedSet) => set.keys !== undefined && now() <= set.freshUntil + staleFor

  /** One request at a time for a URL; afterwards the set has keys or a failure. */
  function read(url: string, set: PublishedSet, owner: string): Promise<void> {
    const pause = isUsable(set) ? stalePause : failurePause
    if (set.failure && now() - set.failure.at < pause) return Promise.resolve()
    set.reading ??= fetchKeys(outbound, url)
      .then((found) => {
        if ('refusal' in found) {
          const { refusal, outage } = found
          set.failure = { refusal, at: now() }
          // A set that is gone, or none any more, takes effect.
          if (!outage) set.keys = undefined
          log.warn('keys of a client cannot be read', { client: owner, url: toldUrl(url), ...refusal.facts })
          return
        }
        const { keys, freshFor } = found
        const most = mostKeysInSet
        if (keys.length > most)
          log.warn('a key set is longer than is read', { client: owner, keys: keys.length, most })
        Object.assign(set, { keys: usableKeys(keys), readAt: now(), freshUntil: now() + freshFor })
        set.failure = undefined
      })
      .finally(() => (set.reading = undefined))
    return set.reading
  }

  async function findPublished(url: string, owner: string, choose: Choose) {
    const set = setAt(url)
    if (set.keys && now() > set.freshUntil) await read(url, set, owner)
    if (set.keys && isUsable(set)) {
      const found = choose(set.keys)
      if (found || now() - set.readAt < unknownKeyPause) return found
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

type Fetched = { keys: unknown[]; freshFor: number } | { refusal: Refusal; outage: boolean }

async function fetchKeys(outbound: Outbound, url: string): Promise<Fetched> {
  const unavailable = (facts: Refusal['facts']) =>
    refuse('client_keys_unavailable', facts, { retryAfter: failurePause / 1_000 })
  const answer = await outbound.getJson(url, { accept: 'application/jwk-set+json, application/json' })
  if (isFailure(answer)) {
    const { failed, detail } = answer
    const forbidden = failed === 'url_refused' || failed === 'address_refused'
    return {
      refusal: forbidden
        ? refuse('client_keys_forbidden', { failed, detail })
        : unavailable({ failed, detail }),
      outage: isOutage(answer),
    }
  }
  const { keys } = (answer.json ?? {}) as { keys?: unknown }
  if (!Array.isArray(keys)) return { refusal: unavailable({ failed: 'no JWK set' }), outage: false }
  const said = freshness(answer.header) ?? usualFreshness
  return { keys, freshFor: Math.min(Math.max(said, leastFreshness), longestFreshness) }
}
