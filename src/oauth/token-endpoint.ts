// RFC 6749 §3.2, §5.1; RFC 9449 §5, §8: the token endpoint. Each grant type is a file of its own in grants/.

import { type Answer, concerning, type Incoming, json } from '../http/message.ts'
import { told } from '../log.ts'
import { uncached } from '../protocol/error-answer.ts'
import { originOf, readBackChannelForm } from '../protocol/form-endpoint.ts'
import { type grantTypeRules, isSpoken } from '../protocol/grant-types.ts'
import { isRefusal, type Refusal, refuse } from '../protocol/refusals.ts'
import { authenticateClient } from './clients/client-authentication.ts'
import { authorizationCode } from './grants/authorization-code.ts'
import { clientCredentials } from './grants/client-credentials.ts'
import { deviceCode } from './grants/device-code.ts'
import type { GrantType } from './grants/grant.ts'
import { jwtBearer } from './grants/jwt-bearer.ts'
import { refreshToken } from './grants/refresh-token.ts'
import { tokenExchange } from './grants/token-exchange.ts'
import type { Server } from './server.ts'
import { bindingOf, nextNonce, proofOf, tokenTypeOf } from './token/sender-constraint.ts'

/** What a token request of each grant type does. */
const grantTypes = Object.values({
  authorizationCode,
  refreshToken,
  clientCredentials,
  deviceCode,
  tokenExchange,
  jwtBearer,
} satisfies Record<keyof typeof grantTypeRules, GrantType>) as readonly GrantType[]

export async function token(server: Server, request: Incoming): Promise<Answer | Refusal> {
  const form = await readBackChannelForm(request, ['resource', 'audience'])
  if (isRefusal(form)) return form
  const name = form.get('grant_type')
  const grantType = grantTypes.find((one) => one.name === name && isSpoken(one, server.settings))
  const { mayRepeat = ['resource'] } = grantType ?? {}
  const repeated = form.repeated.find((one) => !mayRepeat.includes(one))
  if (repeated !== undefined) return refuse('repeated_parameter', { parameter: told(repeated) })
  const proof = proofOf(server, request)
  if (isRefusal(proof)) return proof
  const client = await authenticateClient(server, request, form)
  if (isRefusal(client)) return client
  if (name === undefined) return refuse('grant_type_missing', { client: client.id })
  if (!grantType) return refuse('grant_type_unsupported', { client: client.id, grant_type: told(name) })
  if (grantType.confidentialOnly && !client.confidential)
    return refuse('grant_type_confidential', { client: client.id, grant_type: name })
  if (!client.grantTypes.includes(name))
    return refuse('grant_type_unauthorized', { client: client.id, grant_type: name })
  if (form.get('authorization_details') !== undefined && !grantType.narrowsDetails)
    return refuse('authorization_details_misplaced', { client: client.id, grant_type: name })
  const binding = await bindingOf(server, request, client, proof)
  if (isRefusal(binding)) return binding
  const grant = await grantType.redeem(server, { client, form, binding, origin: originOf(request) })
  if (isRefusal(grant)) return grant
  server.activity.clientUsed(client.id, { tokens: 1 })
  const { access, refreshToken: refresh, idToken, more } = grant
  const answer = json(
    200,
    {
      access_token: access.token,
      token_type: tokenTypeOf(access.row.binding),
      expires_in: access.expiresIn,
      ...(refresh === undefined ? {} : { refresh_token: refresh }),
      // An empty scope has no spelling (RFC 6749 §3.3).
      ...(access.row.access_scope === '' ? {} : { scope: access.row.access_scope }),
      ...(idToken === undefined ? {} : { id_token: idToken }),
      ...more,
    },
    { ...uncached, ...nextNonce(proof) },
  )
  return concerning(answer, { client: client.id, grant_type: name })
}
