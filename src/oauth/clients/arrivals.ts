// RFC 7591 §5 (clients nobody uses, floods of registrations), CIMD §8.6: how many clients may arrive by themselves, how often
// they may change, and when those go that nobody uses.

import { isIP } from 'node:net'
import type { Core } from '../../core.ts'
import { stepLimit } from '../../db/deletion.ts'
import { eventInput } from '../../events/append.ts'
import { networkOf } from '../../http/address.ts'
import type { Settings } from '../../settings.ts'
import { clientsByAge, reapClient } from '../records/self-registered-clients.ts'
import { type Refusal, refuse } from '../refusals.ts'
import type { Server } from '../server.ts'

const hour = 3_600_000
const inAll = 'arrivals'
/** Of one client an hour. */
const mostChanges = 20

/**
 * Counts a network's try to bring a client. Tries count for the network, successes for the whole server
 * (`reserveArrival`), so that what fails in one place never keeps honest clients out in another.
 */
export async function countTry(server: Server, address: string): Promise<Refusal | undefined> {
  const full = triesAreUp(server, address)
  if (!full && address !== '') await server.counters.count(keyOf(address), hour, true)
  return full
}

/** Whether a network has used up its tries. */
export function triesAreUp(server: Server, address: string): Refusal | undefined {
  const most = mostFrom(server.settings.selfRegisteredClients, address)
  return address === '' ? undefined : fullFor(server, keyOf(address), most)
}

/** Takes one of the places for new clients that this hour has. */
export async function reserveArrival(server: Server): Promise<Refusal | undefined> {
  const full = fullFor(server, inAll, server.settings.selfRegisteredClients.perHour)
  if (!full) await server.counters.count(inAll, hour, true)
  return full
}

/**
 * Takes one of the changes an hour that a client may make to what it says of itself, and all such clients together: each
 * leaves an event that is kept for long.
 */
export async function reserveChange(server: Server, clientId: string): Promise<Refusal | undefined> {
  const own = `changes:${clientId}`
  const full =
    fullFor(server, own, mostChanges) ??
    fullFor(server, 'changes', server.settings.selfRegisteredClients.perHour)
  if (full) return full
  await Promise.all([own, 'changes'].map((key) => server.counters.count(key, hour, true)))
  return undefined
}

const keyOf = (address: string) => `arrivals:${networkOf(address)}`

function fullFor(server: Server, key: string, most: number): Refusal | undefined {
  const wait = server.counters.blockedFor(key, most)
  return wait > 0 ? refuse('too_many_arrivals', {}, { retryAfter: Math.ceil(wait / 1_000) }) : undefined
}

function mostFrom(allowed: Settings['selfRegisteredClients'], address: string): number {
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
  const named = allowed.networks.find(({ list }) => list.check(address, family))
  return named?.perHour ?? allowed.perNetworkPerHour
}

/**
 * Removes self-registered clients that never got a grant, or have not been used for long; never one with a living session.
 * A flow notes its beginning in the client's row first (`beginFlow`), and the removal looks at that row alone: of the two,
 * on any number of processes, one comes first and the other sees it.
 */
export async function reapClients(
  core: Pick<Core, 'db' | 'now' | 'settings'>,
  turn: { pause(): Promise<void> },
): Promise<{ removed: number }> {
  const { db, settings } = core
  const now = core.now()
  const { keepUnused, keepIdle } = settings.selfRegisteredClients
  const times = { unused_before: now - keepUnused, idle_before: now - keepIdle, now }
  let removed = 0
  for (const source of ['dcr', 'cimd']) {
    let [after_time, after_id] = [0, '']
    for (;;) {
      const page = await db.all(clientsByAge, { source, after_time, after_id, ...times })
      const due = page.filter((row) => row.due === 1)
      const gone = await Promise.all(
        due.map(({ id }) =>
          db.write(reapClient, {
            id,
            ...times,
            ...eventInput(now, 'client_reaped', { clientId: id }, { source }),
          }),
        ),
      )
      removed += gone.filter((rows) => rows.length > 0).length
      if (page.length < stepLimit) break
      const last = page.at(-1)!
      ;[after_time, after_id] = [last.created_at, last.id]
      await turn.pause()
    }
  }
  return { removed }
}
