import { from, lockRows, type Refs, type Sql, sql, using, write } from '../../db/sql.ts'
import { noticeLogouts, outlivesSignIn } from '../../events/logout-notices.ts'

/** A sign-in by what clients know it by, and its user; inputs of an operation, which may be null where there is none. */
interface SignInRefs {
  user: unknown
  sid: unknown
}

/**
 * What ends with a browser's sign-in: the sessions that came from it, unless they were allowed to go on (`offline_access`),
 * and codes that are still out.
 */
export function endWithSignIn(i: Refs<{ now: 'int' }>, { user, sid }: SignInRefs): Sql[] {
  return [
    noticeLogouts(i, sql`s.user_id = ${user} and s.sid = ${sid}`),
    sql`delete from codes ${using} where codes.user_id = ${user} and codes.sid = ${sid} and codes.used_at is null`,
    sql`delete from authorization_requests ${using}
      where authorization_requests.user_id = ${user} and authorization_requests.sid = ${sid}`,
    endOrLetGo(i, sql`sessions.user_id = ${user} and sessions.sid = ${sid}`),
  ]
}

/**
 * The same for every sign-in of a user; and whatever waits to begin (codes, approved devices, open forms) ends, from
 * wherever it came.
 */
export function endWithSignIns(i: Refs<{ user_id: 'text'; now: 'int' }>): Sql[] {
  return [
    noticeLogouts(i, sql`s.user_id = ${i.user_id} and s.sid is not null`),
    sql`delete from codes ${using} where codes.user_id = ${i.user_id} and codes.used_at is null`,
    sql`delete from device_codes ${using} where device_codes.user_id = ${i.user_id} and device_codes.used_at is null`,
    sql`delete from authorization_requests ${using} where authorization_requests.user_id = ${i.user_id}`,
    endOrLetGo(i, sql`sessions.user_id = ${i.user_id} and sessions.sid is not null`),
  ]
}

/** What goes on has no sign-in any more. */
function endOrLetGo(i: Refs<{ now: 'int' }>, which: Sql): Sql {
  const goesOn = outlivesSignIn(sql`sessions.scope`)
  return sql`update sessions set
      revoked_at = case when ${goesOn} then null else ${i.now} end,
      revoked_reason = case when ${goesOn} then null else 'signed_out' end,
      sid = case when ${goesOn} then null else sessions.sid end
    ${from} where ${which} and sessions.revoked_at is null`
}

/** A browser's sign-in has ended: for accounts whose sign-ins are not ours, and for what began while ours ended. */
export const endSessionsOfSignIn = write(
  'end_sessions_of_sign_in',
  { user_id: 'text', sid: 'text', now: 'int' },
  (i) => ({
    effects: endWithSignIn(i, { user: i.user_id, sid: i.sid }),
    lock: lockRows('users', [i.user_id]),
  }),
)

/**
 * The same where the account provider names no sign-in: the user's sessions with the one client that asks for the logout.
 */
export const endSessionsWithClient = write(
  'end_sessions_with_client',
  { user_id: 'text', client_id: 'text', now: 'int' },
  (i) => ({
    effects: [
      noticeLogouts(i, sql`s.user_id = ${i.user_id} and s.client_id = ${i.client_id} and s.sid is null`),
      sql`update sessions set revoked_at = ${i.now}, revoked_reason = 'signed_out' ${from}
        where sessions.user_id = ${i.user_id} and sessions.client_id = ${i.client_id} and sessions.sid is null
          and sessions.revoked_at is null and not (${outlivesSignIn(sql`sessions.scope`)})
          and replace(' ' || sessions.scope || ' ', ' openid ', '') <> ' ' || sessions.scope || ' '`,
    ],
    lock: lockRows('users', [i.user_id]),
  }),
)
