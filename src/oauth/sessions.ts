// RFC 9700 §4.14.2, RFC 7009 §2.1, RFC 8252 §8.4: ending a session, and with it everything that was issued in it, and how many
// a user may have with one client.

import type { Core } from '../core.ts'
import { type EventContext, type EventType, eventInput } from '../events/append.ts'
import { redirectsToOwnComputer } from '../protocol/redirect-uri.ts'
import type { Client } from './clients/clients.ts'
import {
  countLivingSessions,
  findSession,
  revokeSession,
  type SessionFilter,
  sessionList,
  surplusSessions,
  surplusSessionsOfUser,
} from './records/sessions.ts'
import type { Server } from './server.ts'

const deviceGrant = 'urn:ietf:params:oauth:grant-type:device_code'

/** Ends one session with all its tokens; its other sessions stay. False when it had ended already. */
export async function endSession(
  core: Pick<Core, 'db' | 'now'>,
  id: string,
  reason: string,
  context: EventContext & { event?: EventType },
): Promise<boolean> {
  const now = core.now()
  const { event = 'session_revoked', ...who } = context
  const ended = await core.db.write(revokeSession, {
    id,
    now,
    reason,
    ...eventInput(now, event, { ...who, sessionId: id }, { reason }),
  })
  return ended.length > 0
}

/** Sessions as an administrator sees them, newest first. */
export function listSessions(core: Pick<Core, 'db'>, filter: SessionFilter) {
  return core.db.query(sessionList(filter))
}

export function showSession(core: Pick<Core, 'db'>, id: string) {
  return core.db.one(findSession, { id })
}

/**
 * Living sessions one user may have with a client. More where one id serves every machine of the user: a document is one client
 * for all who run it, and an administrator registers a program or a device once. A client that registers itself does so on
 * each machine.
 */
export function sessionQuota({ settings }: Pick<Core, 'settings'>, client: Client): number {
  const { quota, sharedQuota } = settings.sessions
  const { source, confidential, redirectUris, grantTypes } = client
  if (source === 'cimd') return sharedQuota
  if (source === 'dcr' || confidential) return quota
  const installed = grantTypes.includes(deviceGrant) || redirectUris.some(redirectsToOwnComputer)
  return installed ? sharedQuota : quota
}

/** Whether a further session of the two would be refused: never where the one idle for longest makes room for it. */
export async function quotaIsFull(
  core: Pick<Core, 'db' | 'now' | 'settings'>,
  userId: string,
  client: Client,
): Promise<boolean> {
  if (core.settings.sessions.whenFull !== 'refuse') return false
  const of = { user_id: userId, client_id: client.id, now: core.now() }
  return ((await core.db.one(countLivingSessions, of))?.count ?? 0) >= sessionQuota(core, client)
}

/**
 * Over the quota, of one client or of all together, the sessions idle for longest end, so that no user is locked out (C29). The new session is durable
 * by now: an error here is logged, and the next session evicts what this one could not.
 */
export async function evictSurplusSessions(
  server: Server,
  userId: string,
  client: Client,
  origin: Pick<EventContext, 'address' | 'userAgent'>,
): Promise<void> {
  // A quota that refuses is never exceeded, and sessions from an issuer's assertion are brief.
  if (server.settings.sessions.whenFull === 'refuse') return
  try {
    const surplus = await server.db.all(surplusSessions, {
      user_id: userId,
      client_id: client.id,
      now: server.now(),
      quota: sessionQuota(server, client),
    })
    const ofAll = await server.db.all(surplusSessionsOfUser, {
      user_id: userId,
      now: server.now(),
      quota: server.settings.storage.sessionsPerUser,
    })
    const due = new Map([
      ...ofAll.map((one) => [one.id, one.client_id] as const),
      ...surplus.map(({ id }) => [id, client.id] as const),
    ])
    for (const [id, owner] of due) {
      await endSession(server, id, 'evicted', {
        event: 'session_evicted',
        userId,
        clientId: owner,
        ...origin,
      })
    }
  } catch (error) {
    server.log.warn('surplus sessions could not be ended yet', { client: client.id, error: String(error) })
  }
}
