// RFC 6819 §5.1.4.2.3, RFC 8725 §3.5: signatures that do not hold are counted for whose they were said to be and for the network
// they came from. Beyond the limits none is verified, since each costs more than it costs to make one up.

import { networkLimit, sharedBy } from '../../core.ts'
import type { Limit } from '../../db/counters.ts'
import { type Refusal, refuse } from '../../protocol/refusals.ts'
import type { Server } from '../server.ts'

type Counting = Pick<Server, 'counters' | 'now' | 'settings'>

const window = 15 * 60_000
/** Of one owner from one network, as a multiple of `limits.clientAuthenticationFailures`. */
const perPair = 2
/** For so long after a good signature an owner's network is not held up by bad ones, in milliseconds. */
const provenFor = 3_600_000
const mostProven = 10_000

/** Until when an owner counts as known in a network, so that others there cannot lock it out. */
const proven = new WeakMap<object, Map<string, number>>()

/**
 * Whether no signature of this owner may be verified for this network now. `owner` is a client, an issuer, or a kind
 * of JWT where anybody may have made the key.
 */
export function signaturesBlocked(server: Counting, owner: string, address: string): Refusal | undefined {
  const { network, pair } = limitsOf(server, owner, address)
  const wait = Math.max(server.counters.blockedHere(network), server.counters.blockedHere(pair))
  if (wait === 0 || (proven.get(server.counters)?.get(pair.key) ?? 0) > server.now()) return undefined
  return refuse('too_many_failures', {}, { retryAfter: Math.ceil(wait / 1_000) })
}

/** Counted in memory and shared with the other processes in batches: a failure costs no write of its own. */
export function countBadSignature(server: Counting, owner: string, address: string): void {
  for (const limit of Object.values(limitsOf(server, owner, address))) void server.counters.count(limit)
}

export function noteGoodSignature(server: Counting, owner: string, address: string): void {
  const { counters, now } = server
  let known = proven.get(counters)
  if (!known) proven.set(counters, (known = new Map()))
  const pair = limitsOf(server, owner, address).pair.key
  if (!known.has(pair) && known.size >= mostProven) known.delete(known.keys().next().value!)
  known.set(pair, now() + provenFor)
}

/** Of a network, and of one owner from there. */
function limitsOf({ settings }: Counting, owner: string, address: string): { network: Limit; pair: Limit } {
  const { failuresPerNetwork, clientAuthenticationFailures } = settings.limits
  const network = networkLimit(settings, address, 'signatures', { most: failuresPerNetwork, window })
  const most = clientAuthenticationFailures * perPair * (network.shared ? sharedBy : 1)
  return { network, pair: { key: `${network.key}:${owner}`, most, window } }
}
