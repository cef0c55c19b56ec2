// RFC 6819 §4.4.1.11 (attacks that exhaust resources); RFC 9126 §7.1; RFC 8628 §5.1: how much may wait at a time, for one user,
// network and client, and in all. Counted in memory and shared by all processes; the party that caused most is refused first.

import { networkLimit } from '../../core.ts'
import type { Limit } from '../../db/counters.ts'
import { type ClientSource, isSelfRegistered } from '../../protocol/client-source.ts'
import { type Reason, type Refusal, refuse } from '../../protocol/refusals.ts'
import type { Server } from '../server.ts'

/** Tables whose rows anyone can cause, or any user. */
export type Kind =
  | 'authorization_requests'
  | 'codes'
  | 'pushed_authorization_requests'
  | 'kept_requests'
  | 'device_codes'
  | 'used_jtis'

/** What is counted together, in milliseconds. */
export const pendingWindow = 15 * 60_000
/** A row counts as one for each of so many bytes that are begun. */
export const pieceSize = 4_096
/** Each network may still begin so many when there is little room left, or a hundredth of all if that is more. */
const leastShare = 10
/** Rows of `used_jtis` are small: so many make a piece. */
const jtisInPiece = 40

/** What limits depend on of a client. */
interface LimitedClient {
  id: string
  confidential: boolean
  source: ClientSource
}

/** Who asks for room, and for how much. */
export interface Asking {
  /** The signed-in user, where there is one. */
  user?: string
  address: string
  client: LimitedClient
  /** False where anybody could have asked in its name, whatever it authenticates with elsewhere. */
  authenticated?: boolean
  /** What the row holds besides times and ids. */
  bytes?: number
  /** A limit of its own, and the reason it is refused for where that is used up. */
  party?: { limit: Limit; full: Reason }
}

/**
 * Counts one pending row, or refuses it. A client registered by an administrator that authenticated is trusted: where no
 * user is involved nothing counts but its party.
 */
export function limitPending(server: Server, kind: Kind, asking: Asking): Refusal | undefined {
  const { user, address, client, bytes = 0, party } = asking
  const authenticated = client.confidential && user === undefined && asking.authenticated !== false
  const { counters, settings } = server
  const pieces = Math.max(1, Math.ceil(bytes / pieceSize))
  const { perUser } = settings.storage
  const inAll = settings.storage.inAll * (kind === 'used_jtis' ? jtisInPiece : 1)
  const limitOf = (key: string, most: number): Limit => ({
    key: `${kind}:${key}`,
    most,
    window: pendingWindow,
  })
  const wait = (limit: Limit, most = limit.most) =>
    counters.blockedHere({ ...limit, most: most - pieces + 1 })

  const own: { limit: Limit; full: Reason }[] = []
  if (party) own.push(party)
  if (user !== undefined) {
    const full = 'user_limit_reached'
    own.push({ limit: limitOf(`user:${user}`, perUser), full })
    own.push({ limit: limitOf(`user:${user} ${client.id}`, Math.ceil(perUser / 3)), full })
  }
  for (const { limit, full } of own) {
    const left = wait(limit)
    if (left > 0) return refuse(full, { client: client.id, limit: limit.most, user }, after(left))
  }

  const take = (limits: readonly Limit[]) => {
    for (const limit of limits) {
      for (let n = 0; n < pieces; n++) void counters.count(limit)
    }
    return undefined
  }
  const ownLimits = own.map(({ limit }) => limit)
  if (authenticated && !isSelfRegistered(client)) return take(ownLimits)

  const all = limitOf('all', inAll)
  const shares: Limit[] = []
  if (wait(all, Math.ceil(inAll / 2)) > 0) {
    const share = Math.max(leastShare, Math.ceil(inAll / 100))
    const network = networkLimit(settings, address, `${kind}:network`, { most: share, window: pendingWindow })
    // Who authenticated is to blame for all of it. A public client's id is anyone's: its share is larger, and a network that
    // has hardly asked is not refused for what others do in its name.
    const ofClient = limitOf(`client:${client.id}`, authenticated ? share : Math.ceil(inAll / 4))
    shares.push(network, ofClient)
    const ofNetwork = wait(network)
    if (ofNetwork > 0) return shed(server, kind, { share: 'network', limit: network.most }, ofNetwork)
    if (authenticated || network.shared || wait(network, leastShare) > 0) {
      const left = wait(ofClient)
      if (left > 0)
        return shed(server, kind, { share: 'client', client: client.id, limit: ofClient.most }, left)
    }
  }
  const full = wait(all)
  if (full > 0) return shed(server, kind, { share: 'all', limit: inAll }, full)

  return take([all, ...ownLimits, ...shares])
}

/**
 * Whether one more event may be written about something that changes nothing; what is refused or repeated without end is
 * written a few times in a window, and stands in the log beyond that.
 */
export function mayRecord({ counters }: Server, key: string, most: number): boolean {
  const limit = { key: `event:${key}`, most, window: pendingWindow }
  if (counters.blockedHere(limit) > 0) return false
  void counters.count(limit)
  return true
}

interface Own {
  endsAt: number
  counts: Map<string, number>
}
const ofProcess = new WeakMap<Server, Own>()
const mostParties = 50_000

/**
 * Limits what a self-registered client's user, or the client itself, may have issued in a window. Counted in this process
 * alone, so that the tokens of honest clients cost no counter in the database; of clients of administrators nothing is counted.
 */
export function limitIssuing(server: Server, client: LimitedClient, party: string): Refusal | undefined {
  if (!isSelfRegistered(client)) return undefined
  const most = server.settings.storage.perUser
  const now = server.now()
  let own = ofProcess.get(server)
  if (!own || own.endsAt <= now)
    ofProcess.set(server, (own = { endsAt: now + pendingWindow, counts: new Map() }))
  const count = own.counts.get(party) ?? 0
  if (count >= most)
    return refuse('user_limit_reached', { client: client.id, limit: most }, after(own.endsAt - now))
  if (count === 0 && own.counts.size >= mostParties) {
    // Who asked first and for little since is forgotten first.
    for (const [key, asked] of own.counts) {
      if (asked >= most) continue
      own.counts.delete(key)
      break
    }
  }
  own.counts.set(party, count + 1)
  return undefined
}

/** Bytes of the texts of a row. */
export function bytesOf(row: Record<string, unknown>): number {
  return Object.values(row).reduce<number>(
    (sum, value) => sum + (typeof value === 'string' ? Buffer.byteLength(value) : 0),
    0,
  )
}

/** When it was last said, by kind. */
const said = new WeakMap<Server, Map<Kind, number>>()
const sayEvery = 60_000

/** The newest gives way. Said in the log once a minute, however many there are. */
function shed(server: Server, kind: Kind, facts: NonNullable<Refusal['facts']>, left: number): Refusal {
  let times = said.get(server)
  if (!times) said.set(server, (times = new Map()))
  const now = server.now()
  if (now - (times.get(kind) ?? -Infinity) >= sayEvery) {
    times.set(kind, now)
    server.log.error('too much is waiting: the newest requests are refused', { kind, ...facts })
  }
  return refuse('no_room', facts, after(left))
}

const after = (wait: number) => ({ retryAfter: Math.ceil(wait / 1_000) })
