import { deletion, stepLimit } from '../../db/deletion.ts'
import { from, raw, returning, select, sql, write } from '../../db/sql.ts'

export const oldAuthorizationRequests = deletion('authorization_requests')
export const oldPushedRequests = deletion('pushed_authorization_requests')
export const oldCodes = deletion('codes')
export const oldDeviceCodes = deletion('device_codes')
export const oldAccessTokens = deletion('access_tokens')
export const oldRefreshTokens = deletion('refresh_tokens')
export const oldLogoutDeliveries = deletion('logout_deliveries')
export const oldUsedJtis = deletion('used_jtis')
export const oldInitialAccessTokens = deletion('initial_access_tokens')
export const oldSigningKeys = deletion('signing_keys', { key: 'kid' })

/** The reuse windows longer than one that clients have of their own, in milliseconds, one index look-up each. */
export const reuseWindows = select(
  'reuse_windows',
  { after: 'int' },
  (i) => sql<{ reuse_window: number }>`with recursive found(reuse_window) as (
      select min(clients.reuse_window) from clients where clients.reuse_window > ${i.after}
      union all
      select (select min(c.reuse_window) from clients c where c.reuse_window > found.reuse_window)
      from found where found.reuse_window is not null
    ) select reuse_window from found where reuse_window is not null`,
)

/** Refresh tokens between two ids in their order, and whether each still has a salt whose window is at most this long. */
export const saltsBetween = select(
  'salts_between',
  { first: 'text', last: 'text', standard: 'int', reuse_window: 'int' },
  (i) => sql<{ id: string; due: number }>`select t.id,
      case when t.salt is not null and coalesce((select c.reuse_window from sessions s join clients c on c.id = s.client_id
        where s.id = t.session_id), ${i.standard}) <= ${i.reuse_window} then 1 else 0 end as due
    from refresh_tokens t
    where t.id >= ${i.first} and t.id < ${i.last} order by t.id limit ${raw(String(stepLimit))}`,
)

export const clearSalt = write('clear_salt', { id: 'text' }, (i) => ({
  guard: sql<{ id: string }>`update refresh_tokens set salt = null ${from}
    where refresh_tokens.id = ${i.id} and refresh_tokens.salt is not null ${returning} refresh_tokens.id`,
}))
