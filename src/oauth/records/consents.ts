import { livingClient, livingSignIn, livingUser } from '../../db/living.ts'
import {
  forUpdate,
  from,
  insert,
  lockRows,
  type Refs,
  raw,
  returning,
  type Sql,
  select,
  sql,
  unionOfWords,
  using,
  write,
} from '../../db/sql.ts'
import { appendEvent, eventColumns } from '../../events/append.ts'
import { noticeLogouts } from '../../events/logout-notices.ts'
import { codeColumns, insertCode } from './codes.ts'
import { consentColumns } from './consent-covers.ts'

export interface ConsentRow {
  user_id: string
  client_id: string
  scope: string
  resources: string
  /** Which answers it covers (`consentHost`). */
  redirect_host: string
  created_at: number
  updated_at: number
}

export interface AuthorizationRequestRow {
  id: string
  hash: string
  client_id: string
  request: string
  /** Null until its user has decided. */
  decision: 'allow' | 'deny' | null
  created_at: number
  expires_at: number
}

export const findConsent = select(
  'find_consent',
  { user_id: 'text', client_id: 'text', redirect_host: 'text' },
  (i) => sql<ConsentRow>`select * from consents
    where user_id = ${i.user_id} and client_id = ${i.client_id} and redirect_host = ${i.redirect_host}`,
)

/** Keeps a request while its user decides. */
export const holdAuthorizationRequest = write(
  'hold_authorization_request',
  {
    id: 'text',
    hash: 'text',
    client_id: 'text',
    request: 'text',
    pushed_id: 'text?',
    user_id: 'text',
    sid: 'text?',
    now: 'int',
    expires_at: 'int',
  },
  (i) => ({
    effects: [
      insert('authorization_requests', {
        id: i.id,
        hash: i.hash,
        client_id: i.client_id,
        request: i.request,
        pushed_id: i.pushed_id,
        user_id: i.user_id,
        sid: i.sid,
        created_at: i.now,
        expires_at: i.expires_at,
      }),
    ],
  }),
)

export const findAuthorizationRequest = select(
  'find_authorization_request',
  { id: 'text', hash: 'text' },
  (i) => sql<AuthorizationRequestRow>`select id, hash, client_id, request, decision, created_at, expires_at
    from authorization_requests
    where id = ${i.id} and hash = ${i.hash}`,
)

const decidedColumns = { request_id: 'text', now: 'int' } as const
type Decision = 'allow' | 'deny'

/** The row stays until it expires, so that the form can be sent again. */
const decide = (i: Refs<typeof decidedColumns>, decision: Decision) =>
  sql`update authorization_requests set decision = ${raw(`'${decision}'`)} ${from}
    where authorization_requests.id = ${i.request_id}`

/** Decided once: of any number of answers one counts. */
const decideRequest = (i: Refs<typeof decidedColumns>, decision: Decision, more: Sql = sql`true`) =>
  sql<{ id: string }>`${decide(i, decision)} and authorization_requests.decision is null
      and authorization_requests.expires_at > ${i.now} and ${more}
    ${returning} authorization_requests.id`

/**
 * The same for a request that was pushed: the pushed row decides, for all tabs that show a form of it, and is always taken
 * first.
 */
const decidePushedRequest = (
  i: Refs<{ pushed_id: 'text' } & typeof decidedColumns>,
  decision: Decision,
  more: Sql = sql`true`,
) => ({
  guard: sql<{ id: string }>`update pushed_authorization_requests set used_at = ${i.now} ${from}
    where pushed_authorization_requests.id = ${i.pushed_id} and pushed_authorization_requests.used_at is null
      and exists (select 1 from authorization_requests a where a.id = ${i.request_id} and a.decision is null
        and a.expires_at > ${i.now} ${forUpdate})
      and ${more}
    ${returning} pushed_authorization_requests.id`,
  decided: decide(i, decision),
})

/** Columns of every operation in which a user allows a client something. */
export const growConsentColumns = { user_id: 'text', now: 'int', ...consentColumns } as const

