// RFC 7591 §2: a client as administrators see it, in the names and units they gave it in.

import type { ClientRow } from '../records/clients.ts'
import { type ClientInput, inputFrom } from './client-input.ts'

/** What a client is, with every default filled in, and what has become of it. Never a secret or a hash of one. */
export interface ShownClient extends Omit<ClientInput, 'id' | 'bcryptSecretHash'> {
  id: string
  /** An administrator made it, it registered itself (`dcr`), it is a document (`cimd`), or it belongs to the server. */
  source: ClientRow['source']
  state: 'active' | 'suspended' | 'revoked'
  /** Why it was suspended or revoked. */
  reason?: string
  profile: NonNullable<ClientInput['profile']>
  tokenEndpointAuthMethod: NonNullable<ClientInput['tokenEndpointAuthMethod']>
  redirectUris: string[]
  grantTypes: string[]
  scope: string[]
  resources: string[]
  resourceServerFor: string[]
  requirePkce: boolean
  authorizations: number
  tokensIssued: number
  /** Times in epoch milliseconds. */
  previousSecretExpiresAt?: number
  lastUsedAt?: number
  createdAt: number
  updatedAt: number
}

export function shownClient(row: ClientRow): ShownClient {
  const reason = row.revoked_reason ?? row.suspended_reason
  return {
    ...(inputFrom(row) as Omit<ShownClient, 'id'>),
    id: row.id,
    source: row.source,
    state: row.revoked_at !== null ? 'revoked' : row.suspended_at !== null ? 'suspended' : 'active',
    ...(reason === null ? {} : { reason }),
    authorizations: row.total_authorizations,
    tokensIssued: row.total_tokens_issued,
    ...(row.previous_secret_expires_at === null
      ? {}
      : { previousSecretExpiresAt: row.previous_secret_expires_at }),
    ...(row.last_used_at === null ? {} : { lastUsedAt: row.last_used_at }),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}
