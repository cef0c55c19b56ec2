// Table `sessions`.

import { deletion } from '../db/deletion.ts'
import {
  earlierInBatch,
  from,
  insert,
  join,
  type Refs,
  raw,
  type Sql,
  select,
  sql,
  write,
} from '../db/sql.ts'

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

/** What the row of a new session is made from. */
export const newSessionColumns = {
  session_id: 'text',
  client_id: 'text',
  user_id: 'text',
  subject: 'text',
  granted_scope: 'text',
  granted_resources: 'text',
  auth_time: 'int?',
  acr: 'text?',
  amr: 'text?',
  sid: 'text?',
  claims: 'text?',
  authorization_details: 'text?',
  session_expires_at: 'int',
  event_address: 'text?',
  event_agent: 'text?',
  now: 'int',
} as const

/** The row of a new session. */
export const insertSession = (i: Refs<typeof newSessionColumns>): Sql =>
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
  })

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

/** Adds what was counted in memory since the last flush. */
export const countSessionUse = write('count_session_use', { id: 'text', uses: 'int', now: 'int' }, (i) => ({
  effects: [
    sql`update sessions set uses = sessions.uses + ${i.uses}, last_active_at = ${i.now} ${from} where sessions.id = ${i.id}`,
  ],
}))

/** No session of the client lives. One look-up by client; `exists` would let PostgreSQL read every living session first. */
export const noLivingSession = (client: Sql, now: unknown): Sql => sql`(select 1 from sessions s
  where s.client_id = ${client} and s.revoked_at is null and s.expires_at > ${now} limit 1) is null`

export interface AppUseRow {
  last_active_at: number | null
  uses: number
  sessions: number
}

/** Sessions of one app, the newest, that its use is told from. */
const newestSessions = 100

/**
 * How a user uses one app. Ended sessions count as long as they are kept; with more than a hundred, the newest hundred count.
 * One look-up an app, whatever the planner knows of the table.
 */
export const useOfApp = select(
  'use_of_app',
  { user_id: 'text', client_id: 'text', now: 'int' },
  (
    i,
  ) => sql<AppUseRow>`select max(found.last_active_at) as last_active_at, cast(coalesce(sum(found.uses), 0) as bigint) as uses,
      count(case when found.revoked_at is null and found.expires_at > ${i.now} then 1 end) as sessions
    from (select * from sessions where sessions.user_id = ${i.user_id} and sessions.client_id = ${i.client_id}
      order by sessions.id desc limit ${raw(String(newestSessions))}) found`,
)

/** What a session leaves behind (rotated tokens that have not expired) is dead without it and goes by its own time. */
export const expiredSessions = deletion('sessions')
export const revokedSessions = deletion('sessions', { column: 'revoked_at' })
