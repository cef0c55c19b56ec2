// RFC 8628 §3.4, §3.5: the token request of a device that waits for a person, and its tokens, once.

import { readToken } from '../../crypto/tokens.ts'
import { eventInput } from '../../events/append.ts'
import { grantedDetails, narrowedDetails } from '../../protocol/authorization-details.ts'
import { grantTypeRules } from '../../protocol/grant-types.ts'
import { consentHost } from '../../protocol/redirect-uri.ts'
import { isRefusal, type Refusal, refuse } from '../../protocol/refusals.ts'
import { narrowedResources } from '../../protocol/resource-indicators.ts'
import { scopeSet } from '../../protocol/scope.ts'
import { makeIdToken } from '../openid/id-token.ts'
import {
  type DeviceRow,
  findDevice,
  pacePoll,
  redeemDevice,
  redeemDeviceWithinQuota,
  slowPoll,
} from '../records/device-codes.ts'
import type { Server } from '../server.ts'
import { newSession } from '../token/new-session.ts'
import { evictSurplusSessions, quotaIsFull, sessionQuota } from '../token/session-quota.ts'
import type { GrantType, TokenGrant, TokenRequest } from './grant.ts'

/** By so much a device that asks too soon must wait longer from then on, in milliseconds (§3.5). */
const slowDownBy = 5_000

export const deviceCode: GrantType = {
  ...grantTypeRules.deviceCode,
  narrowsDetails: true,
  async redeem(server, request) {
    const { client, form } = request
    const code = form.get('device_code')
    if (code === undefined) return refuse('missing_parameter', { parameter: 'device_code' })
    const stored = readToken('gh_dc', code)
    const row = stored && (await server.db.one(findDevice, { id: stored.id }))
    if (!row || row.hash !== stored.hash) return refuse('device_code_unknown', { client: client.id })
    const over = checkDevice(row, request, server.now())
    if (over) return over
    return row.decision === null ? pending(server, row) : redeem(server, row, request)
  },
}

/** Whatever means that there will be no tokens. */
function checkDevice(row: DeviceRow, { client }: TokenRequest, now: number): Refusal | undefined {
  if (row.client_id !== client.id)
    return refuse('device_code_foreign', { client: client.id, owner: row.client_id })
  if (row.used_at !== null) return refuse('device_code_replayed', { client: client.id })
  if (row.decision === 'denied') return refuse('device_denied', { client: client.id })
  if (row.expires_at <= now) return refuse('device_code_expired', { client: client.id })
  if (row.user_disabled_at !== null)
    return refuse('code_user_disabled', { client: client.id, user: row.user_id })
  return undefined
}

/** One guarded statement says whether the device waited long enough, in whatever process it asked before. */
async function pending(server: Server, row: DeviceRow): Promise<Refusal> {
  const facts = { client: row.client_id }
  const now = server.now()
  if ((await server.db.write(pacePoll, { id: row.id, now })).length > 0)
    return refuse('device_pending', facts)
  const slowed = await server.db.write(slowPoll, { id: row.id, now, by: slowDownBy })
  return refuse('device_too_fast', { ...facts, interval: slowed[0]?.poll_interval })
}

async function redeem(server: Server, row: DeviceRow, request: TokenRequest): Promise<TokenGrant | Refusal> {
  const { client, form, origin, binding } = request
  const resources = narrowedResources(form.all('resource'), scopeSet(row.resources), client.resources)
  if (isRefusal(resources)) return resources
  const details = narrowedDetails(form.get('authorization_details'), row.authorization_details)
  if (isRefusal(details)) return details
  const now = server.now()
  const userId = row.user_id!
  // No `sid`: the device is another one than the browser, and signing out there leaves it signed in.
  const granted = { ...row, user_id: userId, subject: row.subject!, claims: null, sid: null }
  const { sessionId, access, refreshToken, input } = await newSession(
    server,
    client,
    granted,
    { resources, details, binding },
    now,
  )
  const idToken = await makeIdToken(server, client, granted, access, now)
  const spending = {
    device_id: row.id,
    consent_scope: row.scope,
    consent_resources: row.resources,
    redirect_host: consentHost(client, null),
    ...input,
    ...eventInput(
      now,
      'token_exchange',
      { userId, clientId: client.id, sessionId, ...origin },
      { scope: row.scope, grant: 'device_code' },
    ),
  }
  const quota = sessionQuota(server, client)
  const redeemed =
    server.settings.sessions.whenFull === 'refuse'
      ? await server.db.write(redeemDeviceWithinQuota, { quota, ...spending })
      : await server.db.write(redeemDevice, spending)
  if (redeemed.length === 0) {
    // Somebody else was faster, or what was allowed is allowed no more.
    const left = await server.db.one(findDevice, { id: row.id })
    if (!left) return refuse('device_code_unknown', { client: client.id })
    const over = checkDevice(left, request, server.now())
    if (over) return over
    const facts = { client: client.id, user: userId }
    return (await quotaIsFull(server, userId, client))
      ? refuse('code_quota_full', facts)
      : refuse('code_consent_ended', facts)
  }
  await evictSurplusSessions(server, userId, client, origin)
  return { access, refreshToken, idToken, more: { ...grantedDetails(details) } }
}
