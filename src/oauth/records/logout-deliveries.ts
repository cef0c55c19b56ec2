import { from, raw, returning, select, sql, using, write } from '../../db/sql.ts'

/** A logout a client has not been told of yet. Made by `events/logout-notices.ts`. */
export interface LogoutDeliveryRow {
  id: string
  client_id: string
  /** As the client knows the user. */
  subject: string
  sid: string | null
  /** The one session that ended, if it was only one. */
  session_id: string | null
  attempts: number
}

/** Most that are under way at once in a process. */
export const deliveriesAtOnce = 32

export const dueLogoutDeliveries = select(
  'due_logout_deliveries',
  { now: 'int' },
  (
    i,
  ) => sql<LogoutDeliveryRow>`select id, client_id, subject, sid, session_id, attempts from logout_deliveries
    where next_attempt_at <= ${i.now} and expires_at > ${i.now} order by next_attempt_at limit ${raw(String(deliveriesAtOnce))}`,
)

/** Of all processes that see it due one makes this attempt; should it die meanwhile, the next is due as after any failure. */
export const claimLogoutDelivery = write(
  'claim_logout_delivery',
  { id: 'text', seen: 'int', now: 'int', next_attempt_at: 'int' },
  (i) => ({
    guard: sql<{ id: string }>`update logout_deliveries set attempts = logout_deliveries.attempts + 1,
        next_attempt_at = ${i.next_attempt_at} ${from}
      where logout_deliveries.id = ${i.id} and logout_deliveries.attempts = ${i.seen}
        and logout_deliveries.next_attempt_at <= ${i.now} ${returning} logout_deliveries.id`,
  }),
)

/** The client knows, or nobody is there to be told. */
export const endLogoutDelivery = write('end_logout_delivery', { id: 'text' }, (i) => ({
  effects: [sql`delete from logout_deliveries ${using} where logout_deliveries.id = ${i.id}`],
}))

export const noteLogoutFailure = write('note_logout_failure', { id: 'text', error: 'text' }, (i) => ({
  effects: [
    sql`update logout_deliveries set last_error = ${i.error} ${from} where logout_deliveries.id = ${i.id}`,
  ],
}))

/** Whether the client has another living session of the user's same sign-in. */
export const hasSiblingSession = select(
  'has_sibling_session',
  { session_id: 'text', now: 'int' },
  (i) => sql<{ id: string }>`select o.id from sessions e join sessions o on o.user_id = e.user_id
      and o.client_id = e.client_id and o.sid is not distinct from e.sid
    where e.id = ${i.session_id} and o.revoked_at is null and o.expires_at > ${i.now} limit 1`,
)
