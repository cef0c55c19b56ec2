// RFC 9701 §4, §5, §7: introspection answers as signed JWTs, for resource servers that must be able to prove what they were told.

import { signJwt } from '../../crypto/jws.ts'
import type { Answer } from '../../http/message.ts'
import { uncached } from '../../protocol/error-answer.ts'
import type { Client } from '../clients/clients.ts'
import type { Server } from '../server.ts'

const mediaType = 'application/token-introspection+jwt'

/** Whether the request prefers a signed answer to plain JSON (§4): it is named, and not with a lesser weight. */
export function prefersJwt(accept: string | undefined): boolean {
  const ranges = accept?.toLowerCase()
  if (!ranges?.includes(mediaType)) return false
  const weights = new Map<string, number>()
  for (const range of ranges.split(',')) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim())
    const weight = parameters.find((one) => one.startsWith('q='))?.slice(2)
    weights.set(type, weight === undefined ? 1 : Number(weight) || 0)
  }
  const signed = weights.get(mediaType) ?? 0
  return signed > 0 && signed >= (weights.get('application/json') ?? 0)
}

/** The answer for one client, signed with the algorithm it is registered with. Without `exp`: it says how things are now (§5). */
export async function jwtAnswer(server: Server, client: Client, introspection: object): Promise<Answer> {
  const key = await server.keys.ensure(client.answerAlgorithms.introspection)
  const body = signJwt(key, 'token-introspection+jwt', {
    iss: server.settings.issuer,
    aud: client.id,
    iat: Math.floor(server.now() / 1_000),
    token_introspection: introspection,
  })
  return {
    status: 200,
    headers: { 'content-type': mediaType, ...uncached },
    body,
  }
}
