import { andFrom, from, insert, returning, select, selecting, sql, write } from '../../db/sql.ts'
import { appendEvent, eventColumns } from '../../events/append.ts'
import { accessTokenColumns, insertAccessToken } from './access-tokens.ts'

/** A refresh token, its session, and its successor when it was rotated. */
export interface RefreshTokenRow {
  id: string
  session_id: string
  scope: string
  resources: string
  /** What a public client must prove to hold (RFC 9449 §5); null for every other one. */
  jkt: string | null
  expires_at: number
  rotated_at: number | null
  rotated_to: string | null
  rotated_for: string | null
  client_id: string
  user_id: string
  subject: string
  auth_time: number | null
  acr: string | null
  amr: string | null
  sid: string | null
  claims: string | null
  authorization_details: string | null
  session_expires_at: number
  session_revoked_at: number | null
  user_disabled_at: number | null
  successor_hash: string | null
  successor_salt: string | null
  successor_rotated_at: number | null
  successor_expires_at: number | null
}

export const findRefreshToken = select(
  'find_refresh_token',
  { id: 'text', hash: 'text' },
  (
    i,
  ) => sql<RefreshTokenRow>`select t.id, t.session_id, t.scope, t.resources, t.jkt, t.expires_at, t.rotated_at, t.rotated_to,
      t.rotated_for, s.client_id, s.user_id, s.subject, s.auth_time, s.acr, s.amr,
      s.sid, s.claims, s.authorization_details, s.expires_at as session_expires_at,
      s.revoked_at as session_revoked_at, u.disabled_at as user_disabled_at, n.hash as successor_hash, n.salt as successor_salt,
      n.rotated_at as successor_rotated_at, n.expires_at as successor_expires_at
    from refresh_tokens t join sessions s on s.id = t.session_id join users u on u.id = s.user_id
      left join refresh_tokens n on n.id = t.rotated_to
    where t.id = ${i.id} and t.hash = ${i.hash}`,
)

/**
 * Rotation (RFC 9700 §4.14.2): one guarded update decides among any number of racers in any number of processes.
 * The successor's row keeps the salt it was derived with; the token's own salt ends here, since it is used now.
 */
export const rotateRefreshToken = write(
  'rotate_refresh_token',
  {
    refresh_id: 'text',
    refresh_hash: 'text',
    rotated_for: 'text',
    successor_id: 'text',
    successor_hash: 'text',
    successor_salt: 'text?',
    successor_scope: 'text',
    successor_resources: 'text',
    successor_binding: 'text?',
    successor_expires_at: 'int',
    ...accessTokenColumns,
    ...eventColumns,
  },
  (i) => ({
    guard: sql<{
      id: string
    }>`update refresh_tokens set rotated_at = ${i.now}, rotated_to = ${i.successor_id},
        rotated_for = ${i.rotated_for}, salt = null ${from}
      where refresh_tokens.id = ${i.refresh_id} and refresh_tokens.hash = ${i.refresh_hash}
        and refresh_tokens.rotated_at is null and refresh_tokens.expires_at > ${i.now}
        and exists (select 1 from sessions s where s.id = ${i.session_id} and s.client_id = ${i.client_id}
          and s.revoked_at is null and s.expires_at > ${i.now})
      ${returning} refresh_tokens.id`,
    effects: [
      insert('refresh_tokens', {
        id: i.successor_id,
        hash: i.successor_hash,
        session_id: i.session_id,
        scope: i.successor_scope,
        resources: i.successor_resources,
        jkt: i.successor_binding,
        created_at: i.now,
        expires_at: i.successor_expires_at,
        salt: i.successor_salt,
      }),
      insertAccessToken(i),
      appendEvent(i),
    ],
  }),
)

/**
 * A token that is not replaced when it is used: any number of uses at once, each with an access token of its own. Its expiry
 * stands in an index, so it moves once a hundredth of its life has passed, not with every use.
 */
export const useRefreshToken = write(
  'use_refresh_token',
  {
    refresh_id: 'text',
    refresh_hash: 'text',
    refresh_expires_at: 'int',
    ...accessTokenColumns,
    ...eventColumns,
  },
  (i) => ({
    guard: sql<{
      id: string
    }>`${selecting} t.id from refresh_tokens t join sessions s on s.id = t.session_id ${andFrom}
      where t.id = ${i.refresh_id} and t.hash = ${i.refresh_hash} and t.rotated_at is null and t.expires_at > ${i.now}
        and s.client_id = ${i.client_id} and s.revoked_at is null and s.expires_at > ${i.now}`,
    effects: [
      sql`update refresh_tokens set expires_at = ${i.refresh_expires_at} ${from}
        where refresh_tokens.id = ${i.refresh_id}
          and (${i.refresh_expires_at} - refresh_tokens.expires_at) * 100 >= ${i.refresh_expires_at} - ${i.now}`,
      insertAccessToken(i),
      appendEvent(i),
    ],
  }),
)

/** A retry inside the window: the same successor, still unused, and a fresh access token. */
export const repeatRotation = write(
  'repeat_rotation',
  { successor_id: 'text', ...accessTokenColumns, ...eventColumns },
  (i) => ({
    guard: sql<{
      id: string
    }>`${selecting} t.id from refresh_tokens t join sessions s on s.id = t.session_id ${andFrom}
      where t.id = ${i.successor_id} and t.rotated_at is null and t.salt is not null and s.client_id = ${i.client_id}
        and s.revoked_at is null and s.expires_at > ${i.now}`,
    effects: [insertAccessToken(i), appendEvent(i)],
  }),
)
