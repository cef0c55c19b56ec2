import { from, insert, returning, select, sql, write } from '../../db/sql.ts'
import { appendEvent, eventColumns } from '../../events/append.ts'
import { spendPushedRequest } from './pushed-requests.ts'
import { beginSession, sessionColumns } from './sessions.ts'

export interface CodeRow {
  id: string
  hash: string
  client_id: string
  user_id: string
  subject: string
  redirect_uri: string
  scope: string
  resources: string
  code_challenge: string | null
  nonce: string | null
  auth_time: number | null
  binding: string | null
  acr: string | null
  amr: string | null
  sid: string | null
  claims: string | null
  authorization_details: string | null
  created_at: number
  expires_at: number
  used_at: number | null
  session_id: string | null
  user_disabled_at: number | null
}

export const codeColumns = {
  code_id: 'text',
  code_hash: 'text',
  client_id: 'text',
  user_id: 'text',
  subject: 'text',
  redirect_uri: 'text',
  scope: 'text',
  resources: 'text',
  code_challenge: 'text?',
  state: 'text?',
  nonce: 'text?',
  auth_time: 'int?',
  code_binding: 'text?',
  acr: 'text?',
  amr: 'text?',
  sid: 'text?',
  claims: 'text?',
  authorization_details: 'text?',
  code_expires_at: 'int',
  now: 'int',
} as const

export const insertCode = (i: import('../../db/sql.ts').Refs<typeof codeColumns & typeof eventColumns>) =>
  insert('codes', {
    id: i.code_id,
    hash: i.code_hash,
    client_id: i.client_id,
    user_id: i.user_id,
    subject: i.subject,
    redirect_uri: i.redirect_uri,
    scope: i.scope,
    resources: i.resources,
    code_challenge: i.code_challenge,
    code_challenge_method: sql`case when ${i.code_challenge} is null then null else 'S256' end`,
    state: i.state,
    nonce: i.nonce,
    auth_time: i.auth_time,
    binding: i.code_binding,
    acr: i.acr,
    amr: i.amr,
    sid: i.sid,
    claims: i.claims,
    authorization_details: i.authorization_details,
    ip_address: i.event_address,
    user_agent: i.event_agent,
    created_at: i.now,
    expires_at: i.code_expires_at,
  })

/** The answer to a request the user's consent already covers. */
export const issueCode = write('issue_code', { ...codeColumns, ...eventColumns }, (i) => ({
  effects: [insertCode(i), appendEvent(i)],
}))

/** The same for a pushed request, whose flow ends with it. */
export const issuePushedCode = write(
  'issue_pushed_code',
  { pushed_id: 'text', ...codeColumns, ...eventColumns },
  (i) => ({
    guard: spendPushedRequest(i),
    effects: [insertCode(i), appendEvent(i)],
  }),
)

export const findCode = select(
  'find_code',
  { id: 'text', hash: 'text' },
  (
    i,
  ) => sql<CodeRow>`select c.id, c.hash, c.client_id, c.user_id, c.subject, c.redirect_uri, c.scope, c.resources,
      c.code_challenge, c.nonce, c.auth_time, c.binding, c.acr, c.amr, c.sid, c.claims, c.authorization_details, c.created_at, c.expires_at, c.used_at, c.session_id,
      u.disabled_at as user_disabled_at
    from codes c join users u on u.id = c.user_id where c.id = ${i.id} and c.hash = ${i.hash}`,
)

/**
 * Spends a code once, for its own client only, and begins the session with its first tokens (RFC 6749 §4.1.2-§4.1.4);
 * not for a user who was disabled or withdrew the consent behind it, which an authorization under way may not have seen.
 */
export const redeemCode = write(
  'redeem_code',
  { code_id: 'text', code_hash: 'text', ...sessionColumns },
  (i) => ({
    guard: sql<{ id: string }>`update codes set used_at = ${i.now}, session_id = ${i.session_id} ${from}
      where codes.id = ${i.code_id} and codes.hash = ${i.code_hash} and codes.client_id = ${i.client_id}
        and codes.used_at is null and codes.expires_at > ${i.now}
        and exists (select 1 from users u where u.id = codes.user_id and u.disabled_at is null)
        and exists (select 1 from consents k where k.user_id = codes.user_id and k.client_id = codes.client_id)
      ${returning} codes.id`,
    effects: beginSession(i),
  }),
)
