import { livingClient, livingUser } from '../../db/living.ts'
import {
  andFrom,
  earlierInBatch,
  from,
  insert,
  join,
  type Refs,
  raw,
  returning,
  type Sql,
  select,
  selecting,
  sql,
  write,
} from '../../db/sql.ts'
import { appendEvent, eventColumns } from '../../events/append.ts'
import { noticeLogout } from '../../events/logout-notices.ts'
import { accessTokenColumns, insertAccessToken } from './access-tokens.ts'

/** One authorization of one client by one user. */
export interface SessionRow {
  id: string
  client_id: string
  user_id: string
  subject: string
  scope: string
  granted_scope: string
  resources: string
  auth_time: number | null
  acr: string | null
  amr: string | null
  /** The browser's sign-in it came from, where an ID token told it to the client. */
  sid: string | null
  claims: string | null
  authorization_details: string | null
  ip_address: string | null
  user_agent: string | null
  uses: number
  last_active_at: number
  created_at: number
  expires_at: number
  revoked_at: number | null
  revoked_reason: string | null
}

/** What a user granted a client, and how they were authenticated: what a session begins with. */
export type GrantedRow = Pick<
  SessionRow,
  | 'user_id'
  | 'subject'
  | 'scope'
  | 'resources'
  | 'auth_time'
  | 'acr'
  | 'amr'
  | 'sid'
  | 'claims'
  | 'authorization_details'
>

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
  insert('sessions', {
    id: i.session_id,
    client_id: i.client_id,
    user_id: i.user_id,
    subject: i.subject,
    scope: i.granted_scope,
    granted_scope: i.granted_scope,
    resources: i.granted_resources,
    auth_time: i.auth_time,
    acr: i.acr,
    amr: i.amr,
    sid: i.sid,
    claims: i.claims,
    authorization_details: i.authorization_details,
    ip_address: i.event_address,
    user_agent: i.event_agent,
    last_active_at: i.now,
    created_at: i.now,
    expires_at: i.session_expires_at,
  }),
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

/** The user has fewer living sessions with the client than so many; counted under a lock on the user. */
export const fewerSessionsThan = (
  i: Refs<{ user_id: 'text'; client_id: 'text'; now: 'int'; quota: 'int' }>,
): Sql => sql`(select count(*) from sessions f where f.user_id = ${i.user_id} and f.client_id = ${i.client_id}
    and f.revoked_at is null and f.expires_at > ${i.now}) + ${earlierInBatch(['user_id', 'client_id'])} < ${i.quota}`

export const findSession = select(
  'find_session',
  { id: 'text' },
  (i) => sql<SessionRow>`select * from sessions where id = ${i.id}`,
)

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

/** Living sessions of a user with a client beyond the quota: the ones idle for longest. */
export const surplusSessions = select(
  'surplus_sessions',
  { user_id: 'text', client_id: 'text', now: 'int', quota: 'int' },
  (i) => sql<{ id: string }>`select id from sessions
    where user_id = ${i.user_id} and client_id = ${i.client_id} and revoked_at is null and expires_at > ${i.now}
    order by last_active_at desc, id desc limit 100 offset ${i.quota}`,
)

/** Living sessions of a user over all clients beyond a number: the ones idle for longest. */
export const surplusSessionsOfUser = select(
  'surplus_sessions_of_user',
  { user_id: 'text', now: 'int', quota: 'int' },
  (i) => sql<{ id: string; client_id: string }>`select id, client_id from sessions
    where user_id = ${i.user_id} and revoked_at is null and expires_at > ${i.now}
    order by last_active_at desc, id desc limit 100 offset ${i.quota}`,
)

export const countLivingSessions = select(
  'count_living_sessions',
  { user_id: 'text', client_id: 'text', now: 'int' },
  (i) => sql<{ count: number }>`select count(*) as count from sessions
    where user_id = ${i.user_id} and client_id = ${i.client_id} and revoked_at is null and expires_at > ${i.now}`,
)

/** What a list of sessions is narrowed to. */
export interface SessionFilter {
  userId?: string
  clientId?: string
  /** Only sessions that live at this time. */
  livingAt?: number
  /** Only sessions older than this one. */
  before?: string
  limit: number
}

/** Sessions, newest first: ids are in the order of time, so every filter walks one index from its end. */
export function sessionList(filter: SessionFilter) {
  const { userId, clientId, livingAt, before } = filter
  const conditions = [
    raw('true'),
    ...(userId === undefined ? [] : [sql`s.user_id = ${userId}`]),
    ...(clientId === undefined ? [] : [sql`s.client_id = ${clientId}`]),
    ...(livingAt === undefined ? [] : [sql`s.revoked_at is null and s.expires_at > ${livingAt}`]),
    ...(before === undefined ? [] : [sql`s.id < ${before}`]),
  ]
  return sql<SessionRow & { client_name: string }>`select s.*, c.name as client_name
    from sessions s join clients c on c.id = s.client_id
    where ${join(conditions, ' and ')} order by s.id desc limit ${filter.limit}`
}

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

/** Adds what was counted in memory since the last flush. */
export const countSessionUse = write('count_session_use', { id: 'text', uses: 'int', now: 'int' }, (i) => ({
  effects: [
    sql`update sessions set uses = sessions.uses + ${i.uses}, last_active_at = ${i.now} ${from} where sessions.id = ${i.id}`,
  ],
}))
