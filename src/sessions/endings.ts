// What ends with a session, and every way a session ends. Whatever ends sessions takes its effects from here, so that nothing
// can be forgotten on one of the ways.
//
// Access and refresh tokens need no line: they are judged by their session at each look-up.

import { from, lockRows, type Refs, raw, returning, type Sql, sql, using, write } from '../db/sql.ts'
import { appendEvent, eventColumns } from '../events/append.ts'
import { noticeLogout, noticeLogouts, outlivesSignIn } from './logout-notices.ts'

/** Whose sessions end. A null input matches none. */
interface Owner {
  user: unknown
  client?: unknown
  sid?: unknown
}

/**
 * What ends beside the sessions of an owner: one line a table, by the columns it knows its owner by. `open` is the condition
 * on a row that could still become a session; a row without `sid` does not come from a sign-in and ends with the user alone.
 */
export const endsWithSessions: readonly { table: string; by: readonly (keyof Owner)[]; open: string }[] = [
  { table: 'codes', by: ['user', 'client', 'sid'], open: 'codes.used_at is null' },
  { table: 'device_codes', by: ['user', 'client'], open: 'device_codes.used_at is null' },
  { table: 'authorization_requests', by: ['user', 'client', 'sid'], open: 'true' },
]

const columns = { user: 'user_id', client: 'client_id', sid: 'sid' } as const

/** The conditions on a table by which its rows are an owner's. */
function ownedBy(table: string, owner: Owner): Sql {
  const { user, client, sid } = owner
  const own = (name: keyof Owner) => raw(`${table}.${columns[name]}`)
  return sql`${own('user')} = ${user}${client === undefined ? sql`` : sql` and ${own('client')} = ${client}`}${
    sid === undefined ? sql`` : sql` and ${own('sid')} = ${sid}`
  }`
}

/** What waits to begin a session of the owner is void. */
function endWaiting(owner: Owner): Sql[] {
  const named = (Object.keys(owner) as (keyof Owner)[]).filter((name) => owner[name] !== undefined)
  return endsWithSessions
    .filter(({ by }) => named.every((name) => by.includes(name)))
    .map(
      ({ table, open }) =>
        sql`delete from ${raw(table)} ${using} where ${ownedBy(table, owner)} and ${raw(open)}`,
    )
}

/** Marks the sessions a condition on `sessions` names as ended. */
const markEnded = (i: Refs<{ now: 'int' }>, which: Sql, reason: string): Sql =>
  sql`update sessions set revoked_at = ${i.now}, revoked_reason = ${raw(`'${reason}'`)} ${from}
    where ${which} and sessions.revoked_at is null`

/** The user is disabled or deleted: every session ends and its client is told, and whatever waits to begin is void. */
export function endSessionsOfUser(i: Refs<{ now: 'int' }>, user: unknown, reason: string): Sql[] {
  return [
    noticeLogouts(i, ownedBy('s', { user })),
    markEnded(i, ownedBy('sessions', { user }), reason),
    ...endWaiting({ user }),
  ]
}

/** The user disconnects a client: the same, for what the two have together. */
export function endSessionsWithApp(
  i: Refs<{ now: 'int' }>,
  { reason, ...owner }: { user: unknown; client: unknown; reason: string },
): Sql[] {
  return [
    noticeLogouts(i, ownedBy('s', owner)),
    markEnded(i, ownedBy('sessions', owner), reason),
    ...endWaiting(owner),
  ]
}

/**
 * The client is revoked or is no longer what it was: its sessions end, of whichever user. What waits to begin is refused by the
 * client's own state, and such a client is told nothing.
 */
export const endSessionsOfClient = (
  i: Refs<{ now: 'int' }>,
  client: unknown,
  reason: string,
  condition: Sql = raw('true'),
): Sql => markEnded(i, sql`sessions.client_id = ${client} and ${condition}`, reason)

/**
 * What ends with a browser's sign-in: the sessions that came from it, unless they were allowed to go on (`offline_access`),
 * and what waits to begin from it.
 */
export function endWithSignIn(
  i: Refs<{ now: 'int' }>,
  { user, sid }: { user: unknown; sid: unknown },
): Sql[] {
  return [
    noticeLogouts(i, ownedBy('s', { user, sid })),
    ...endWaiting({ user, sid }),
    endOrLetGo(i, ownedBy('sessions', { user, sid })),
  ]
}

/**
 * The same for every sign-in of a user; and whatever waits to begin (codes, approved devices, open forms) ends, from
 * wherever it came.
 */
export function endWithSignIns(i: Refs<{ user_id: 'text'; now: 'int' }>): Sql[] {
  const user = i.user_id
  return [
    noticeLogouts(i, sql`s.user_id = ${user} and s.sid is not null`),
    ...endWaiting({ user }),
    endOrLetGo(i, sql`sessions.user_id = ${user} and sessions.sid is not null`),
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

/**
 * Ends one session: with it every access and refresh token that points to it, at once. Its client is told, unless it was the
 * client that gave its own token back.
 */
export const revokeSession = write(
  'revoke_session',
  { id: 'text', now: 'int', reason: 'text', ...eventColumns },
  (i) => ({
    guard: sql<{ id: string }>`update sessions set revoked_at = ${i.now}, revoked_reason = ${i.reason} ${from}
      where sessions.id = ${i.id} and sessions.revoked_at is null ${returning} sessions.id`,
    effects: [noticeLogout(i, sql`s.id = ${i.id} and ${i.reason} <> 'token_revoked'`), appendEvent(i)],
  }),
)
