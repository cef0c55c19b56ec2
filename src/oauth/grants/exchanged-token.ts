// RFC 8693 §2.1, §3, §4.1, §4.4; OpenID Connect Core §2: tokens of this server that a client brings to be exchanged, or to say
// who acts.

import { parseJwt } from '../../crypto/jws.ts'
import { isRefusal, type Refusal, refuse } from '../../protocol/refusals.ts'
import { scopeSet } from '../../protocol/scope.ts'
import type { Client } from '../clients/clients.ts'
import { verifyIdTokenHint } from '../openid/id-token.ts'
import type { AccessTokenRow } from '../records/access-tokens.ts'
import { findSessionOfSubject } from '../records/sessions.ts'
import type { Server } from '../server.ts'
import { accessTokenIsAlive, clientsOfTokenAreActive, findAccess } from '../token/token-lookup.ts'

const prefix = 'urn:ietf:params:oauth:token-type:'
/** What is taken and given (§3). Refresh tokens are not: their client refreshes instead. */
export const tokenTypes = {
  accessToken: `${prefix}access_token`,
  jwt: `${prefix}jwt`,
  idToken: `${prefix}id_token`,
} as const

/** A token that lives, in the hands of a client that may show it. */
export interface ShownToken {
  /** Its row, where it is an access token. */
  id: string | null
  clientId: string
  subject: string
  userId: string | null
  sessionId: string | null
  /** When it ends, or its session. */
  endsAt: number
  scope: string[]
  resources: string[]
  authTime: number | null
  acr: string | null
  amr: string | null
  claims: Record<string, unknown>
}

/** The claim that names who acts, and who did before (§4.1). */
export interface Actor {
  sub: string
  client_id?: string
  act?: unknown
}

type Invalid = 'subject_token_invalid' | 'actor_token_invalid'

/**
 * An access token that is the client's own or, where it is to be exchanged, for an API the client serves. Nobody says with a
 * token that only reached them that its user acts. Bound ones come with the proof of their key.
 */
export async function showAccessToken(
  server: Server,
  client: Client,
  shown: { token: string; type: string; binding: string | null },
  invalid: Invalid,
): Promise<ShownToken | Refusal> {
  const no = (why: string) => refuse(invalid, { client: client.id, why })
  if (shown.type === tokenTypes.jwt && !shown.token.includes('.')) return no('no JWT')
  const row = await findAccess(server, shown.token)
  if (!row) return no('unknown')
  if (!accessTokenIsAlive(row, server.now())) return no('ended')
  const resources = scopeSet(row.resources)
  const serves =
    invalid === 'subject_token_invalid' && resources.some((one) => client.resourceServerFor.includes(one))
  if (row.client_id !== client.id && !serves) return no('foreign')
  if (!(await clientsOfTokenAreActive(server, row))) return no('client inactive')
  if (row.jkt !== null && row.jkt !== shown.binding) return no('bound to another key')
  return fromRow(row, resources)
}

function fromRow(row: AccessTokenRow, resources: string[]): ShownToken {
  return {
    id: row.id,
    clientId: row.client_id,
    subject: row.subject,
    userId: row.user_id,
    sessionId: row.session_id,
    endsAt: Math.min(row.expires_at, row.session_expires_at ?? row.expires_at),
    scope: scopeSet(row.scope),
    resources,
    authTime: row.auth_time,
    acr: row.acr,
    amr: row.amr,
    claims: row.claims === null ? {} : JSON.parse(row.claims),
  }
}

/** An ID token of the client's own: it stands for what its user allowed the client, in the newest session of that sign-in. */
export async function showIdToken(
  server: Server,
  client: Client,
  token: string,
  address: string,
): Promise<ShownToken | Refusal> {
  const no = (why: string) => refuse('subject_token_invalid', { client: client.id, why })
  const now = server.now()
  const read = verifyIdTokenHint(server, token, address)
  if (isRefusal(read)) return read.refusal === 'too_many_failures' ? read : no('no ID token')
  if (read.clientId !== client.id) return no('foreign')
  const { exp, auth_time } = parseJwt(token)!.claims
  const expiresAt = Number(exp) * 1_000
  if (!(expiresAt > now)) return no('ended')
  const session = await server.db.one(findSessionOfSubject, {
    subject: read.subject,
    client_id: client.id,
    auth_time: typeof auth_time === 'number' ? auth_time : -1,
    now,
  })
  if (!session || (read.sid !== null && read.sid !== session.sid)) return no('no session')
  return {
    id: null,
    clientId: client.id,
    subject: session.subject,
    userId: session.user_id,
    sessionId: session.id,
    endsAt: Math.min(expiresAt, session.expires_at),
    scope: scopeSet(session.granted_scope),
    resources: scopeSet(session.resources),
    authTime: session.auth_time,
    acr: session.acr,
    amr: session.amr,
    claims: {},
  }
}
