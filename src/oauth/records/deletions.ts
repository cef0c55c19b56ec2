import { deletion, stepLimit } from '../../db/deletion.ts'
import { from, raw, returning, select, sql, using, write } from '../../db/sql.ts'

export const oldAuthorizationRequests = deletion('authorization_requests')
export const oldCodes = deletion('codes')
export const oldAccessTokens = deletion('access_tokens')
export const oldRefreshTokens = deletion('refresh_tokens')
export const oldSigningKeys = deletion('signing_keys', { key: 'kid' })

/** Sessions that ended by themselves before a moment, oldest first. */
export const expiredSessions = select(
  'expired_sessions',
  { before: 'int' },
  (i) =>
    sql<{ id: string }>`select id from sessions where expires_at < ${i.before} order by expires_at limit 50`,
)

/** Sessions that were ended before a moment, oldest first. */
export const revokedSessions = select(
  'revoked_sessions',
  { before: 'int' },
  (i) => sql<{ id: string }>`select id from sessions where revoked_at is not null and revoked_at < ${i.before}
    order by revoked_at limit 50`,
)

/** Refresh tokens that a session still has; there may be thousands, so they go before it in steps of their own. */
export const refreshTokensOfSession = select(
  'refresh_tokens_of_session',
  { session_id: 'text' },
  (i) => sql<{ id: string }>`select id from refresh_tokens where session_id = ${i.session_id}
    limit ${raw(String(stepLimit))}`,
)

export const deleteRefreshToken = write('delete_refresh_token', { id: 'text' }, (i) => ({
  guard: sql<{ id: string }>`delete from refresh_tokens ${using} where refresh_tokens.id = ${i.id}
    ${returning} refresh_tokens.id`,
}))

export const deleteSession = write('delete_session', { id: 'text', before: 'int' }, (i) => ({
  guard: sql<{ id: string }>`delete from sessions ${using} where sessions.id = ${i.id}
    and (sessions.expires_at < ${i.before} or sessions.revoked_at < ${i.before}) ${returning} sessions.id`,
}))

/** The reuse windows that clients have, in milliseconds; `standard` is that of those without one of their own. */
export const reuseWindows = select(
  'reuse_windows',
  { standard: 'int' },
  (i) => sql<{
    reuse_window: number
  }>`select distinct coalesce(clients.reuse_window, ${i.standard}) as reuse_window
    from clients`,
)

/** Refresh tokens between two ids in their order, and whether each still has a salt whose window is at most this long. */
export const saltsBetween = select(
  'salts_between',
  { first: 'text', last: 'text', standard: 'int', reuse_window: 'int' },
  (i) => sql<{ id: string; due: number }>`select t.id,
      case when t.salt is not null and coalesce(c.reuse_window, ${i.standard}) <= ${i.reuse_window} then 1 else 0 end as due
    from refresh_tokens t join sessions s on s.id = t.session_id join clients c on c.id = s.client_id
    where t.id >= ${i.first} and t.id < ${i.last} order by t.id limit ${raw(String(stepLimit))}`,
)

export const clearSalt = write('clear_salt', { id: 'text' }, (i) => ({
  guard: sql<{ id: string }>`update refresh_tokens set salt = null ${from}
    where refresh_tokens.id = ${i.id} and refresh_tokens.salt is not null ${returning} refresh_tokens.id`,
}))
