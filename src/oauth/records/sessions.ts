import { livingClient, livingUser } from '../../db/living.ts'
import { andFrom, insert, type Refs, type Sql, select, selecting, sql, write } from '../../db/sql.ts'
import { appendEvent, eventColumns } from '../../events/append.ts'
import { insertSession, type SessionRow } from '../../sessions/rows.ts'
import { accessTokenColumns, insertAccessToken } from './access-tokens.ts'

/** Columns of every operation that begins a session with its first tokens; the refresh token is left out when `refresh_id` is null. */
export const sessionColumns = {
  /** How the client authenticated. */
  client_method: 'text',
  granted_scope: 'text',
  granted_resources: 'text',
  auth_time: 'int?',
  acr: 'text?',
  amr: 'text?',
  sid: 'text?',
  claims: 'text?',
  authorization_details: 'text?',
  session_expires_at: 'int',
  refresh_id: 'text?',
  refresh_hash: 'text?',
  refresh_expires_at: 'int?',
  refresh_binding: 'text?',
  ...accessTokenColumns,
  ...eventColumns,
} as const

/** The part of an operation that begins the session. */
export const beginSession = (i: Refs<typeof sessionColumns>): Sql[] => [
  insertSession(i),
  insert(
    'refresh_tokens',
    {
      id: i.refresh_id,
      hash: i.refresh_hash,
      session_id: i.session_id,
      scope: i.granted_scope,
      resources: i.granted_resources,
      jkt: i.refresh_binding,
      created_at: i.now,
      expires_at: i.refresh_expires_at,
    },
    sql`${i.refresh_id} is not null`,
  ),
  insertAccessToken(i),
  appendEvent(i),
]

/** A session that begins by the word of an issuer: no code is spent, and no consent stands behind it. */
export const beginAssertedSession = write('begin_asserted_session', sessionColumns, (i) => ({
  guard: sql<{ id: string }>`${selecting} k.id from users k ${andFrom}
    where k.id = ${i.user_id} and ${livingUser(i.user_id)} and ${livingClient(i.client_id, i.client_method)}`,
  effects: beginSession(i),
  order: 'user_id',
}))

/** The newest living session a client has with a user from one sign-in (`auth_time` in seconds, -1 where it is not known). */
export const findSessionOfSubject = select(
  'find_session_of_subject',
  { subject: 'text', client_id: 'text', auth_time: 'int', now: 'int' },
  (i) => sql<SessionRow>`select s.* from sessions s
    where s.user_id = coalesce((select p.user_id from pairwise_subjects p where p.subject = ${i.subject}),
        (select u.id from users u where u.subject = ${i.subject}))
      and s.client_id = ${i.client_id} and s.subject = ${i.subject} and coalesce(s.auth_time / 1000, -1) = ${i.auth_time}
      and s.revoked_at is null and s.expires_at > ${i.now}
      and exists (select 1 from users o where o.id = s.user_id and o.disabled_at is null) order by s.id desc limit 1`,
)
