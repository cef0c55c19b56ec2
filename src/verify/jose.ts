import {
  constants,
  createHash,
  createHmac,
  createPublicKey,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
  sign,
} from 'node:crypto'

/** A key that signs for a client: its assertions, its request objects, its proofs. */
export interface ClientKey {
  alg: 'ES256' | 'RS256' | 'PS256' | 'EdDSA'
  privateKey: KeyObject
  publicJwk: JsonWebKey & { kid: string; alg: string; use: 'sig' }
}

/** Tried in this order where a server lists what it takes. */
const algorithms = ['ES256', 'PS256', 'RS256', 'EdDSA'] as const

/** A new key for the first algorithm that is supported; undefined when none is spoken here. */
export function makeKey(supported: readonly string[] = algorithms): ClientKey | undefined {
  const alg = algorithms.find((one) => supported.includes(one))
  return alg && keyFrom(alg, pairFor(alg))
}

/** A key somebody brought, from a private JWK's key object. */
export function keyFrom(alg: ClientKey['alg'], privateKey: KeyObject, kid?: string): ClientKey {
  const jwk = createPublicKey(privateKey).export({ format: 'jwk' })
  return { alg, privateKey, publicJwk: { ...jwk, kid: kid ?? thumbprint(jwk), alg, use: 'sig' } }
}

function pairFor(alg: ClientKey['alg']): KeyObject {
  if (alg === 'ES256') return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
  if (alg === 'EdDSA') return generateKeyPairSync('ed25519').privateKey
  return generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
}

/** JWK thumbprint (RFC 7638 §3). */
export function thumbprint(jwk: JsonWebKey): string {
  const members = { EC: ['crv', 'kty', 'x', 'y'], OKP: ['crv', 'kty', 'x'], RSA: ['e', 'kty', 'n'] }[
    jwk.kty as 'EC'
  ]
  const required = Object.fromEntries(members.map((name) => [name, jwk[name as 'x']]))
  return createHash('sha256').update(JSON.stringify(required)).digest('base64url')
}

/** A compact JWS with exactly this header, right or wrong. `alg` of the header does not choose how it is signed: the key does. */
export function compact(header: object, claims: object, key: ClientKey): string {
  const input = `${part(header)}.${part(claims)}`
  return `${input}.${signature(input, key).toString('base64url')}`
}

/** The same without a signature (`alg` none). */
export function unsigned(header: object, claims: object): string {
  return `${part(header)}.${part(claims)}.`
}

/** The same keyed with a text, as a server that confuses algorithms would check it. */
export function keyedWith(secret: string, header: object, claims: object): string {
  const input = `${part(header)}.${part(claims)}`
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
}

/** The claims of a JWT, unverified; an empty object when it is none. */
export function claimsOf(token: string): Record<string, unknown> {
  try {
    return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'))
  } catch {
    return {}
  }
}

function signature(input: string, { alg, privateKey }: ClientKey): Buffer {
  const bytes = Buffer.from(input)
  if (alg === 'EdDSA') return sign(null, bytes, privateKey)
  if (alg === 'ES256') return sign('sha256', bytes, { key: privateKey, dsaEncoding: 'ieee-p1363' })
  if (alg === 'RS256') return sign('sha256', bytes, privateKey)
  return sign('sha256', bytes, { key: privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 })
}

function part(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}
