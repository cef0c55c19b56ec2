// RFC 9700 §4.14.2, RFC 7009 §2.1: ending a session, and with it everything that was issued in it.

import type { Core } from '../core.ts'
import { type EventContext, type EventType, eventInput } from '../events/append.ts'
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

/** Whether a further session of the two would be refused: never where the one idle for longest makes room for it. */
export async function quotaIsFull(
  { db, now, settings }: Pick<Core, 'db' | 'now' | 'settings'>,
  userId: string,
  clientId: string,
): Promise<boolean> {
  const { whenFull, quota } = settings.sessions
  if (whenFull !== 'refuse') return false
  const living = await db.one(countLivingSessions, { user_id: userId, client_id: clientId, now: now() })
  return (living?.count ?? 0) >= quota
}

/**
 * Over the quota, of one client or of all together, the sessions idle for longest end, so that nobody is ever locked out (C29). The new session is durable
 * by now: trouble here is logged, and the next one evicts what this one could not.
 */
export async function evictSurplusSessions(
  server: Server,
  userId: string,
  clientId: string,
  origin: Pick<EventContext, 'address' | 'userAgent'>,
): Promise<void> {
  // Where a full quota refuses, nobody gets beyond it, and sessions by the word of an issuer are brief.
  if (server.settings.sessions.whenFull === 'refuse') return
  try {
    const surplus = await server.db.all(surplusSessions, {
      user_id: userId,
      client_id: clientId,
      now: server.now(),
      quota: server.settings.sessions.quota,
    })
    const ofAll = await server.db.all(surplusSessionsOfUser, {
      user_id: userId,
      now: server.now(),
      quota: server.settings.storage.sessionsPerUser,
    })
    const due = new Map([
      ...ofAll.map((one) => [one.id, one.client_id] as const),
      ...surplus.map(({ id }) => [id, clientId] as const),
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
    server.log.warn('surplus sessions could not be ended yet', { client: clientId, error: String(error) })
  }
}
