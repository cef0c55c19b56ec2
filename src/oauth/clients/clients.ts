// RFC 6749 §2, RFC 7591 §2: what a client is and may do, read once and kept for a second.

import type { Database } from '../../db/database.ts'
import {
  type AuthenticationMethod,
  type ClientProfile,
  type Profile,
  profiles,
} from '../../protocol/profiles.ts'
import type { Settings } from '../../settings.ts'
import { bounds } from '../config/tokens.ts'
import { type ClientRow, findClient } from '../records/clients.ts'
import { keySetFrom } from './client-keys.ts'
import {
  type AnswerAlgorithms,
  answerAlgorithms,
  fromWire,
  type RegisteredMetadata,
} from './client-metadata.ts'

/** A client as the protocol sees it; lifetimes in milliseconds, defaults of the server filled in. */
export interface Client {
  id: string
  name: string
  logoUri: string | null
  clientUri: string | null
  policyUri: string | null
  tosUri: string | null
  source: ClientRow['source']
  /** It registered with an initial access token. */
  invited: boolean
  profile: ClientProfile
  /** What follows from its profile. */
  rules: Profile
  /** `none` is a public client; one with a secret may use basic and post alike. */
  method: AuthenticationMethod
  confidential: boolean
  secretHash: string | null
  previousSecretHash: string | null
  previousSecretExpiresAt: number
  /** Its public keys as registered (RFC 7517 §5), or where they are published; at most one of the two. */
  jwks: { keys: object[] } | null
  jwksUri: string | null
  redirectUris: string[]
  grantTypes: string[]
  responseTypes: string[]
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
  /** What it is registered with beyond this (RFC 7591 §2). */
  registered: RegisteredMetadata
  answerAlgorithms: AnswerAlgorithms
  /** Its ID tokens hold the claims of the granted scopes. */
  claimsInIdToken: boolean
  /** Until when its metadata document counts as fresh, in epoch milliseconds; null for every other client. */
  metadataExpiresAt: number | null
  /** Epoch milliseconds; written in batches, so up to a few seconds late. */
  lastUsedAt: number | null
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
      // A JWT may name a client by what PostgreSQL does not take for a text.
      if (id.length > 512 || id.includes('\0')) return undefined
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
  const rules = profiles[row.profile]
  const registered = fromWire(JSON.parse(row.registered_metadata))
  return {
    id: row.id,
    name: row.name,
    logoUri: row.logo_uri,
    clientUri: row.client_uri,
    policyUri: row.policy_uri,
    tosUri: row.tos_uri,
    source: row.source,
    invited: row.invited_at !== null,
    profile: row.profile,
    rules,
    method: row.token_endpoint_auth_method,
    confidential: row.token_endpoint_auth_method !== 'none',
    secretHash: row.secret_hash,
    previousSecretHash: row.previous_secret_hash,
    previousSecretExpiresAt: row.previous_secret_expires_at ?? 0,
    jwks: row.jwks === null ? null : keySetFrom(row.jwks),
    jwksUri: row.jwks_uri,
    redirectUris: JSON.parse(row.redirect_uris),
    grantTypes: words(row.grant_types),
    responseTypes: words(row.response_types),
    scope: words(row.scope),
    resources: words(row.resources),
    resourceServerFor: words(row.resource_server_for),
    requirePkce: row.require_pkce === 1 || rules.pkce === 'always',
    tokenFormat: row.token_format,
    accessTokenLifetime: within(
      row.access_token_lifetime ?? settings.tokens.accessTokenLifetime,
      bounds.accessTokenLifetime,
    ),
    refreshTokenLifetime: within(
      row.refresh_token_lifetime ?? settings.tokens.refreshTokenLifetime,
      bounds.refreshTokenLifetime,
    ),
    codeLifetime: Math.min(
      within(row.code_lifetime ?? settings.tokens.codeLifetime, bounds.codeLifetime),
      rules.longestCodeLifetime ?? Infinity,
    ),
    reuseWindow: within(row.reuse_window ?? settings.tokens.reuseWindow, bounds.reuseWindow),
    requestsPerHour: row.rate_limit_per_hour ?? settings.limits.requestsPerClientPerHour,
    registered,
    answerAlgorithms: answerAlgorithms(settings, row.profile, registered),
    claimsInIdToken: registered.claimsInIdToken ?? settings.openid.claimsInIdToken,
    metadataExpiresAt: row.metadata_expires_at,
    lastUsedAt: row.last_used_at,
    active: row.revoked_at === null && row.suspended_at === null,
  }
}

function words(text: string): string[] {
  return text === '' ? [] : text.split(' ')
}

function within(value: number, [least, most]: readonly [number, number]): number {
  return Math.min(Math.max(value, least), most)
}
