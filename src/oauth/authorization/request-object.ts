// RFC 9101 §4, §5, §6.2, §6.3, §10.2, §10.8; RFC 9126 §3; FAPI 2.0 Message Signing §5.3.1: the parameters of an authorization
// request in a JWT that the client signed, by value. Nothing beside it counts.

import { type Algorithm, algorithms, parseJwt, type UnverifiedJwt } from '../../crypto/jws.ts'
import { type Form, formOf } from '../../http/forms.ts'
import { told } from '../../log.ts'
import { isRefusal, type Refusal, refuse } from '../../protocol/refusals.ts'
import { isSignedBy } from '../clients/client-signature.ts'
import type { Client } from '../clients/clients.ts'
import type { Server } from '../server.ts'

/** Far above any honest request object, in characters. */
const longest = 32 * 1024
/** How far `nbf` and `iat` may lie ahead of this server's clock: 10 s must be accepted, 60 s refused. In seconds. */
const aheadAtMost = 30
/** How far `exp` may lie ahead, in seconds. */
const longestLife = 3_600
/** A JWT made for another purpose says so (RFC 8725 §3.11), and is no request object. */
const types: readonly unknown[] = [undefined, 'jwt', 'oauth-authz-req+jwt']
/** Claims about the JWT itself; every other one is a parameter. */
const aboutItself = ['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti']

/** Signs its request objects with one of these. */
export function requestObjectAlgorithms({ registered, rules }: Client): readonly Algorithm[] {
  const { requestObjectSigningAlg: only } = registered
  return algorithms.filter(
    (alg) => (only === undefined || alg === only) && (rules.algorithms?.includes(alg) ?? true),
  )
}

/**
 * The parameters in a request object, once everything about it holds. `arrived` is the moment it first arrived, in epoch
 * milliseconds: what expires while its user signs in has not expired. A client without keys cannot sign one.
 */
export async function readRequestObject(
  server: Server,
  client: Client,
  text: string,
  { arrived, address }: { arrived: number; address: string },
): Promise<Form | Refusal> {
  const facts = { client: client.id }
  if (client.jwks === null && client.jwksUri === null) return refuse('request_object_unsupported', facts)
  const jwt = text.length > longest ? undefined : parseJwt(text)
  if (!jwt) return refuse('request_object_malformed', facts)
  const wrong = wrongClaim(server, client, jwt, arrived / 1_000)
  if (wrong !== undefined) return refuse('request_object_claims', { ...facts, wrong })
  const signed = await isSignedBy(server, { owner: client, address }, jwt, requestObjectAlgorithms(client))
  if (isRefusal(signed)) {
    // Keys that may never be fetched are the client's fault, and `invalid_client` has no place here.
    return signed.refusal !== 'client_keys_forbidden'
      ? refuse(signed.refusal, { ...facts, ...signed.facts }, signed)
      : refuse('request_object_signature', { ...facts, ...signed.facts })
  }
  if (!signed) return refuse('request_object_signature', { ...facts, alg: told(jwt.header['alg']) })
  return parametersIn(jwt.claims) ?? refuse('request_object_malformed', facts)
}

/** The first claim that is missing or does not hold. */
function wrongClaim(
  { settings }: Server,
  client: Client,
  { header, claims }: UnverifiedJwt,
  now: number,
): string | undefined {
  const { iss, sub, aud, exp, nbf, iat, client_id, request, request_uri } = claims
  const { typ } = header
  if (!types.includes(typeof typ === 'string' ? typ.toLowerCase().replace(/^application\//, '') : typ))
    return 'typ'
  if (client_id !== client.id) return 'client_id'
  if (iss !== client.id) return 'iss'
  // A client assertion has itself as `sub`; it must not be taken for a request, nor a request for it.
  if (sub === client.id) return 'sub'
  if (aud !== settings.issuer && !(Array.isArray(aud) && aud.includes(settings.issuer))) return 'aud'
  // RFC 9101 asks for no `exp`; FAPI 2.0 Message Signing §5.3.1 does.
  const unlimited = exp === undefined && client.profile !== 'fapi2'
  if (!unlimited && !(typeof exp === 'number' && exp > now && exp <= now + longestLife + aheadAtMost))
    return 'exp'
  for (const [name, time] of Object.entries({ nbf, iat })) {
    if (time !== undefined && !(typeof time === 'number' && time <= now + aheadAtMost)) return name
  }
  if (client.profile === 'fapi2') {
    if (!(typeof nbf === 'number' && nbf >= now - longestLife)) return 'nbf'
    if ((exp as number) > nbf + longestLife) return 'exp'
  }
  if (request !== undefined) return 'request'
  return request_uri === undefined ? undefined : 'request_uri'
}

/** A claim is a parameter as it stands, in JSON where it is no text (§4); only `resource` may have several values. */
function parametersIn(claims: Record<string, unknown>): Form | undefined {
  const pairs: [string, string][] = []
  for (const [name, value] of Object.entries(claims)) {
    if (aboutItself.includes(name) || value === null) continue
    const values = name === 'resource' && Array.isArray(value) ? value : [value]
    for (const one of values) {
      const text = typeof one === 'string' ? one : textOf(one)
      if (text === undefined) return undefined
      pairs.push([name, text])
    }
  }
  const isText = (text: string) => !text.includes('\0') && text.isWellFormed()
  return pairs.every((pair) => pair.every(isText)) ? formOf(pairs) : undefined
}

/** In JSON; undefined for what is nested so deeply that it can be read but not written. */
function textOf(value: unknown): string | undefined {
  try {
    return JSON.stringify(value)
  } catch {
    return undefined
  }
}
