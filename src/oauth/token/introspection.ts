// RFC 7662 §2.1, §2.2, §4; RFC 9449 §6.2; RFC 9470 §6.2: token introspection for resource servers and for a client's own tokens.

import { type Answer, concerning, type Incoming, json } from '../../http/message.ts'
import { uncached } from '../../protocol/error-answer.ts'
import { readBackChannelForm } from '../../protocol/form-endpoint.ts'
import { isRefusal, type Refusal, refuse } from '../../protocol/refusals.ts'
import { scopeSet } from '../../protocol/scope.ts'
import { authenticateClient } from '../clients/client-authentication.ts'
import type { Client } from '../clients/clients.ts'
import type { Server } from '../server.ts'
import { jwtAnswer, prefersJwt } from './introspection-jwt.ts'
import { confirmationOf, tokenTypeOf } from './sender-constraint.ts'
import {
  accessTokenIsAlive,
  clientsOfTokenAreActive,
  type FoundToken,
  findToken,
  refreshTokenIsAlive,
} from './token-lookup.ts'

/** Unknown, expired, revoked and foreign tokens look the same (§2.2). */
const inactive = { active: false }

export async function introspection(server: Server, request: Incoming): Promise<Answer | Refusal> {
  const form = await readBackChannelForm(request)
  if (isRefusal(form)) return form
  const client = await authenticateClient(server, request, form)
  if (isRefusal(client)) return client
  if (!client.confidential) return refuse('client_authentication_missing', { client: client.id })
  const token = form.get('token')
  if (token === undefined) return refuse('missing_parameter', { client: client.id, parameter: 'token' })
  const known = await findToken(server, token)
  const answer = (known && (await describe(server, known, client))) ?? inactive
  const told = prefersJwt(request.header('accept'))
    ? await jwtAnswer(server, client, answer)
    : json(200, answer, uncached)
  return concerning(told, { client: client.id })
}

async function describe(server: Server, known: FoundToken, asking: Client): Promise<object | undefined> {
  const { kind, row } = known
  const now = server.now()
  const audience = scopeSet(row.resources)
  const own = row.client_id === asking.id
  const serves = kind === 'access' && audience.some((resource) => asking.resourceServerFor.includes(resource))
  if (!own && !serves) return undefined
  const alive = kind === 'access' ? accessTokenIsAlive(row, now) : refreshTokenIsAlive(row, now)
  if (!alive) return undefined
  const active =
    kind === 'access'
      ? await clientsOfTokenAreActive(server, row)
      : (await server.clients.find(row.client_id))?.active
  if (!active) return undefined
  if (kind === 'access' && row.session_id !== null) server.activity.sessionUsed(row.session_id)
  return {
    active: true,
    scope: row.scope,
    client_id: row.client_id,
    ...(kind === 'access'
      ? { token_type: tokenTypeOf(row.jkt), iat: Math.floor(row.created_at / 1_000), jti: row.id }
      : {}),
    exp: Math.floor(row.expires_at / 1_000),
    sub: row.subject,
    aud: audience.length === 1 ? audience[0] : audience,
    iss: server.settings.issuer,
    ...(row.auth_time === null ? {} : { auth_time: Math.floor(row.auth_time / 1_000) }),
    ...(row.acr === null ? {} : { acr: row.acr }),
    ...(row.amr === null ? {} : { amr: row.amr.split(' ') }),
    ...(row.jkt === null ? {} : { cnf: confirmationOf(row.jkt) }),
    ...(kind === 'access' && row.claims !== null ? JSON.parse(row.claims) : {}),
  }
}
