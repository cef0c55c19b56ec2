// RFC 7523 §2.2, §3; RFC 7521 §4.2, §4.2.1, §5.2; RFC 9126 §2; FAPI 2.0 Security Profile §5.3.2.1: a client that authenticates
// by a JWT it has signed (private_key_jwt).

import { type Algorithm, algorithms, parseJwt, type UnverifiedJwt } from '../../crypto/jws.ts'
import type { Form } from '../../http/forms.ts'
import { told } from '../../log.ts'
import { paths } from '../../protocol/paths.ts'
import { isRefusal, type Refusal, refuse } from '../../protocol/refusals.ts'
import { spendJti } from '../guards/replay.ts'
import type { Server } from '../server.ts'
import { isSignedBy } from './client-signature.ts'
import type { Client } from './clients.ts'

const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** How far `nbf` and `iat` may lie ahead of this server's clock: 10 s must be accepted, 60 s refused. In seconds. */
const aheadAtMost = 30
/** How far `exp` may lie ahead, in seconds. */
const longestLife = 3_600
/** A JWT made for another purpose says so (RFC 8725 §3.11), and is no assertion. */
const types: readonly unknown[] = [undefined, 'jwt', 'client-authentication+jwt']

/** A client assertion, not yet checked, and the client it says it is from. */
export interface PresentedAssertion {
  clientId: string
  jwt: UnverifiedJwt
}

/** The assertion of a form; undefined where none was meant. */
export function readAssertion(form: Form): PresentedAssertion | Refusal | undefined {
  const assertion = form.get('client_assertion')
  const type = form.get('client_assertion_type')
  if (assertion === undefined && type === undefined) return undefined
  if (type !== assertionType) return refuse('client_assertion_type_unknown', { type: told(type) })
  const jwt = parseJwt(assertion ?? '')
  const subject = jwt?.claims['sub']
  if (!jwt || typeof subject !== 'string') return refuse('client_assertion_malformed')
  const named = form.get('client_id')
  if (named !== undefined && named !== subject) {
    return refuse('client_assertion_claims', { wrong: 'sub', client: told(named) })
  }
  return { clientId: subject, jwt }
}

/** Signs its assertions with one of these. */
export function assertionAlgorithms({ registered, rules }: Client): readonly Algorithm[] {
  const { tokenEndpointAuthSigningAlg: only } = registered
  return algorithms.filter(
    (alg) => (only === undefined || alg === only) && (rules.algorithms?.includes(alg) ?? true),
  )
}

/** Everything an assertion must be; its `jti` is spent last, when nothing else can refuse it. */
export async function verifyAssertion(
  server: Server,
  client: Client,
  jwt: UnverifiedJwt,
  address: string,
): Promise<Client | Refusal> {
  const facts = { client: client.id }
  const wrong = wrongClaim(server, client, jwt)
  if (wrong !== undefined) return refuse('client_assertion_claims', { ...facts, wrong })
  const signed = await isSignedBy(server, { owner: client, address }, jwt, assertionAlgorithms(client))
  if (isRefusal(signed)) return refuse(signed.refusal, { ...facts, ...signed.facts }, signed)
  if (!signed) {
    const { alg, kid } = jwt.header
    return refuse('client_assertion_signature', { ...facts, alg: told(alg), kid: told(kid) })
  }
  const { jti, exp } = jwt.claims as { jti: string; exp: number }
  const fresh = await spendJti(server, 'client assertion', [client.id, jti], exp * 1_000)
  return fresh ? client : refuse('client_assertion_replayed', facts)
}

/** The first claim that is missing or does not hold. */
function wrongClaim(server: Server, client: Client, { header, claims }: UnverifiedJwt): string | undefined {
  const { iss, sub, aud, exp, nbf, iat, jti } = claims
  const now = server.now() / 1_000
  const type = typeof header['typ'] === 'string' ? header['typ'].toLowerCase() : header['typ']
  if (!types.includes(typeof type === 'string' ? type.replace(/^application\//, '') : type)) return 'typ'
  if (iss !== client.id || sub !== client.id) return 'iss'
  if (!isForUs(server, client, aud)) return 'aud'
  if (!(typeof exp === 'number' && exp > now && exp <= now + longestLife)) return 'exp'
  for (const [name, time] of Object.entries({ nbf, iat })) {
    if (time !== undefined && !(typeof time === 'number' && time <= now + aheadAtMost)) return name
  }
  return typeof jti === 'string' && jti !== '' ? undefined : 'jti'
}

/**
 * A list may hold nothing but names of this server: an assertion that is good at another one too could be carried here from
 * there. Where the profile wants it the issuer alone is named, and as a text.
 */
function isForUs({ settings: { issuer } }: Server, { rules }: Client, audience: unknown): boolean {
  if (rules.assertionAudience === 'issuer') return audience === issuer
  const ours: readonly unknown[] = [issuer, issuer + paths.token, issuer + paths.pushedAuthorization]
  return Array.isArray(audience)
    ? audience.length > 0 && audience.every((one) => ours.includes(one))
    : ours.includes(audience)
}
