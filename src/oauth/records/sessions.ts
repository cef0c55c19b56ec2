import { from, join, raw, returning, select, sql, write } from '../../db/sql.ts'
import { appendEvent, eventColumns } from '../../events/append.ts'

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

export const countLivingSessions = select(
  'count_living_sessions',
  { user_id: 'text', client_id: 'text', now: 'int' },
  (i) => sql<{ count: number }>`select count(*) as count from sessions
    where user_id = ${i.user_id} and client_id = ${i.client_id} and revoked_at is null and expires_at > ${i.now}`,
)

/** All living sessions of a user, for the connected apps page. */
export const sessionsOfUser = select(
  'sessions_of_user',
  { user_id: 'text', now: 'int' },
  (i) => sql<SessionRow>`select * from sessions
    where user_id = ${i.user_id} and revoked_at is null and expires_at > ${i.now} order by client_id, id`,
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

/** Ends one session: with it every access and refresh token that points to it, at once. */
export const revokeSession = write(
  'revoke_session',
  { id: 'text', now: 'int', reason: 'text', ...eventColumns },
  (i) => ({
    guard: sql<{ id: string }>`update sessions set revoked_at = ${i.now}, revoked_reason = ${i.reason} ${from}
      where sessions.id = ${i.id} and sessions.revoked_at is null ${returning} sessions.id`,
    effects: [appendEvent(i)],
  }),
)

/** Adds what was counted in memory since the last flush. */
export const countSessionUse = write('count_session_use', { id: 'text', uses: 'int', now: 'int' }, (i) => ({
  effects: [
    sql`update sessions set uses = sessions.uses + ${i.uses}, last_active_at = ${i.now} ${from} where sessions.id = ${i.id}`,
  ],
}))
