// JWT Secured Authorization Response Mode for OAuth 2.0 (JARM) §2.1, §2.3, §2.3.1, §2.3.2, §2.3.3, §3, §4; RFC 9207 §2; FAPI
// 2.0 Message Signing §5.4: authorization responses, errors too, in a JWT this server signs for the client.

import { signJwt } from '../../crypto/jws.ts'
import type { Client } from '../clients/clients.ts'
import type { Server } from '../server.ts'

/** How the parameters travel, and whether they are signed. Programs in a browser ask for the fragment even for a code. */
export const responseModes = [
  'query',
  'fragment',
  'form_post',
  'jwt',
  'query.jwt',
  'fragment.jwt',
  'form_post.jwt',
] as const
export type ResponseMode = (typeof responseModes)[number]

/** Seconds a response may be under way. */
const lifetime = 600

export function isSigned(mode: ResponseMode): boolean {
  return mode.endsWith('jwt')
}

export function isInFragment(mode: ResponseMode): boolean {
  return mode.startsWith('fragment')
}

export function isPosted(mode: ResponseMode): boolean {
  return mode.startsWith('form_post')
}

/** The one parameter of a signed response (§2.1): who answers, whom, until when, and every parameter it stands for. */
export async function signResponse(
  server: Server,
  client: Client,
  parameters: Record<string, string>,
): Promise<{ response: string }> {
  const key = await server.keys.ensure(client.answerAlgorithms.authorization)
  const exp = Math.floor(server.now() / 1_000) + lifetime
  return { response: signJwt(key, 'JWT', { ...parameters, aud: client.id, exp }) }
}
