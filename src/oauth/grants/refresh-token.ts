// RFC 6749 §6; RFC 9700 §4.14.2; RFC 8707 §2.2; RFC 9396 §6; FAPI 2.0 Security Profile §5.3.2.1: refresh with rotation, for every
// client whose profile does not forbid it, and what a repeated token means.

import { timeOrderedId } from '../../crypto/ids.ts'
import { randomText } from '../../crypto/random.ts'
import { makeToken, readToken, sha256 } from '../../crypto/tokens.ts'
import { eventInput } from '../../events/append.ts'
import { recordEvent } from '../../events/record.ts'
import { grantedDetails, narrowedDetails } from '../../protocol/authorization-details.ts'
import { grantTypeRules } from '../../protocol/grant-types.ts'
import { isRefusal, type Refusal, refuse } from '../../protocol/refusals.ts'
import { narrowedResources } from '../../protocol/resource-indicators.ts'
import { canonicalScope, narrowedScope, scopeSet } from '../../protocol/scope.ts'
import { endSession } from '../../sessions/sessions.ts'
import { limitIssuing, mayRecord } from '../guards/pending-limits.ts'
import { makeIdToken } from '../openid/id-token.ts'
import {
  findRefreshToken,
  type RefreshTokenRow,
  repeatRotation,
  rotateRefreshToken,
  useRefreshToken,
} from '../records/refresh-tokens.ts'
import type { Server } from '../server.ts'
import { type Grant, makeAccessToken } from '../token/access-token.ts'
import { refreshExpiry } from '../token/new-session.ts'
import type { GrantType, TokenGrant, TokenRequest } from './grant.ts'

export const refreshToken: GrantType = {
  ...grantTypeRules.refreshToken,
  narrowsDetails: true,
  async redeem(server, request) {
    const presented = request.form.get('refresh_token')
    if (presented === undefined) return refuse('missing_parameter', { parameter: 'refresh_token' })
    const stored = readToken('gh_rt', presented)
    const row = stored && (await server.db.one(findRefreshToken, { id: stored.id, hash: stored.hash }))
    if (!stored || !row) return refuse('refresh_token_unknown', { client: request.client.id })
    const foreign = await checkOwner(server, row, request)
    if (foreign) return foreign
    const tooMany = limitIssuing(server, request.client, `user:${row.user_id}`)
    if (tooMany) return tooMany
    if (row.rotated_at !== null) return retryOrReuse(server, presented, row, request)
    if (row.jkt !== null && row.jkt !== request.binding) {
      const facts = { client: request.client.id, session: row.session_id }
      return refuse('refresh_token_binding_mismatch', facts)
    }
    if (!request.client.rules.rotatesRefreshTokens) return use(server, stored.hash, row, request)
    return (
      (await rotate(server, presented, stored.hash, row, request)) ??
      // Another request rotated it in between: the same rules as for one that came later.
      lostRace(server, presented, stored, request)
    )
  },
}

/** Events about one session's token in other hands, in a quarter of an hour. */
const mostForeign = 10

async function checkOwner(
  server: Server,
  row: RefreshTokenRow,
  { client, origin }: TokenRequest,
): Promise<Refusal | undefined> {
  const now = server.now()
  if (row.client_id !== client.id) {
    if (row.rotated_at !== null) {
      // A used token presented by another client has leaked.
      const context = { userId: row.user_id, clientId: row.client_id, sessionId: row.session_id, ...origin }
      await endSession(server, row.session_id, 'reuse_detected', { event: 'reuse_detected', ...context })
      return refuse('refresh_token_reused', {
        client: client.id,
        owner: row.client_id,
        session: row.session_id,
      })
    }
    if (mayRecord(server, `foreign_token:${row.session_id}`, mostForeign)) {
      await recordEvent(
        server,
        'foreign_token',
        { clientId: client.id, sessionId: row.session_id, ...origin },
        { owner: row.client_id, token_type: 'refresh_token' },
      )
    }
    return refuse('refresh_token_foreign', { client: client.id, owner: row.client_id })
  }
  if (row.session_revoked_at !== null || row.session_expires_at <= now || row.user_disabled_at !== null) {
    return refuse('session_ended', { client: client.id, session: row.session_id })
  }
  return row.expires_at <= now && row.rotated_at === null
    ? refuse('refresh_token_expired', { client: client.id, session: row.session_id })
    : undefined
}

