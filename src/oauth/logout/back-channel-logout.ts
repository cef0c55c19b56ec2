// OpenID Connect Back-Channel Logout §2.2, §2.4, §2.5, §2.7, §2.8: clients are told, server to server, that a user's sign-in or
// session has ended. What is to be told stands in the database since it ended (`events/logout-notices.ts`), and stays there
// until the client has said that it knows.

import { setTimeout as sleep } from 'node:timers/promises'
import { timeOrderedId } from '../../crypto/ids.ts'
import { signJwt } from '../../crypto/jws.ts'
import { isFailure } from '../../http/guarded-fetch.ts'
import { isSelfRegistered } from '../../protocol/client-source.ts'
import type { Client } from '../clients/clients.ts'
import {
  anyLogoutIsDue,
  claimLogoutDelivery,
  clientsAtOnce,
  dueLogoutsByClient,
  endLogoutDelivery,
  hasSiblingSession,
  type LogoutDeliveryRow,
  noteLogoutFailure,
} from '../records/logout-deliveries.ts'
import type { Server } from '../server.ts'

/** A client that did not answer is asked again after so long, twice as long each time, in milliseconds. */
const firstPause = 30_000
const longestPause = 3_600_000
/** Seconds a logout token is good for (§2.4 recommends at most two minutes). */
const tokenLifetime = 120
const event = 'http://schemas.openid.net/event/backchannel-logout'

/** Attempts under way at once: to clients of administrators, and as many to those that came by themselves. */
const mostInLane = 16
/** Of one user's logouts. */
const mostOfUser = 4
/** While receivers are slow, what has become due meanwhile is looked for so often, in milliseconds. */
const lookAgain = 250

/** Whether anybody is to be told now. */
export async function logoutsAreDue({ db, now }: Pick<Server, 'db' | 'now'>): Promise<boolean> {
  return (await db.one(anyLogoutIsDue, { now: now() })) !== undefined
}

/**
 * Tells everybody who is to be told now, each once, however many processes do this. Clients take turns, one attempt each; a
 * receiver that does not answer holds up its own host and no other, and one user only so many attempts.
 */
export async function deliverLogouts(
  server: Server,
  turn: { pause(): Promise<void> },
): Promise<{ delivered: number; failed: number }> {
  const done = { delivered: 0, failed: 0 }
  const underWay = new Set<Promise<void>>()
  const places = openPlaces()
  let failure: unknown
  let after = ''
  /** Whether an attempt was begun, or put off, since the first client was looked at. */
  let busy = false

  function begin(row: LogoutDeliveryRow, client: Client | undefined, leave: () => void): void {
    const running = attempt(server, row, client)
      .then((outcome) => {
        if (outcome !== 'left') done[outcome]++
      })
      .catch((error: unknown) => {
        failure ??= error
      })
      .finally(() => {
        leave()
        underWay.delete(running)
      })
    underWay.add(running)
  }

  /** Goes on along the clients as far as there is room; whether the last one was reached. */
  async function look(): Promise<boolean> {
    const page = await server.db.all(dueLogoutsByClient, { after, now: server.now() })
    for (const { id, ...rest } of page) {
      if (id !== null) {
        busy = true
        const client = await server.clients.find(rest.client_id)
        const place = places.take(rest, client)
        if (place === 'full') return false
        if (place !== 'busy') begin({ id, ...rest }, client, place)
      }
      after = rest.client_id
    }
    return page.length < clientsAtOnce
  }

  try {
    for (;;) {
      const before = after
      const reached = await look()
      if (failure !== undefined) throw failure
      const stuck = !reached && after === before
      if (reached) {
        if (!busy && underWay.size === 0) return done
        after = ''
        busy = false
      }
      if ((reached || stuck) && underWay.size > 0) {
        await Promise.race([...underWay, sleep(lookAgain, undefined, { ref: false })])
      }
      await turn.pause()
    }
  } finally {
    // The lease ends with the run: what is under way ends before it.
    await Promise.all(underWay)
  }
}

