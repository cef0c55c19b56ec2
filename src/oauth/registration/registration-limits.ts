// RFC 7591 §5 (unused clients, floods of registrations), CIMD §8.6: how many clients may register themselves, how often
// they may change, and when unused ones are removed.

import { isIP } from 'node:net'
import { type Core, networkLimit } from '../../core.ts'
import type { Limit } from '../../db/counters.ts'
import { stepLimit } from '../../db/deletion.ts'
import { eventInput } from '../../events/append.ts'
import { networkOf } from '../../http/address.ts'
import { type Refusal, refuse } from '../../protocol/refusals.ts'
import { clientsByAge, reapClient } from '../records/self-registered-clients.ts'
import type { Server } from '../server.ts'

const hour = 3_600_000
/** Of one client an hour. */
const mostChanges = 20
/** Of what is left of an hour, this part at most goes to one party, once half of it is gone. */
const share = 10

/**
 * Counts a network's try to bring a client. Tries count for the network, successes for the whole server
 * (`reserveRegistration`), so that what fails in one place never keeps honest clients out in another.
 */
export async function countTry(server: Server, address: string): Promise<Refusal | undefined> {
  return refusalFor(await server.counters.take([triesOf(server, address)], true))
}

/** Whether a network has used up its tries. */
export async function triesAreUp(server: Server, address: string): Promise<Refusal | undefined> {
  return refusalFor(await server.counters.blockedFor(triesOf(server, address)))
}

/**
 * Takes one of the places for new clients that this hour has. A network that is named in the configuration has places of its
 * own; all others share, and none can take what the others need.
 */
export async function reserveRegistration(server: Server, address: string): Promise<Refusal | undefined> {
  if (quotaOf(server, address) !== undefined) return undefined
  const limits = sharedLimits(server, 'arrivals', blockOf(server, address))
  return refusalFor(await server.counters.take(limits, true))
}

/**
 * Takes one of the changes an hour that a client may make to what it says of itself, and all such clients together: each
 * leaves an event that is kept for long. `party` makes the change: the network of a request, the site of a document.
 */
export async function reserveChange(
  server: Server,
  clientId: string,
  party: { address: string } | { host: string },
): Promise<Refusal | undefined> {
  const own: Limit = { key: `changes of:${clientId}`, most: mostChanges, window: hour }
  const by = 'host' in party ? `site ${siteOf(party.host)}` : blockOf(server, party.address)
  const limits = [own, ...sharedLimits(server, 'changes', by)]
  return refusalFor(await server.counters.take(limits, true))
}

/** The shared places of an hour: the first half is first come, first served; of the rest each gets a tenth at most. */
function sharedLimits({ counters, settings }: Server, what: string, party: string): Limit[] {
  const { perHour } = settings.selfRegisteredClients
  const all: Limit = { key: what, most: perHour, window: hour }
  const left = perHour - counters.countOf(all)
  const most = left > perHour / 2 ? perHour : Math.max(1, Math.floor(left / share))
  return [all, { key: `${what} by:${party}`, most, window: hour }]
}

function triesOf({ settings }: Server, address: string): Limit {
  const { perNetworkPerHour } = settings.selfRegisteredClients
  const limit = networkLimit(settings, address, 'tries', { most: perNetworkPerHour, window: hour })
  const named = quotaOf({ settings }, address)
  return named === undefined ? limit : { ...limit, most: named }
}

const blockOf = ({ settings }: Server, address: string) =>
  networkOf(address, settings.trustedProxies !== undefined).block

/** The domain somebody registered, as far as its name tells: under `co.uk` and the like it has three labels. */
function siteOf(host: string): string {
  const labels = host.split('.')
  const short = labels.length > 2 && labels.at(-1)!.length === 2 && labels.at(-2)!.length <= 3
  return isIP(host) === 0 ? labels.slice(short ? -3 : -2).join('.') : host
}

function refusalFor(wait: number): Refusal | undefined {
  return wait > 0 ? refuse('too_many_registrations', {}, { retryAfter: Math.ceil(wait / 1_000) }) : undefined
}

/** Registrations an hour of a network that the configuration names. */
function quotaOf({ settings }: Pick<Server, 'settings'>, address: string): number | undefined {
  const family = isIP(address)
  if (family === 0) return undefined
  const { networks } = settings.selfRegisteredClients
  return networks.find(({ list }) => list.check(address, family === 4 ? 'ipv4' : 'ipv6'))?.perHour
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