/** What a request narrows to; the same request again must narrow to the same. */
interface Narrowed {
  scope: string[]
  resources: string[]
  /** Authorization details as they are stored; null without any. */
  details: string | null
  /** Names all this (and, for bound tokens, the key) of a rotation, so that a retry can be told from another request. */
  rotatedFor: string
}

function narrow(server: Server, row: RefreshTokenRow, request: TokenRequest): Narrowed | Refusal {
  const { impliedScopes } = server.settings
  const scope = narrowedScope(request.form.get('scope'), scopeSet(row.scope), impliedScopes)
  if (isRefusal(scope)) return scope
  const resources = narrowedResources(
    request.form.all('resource'),
    scopeSet(row.resources),
    request.client.resources,
  )
  if (isRefusal(resources)) return resources
  const details = narrowedDetails(request.form.get('authorization_details'), row.authorization_details)
  if (isRefusal(details)) return details
  const key = request.binding === null ? '' : `\n${request.binding}`
  const narrower = details === row.authorization_details ? '' : `\n${details}`
  const rotatedFor = sha256(`${canonicalScope(scope)}\n${canonicalScope(resources)}${key}${narrower}`)
  return { scope, resources, details, rotatedFor }
}

/** The token stays as it is, and its life begins anew; the client keeps it. */
async function use(
  server: Server,
  hash: string,
  row: RefreshTokenRow,
  request: TokenRequest,
): Promise<TokenGrant | Refusal> {
  const narrowed = narrow(server, row, request)
  if (isRefusal(narrowed)) return narrowed
  const { client } = request
  const now = server.now()
  const access = await makeAccessToken(server, client, grantOf(row, narrowed, request), now)
  const idToken = await makeIdToken(server, client, row, access, now)
  const used = await server.db.write(useRefreshToken, {
    refresh_id: row.id,
    refresh_hash: hash,
    refresh_expires_at: refreshExpiry(client, now, row.session_expires_at),
    ...access.row,
    ...eventInput(now, 'token_refresh', contextOf(row, request), { scope: access.row.access_scope }),
  })
  if (used.length === 0) return refuse('session_ended', { client: client.id, session: row.session_id })
  server.activity.sessionUsed(row.session_id)
  return { access, idToken, more: { ...grantedDetails(narrowed.details) } }
}

async function rotate(
  server: Server,
  presented: string,
  hash: string,
  row: RefreshTokenRow,
  request: TokenRequest,
): Promise<TokenGrant | Refusal | undefined> {
  const narrowed = narrow(server, row, request)
  if (isRefusal(narrowed)) return narrowed
  const { client } = request
  const now = server.now()
  const salt = randomText(16)
  const successor = makeToken('gh_rt', now, {
    id: timeOrderedId(now),
    secret: server.secrets.mac('refresh successor', `${salt} ${presented}`),
  })
  const access = await makeAccessToken(server, client, grantOf(row, narrowed, request), now)
  const idToken = await makeIdToken(server, client, row, access, now)
  const rotated = await server.db.write(rotateRefreshToken, {
    refresh_id: row.id,
    refresh_hash: hash,
    rotated_for: narrowed.rotatedFor,
    successor_id: successor.id,
    successor_hash: successor.hash,
    successor_salt: client.reuseWindow > 0 ? salt : null,
    successor_scope: row.scope,
    successor_resources: row.resources,
    // A public client may come with a key later (RFC 9449 §5); none of its tokens loses the one it has.
    successor_binding: row.jkt ?? (client.confidential ? null : request.binding),
    successor_expires_at: refreshExpiry(client, now, row.session_expires_at),
    ...access.row,
    ...eventInput(now, 'token_refresh', contextOf(row, request), { scope: access.row.access_scope }),
  })
  if (rotated.length === 0) return undefined
  server.activity.sessionUsed(row.session_id)
  return { access, refreshToken: successor.token, idToken, more: { ...grantedDetails(narrowed.details) } }
}

