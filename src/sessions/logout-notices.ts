import { andFrom, type Refs, raw, type Sql, sql } from '../db/sql.ts'

/** A client that has not been told within so long is not told any more, in milliseconds. */
const keep = 86_400_000

/** A condition on the scope of a session; scopes are separated by single spaces. */
const holds = (scope: Sql, name: string) =>
  sql`replace(' ' || ${scope} || ' ', ${raw(`' ${name} '`)}, '') <> ' ' || ${scope} || ' '`

/** Whether a session goes on without the sign-in it came from (OpenID Connect Back-Channel Logout §2.7). */
export const outlivesSignIn = (scope: Sql): Sql => holds(scope, 'offline_access')

/** Sessions the client knows from an ID token, whose client wants to hear of a logout (§2.2). */
const wanted = sql`${holds(raw('s.scope'), 'openid')}
  and c.registered_metadata like '%"backchannel_logout_uri":%' and c.revoked_at is null`

/**
 * The part of an operation that has every client told of the logout whose living sessions (`s`) the condition names: one
 * notice for a client and a sign-in. It must come before the part that ends the sessions.
 */
export function noticeLogouts(i: Refs<{ now: 'int' }>, sessions: Sql): Sql {
  return sql`insert into logout_deliveries (id, client_id, user_id, subject, sid, next_attempt_at, created_at, expires_at)
    select 'lo_' || min(s.id), s.client_id, s.user_id, s.subject, s.sid, ${i.now}, ${i.now}, ${i.now} + ${raw(String(keep))}
    from sessions s join clients c on c.id = s.client_id ${andFrom}
    where ${sessions} and s.revoked_at is null and s.expires_at > ${i.now} and ${wanted}
    group by s.client_id, s.user_id, s.subject, s.sid, ${i.now}
    on conflict do nothing`
}

/**
 * The same where one session (`s`) has just ended by itself: its client is told unless it turns out to have another of the
 * same sign-in.
 */
export function noticeLogout(i: Refs<{ now: 'int' }>, session: Sql): Sql {
  return sql`insert into logout_deliveries
      (id, client_id, user_id, subject, sid, session_id, next_attempt_at, created_at, expires_at)
    select 'lo_' || s.id, s.client_id, s.user_id, s.subject, s.sid, s.id, ${i.now}, ${i.now}, ${i.now} + ${raw(String(keep))}
    from sessions s join clients c on c.id = s.client_id ${andFrom}
    where ${session} and ${wanted}
    on conflict do nothing`
}
