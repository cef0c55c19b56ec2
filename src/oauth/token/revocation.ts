// RFC 7009 §2.1, §2.2: token revocation. A refresh token ends its whole session, an access token only itself.

import { readToken, type TokenKind } from '../../crypto/tokens.ts'
import { eventInput } from '../../events/append.ts'
import { type Answer, concerning, type Incoming, json } from '../../http/message.ts'
import { uncached } from '../../protocol/error-answer.ts'
import { originOf, readBackChannelForm } from '../../protocol/form-endpoint.ts'
import { isRefusal, type Refusal, refuse } from '../../protocol/refusals.ts'
import { authenticateClient } from '../clients/client-authentication.ts'
import { revokeAccessToken } from '../records/access-tokens.ts'
import type { Server } from '../server.ts'
import { endSession } from '../sessions.ts'
import { findToken } from './token-lookup.ts'

/** Ours, but no token of RFC 7009 §2.1: to say 200 would be a lie. */
const unrevocable: readonly TokenKind[] = ['gh_ac', 'gh_rq', 'gh_dc', 'gh_si', 'gh_ia', 'gh_ra', 'gh_pl']

/** What the answer holds is ignored (§2.2); but some clients accept nothing but JSON. */
export async function revocation(server: Server, request: Incoming): Promise<Answer | Refusal> {
  const form = await readBackChannelForm(request)
  if (isRefusal(form)) return form
  const client = await authenticateClient(server, request, form)
  if (isRefusal(client)) return client
  const token = form.get('token')
  if (token === undefined) return refuse('missing_parameter', { client: client.id, parameter: 'token' })
  if (unrevocable.some((kind) => readToken(kind, token))) {
    return refuse('token_type_unsupported', { client: client.id })
  }
  const known = await findToken(server, token)
  const done = concerning(json(200, {}, uncached), { client: client.id })
  if (!known) return done
  const { kind, row } = known
  // Refused for public clients too (§2.1), so that no client revokes another's token.
  if (row.client_id !== client.id) return refuse('token_foreign', { client: client.id, owner: row.client_id })
  const context = {
    userId: row.user_id,
    clientId: client.id,
    sessionId: row.session_id,
    ...originOf(request),
  }
  if (kind === 'refresh') {
    await endSession(server, row.session_id, 'token_revoked', { event: 'token_revoke', ...context })
  } else {
    const now = server.now()
    await server.db.write(revokeAccessToken, {
      id: row.id,
      client_id: client.id,
      now,
      ...eventInput(now, 'token_revoke', context, { token_type: 'access_token' }),
    })
  }
  return done
}