/** The consent grows inside the statement, so that of two forms allowed at once neither is forgotten. */
export const growConsent = (i: Refs<typeof growConsentColumns>) =>
  sql`${insert('consents', {
    user_id: i.user_id,
    client_id: i.client_id,
    scope: i.consent_scope,
    resources: i.consent_resources,
    redirect_host: i.redirect_host,
    created_at: i.now,
    updated_at: i.now,
  })} on conflict (user_id, client_id, redirect_host) do update set
    scope = ${unionOfWords('consents.scope', 'excluded.scope')},
    resources = ${unionOfWords('consents.resources', 'excluded.resources')},
    updated_at = excluded.updated_at`

const allowColumns = {
  ...decidedColumns,
  ...growConsentColumns,
  ...codeColumns,
  ...eventColumns,
} as const

/** Who allows is enabled and still signed in, and the client is still there. */
const mayAllow = (i: Refs<typeof allowColumns>): Sql =>
  sql`${livingUser(i.user_id)} and ${livingClient(i.client_id)} and ${livingSignIn(i.sign_in_row)}`

const allowed = (i: Refs<typeof allowColumns>) => [growConsent(i), insertCode(i), appendEvent(i)]

/**
 * The user allows: the request is decided once, the consent grows by what was asked, the code is issued; nothing withdrawn
 * comes back.
 */
export const allowRequest = write('allow_request', allowColumns, (i) => ({
  guard: decideRequest(i, 'allow', mayAllow(i)),
  effects: allowed(i),
  order: 'user_id',
}))

export const allowPushedRequest = write(
  'allow_pushed_request',
  { pushed_id: 'text', ...allowColumns },
  (i) => {
    const { guard, decided } = decidePushedRequest(i, 'allow', mayAllow(i))
    return { guard, effects: [decided, ...allowed(i)], order: 'user_id' }
  },
)

/** The user denies: the request is decided, nothing else changes. */
export const denyRequest = write('deny_request', { ...decidedColumns, ...eventColumns }, (i) => ({
  guard: decideRequest(i, 'deny'),
  effects: [appendEvent(i)],
}))

export const denyPushedRequest = write(
  'deny_pushed_request',
  { pushed_id: 'text', ...decidedColumns, ...eventColumns },
  (i) => {
    const { guard, decided } = decidePushedRequest(i, 'deny')
    return { guard, effects: [decided, appendEvent(i)] }
  },
)

/** What a user allowed one client at one host. */
export interface ConnectedAppRow {
  client_id: string
  redirect_host: string
  name: string
  logo_uri: string | null
  client_uri: string | null
  scope: string
  created_at: number
  updated_at: number
}

/** How a user used one client. */
export interface AppUseRow {
  last_active_at: number | null
  uses: number
  sessions: number
}

/** The apps a user is connected with, as they were allowed: a row for each consent of theirs. */
export const connectedApps = select(
  'connected_apps',
  { user_id: 'text' },
  (i) => sql<ConnectedAppRow>`select c.client_id, c.redirect_host, k.name, k.logo_uri, k.client_uri, c.scope,
      c.created_at, c.updated_at
    from consents c join clients k on k.id = c.client_id
    where c.user_id = ${i.user_id} and k.revoked_at is null order by c.client_id, c.redirect_host`,
)

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

/** The user disconnects an app: every consent to it, open forms, codes that are still out and every session of the two end together. */
export const withdrawConsent = write(
  'withdraw_consent',
  { user_id: 'text', client_id: 'text', now: 'int', ...eventColumns },
  (i) => ({
    effects: [
      sql`delete from consents ${using} where consents.user_id = ${i.user_id} and consents.client_id = ${i.client_id}`,
      sql`delete from codes ${using} where codes.user_id = ${i.user_id} and codes.client_id = ${i.client_id}
        and codes.used_at is null`,
      sql`delete from device_codes ${using} where device_codes.user_id = ${i.user_id}
        and device_codes.client_id = ${i.client_id} and device_codes.used_at is null`,
      sql`delete from authorization_requests ${using} where authorization_requests.user_id = ${i.user_id}
        and authorization_requests.client_id = ${i.client_id}`,
      noticeLogouts(i, sql`s.user_id = ${i.user_id} and s.client_id = ${i.client_id}`),
      sql`update sessions set revoked_at = ${i.now}, revoked_reason = 'consent_withdrawn' ${from}
        where sessions.user_id = ${i.user_id} and sessions.client_id = ${i.client_id} and sessions.revoked_at is null`,
      appendEvent(i),
    ],
    lock: lockRows('users', [i.user_id]),
  }),
)
