import { from, insert, type Refs, returning, select, sql, unionOfWords, using, write } from '../../db/sql.ts'
import { appendEvent, eventColumns } from '../../events/append.ts'
import { codeColumns, insertCode } from './codes.ts'

export interface ConsentRow {
  user_id: string
  client_id: string
  scope: string
  resources: string
  redirect_host: string
  created_at: number
  updated_at: number
}

export interface AuthorizationRequestRow {
  id: string
  client_id: string
  request: string
  created_at: number
  expires_at: number
}

export const findConsent = select(
  'find_consent',
  { user_id: 'text', client_id: 'text' },
  (i) => sql<ConsentRow>`select * from consents where user_id = ${i.user_id} and client_id = ${i.client_id}`,
)

/** Keeps a request while its user decides. */
export const holdAuthorizationRequest = write(
  'hold_authorization_request',
  { id: 'text', hash: 'text', client_id: 'text', request: 'text', now: 'int', expires_at: 'int' },
  (i) => ({
    effects: [
      insert('authorization_requests', {
        id: i.id,
        hash: i.hash,
        client_id: i.client_id,
        request: i.request,
        created_at: i.now,
        expires_at: i.expires_at,
      }),
    ],
  }),
)

export const findAuthorizationRequest = select(
  'find_authorization_request',
  { id: 'text', hash: 'text' },
  (
    i,
  ) => sql<AuthorizationRequestRow>`select id, client_id, request, created_at, expires_at from authorization_requests
    where id = ${i.id} and hash = ${i.hash}`,
)

const spendRequest = (i: Refs<{ request_id: 'text'; now: 'int' }>) =>
  sql<{ id: string }>`delete from authorization_requests ${using}
    where authorization_requests.id = ${i.request_id} and authorization_requests.expires_at > ${i.now}
    ${returning} authorization_requests.id`

/**
 * The user allows: the request is spent once, the consent grows by what was asked, the code is issued. The consent grows
 * inside the statement, so that of two forms allowed at once neither is forgotten, and nothing withdrawn comes back.
 */
export const allowRequest = write(
  'allow_request',
  {
    request_id: 'text',
    consent_scope: 'text',
    consent_resources: 'text',
    redirect_host: 'text',
    ...codeColumns,
    ...eventColumns,
  },
  (i) => ({
    guard: spendRequest(i),
    effects: [
      sql`${insert('consents', {
        user_id: i.user_id,
        client_id: i.client_id,
        scope: i.consent_scope,
        resources: i.consent_resources,
        redirect_host: i.redirect_host,
        created_at: i.now,
        updated_at: i.now,
      })} on conflict (user_id, client_id) do update set
        scope = ${unionOfWords('consents.scope', 'excluded.scope')},
        resources = ${unionOfWords('consents.resources', 'excluded.resources')},
        redirect_host = excluded.redirect_host, updated_at = excluded.updated_at`,
      insertCode(i),
      appendEvent(i),
    ],
  }),
)

/** The user denies: the request is spent, nothing else changes. */
export const denyRequest = write(
  'deny_request',
  { request_id: 'text', now: 'int', ...eventColumns },
  (i) => ({
    guard: spendRequest(i),
    effects: [appendEvent(i)],
  }),
)

/** The user disconnects an app: consent, codes that are still out and every session of the two end together. */
export const withdrawConsent = write(
  'withdraw_consent',
  { user_id: 'text', client_id: 'text', now: 'int', ...eventColumns },
  (i) => ({
    effects: [
      sql`delete from consents ${using} where consents.user_id = ${i.user_id} and consents.client_id = ${i.client_id}`,
      sql`delete from codes ${using} where codes.user_id = ${i.user_id} and codes.client_id = ${i.client_id}
        and codes.used_at is null`,
      sql`update sessions set revoked_at = ${i.now}, revoked_reason = 'consent_withdrawn' ${from}
        where sessions.user_id = ${i.user_id} and sessions.client_id = ${i.client_id} and sessions.revoked_at is null`,
      appendEvent(i),
    ],
  }),
)
