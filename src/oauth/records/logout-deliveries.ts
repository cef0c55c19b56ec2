import { from, raw, returning, select, sql, using, write } from '../../db/sql.ts'

/** A logout a client has not been told of yet. Made by `events/logout-notices.ts`. */
export interface LogoutDeliveryRow {
  id: string
  client_id: string
  /** Null in a row that an earlier release made. */
  user_id: string | null
  /** As the client knows the user. */
  subject: string
  sid: string | null
  /** The one session that ended, if it was only one. */
  session_id: string | null
  attempts: number
}

/** Clients of one look at what is due. */
export const clientsAtOnce = 64

/** Whether any logout is due. */
export const anyLogoutIsDue = select(
  'any_logout_is_due',
  { now: 'int' },
  (i) => sql<{ id: string }>`select id from logout_deliveries
    where next_attempt_at <= ${i.now} and expires_at > ${i.now} order by next_attempt_at limit 1`,
)

/**
 * The next clients after one, in the order of their ids, each with the one logout that is due for longest; `id` is null for a
 * client of which none is due.
 */
export const dueLogoutsByClient = select(
  'due_logouts_by_client',
  { after: 'text', now: 'int' },
  (i) => sql<Omit<LogoutDeliveryRow, 'id'> & { id: string | null }>`with recursive found(client_id, nth) as (
      select min(client_id), 1 from logout_deliveries where client_id > ${i.after}
      union all
      select (select min(d.client_id) from logout_deliveries d where d.client_id > found.client_id), found.nth + 1
      from found where found.client_id is not null and found.nth < ${raw(String(clientsAtOnce))}
    )
    select found.client_id, d.id, d.user_id, d.subject, d.sid, d.session_id, d.attempts
    from found left join logout_deliveries d on d.id = (select x.id from logout_deliveries x
        where x.client_id = found.client_id and x.next_attempt_at <= ${i.now} and x.expires_at > ${i.now}
        order by x.next_attempt_at limit 1)
    where found.client_id is not null order by found.client_id`,
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

/** The client was told, or no longer exists. */
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
