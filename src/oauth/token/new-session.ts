// RFC 6749 §4.1.4, §5.1, §6; RFC 9449 §5: what every grant that begins a session issues with it: an access token, and a refresh
// token where the client has that grant.

import { timeOrderedId } from '../../crypto/ids.ts'
import { makeToken } from '../../crypto/tokens.ts'
import { grantedDetails } from '../../protocol/authorization-details.ts'
import { scopeSet } from '../../protocol/scope.ts'
import type { Client } from '../clients/clients.ts'
import type { GrantedRow } from '../records/sessions.ts'
import type { Server } from '../server.ts'
import { type MadeAccessToken, makeAccessToken } from './access-token.ts'

/** When a refresh token ends: unused for its lifetime, or with its session. */
export function refreshExpiry(client: Client, now: number, sessionExpiresAt: number): number {
  return Math.min(now + client.refreshTokenLifetime, sessionExpiresAt)
}

/** A session about to begin: its first tokens, and the inputs of the rows (`sessionColumns`). */
export async function newSession(
  server: Server,
  client: Client,
  granted: GrantedRow,
  first: {
    resources: readonly string[]
    details: string | null
    binding: string | null
    /** Further claims of the access token. */
    claims?: Record<string, unknown>
    /** The session ends with its access token: there is no refresh token. */
    brief?: boolean
  },
  now: number,
) {
  const sessionId = `ses_${timeOrderedId(now)}`
  const { binding, brief = false } = first
  const lifetime = brief ? client.accessTokenLifetime : server.settings.tokens.sessionLifetime
  const sessionExpiresAt = now + lifetime
  const access: MadeAccessToken = await makeAccessToken(
    server,
    client,
    {
      subject: granted.subject,
      userId: granted.user_id,
      sessionId,
      sessionExpiresAt,
      scope: scopeSet(granted.scope),
      resources: first.resources,
      authTime: granted.auth_time,
      acr: granted.acr,
      amr: granted.amr,
      binding,
      claims: first.claims ?? grantedDetails(first.details),
    },
    now,
  )
  const refresh = !brief && client.grantTypes.includes('refresh_token') ? makeToken('gh_rt', now) : undefined
  return {
    sessionId,
    access,
    refreshToken: refresh?.token,
    input: {
      client_method: client.method,
      granted_scope: granted.scope,
      granted_resources: granted.resources,
      auth_time: granted.auth_time,
      acr: granted.acr,
      amr: granted.amr,
      sid: granted.sid,
      claims: granted.claims,
      authorization_details: granted.authorization_details,
      session_expires_at: sessionExpiresAt,
      refresh_id: refresh?.id ?? null,
      refresh_hash: refresh?.hash ?? null,
      refresh_expires_at: refresh ? refreshExpiry(client, now, sessionExpiresAt) : null,
      // Those of a confidential client are bound to its credentials already (RFC 9449 §5).
      refresh_binding: refresh && !client.confidential ? binding : null,
      ...access.row,
    },
  }
}
