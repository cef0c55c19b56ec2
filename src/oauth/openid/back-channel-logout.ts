// OpenID Connect Back-Channel Logout §2.2, §2.4, §2.5, §2.7, §2.8: clients are told, server to server, that a user's sign-in or
// session has ended. What is to be told stands in the database since it ended (`events/logout-notices.ts`), and stays there
// until the client has said that it knows.

import { timeOrderedId } from '../../crypto/ids.ts'
import { signJwt } from '../../crypto/jws.ts'
import { isFailure } from '../../http/guarded-fetch.ts'
import type { Client } from '../clients/clients.ts'
import {
  claimLogoutDelivery,
  deliveriesAtOnce,
  dueLogoutDeliveries,
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

/** Whether anybody is to be told now. */
export async function logoutsAreDue({ db, now }: Pick<Server, 'db' | 'now'>): Promise<boolean> {
  return (await db.one(dueLogoutDeliveries, { now: now() })) !== undefined
}

/** Tells everybody who is to be told now, each once, however many processes do this. */
export async function deliverLogouts(
  server: Server,
  turn: { pause(): Promise<void> },
): Promise<{ delivered: number; failed: number }> {
  const done = { delivered: 0, failed: 0 }
  for (;;) {
    const due = await server.db.all(dueLogoutDeliveries, { now: server.now() })
    const outcomes = await Promise.all(due.map((row) => attempt(server, row)))
    done.delivered += outcomes.filter((one) => one === 'delivered').length
    done.failed += outcomes.filter((one) => one === 'failed').length
    if (due.length < deliveriesAtOnce) return done
    await turn.pause()
  }
}

async function attempt(server: Server, row: LogoutDeliveryRow): Promise<'delivered' | 'failed' | 'left'> {
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
  const client = await server.clients.find(row.client_id)
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