/** Who may be told beside whom. */
function openPlaces() {
  const lanes = [true, false].map(() => ({
    all: 0,
    hosts: new Set<string>(),
    clients: new Set<string>(),
    users: new Map<string, number>(),
  }))
  return {
    /** How to leave again; `busy` while this client, host or user has to wait, `full` while everyone has. */
    take(row: Omit<LogoutDeliveryRow, 'id'>, client: Client | undefined): (() => void) | 'busy' | 'full' {
      const lane = lanes[client && !isSelfRegistered(client) ? 0 : 1]!
      const host = hostOf(client) ?? row.client_id
      const user = row.user_id ?? row.subject
      const ofUser = lane.users.get(user) ?? 0
      if (lane.clients.has(row.client_id) || lane.hosts.has(host) || ofUser >= mostOfUser) return 'busy'
      if (lane.all >= mostInLane) return lanes.every(({ all }) => all >= mostInLane) ? 'full' : 'busy'
      lane.all++
      lane.hosts.add(host)
      lane.clients.add(row.client_id)
      lane.users.set(user, ofUser + 1)
      return () => {
        lane.all--
        lane.hosts.delete(host)
        lane.clients.delete(row.client_id)
        const left = lane.users.get(user)! - 1
        if (left === 0) lane.users.delete(user)
        else lane.users.set(user, left)
      }
    },
  }
}

function hostOf(client: Client | undefined): string | undefined {
  const uri = client?.registered.backchannelLogoutUri
  return uri === undefined ? undefined : new URL(uri).host
}

async function attempt(
  server: Server,
  row: LogoutDeliveryRow,
  client: Client | undefined,
): Promise<'delivered' | 'failed' | 'left'> {
  const { db, log } = server
  const now = server.now()
  const pause = Math.min(firstPause * 2 ** Math.min(row.attempts, 20), longestPause)
  const claimed = await db.write(claimLogoutDelivery, {
    id: row.id,
    seen: row.attempts,
    now,
    next_attempt_at: now + pause,
  })
  if (claimed.length === 0) return 'left'
  if (!client || (await isMoot(server, row, client))) {
    await db.write(endLogoutDelivery, { id: row.id })
    return 'left'
  }
  const error = await tell(server, client, row)
  if (error === undefined) {
    await db.write(endLogoutDelivery, { id: row.id })
    return 'delivered'
  }
  log.warn('a client could not be told of a logout yet', {
    client: client.id,
    attempts: row.attempts + 1,
    error,
    seconds: pause / 1_000,
  })
  await db.write(noteLogoutFailure, { id: row.id, error })
  return 'failed'
}

/** Nothing to be told: the client has stopped listening, or is still in a session of the same sign-in. */
async function isMoot(server: Server, row: LogoutDeliveryRow, { registered }: Client): Promise<boolean> {
  if (registered.backchannelLogoutUri === undefined) return true
  // The client knows its sessions by `sid` alone, and this one never had any.
  if (registered.backchannelLogoutSessionRequired && row.sid === null) return true
  if (row.session_id === null) return false
  const key = { session_id: row.session_id, now: server.now() }
  return (await server.db.one(hasSiblingSession, key)) !== undefined
}

/** Undefined when the client knows, else why it does not. */
async function tell(server: Server, client: Client, row: LogoutDeliveryRow): Promise<string | undefined> {
  const form = new URLSearchParams({ logout_token: await makeLogoutToken(server, client, row) })
  // What the client says besides is not read, however long.
  const answer = await server.outbound.post(client.registered.backchannelLogoutUri!, form, {
    maxBytes: 1024 * 1024,
  })
  if (isFailure(answer)) return `${answer.failed}: ${answer.detail}`
  return answer.status >= 200 && answer.status < 300 ? undefined : `status ${answer.status}`
}

/** §2.4: like an ID token, and impossible to take for one. */
async function makeLogoutToken(
  server: Server,
  client: Client,
  { subject, sid }: Pick<LogoutDeliveryRow, 'subject' | 'sid'>,
): Promise<string> {
  const key = await server.keys.ensure(client.answerAlgorithms.idToken)
  const now = server.now()
  const iat = Math.floor(now / 1_000)
  return signJwt(key, 'logout+jwt', {
    iss: server.settings.issuer,
    sub: subject,
    aud: client.id,
    iat,
    exp: iat + tokenLifetime,
    jti: timeOrderedId(now),
    events: { [event]: {} },
    ...(sid === null ? undefined : { sid }),
  })
}
