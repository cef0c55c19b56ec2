import { randomBytes } from 'node:crypto'
import { basic, type Client, type Credentials } from './clients.ts'
import { type ClientKey, compact, sha256 } from './jose.ts'

export const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** New random text. */
export function fresh(bytes = 16): string {
  return randomBytes(bytes).toString('base64url')
}

export function seconds(): number {
  return Math.floor(Date.now() / 1_000)
}

/** What changes in a JWT: a member that is undefined is left out. */
export interface Changes {
  header?: Record<string, unknown>
  claims?: Record<string, unknown>
  /** Signs in place of the client's own key. */
  key?: ClientKey
}

/** Header and claims of a client assertion (RFC 7523 §3; OpenID Connect Core §9) that is right but for the changes. */
export function assertionParts(client: Client, audience: string, { header, claims }: Changes = {}) {
  const now = seconds()
  return {
    header: { alg: client.key!.alg, kid: client.key!.publicJwk.kid, ...header },
    claims: {
      iss: client.id,
      sub: client.id,
      aud: audience,
      jti: fresh(),
      iat: now,
      exp: now + 60,
      ...claims,
    },
  }
}

export function assertion(client: Client, audience: string, changes: Changes = {}): string {
  const { header, claims } = assertionParts(client, audience, changes)
  return compact(header, claims, changes.key ?? client.key!)
}

/** The client's own authentication, as it was registered. */
export function credentialsOf(client: Client, audience: string): Credentials {
  const { id, method, secret = '' } = client
  if (method === 'client_secret_basic') return { headers: { authorization: basic(id, secret) }, form: {} }
  if (method === 'client_secret_post') return { headers: {}, form: { client_id: id, client_secret: secret } }
  if (method === 'none') return { headers: {}, form: { client_id: id } }
  return { headers: {}, form: assertionForm(client, assertion(client, audience)) }
}

export function assertionForm(client: Client, jwt: string) {
  return { client_id: client.id, client_assertion_type: assertionType, client_assertion: jwt }
}

/** The request a proof is for. */
export interface Proven {
  method: string
  url: string
  nonce?: string
  /** The access token it accompanies at a resource server. */
  accessToken?: string
}

/** Header and claims of a DPoP proof (RFC 9449 §4.2) that is right but for the changes. */
export function proofParts(key: ClientKey, proven: Proven, { header, claims }: Changes = {}) {
  const { kid: _kid, use: _use, alg: _alg, ...jwk } = key.publicJwk
  return {
    header: { typ: 'dpop+jwt', alg: key.alg, jwk, ...header },
    claims: {
      jti: fresh(),
      htm: proven.method,
      htu: proven.url.split(/[?#]/)[0],
      iat: seconds(),
      ...(proven.nonce === undefined ? {} : { nonce: proven.nonce }),
      ...(proven.accessToken === undefined ? {} : { ath: sha256(proven.accessToken) }),
      ...claims,
    },
  }
}

export function proof(key: ClientKey, proven: Proven, changes: Changes = {}): string {
  const { header, claims } = proofParts(key, proven, changes)
  return compact(header, claims, changes.key ?? key)
}
