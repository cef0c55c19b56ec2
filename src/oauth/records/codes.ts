import { livingClient, livingSignIn } from '../../db/living.ts'
import {
  andFrom,
  from,
  insert,
  lockRows,
  type Refs,
  returning,
  select,
  selecting,
  sql,
  write,
} from '../../db/sql.ts'
import { appendEvent, eventColumns } from '../../events/append.ts'
import { fewerSessionsThan } from '../../sessions/rows.ts'
import { consentColumns, consentCovers } from './consent-covers.ts'
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
  ...consentColumns,
  code_id: 'text',
  code_hash: 'text',
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
  /** The row of the browser's sign-in the code comes from, where there is one. */
  sign_in_row: 'text?',
} as const

export const insertCode = (i: Refs<typeof codeColumns & typeof eventColumns>) =>
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

/** What a code rests on when no question was asked. */
const remembered = (i: Refs<typeof codeColumns>) => sql`${livingClient(i.client_id)}
  and ${livingSignIn(i.sign_in_row)} and ${consentCovers(i.user_id, i)}`

/** The answer to a request the user's consent already covers; no row where it does not any more. */
export const issueCode = write('issue_code', { ...codeColumns, ...eventColumns }, (i) => ({
  guard: sql<{
    id: string
  }>`${selecting} u.id from users u ${andFrom} where u.id = ${i.user_id} and ${remembered(i)}`,
  effects: [insertCode(i), appendEvent(i)],
  order: 'user_id',
}))

/** The same for a pushed request, whose flow ends with it. */
export const issuePushedCode = write(
  'issue_pushed_code',
  { pushed_id: 'text', ...codeColumns, ...eventColumns },
  (i) => ({
    guard: spendPushedRequest(i, remembered(i)),
    effects: [insertCode(i), appendEvent(i)],
    order: 'user_id',
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

const redeemColumns = { code_id: 'text', code_hash: 'text', ...consentColumns, ...sessionColumns } as const

const spendCode = (i: Refs<typeof redeemColumns>, more = sql``) =>
  sql<{ id: string }>`update codes set used_at = ${i.now}, session_id = ${i.session_id} ${from}
    where codes.id = ${i.code_id} and codes.hash = ${i.code_hash} and codes.client_id = ${i.client_id}
      and codes.used_at is null and codes.expires_at > ${i.now}
      and ${livingClient(i.client_id, i.client_method)} and ${consentCovers(sql`codes.user_id`, i)} ${more}
    ${returning} codes.id`

/**
 * Spends a code once, for its own client only, and begins the session with its first tokens (RFC 6749 §4.1.2-§4.1.4);
 * not for a user who was disabled, nor beyond what the user still consents to.
 */
export const redeemCode = write('redeem_code', redeemColumns, (i) => ({
  guard: spendCode(i),
  effects: beginSession(i),
  order: 'user_id',
}))

/** The same where the user may have only so many sessions with the client: over them the code stays as it is. */
export const redeemCodeWithinQuota = write(
  'redeem_code_within_quota',
  { quota: 'int', ...redeemColumns },
  (i) => ({
    guard: spendCode(i, sql`and ${fewerSessionsThan(i)}`),
    effects: beginSession(i),
    lock: lockRows('users', [i.user_id]),
  }),
)
