// RFC 9700 §4.14.2, RFC 7009 §2.1: ending a session, and with it everything that was issued in it; and lists of sessions.

import type { Core } from '../core.ts'
import { type EventContext, type EventType, eventInput } from '../events/append.ts'
import { revokeSession } from './endings.ts'
import { findSession, type SessionFilter, sessionList } from './rows.ts'

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
