// RFC 6749 §2, RFC 7591 §2: what a client is and may do, read once and kept for a second.

import { bounds } from '../config.ts'
import type { Database } from '../db/database.ts'
import type { Settings } from '../settings.ts'
import { type ClientRow, findClient } from './records/clients.ts'

export const authenticationMethods = ['client_secret_basic', 'client_secret_post', 'none'] as const
export const clientProfiles = ['default', 'gpt_action', 'zapier', 'mcp'] as const
export type ClientProfile = (typeof clientProfiles)[number]

/** A client as the protocol sees it; lifetimes in milliseconds, defaults of the server filled in. */
export interface Client {
  id: string
  name: string
  logoUri: string | null
  clientUri: string | null
  policyUri: string | null
  tosUri: string | null
  source: ClientRow['source']
  profile: ClientProfile
  /** `none` is a public client; a confidential one may use basic and post alike. */
  confidential: boolean
  secretHash: string | null
  previousSecretHash: string | null
  previousSecretExpiresAt: number
  redirectUris: string[]
  grantTypes: string[]
  scope: string[]
  resources: string[]
  /** Resources whose tokens it may introspect, as their resource server. */
  resourceServerFor: string[]
  requirePkce: boolean
  tokenFormat: 'jwt' | 'opaque' | null
  accessTokenLifetime: number
  refreshTokenLifetime: number
  codeLifetime: number
  reuseWindow: number
  requestsPerHour: number | null
  active: boolean
}

/** How long a changed client may still be seen as it was, by processes other than the one that changed it. */
export const clientStaleness = 1_000
const mostCached = 10_000

export interface ClientCache {
  find(id: string): Promise<Client | undefined>
  /** Forgets one after a change in this process. */
  forget(id: string): void
}

export function cacheClients(db: Database, settings: Settings, now: () => number): ClientCache {
  const cache = new Map<string, { client: Client; until: number }>()
  return {
    async find(id) {
      const known = cache.get(id)
      const time = now()
      if (known && known.until > time) return known.client
      if (id.length > 512) return undefined
      const row = await db.one(findClient, { id })
      if (!row) {
        cache.delete(id)
        return undefined
      }
      if (cache.size >= mostCached) cache.clear()
      const client = clientFrom(row, settings)
      cache.set(id, { client, until: time + clientStaleness })
      return client
    },
    forget(id) {
      cache.delete(id)
    },
  }
}

export function clientFrom(row: ClientRow, settings: Settings): Client {
  return {
    id: row.id,
    name: row.name,
    logoUri: row.logo_uri,
    clientUri: row.client_uri,
    policyUri: row.policy_uri,
    tosUri: row.tos_uri,
    source: row.source,
    profile: row.profile,
    confidential: row.token_endpoint_auth_method !== 'none',
    secretHash: row.secret_hash,
    previousSecretHash: row.previous_secret_hash,
    previousSecretExpiresAt: row.previous_secret_expires_at ?? 0,
    redirectUris: JSON.parse(row.redirect_uris),
    grantTypes: words(row.grant_types),
    scope: words(row.scope),
    resources: words(row.resources),
    resourceServerFor: words(row.resource_server_for),
    requirePkce: row.require_pkce === 1,
    tokenFormat: row.token_format,
    accessTokenLifetime: within(
      row.access_token_lifetime ?? settings.tokens.accessTokenLifetime,
      bounds.accessTokenLifetime,
    ),
    refreshTokenLifetime: within(
      row.refresh_token_lifetime ?? settings.tokens.refreshTokenLifetime,
      bounds.refreshTokenLifetime,
    ),
    codeLifetime: within(row.code_lifetime ?? settings.tokens.codeLifetime, bounds.codeLifetime),
    reuseWindow: within(row.reuse_window ?? settings.tokens.reuseWindow, bounds.reuseWindow),
    requestsPerHour: row.rate_limit_per_hour ?? settings.limits.requestsPerClientPerHour,
    active: row.revoked_at === null && row.suspended_at === null,
  }
}

function words(text: string): string[] {
  return text === '' ? [] : text.split(' ')
}

function within(value: number, [least, most]: readonly [number, number]): number {
  return Math.min(Math.max(value, least), most)
}
