// RFC 7662 §2.1, RFC 7009 §2.1: finding the row of a presented token, whatever its kind. Hints are not needed: the prefix tells.

import { parseJson } from '../../crypto/bounded-json.ts'
import { readToken, sha256 } from '../../crypto/tokens.ts'
import { type AccessTokenRow, findAccessToken } from '../records/access-tokens.ts'
import { findRefreshToken, type RefreshTokenRow } from '../records/refresh-tokens.ts'
import type { Server } from '../server.ts'

export type FoundToken = { kind: 'access'; row: AccessTokenRow } | { kind: 'refresh'; row: RefreshTokenRow }

export async function findToken(server: Server, token: string): Promise<FoundToken | undefined> {
  const refresh = readToken('gh_rt', token)
  if (refresh) {
    const row = await server.db.one(findRefreshToken, { id: refresh.id, hash: refresh.hash })
    return row && { kind: 'refresh', row }
  }
  const row = await findAccess(server, token)
  return row && { kind: 'access', row }
}

/** An access token is looked up, opaque or JWT alike: its hash vouches for every claim, so no signature is verified. */
export async function findAccess(server: Server, token: string): Promise<AccessTokenRow | undefined> {
  const opaque = readToken('gh_at', token)
  if (opaque) return server.db.one(findAccessToken, { id: opaque.id, hash: opaque.hash })
  const id = jtiOf(token)
  return id === undefined ? undefined : server.db.one(findAccessToken, { id, hash: sha256(token) })
}

/** Whether the token, its session and its user are alive now. A session that is gone, with its user say, is not. */
export function accessTokenIsAlive(row: AccessTokenRow, now: number): boolean {
  if (row.revoked_at !== null || row.expires_at <= now || row.user_disabled_at !== null) return false
  return row.session_id === null || (row.session_expires_at !== null && row.session_revoked_at === null)
}

/** Whether the client it was issued to is active, and the one whose session an exchanged token lives in. */
export async function clientsOfTokenAreActive(
  { clients }: Pick<Server, 'clients'>,
  { client_id, session_client_id }: Pick<AccessTokenRow, 'client_id' | 'session_client_id'>,
): Promise<boolean> {
  if (!(await clients.find(client_id))?.active) return false
  if (session_client_id === null || session_client_id === client_id) return true
  return (await clients.find(session_client_id))?.active ?? false
}

export function refreshTokenIsAlive(row: RefreshTokenRow, now: number): boolean {
  return (
    row.rotated_at === null &&
    row.expires_at > now &&
    row.session_revoked_at === null &&
    row.session_expires_at > now &&
    row.user_disabled_at === null
  )
}

function jtiOf(token: string): string | undefined {
  const start = token.indexOf('.')
  const end = token.indexOf('.', start + 1)
  if (start < 1 || end < 0 || token.length > 16_384) return undefined
  try {
    const { jti } = parseJson(Buffer.from(token.slice(start + 1, end), 'base64url').toString('utf8')) as {
      jti?: unknown
    }
    return typeof jti === 'string' && /^[0-9a-z]{26}$/.test(jti) ? jti : undefined
  } catch {
    return undefined
  }
}
