// RFC 8628 §3.1, §3.2, §5.2; RFC 8707 §2; RFC 9396 §3, §5: a device asks for a code that a person allows elsewhere.

import { networkLimit } from '../../core.ts'
import { makeToken } from '../../crypto/tokens.ts'
import { type Answer, concerning, type Incoming, json } from '../../http/message.ts'
import { requestedDetails } from '../../protocol/authorization-details.ts'
import { uncached } from '../../protocol/error-answer.ts'
import { originOf, readBackChannelForm } from '../../protocol/form-endpoint.ts'
import { paths } from '../../protocol/paths.ts'
import { isRefusal, type Refusal, refuse } from '../../protocol/refusals.ts'
import { requestedResources } from '../../protocol/resource-indicators.ts'
import { canonicalScope, requestedScope } from '../../protocol/scope.ts'
import { hashUserCode, makeUserCode, shownUserCode } from '../../protocol/user-code.ts'
import { authenticateClient } from '../clients/client-authentication.ts'
import { deviceCode } from '../grants/device-code.ts'
import { type Asking, bytesOf, limitPending, pendingWindow } from '../guards/pending-limits.ts'
import { insertDevice } from '../records/device-codes.ts'
import { beginFlow } from '../registration/client-id-metadata.ts'
import type { Server } from '../server.ts'

/** Two codes of so many are hardly ever the same; a few tries are enough. */
const tries = 5

export async function deviceAuthorization(server: Server, request: Incoming): Promise<Answer | Refusal> {
  const { settings } = server
  const form = await readBackChannelForm(request, ['resource'])
  if (isRefusal(form)) return form
  const unwelcome = await beginFlow(server, form, request.address)
  if (unwelcome) return unwelcome
  const client = await authenticateClient(server, request, form)
  if (isRefusal(client)) return client
  if (!client.grantTypes.includes(deviceCode.name))
    return refuse('grant_type_unauthorized', { client: client.id, grant_type: deviceCode.name })
  const details = requestedDetails(settings.authorizationDetails, client, form.get('authorization_details'))
  if (isRefusal(details)) return details
  // Who asks for details alone does not mean every scope besides (RFC 9396 §3).
  const detailsAlone = details.length > 0 && form.get('scope') === undefined
  const scope = detailsAlone ? [] : requestedScope(form.get('scope'), settings, client)
  if (isRefusal(scope)) return scope
  const resources = requestedResources(form.all('resource'), settings, client.resources)
  if (isRefusal(resources)) return resources
  const { lifetime, interval, perNetwork } = settings.device!
  const { address, userAgent } = originOf(request)
  const kept = {
    scope: canonicalScope(scope),
    resources: resources.join(' '),
    authorization_details: details.length === 0 ? null : JSON.stringify(details),
    ip_address: address || null,
    user_agent: userAgent?.slice(0, 256) ?? null,
  }
  // Rows are cheap to ask for, since many devices prove nothing: one network may have only so many.
  const full = limitPending(server, 'device_codes', {
    address,
    client,
    bytes: bytesOf(kept),
    party: partyOf(server, address, perNetwork),
  })
  if (full) return full
  for (let n = 0; n < tries; n++) {
    const now = server.now()
    const { token, id, hash } = makeToken('gh_dc', now)
    const code = makeUserCode()
    const inserted = await server.db.write(insertDevice, {
      id,
      hash,
      user_code_hash: hashUserCode(server.secrets, code),
      client_id: client.id,
      ...kept,
      poll_interval: interval,
      now,
      expires_at: now + lifetime,
    })
    if (inserted.length === 0) continue
    const page = settings.issuer + paths.device
    const answer = json(
      200,
      {
        device_code: token,
        user_code: shownUserCode(code),
        verification_uri: page,
        verification_uri_complete: `${page}?user_code=${shownUserCode(code)}`,
        expires_in: lifetime / 1_000,
        interval: interval / 1_000,
      },
      uncached,
    )
    return concerning(answer, { client: client.id })
  }
  throw new Error('no user code is free')
}

/** Rows are cheap to ask for, since many devices prove nothing: one network may have only so many. */
function partyOf(server: Server, address: string, most: number): NonNullable<Asking['party']> {
  const limit = networkLimit(server.settings, address, 'device', { most, window: pendingWindow })
  return { limit, full: 'too_many_devices' }
}
