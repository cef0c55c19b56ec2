import { from, insert, join, lockRows, raw, returning, select, sql, write } from '../../db/sql.ts'
import { appendEvent, eventColumns } from '../../events/append.ts'
import type { ClientSource } from '../../protocol/client-source.ts'
import type { AuthenticationMethod, ClientProfile } from '../../protocol/profiles.ts'

/** One row of `clients`. Lists are JSON or space-separated text; lifetimes in milliseconds. */
export interface ClientRow {
  id: string
  name: string
  description: string | null
  logo_uri: string | null
  client_uri: string | null
  policy_uri: string | null
  tos_uri: string | null
  source: ClientSource
  profile: ClientProfile
  token_endpoint_auth_method: AuthenticationMethod
  secret_hash: string | null
  previous_secret_hash: string | null
  previous_secret_expires_at: number | null
  redirect_uris: string
  grant_types: string
  scope: string
  resources: string
  resource_server_for: string
  require_pkce: number
  token_format: 'jwt' | 'opaque' | null
  access_token_lifetime: number | null
  refresh_token_lifetime: number | null
  code_lifetime: number | null
  reuse_window: number | null
  rate_limit_per_hour: number | null
  owner: string | null
  metadata: string
  suspended_at: number | null
  suspended_reason: string | null
  revoked_at: number | null
  revoked_reason: string | null
  total_authorizations: number
  total_tokens_issued: number
  last_used_at: number | null
  created_at: number
  updated_at: number
  response_types: string
  jwks: string | null
  jwks_uri: string | null
  registration_token_hash: string | null
  metadata_expires_at: number | null
  registered_metadata: string
  invited_at: number | null
}

export const findClient = select(
  'find_client',
  { id: 'text' },
  (i) => sql<ClientRow>`select * from clients where id = ${i.id}`,
)

/** What an administrator decides, or the client itself where it may. */
export const editable = {
  name: 'text',
  description: 'text?',
  logo_uri: 'text?',
  client_uri: 'text?',
  policy_uri: 'text?',
  tos_uri: 'text?',
  profile: 'text',
  token_endpoint_auth_method: 'text',
  secret_hash: 'text?',
  redirect_uris: 'text',
  grant_types: 'text',
  scope: 'text',
  resources: 'text',
  resource_server_for: 'text',
  require_pkce: 'int',
  token_format: 'text?',
  access_token_lifetime: 'int?',
  refresh_token_lifetime: 'int?',
  code_lifetime: 'int?',
  reuse_window: 'int?',
  rate_limit_per_hour: 'int?',
  owner: 'text?',
  metadata: 'text',
  response_types: 'text',
  jwks: 'text?',
  jwks_uri: 'text?',
  registered_metadata: 'text',
} as const

export const insertClient = write(
  'insert_client',
  {
    id: 'text',
    source: 'text',
    registration_token_hash: 'text?',
    metadata_expires_at: 'int?',
    now: 'int',
    ...editable,
    ...eventColumns,
  },
  (i) => ({
    effects: [
      insert('clients', {
        id: i.id,
        source: i.source,
        registration_token_hash: i.registration_token_hash,
        metadata_expires_at: i.metadata_expires_at,
        ...Object.fromEntries(Object.keys(editable).map((name) => [name, i[name as keyof typeof editable]])),
        created_at: i.now,
        updated_at: i.now,
      }),
      appendEvent(i),
    ],
  }),
)

/** Replaces everything an administrator may edit; the secret stays unless one is given. */
export const updateClient = write(
  'update_client',
  { id: 'text', now: 'int', seen_at: 'int', ...editable, ...eventColumns },
  (i) => ({
    guard: sql<{
      id: string
    }>`update clients set ${join(
      Object.keys(editable)
        .filter((name) => name !== 'secret_hash')
        .map((name) => sql`${raw(name)} = ${i[name as keyof typeof editable]}`),
      ', ',
    )},
      secret_hash = coalesce(${i.secret_hash}, clients.secret_hash), updated_at = ${i.now}
      ${from} where clients.id = ${i.id} and clients.updated_at = ${i.seen_at} ${returning} clients.id`,
    effects: [appendEvent(i)],
  }),
)

/** `previous_until` keeps the old secret valid beside the new one for a while; null ends it at once. */
export const rotateClientSecret = write(
  'rotate_client_secret',
  { id: 'text', now: 'int', secret_hash: 'text', previous_until: 'int?', ...eventColumns },
  (i) => ({
    guard: sql<{ id: string }>`update clients set
      previous_secret_hash = case when ${i.previous_until} is null then null else clients.secret_hash end,
      previous_secret_expires_at = ${i.previous_until}, secret_hash = ${i.secret_hash}, updated_at = ${i.now}
      ${from} where clients.id = ${i.id} and clients.secret_hash is not null ${returning} clients.id`,
    effects: [appendEvent(i)],
  }),
)

export const suspendClient = write(
  'suspend_client',
  { id: 'text', now: 'int', reason: 'text', ...eventColumns },
  (i) => ({
    guard: sql<{
      id: string
    }>`update clients set suspended_at = ${i.now}, suspended_reason = ${i.reason}, updated_at = ${i.now}
      ${from} where clients.id = ${i.id} and clients.suspended_at is null and clients.revoked_at is null
      ${returning} clients.id`,
    effects: [appendEvent(i)],
    lock: lockRows('clients', [i.id]),
  }),
)

export const restoreClient = write('restore_client', { id: 'text', now: 'int', ...eventColumns }, (i) => ({
  guard: sql<{
    id: string
  }>`update clients set suspended_at = null, suspended_reason = null, updated_at = ${i.now}
    ${from} where clients.id = ${i.id} and clients.suspended_at is not null and clients.revoked_at is null
    ${returning} clients.id`,
  effects: [appendEvent(i)],
}))

/** Ends a client and every session it has, at once. */
export const revokeClient = write(
  'revoke_client',
  { id: 'text', now: 'int', reason: 'text', ...eventColumns },
  (i) => ({
    guard: sql<{
      id: string
    }>`update clients set revoked_at = ${i.now}, revoked_reason = ${i.reason}, updated_at = ${i.now}
      ${from} where clients.id = ${i.id} and clients.revoked_at is null ${returning} clients.id`,
    effects: [
      sql`update sessions set revoked_at = ${i.now}, revoked_reason = 'client_revoked' ${from}
        where sessions.client_id = ${i.id} and sessions.revoked_at is null`,
      appendEvent(i),
    ],
    lock: lockRows('clients', [i.id]),
  }),
)

/** Adds what was counted in memory since the last flush. */
export const countClientUse = write(
  'count_client_use',
  { id: 'text', authorizations: 'int', tokens: 'int', now: 'int' },
  (i) => ({
    effects: [
      sql`update clients set total_authorizations = total_authorizations + ${i.authorizations},
        total_tokens_issued = total_tokens_issued + ${i.tokens}, last_used_at = ${i.now}
        ${from} where clients.id = ${i.id}`,
    ],
  }),
)
