import { andFrom, from, insert, type Refs, returning, select, selecting, sql, write } from '../../db/sql.ts'
import { appendEvent, eventColumns } from '../../events/append.ts'

/** An access token with the state of its session. */
export interface AccessTokenRow {
  id: string
  client_id: string
  session_id: string | null
  user_id: string | null
  subject: string
  scope: string
  resources: string
  /** What it is bound to (`sender-constraint.ts`). */
  jkt: string | null
  created_at: number
  expires_at: number
  revoked_at: number | null
  session_revoked_at: number | null
  session_expires_at: number | null
  user_disabled_at: number | null
  /** The client the session is of; an exchanged token is another's (RFC 8693). */
  session_client_id: string | null
  auth_time: number | null
  acr: string | null
  amr: string | null
  claims: string | null
}

/** Columns of every operation that issues an access token. */
export const accessTokenColumns = {
  access_id: 'text',
  access_hash: 'text',
  client_id: 'text',
  session_id: 'text?',
  user_id: 'text?',
  subject: 'text',
  access_scope: 'text',
  access_resources: 'text',
  access_expires_at: 'int',
  access_claims: 'text?',
  binding: 'text?',
  now: 'int',
} as const

export const insertAccessToken = (i: Refs<typeof accessTokenColumns>) =>
  insert('access_tokens', {
    id: i.access_id,
    hash: i.access_hash,
    client_id: i.client_id,
    session_id: i.session_id,
    user_id: i.user_id,
    subject: i.subject,
    scope: i.access_scope,
    resources: i.access_resources,
    jkt: i.binding,
    claims: i.access_claims,
    created_at: i.now,
    expires_at: i.access_expires_at,
  })

/** Client credentials: a token without a user and without a session (RFC 6749 §4.4). */
export const issueClientToken = write(
  'issue_client_token',
  { ...accessTokenColumns, ...eventColumns },
  (i) => ({
    effects: [insertAccessToken(i), appendEvent(i)],
  }),
)

/**
 * A token made from another in the same session (RFC 8693): not when the session ended meanwhile, nor the token that was
 * exchanged, where it was an access token.
 */
export const issueExchangedToken = write(
  'issue_exchanged_token',
  { from_token: 'text?', ...accessTokenColumns, ...eventColumns },
  (i) => ({
    guard: sql<{ id: string }>`${selecting} s.id from sessions s ${andFrom}
      where s.id = ${i.session_id} and s.revoked_at is null and s.expires_at > ${i.now}
        and (${i.from_token} is null or exists (select 1 from access_tokens t
          where t.id = ${i.from_token} and t.revoked_at is null and t.expires_at > ${i.now}))`,
    effects: [insertAccessToken(i), appendEvent(i)],
  }),
)

export const findAccessToken = select(
  'find_access_token',
  { id: 'text', hash: 'text' },
  (
    i,
  ) => sql<AccessTokenRow>`select t.id, t.client_id, t.session_id, t.user_id, t.subject, t.scope, t.resources, t.jkt, t.claims,
      t.created_at, t.expires_at, t.revoked_at, s.revoked_at as session_revoked_at, s.expires_at as session_expires_at,
      s.client_id as session_client_id, s.auth_time, s.acr, s.amr, u.disabled_at as user_disabled_at
    from access_tokens t left join sessions s on s.id = t.session_id left join users u on u.id = t.user_id
    where t.id = ${i.id} and t.hash = ${i.hash}`,
)

/** Ends one access token and nothing else (RFC 7009 §2.1). */
export const revokeAccessToken = write(
  'revoke_access_token',
  { id: 'text', client_id: 'text', now: 'int', ...eventColumns },
  (i) => ({
    guard: sql<{ id: string }>`update access_tokens set revoked_at = ${i.now} ${from}
      where access_tokens.id = ${i.id} and access_tokens.client_id = ${i.client_id} and access_tokens.revoked_at is null
      ${returning} access_tokens.id`,
    effects: [appendEvent(i)],
  }),
)
