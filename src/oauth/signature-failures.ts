// RFC 6819 §5.1.4.2.3, RFC 8725 §3.5: signatures that do not hold are counted for whose they were said to be and for the network
// they came from. Beyond the limits none is verified, since each costs more than it costs to make one up.

import { networkOf } from '../http/address.ts'
import { type Refusal, refuse } from './refusals.ts'
import type { Server } from './server.ts'

type Counting = Pick<Server, 'counters' | 'now' | 'settings'>

const window = 15 * 60_000
/** Of one owner from one network, as a multiple of `limits.clientAuthenticationFailures`. */
const perPair = 2
/** All requests whose address is unknown are one network. */
const perUnknown = 10
/** For so long after a good signature an owner's network is not held up by bad ones, in milliseconds. */
const provenFor = 3_600_000
const mostProven = 10_000

/** Until when an owner counts as known in a network: a stranger there must not lock it out. */
const proven = new WeakMap<object, Map<string, number>>()

/**
 * Whether no signature of this owner may be verified for this network now. `owner` is a client, an issuer, or a kind
 * of JWT where anybody may have made the key.
 */
export function signaturesBlocked(server: Counting, owner: string, address: string): Refusal | undefined {
  const { network, pair } = keysOf(owner, address)
  const { limits } = server.settings
  const many = address === '' ? perUnknown : 1
  const wait = Math.max(
    server.counters.blockedFor(network, limits.failuresPerNetwork * many),
    server.counters.blockedFor(pair, limits.clientAuthenticationFailures * perPair * many),
  )
  if (wait === 0 || (proven.get(server.counters)?.get(pair) ?? 0) > server.now()) return undefined
  return refuse('too_many_failures', {}, { retryAfter: Math.ceil(wait / 1_000) })
}

/** Counted in memory and shared with the other processes in batches: a failure costs no write of its own. */
export function countBadSignature({ counters }: Counting, owner: string, address: string): void {
  for (const key of Object.values(keysOf(owner, address))) void counters.count(key, window)
}

export function noteGoodSignature({ counters, now }: Counting, owner: string, address: string): void {
  let known = proven.get(counters)
  if (!known) proven.set(counters, (known = new Map()))
  const { pair } = keysOf(owner, address)
  if (!known.has(pair) && known.size >= mostProven) known.delete(known.keys().next().value!)
  known.set(pair, now() + provenFor)
}

function keysOf(owner: string, address: string): { network: string; pair: string } {
  const network = networkOf(address)
  return { network: `signatures:${network}`, pair: `signatures:${network}:${owner}` }
}
