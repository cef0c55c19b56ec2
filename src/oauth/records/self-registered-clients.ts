import { stepLimit } from '../../db/deletion.ts'
import { from, insert, join, lockRows, raw, returning, select, sql, using, write } from '../../db/sql.ts'
import { appendEvent, eventColumns } from '../../events/append.ts'
import { endSessionsOfClient } from '../../sessions/endings.ts'
import { noLivingSession } from '../../sessions/rows.ts'
import { editable } from './clients.ts'

const names = Object.keys(editable) as (keyof typeof editable)[]

/** What a client decides about itself; the rest of its row is an administrator's. */
export const described = [
  'name',
  'logo_uri',
  'client_uri',
  'policy_uri',
  'tos_uri',
  'token_endpoint_auth_method',
  'redirect_uris',
  'grant_types',
  'response_types',
  'scope',
  'require_pkce',
  'jwks',
  'jwks_uri',
  'registered_metadata',
  'metadata',
] as const satisfies readonly (keyof typeof editable)[]

/** Registers a client for one use of an initial access token. */
export const registerInvited = write(
  'register_invited',
  {
    token_id: 'text',
    token_hash: 'text',
    id: 'text',
    registration_token_hash: 'text',
    now: 'int',
    ...editable,
    ...eventColumns,
  },
  (i) => ({
    guard: sql<{
      id: string
    }>`update initial_access_tokens set uses_left = initial_access_tokens.uses_left - 1
      ${from} where initial_access_tokens.id = ${i.token_id} and initial_access_tokens.hash = ${i.token_hash}
      and initial_access_tokens.uses_left > 0 and initial_access_tokens.revoked_at is null
      and initial_access_tokens.expires_at > ${i.now} ${returning} initial_access_tokens.id`,
    effects: [
      insert('clients', {
        id: i.id,
        source: sql`'dcr'`,
        registration_token_hash: i.registration_token_hash,
        invited_at: i.now,
        ...Object.fromEntries(names.map((name) => [name, i[name]])),
        created_at: i.now,
        updated_at: i.now,
      }),
      appendEvent(i),
    ],
  }),
)

/** Ends a registration for good, with everything the client has. */
export const deleteRegistration = write(
  'delete_registration',
  { id: 'text', registration_token_hash: 'text', ...eventColumns },
  (i) => ({
    guard: sql<{ id: string }>`delete from clients ${using} where clients.id = ${i.id}
      and clients.registration_token_hash = ${i.registration_token_hash} ${returning} clients.id`,
    effects: [appendEvent(i)],
    lock: lockRows('clients', [i.id]),
  }),
)

/**
 * Keeps what a metadata document says, for a new client or in place of what it said before; `ends` (0 or 1) ends the
 * sessions of a client that is no longer what it was.
 */
export const saveDocument = write(
  'save_document',
  { id: 'text', metadata_expires_at: 'int', ends: 'int', now: 'int', ...editable, ...eventColumns },
  (i) => ({
    guard: sql<{ id: string }>`${insert('clients', {
      id: i.id,
      source: sql`'cimd'`,
      metadata_expires_at: i.metadata_expires_at,
      ...Object.fromEntries(names.map((name) => [name, i[name]])),
      created_at: i.now,
      updated_at: i.now,
    })} on conflict (id) do update set ${join(
      ['metadata_expires_at', 'updated_at', ...described].map((name) => raw(`${name} = excluded.${name}`)),
      ', ',
    )} where clients.source = 'cimd' returning id`,
    key: 'id',
    effects: [endSessionsOfClient(i, i.id, 'client_changed', sql`${i.ends} = 1`), appendEvent(i)],
    lock: lockRows('clients', [i.id]),
  }),
)

/** Notes that the document still says the same. */
export const confirmDocument = write(
  'confirm_document',
  { id: 'text', metadata: 'text', metadata_expires_at: 'int' },
  (i) => ({
    guard: sql<{
      id: string
    }>`update clients set metadata = ${i.metadata}, metadata_expires_at = ${i.metadata_expires_at}
      ${from} where clients.id = ${i.id} and clients.source = 'cimd' ${returning} clients.id`,
  }),
)

/** Notes that a flow of a client begins; no row when the client is gone. */
export const noteFlow = write('note_flow', { id: 'text', now: 'int' }, (i) => ({
  guard: sql<{ id: string }>`update clients set last_used_at = ${i.now}
    ${from} where clients.id = ${i.id} ${returning} clients.id`,
}))

/** Never granted anything and no flow for a while, or not used for long; never one with a living session. */
const idle = (i: {
  unused_before: unknown
  idle_before: unknown
  now: unknown
}) => sql`clients.created_at < ${i.unused_before}
  and coalesce(clients.last_used_at, 0) < case when clients.total_authorizations + clients.total_tokens_issued > 0
    then ${i.idle_before} else ${i.unused_before} end
  and clients.suspended_at is null and clients.revoked_at is null and ${noLivingSession(raw('clients.id'), i.now)}`

/** Self-registered clients of one source in the order of their age, and whether each has had its time. */
export const clientsByAge = select(
  'clients_by_age',
  {
    source: 'text',
    after_time: 'int',
    after_id: 'text',
    unused_before: 'int',
    idle_before: 'int',
    now: 'int',
  },
  (i) => sql<{ id: string; created_at: number; due: number }>`select clients.id, clients.created_at,
      case when ${idle(i)} then 1 else 0 end as due
    from clients where clients.source = ${i.source} and clients.created_at < ${i.unused_before}
      and (clients.created_at, clients.id) > (${i.after_time}, ${i.after_id})
    order by clients.created_at, clients.id limit ${raw(String(stepLimit))}`,
)

/** Removes one that has had its time, if that still holds. */
export const reapClient = write(
  'reap_client',
  { id: 'text', unused_before: 'int', idle_before: 'int', now: 'int', ...eventColumns },
  (i) => ({
    guard: sql<{
      id: string
    }>`delete from clients ${using} where clients.id = ${i.id} and clients.source in ('dcr', 'cimd')
      and ${idle(i)} ${returning} clients.id`,
    effects: [appendEvent(i)],
    lock: lockRows('clients', [i.id]),
  }),
)
