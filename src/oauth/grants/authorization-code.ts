// RFC 6749 §4.1, §4.1.3, §4.1.4, §10.5; RFC 7636 §4.5, §4.6; RFC 8707 §2.2; RFC 9396 §6, §7: redeeming an authorization
// code, once.

import { readToken } from '../../crypto/tokens.ts'
import { eventInput } from '../../events/append.ts'
import { grantedDetails, narrowedDetails } from '../../protocol/authorization-details.ts'
import { scopesOfStoredClaims } from '../../protocol/claims-parameter.ts'
import { grantTypeRules } from '../../protocol/grant-types.ts'
import { checkVerifier } from '../../protocol/pkce.ts'
import { consentHost } from '../../protocol/redirect-uri.ts'
import { isRefusal, type Refusal, refuse } from '../../protocol/refusals.ts'
import { narrowedResources } from '../../protocol/resource-indicators.ts'
import { canonicalScope, scopeSet } from '../../protocol/scope.ts'
import { endSession } from '../../sessions/sessions.ts'
import { makeIdToken } from '../openid/id-token.ts'
import { type CodeRow, findCode, redeemCode, redeemCodeWithinQuota } from '../records/codes.ts'
import type { Server } from '../server.ts'
import { newSession } from '../token/new-session.ts'
import { evictSurplusSessions, quotaIsFull, sessionQuota } from '../token/session-quota.ts'
import type { GrantType, TokenRequest } from './grant.ts'

export const authorizationCode: GrantType = {
  ...grantTypeRules.authorizationCode,
  narrowsDetails: true,
  async redeem(server, request) {
    const { client, form, origin, binding } = request
    const code = form.get('code')
    if (code === undefined) return refuse('missing_parameter', { parameter: 'code' })
    const stored = readToken('gh_ac', code)
    const row = stored && (await server.db.one(findCode, { id: stored.id, hash: stored.hash }))
    if (!row) return refuse('code_unknown', { client: client.id })
    const now = server.now()
    if (row.client_id !== client.id)
      return refuse('code_foreign', { client: client.id, owner: row.client_id })
    if (row.used_at !== null) return replayed(server, row, request)
    const refusal = checkCode(row, request, now)
    if (refusal) return refusal
    const resources = narrowedResources(form.all('resource'), scopeSet(row.resources), client.resources)
    if (isRefusal(resources)) return resources
    const details = narrowedDetails(form.get('authorization_details'), row.authorization_details)
    if (isRefusal(details)) return details

    const { sessionId, access, refreshToken, input } = await newSession(
      server,
      client,
      row,
      { resources, details, binding },
      now,
    )
    const idToken = await makeIdToken(server, client, row, access, now)
    const spending = {
      code_id: row.id,
      code_hash: row.hash,
      consent_scope: canonicalScope([...scopeSet(row.scope), ...scopesOfStoredClaims(row.claims)]),
      consent_resources: row.resources,
      redirect_host: consentHost(client, row.redirect_uri),
      ...input,
      ...eventInput(
        now,
        'token_exchange',
        { userId: row.user_id, clientId: client.id, sessionId, ...origin },
        { scope: row.scope },
      ),
    }
    const quota = sessionQuota(server, client)
    const redeemed =
      server.settings.sessions.whenFull === 'refuse'
        ? await server.db.write(redeemCodeWithinQuota, { quota, ...spending })
        : await server.db.write(redeemCode, spending)
    if (redeemed.length === 0) return unredeemed(server, row, request)
    await evictSurplusSessions(server, row.user_id, client, origin)
    return { access, refreshToken, idToken, more: { ...grantedDetails(details) } }
  },
}

/** Everything that can be wrong with a living code; none of it spends the code. */
function checkCode(row: CodeRow, request: TokenRequest, now: number): Refusal | undefined {
  const { client } = request
  if (row.expires_at <= now) return refuse('code_expired', { client: client.id })
  if (row.user_disabled_at !== null)
    return refuse('code_user_disabled', { client: client.id, user: row.user_id })
  return checkHolder(row, request)
}

/** Whether the request comes from whom the code was made for, as far as it can show (RFC 7636 §4.6, RFC 9449 §10). */
function checkHolder(row: CodeRow, { client, form, binding }: TokenRequest): Refusal | undefined {
  if (row.binding !== null && row.binding !== binding)
    return refuse('code_binding_mismatch', { client: client.id })
  const redirectUri = form.get('redirect_uri')
  if (redirectUri === undefined ? row.code_challenge === null : redirectUri !== row.redirect_uri) {
    return refuse('code_redirect_uri_mismatch', { client: client.id })
  }
  return checkVerifier(row.code_challenge, form.get('code_verifier'))
}

/** Why a code that was in order a moment ago was not redeemed. */
async function unredeemed(server: Server, row: CodeRow, request: TokenRequest): Promise<Refusal> {
  const { client } = request
  const left = await server.db.one(findCode, { id: row.id, hash: row.hash })
  // Somebody else was faster: this is a second use, with all that follows from it (§10.5).
  if (left && left.used_at !== null) return replayed(server, left, request)
  const wrong = left ? checkCode(left, request, server.now()) : undefined
  if (wrong) return wrong
  const facts = { client: client.id, user: row.user_id }
  return (await quotaIsFull(server, row.user_id, client))
    ? refuse('code_quota_full', facts)
    : refuse('code_consent_ended', facts)
}

/**
 * A code that was used before. It ends what it began only where the request could have redeemed it: who merely found a code,
 * in a log say, can neither use it nor end anybody's session with it.
 */
async function replayed(server: Server, row: CodeRow, request: TokenRequest): Promise<Refusal> {
  const { client, origin } = request
  const holds = checkHolder(row, request) === undefined
  if (holds && row.session_id !== null) {
    await endSession(server, row.session_id, 'code_replayed', {
      event: 'code_replayed',
      userId: row.user_id,
      clientId: client.id,
      ...origin,
    })
  }
  return refuse('code_replayed', { client: client.id, session: row.session_id, holds })
}