async function lostRace(
  server: Server,
  presented: string,
  stored: { id: string; hash: string },
  request: TokenRequest,
): Promise<TokenGrant | Refusal> {
  const row = await server.db.one(findRefreshToken, { id: stored.id, hash: stored.hash })
  if (!row) return refuse('refresh_token_unknown', { client: request.client.id })
  const ended = await checkOwner(server, row, request)
  if (ended) return ended
  return row.rotated_at === null
    ? refuse('refresh_token_expired', { client: request.client.id, session: row.session_id })
    : retryOrReuse(server, presented, row, request)
}

/**
 * A rotated token came again. Inside the window, while its successor is unused and for the same request, the client lost
 * our answer: it gets the very same successor. Anything else is reuse and ends this session, no other.
 */
async function retryOrReuse(
  server: Server,
  presented: string,
  row: RefreshTokenRow,
  request: TokenRequest,
): Promise<TokenGrant | Refusal> {
  const { client } = request
  const now = server.now()
  const narrowed = narrow(server, row, request)
  const context = contextOf(row, request)
  const mayRepeat =
    !isRefusal(narrowed) &&
    narrowed.rotatedFor === row.rotated_for &&
    now < row.rotated_at! + client.reuseWindow &&
    row.successor_rotated_at === null &&
    row.successor_salt !== null
  if (mayRepeat) {
    const successor = deriveAgain(server, presented, row)
    if (successor !== undefined) {
      const access = await makeAccessToken(server, client, grantOf(row, narrowed, request), now)
      const idToken = await makeIdToken(server, client, row, access, now)
      const repeated = await server.db.write(repeatRotation, {
        successor_id: row.rotated_to!,
        ...access.row,
        ...eventInput(now, 'token_refresh', context, { scope: access.row.access_scope, retry: true }),
      })
      if (repeated.length > 0) {
        server.activity.sessionUsed(row.session_id)
        return { access, refreshToken: successor, idToken, more: { ...grantedDetails(narrowed.details) } }
      }
    }
  }
  await endSession(server, row.session_id, 'reuse_detected', { event: 'reuse_detected', ...context })
  return refuse('refresh_token_reused', { client: client.id, session: row.session_id })
}

/** The successor as it was first answered; under an older root secret if that was the newest then. */
function deriveAgain(server: Server, presented: string, row: RefreshTokenRow): string | undefined {
  for (const secret of server.secrets.macs('refresh successor', `${row.successor_salt} ${presented}`)) {
    const successor = makeToken('gh_rt', 0, { id: row.rotated_to!, secret })
    if (successor.hash === row.successor_hash) return successor.token
  }
  return undefined
}

function grantOf(row: RefreshTokenRow, narrowed: Narrowed, { binding }: TokenRequest): Grant {
  return {
    subject: row.subject,
    userId: row.user_id,
    sessionId: row.session_id,
    sessionExpiresAt: row.session_expires_at,
    scope: narrowed.scope,
    resources: narrowed.resources,
    authTime: row.auth_time,
    acr: row.acr,
    amr: row.amr,
    binding,
    claims: grantedDetails(narrowed.details),
  }
}

function contextOf(row: RefreshTokenRow, { client, origin }: TokenRequest) {
  return { userId: row.user_id, clientId: client.id, sessionId: row.session_id, ...origin }
}
