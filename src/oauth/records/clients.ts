import { from, insert, returning, select, sql, write } from '../../db/sql.ts'
import { appendEvent, eventColumns } from '../../events/append.ts'

/** One row of `clients`. Lists are JSON or space-separated text; lifetimes in milliseconds. */
export interface ClientRow {
  id: string
  name: string
  description: string | null
  logo_uri: string | null
  client_uri: string | null
  policy_uri: string | null
  tos_uri: string | null
  source: 'admin' | 'dcr' | 'cimd' | 'builtin'
  profile: 'default' | 'gpt_action' | 'zapier' | 'mcp'
  token_endpoint_auth_method: 'client_secret_basic' | 'client_secret_post' | 'none'
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
}

export const findClient = select(
  'find_client',
  { id: 'text' },
  (i) => sql<ClientRow>`select * from clients where id = ${i.id}`,
)

const editable = {
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
} as const

export const insertClient = write(
  'insert_client',
  { id: 'text', source: 'text', now: 'int', ...editable, ...eventColumns },
  (i) => ({
    effects: [
      insert('clients', {
        id: i.id,
        source: i.source,
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
    }>`update clients set name = ${i.name}, description = ${i.description}, logo_uri = ${i.logo_uri},
      client_uri = ${i.client_uri}, policy_uri = ${i.policy_uri}, tos_uri = ${i.tos_uri}, profile = ${i.profile},
      token_endpoint_auth_method = ${i.token_endpoint_auth_method}, secret_hash = coalesce(${i.secret_hash}, clients.secret_hash),
      redirect_uris = ${i.redirect_uris}, grant_types = ${i.grant_types}, scope = ${i.scope}, resources = ${i.resources},
      resource_server_for = ${i.resource_server_for}, require_pkce = ${i.require_pkce}, token_format = ${i.token_format}, access_token_lifetime = ${i.access_token_lifetime},
      refresh_token_lifetime = ${i.refresh_token_lifetime}, code_lifetime = ${i.code_lifetime},
      reuse_window = ${i.reuse_window}, rate_limit_per_hour = ${i.rate_limit_per_hour}, owner = ${i.owner},
      metadata = ${i.metadata}, updated_at = ${i.now}
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
