import { livingClient, livingSignIn, livingUser } from '../../db/living.ts'
import { from, insert, lockRows, type Refs, returning, select, sql, write } from '../../db/sql.ts'
import { appendEvent, eventColumns } from '../../events/append.ts'
import { consentColumns, consentCovers } from './consent-covers.ts'
import { growConsent, growConsentColumns } from './consents.ts'
import { beginSession, fewerSessionsThan, sessionColumns } from './sessions.ts'

/** A device that waits for a person, or waited. */
export interface DeviceRow {
  id: string
  hash: string
  client_id: string
  scope: string
  resources: string
  authorization_details: string | null
  /** Milliseconds a device must leave between two questions. */
  poll_interval: number
  decision: 'approved' | 'denied' | null
  user_id: string | null
  subject: string | null
  auth_time: number | null
  acr: string | null
  amr: string | null
  ip_address: string | null
  user_agent: string | null
  created_at: number
  expires_at: number
  used_at: number | null
  user_disabled_at: number | null
}

/** Nothing is inserted when the user code is taken. */
export const insertDevice = write(
  'insert_device',
  {
    id: 'text',
    hash: 'text',
    user_code_hash: 'text',
    client_id: 'text',
    scope: 'text',
    resources: 'text',
    authorization_details: 'text?',
    poll_interval: 'int',
    ip_address: 'text?',
    user_agent: 'text?',
    now: 'int',
    expires_at: 'int',
  },
  (i) => ({
    guard: sql<{ user_code_hash: string }>`${insert('device_codes', {
      id: i.id,
      hash: i.hash,
      user_code_hash: i.user_code_hash,
      client_id: i.client_id,
      scope: i.scope,
      resources: i.resources,
      authorization_details: i.authorization_details,
      poll_interval: i.poll_interval,
      ip_address: i.ip_address,
      user_agent: i.user_agent,
      created_at: i.now,
      expires_at: i.expires_at,
    })} on conflict do nothing returning user_code_hash`,
    key: 'user_code_hash',
  }),
)

export const findDevice = select(
  'find_device',
  { id: 'text' },
  (i) => sql<DeviceRow>`select d.*, u.disabled_at as user_disabled_at
    from device_codes d left join users u on u.id = d.user_id where d.id = ${i.id}`,
)

export const findDeviceOfUserCode = select(
  'find_device_of_user_code',
  { user_code_hash: 'text' },
  (i) => sql<
    Pick<DeviceRow, 'id' | 'client_id' | 'decision' | 'expires_at'>
  >`select id, client_id, decision, expires_at
    from device_codes where user_code_hash = ${i.user_code_hash}`,
)

/** A question of a device that waited as long as it must; for any other there is no row (RFC 8628 §3.5). */
export const pacePoll = write('pace_poll', { id: 'text', now: 'int' }, (i) => ({
  guard: sql<{ id: string }>`update device_codes set polled_at = ${i.now} ${from}
    where device_codes.id = ${i.id}
      and (device_codes.polled_at is null or device_codes.polled_at + device_codes.poll_interval <= ${i.now})
    ${returning} device_codes.id`,
}))

/** It asked too soon: from now on it must wait longer. */
export const slowPoll = write('slow_poll', { id: 'text', now: 'int', by: 'int' }, (i) => ({
  guard: sql<{ poll_interval: number }>`update device_codes set polled_at = ${i.now},
      poll_interval = device_codes.poll_interval + ${i.by} ${from}
    where device_codes.id = ${i.id} ${returning} device_codes.poll_interval`,
}))

/** The user allows the device: decided once; the consent grows with it. */
export const approveDevice = write(
  'approve_device',
  {
    id: 'text',
    subject: 'text',
    auth_time: 'int?',
    acr: 'text?',
    amr: 'text?',
    sign_in_row: 'text?',
    ...growConsentColumns,
    ...eventColumns,
  },
  (i) => ({
    guard: sql<{ id: string }>`update device_codes set decision = 'approved', decided_at = ${i.now},
        user_id = ${i.user_id}, subject = ${i.subject}, auth_time = ${i.auth_time}, acr = ${i.acr}, amr = ${i.amr}
        ${from}
      where device_codes.id = ${i.id} and device_codes.client_id = ${i.client_id} and device_codes.decision is null
        and device_codes.expires_at > ${i.now}
        and ${livingUser(i.user_id)} and ${livingClient(i.client_id)} and ${livingSignIn(i.sign_in_row)}
      ${returning} device_codes.id`,
    effects: [growConsent(i), appendEvent(i)],
    order: 'user_id',
  }),
)

export const denyDevice = write('deny_device', { id: 'text', now: 'int', ...eventColumns }, (i) => ({
  guard: sql<{ id: string }>`update device_codes set decision = 'denied', decided_at = ${i.now} ${from}
      where device_codes.id = ${i.id} and device_codes.decision is null and device_codes.expires_at > ${i.now}
      ${returning} device_codes.id`,
  effects: [appendEvent(i)],
}))

const redeemColumns = { device_id: 'text', ...consentColumns, ...sessionColumns } as const

const spendDevice = (i: Refs<typeof redeemColumns>, more = sql``) =>
  sql<{ id: string }>`update device_codes set used_at = ${i.now}, session_id = ${i.session_id} ${from}
    where device_codes.id = ${i.device_id} and device_codes.client_id = ${i.client_id}
      and device_codes.decision = 'approved' and device_codes.used_at is null and device_codes.expires_at > ${i.now}
      and ${livingClient(i.client_id, i.client_method)} and ${consentCovers(sql`device_codes.user_id`, i)} ${more}
    ${returning} device_codes.id`

/**
 * Spends an approved device code once, for its own client only, and begins the session with its first tokens
 * (RFC 8628 §3.5); not for a user who was disabled, nor beyond what the user still consents to.
 */
export const redeemDevice = write('redeem_device', redeemColumns, (i) => ({
  guard: spendDevice(i),
  effects: beginSession(i),
  order: 'user_id',
}))

/** The same where the user may have only so many sessions with the client: over them the code stays as it is. */
export const redeemDeviceWithinQuota = write(
  'redeem_device_within_quota',
  { quota: 'int', ...redeemColumns },
  (i) => ({
    guard: spendDevice(i, sql`and ${fewerSessionsThan(i)}`),
    effects: beginSession(i),
    lock: lockRows('users', [i.user_id]),
  }),
)
