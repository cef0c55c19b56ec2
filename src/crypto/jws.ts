import {
  constants,
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  generateKeyPairSync,
  hash,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto'
import { promisify } from 'node:util'
import { exactText } from '../exact-text.ts'
import { parseJson } from './bounded-json.ts'
import { derFromRaw, rawFromDer } from './ecdsa-der.ts'

/** The algorithms this server signs and verifies with (RFC 7518 §3.3 to §3.5, RFC 8037 §3.1 with Ed25519). */
export const algorithms = ['ES256', 'RS256', 'PS256', 'EdDSA'] as const
export type Algorithm = (typeof algorithms)[number]

/** What a JWT from outside may name, as metadata says it. The last is the newer name of EdDSA with that curve (RFC 9864 §2.2). */
export const verifiedAlgorithms: readonly string[] = [...algorithms, 'Ed25519']

/** The algorithm that a name from outside means, by its one name here; undefined where it is none. */
export function algorithmNamed(name: unknown): Algorithm | undefined {
  return name === 'Ed25519' ? 'EdDSA' : algorithms.find((one) => one === name)
}

/** A key that signs with one algorithm. */
export interface SigningKey {
  kid: string
  alg: Algorithm
  privateKey: KeyObject
  publicJwk: PublicJwk
}

/** The members of a public key that make it what it is, spelled as RFC 7518 §6 and RFC 8037 §2 want them. */
export type KeyMembers =
  | { kty: 'EC'; crv: 'P-256'; x: string; y: string }
  | { kty: 'RSA'; n: string; e: string }
  | { kty: 'OKP'; crv: 'Ed25519'; x: string }

/** A key of this server as it is published. */
export type PublicJwk = KeyMembers & { kid: string; alg: Algorithm; use: 'sig' }

/** Compact JWS over `claims` (RFC 7515 §3.1); `more` is added to the header's `alg`, `typ` and `kid`. */
export function signJwt(
  key: SigningKey,
  type: string,
  claims: object,
  more?: Record<string, unknown>,
): string {
  const header = more ? base64url({ alg: key.alg, typ: type, kid: key.kid, ...more }) : headerOf(key, type)
  const input = `${header}.${base64url(claims)}`
  return `${input}.${signatureOver(Buffer.from(input), key).toString('base64url')}`
}

/** The salt is as long as the hash (RFC 7518 §3.5). */
const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }

function signatureOver(input: Buffer, { alg, privateKey }: SigningKey): Buffer {
  if (alg === 'ES256') return rawFromDer(sign('sha256', input, privateKey))
  if (alg === 'RS256') return sign('sha256', input, privateKey)
  if (alg === 'PS256') return sign('sha256', input, { key: privateKey, ...pss })
  return sign(null, input, privateKey)
}

const headers = new Map<string, string>()
function headerOf({ alg, kid }: SigningKey, type: string): string {
  const name = `${type} ${kid}`
  let header = headers.get(name)
  if (!header) {
    if (headers.size > 100) headers.clear()
    headers.set(name, (header = base64url({ alg, typ: type, kid })))
  }
  return header
}

/** A compact JWS whose payload is a JSON object; its signature is not yet checked. */
export interface UnverifiedJwt {
  header: Record<string, unknown>
  claims: Record<string, unknown>
  input: string
  signature: Buffer
}

/**
 * Takes a compact JWS apart; undefined when it is none. A signature has one spelling: the last character of base64url may
 * have spare bits, and what differs only in them is no JWS.
 */
export function parseJwt(token: string): UnverifiedJwt | undefined {
  const parts = token.split('.')
  if (parts.length !== 3 || !parts.every((part) => /^[A-Za-z0-9_-]+$/.test(part))) return undefined
  const signature = Buffer.from(parts[2]!, 'base64url')
  if (signature.toString('base64url') !== parts[2]) return undefined
  try {
    const [header, claims] = parts
      .slice(0, 2)
      .map((part) => parseJson(exactText(Buffer.from(part, 'base64url')) ?? ''))
    if (!isObject(header) || !isObject(claims)) return undefined
    return { header, claims, input: `${parts[0]}.${parts[1]}`, signature }
  } catch {
    return undefined
  }
}

/**
 * Whether the key made this signature with this algorithm. `alg` is what the verifier expects, never what the token says of
 * itself (RFC 8725 §3.1); a key of another kind verifies nothing.
 */
export function verifySignature(
  alg: Algorithm,
  publicKey: KeyObject,
  input: string,
  signature: Buffer,
): boolean {
  if (!algorithmsOf(publicKey).includes(alg)) return false
  const bytes = Buffer.from(input)
  if (alg === 'ES256') {
    return signature.length === 64 && verify('sha256', bytes, publicKey, derFromRaw(signature))
  }
  if (alg === 'RS256') return verify('sha256', bytes, publicKey, signature)
  if (alg === 'PS256') return verify('sha256', bytes, { key: publicKey, ...pss }, signature)
  return verify(null, bytes, publicKey, signature)
}

/** What a key can do, by its kind alone. */
function algorithmsOf(key: KeyObject): readonly Algorithm[] {
  if (key.asymmetricKeyType === 'ec') {
    return key.asymmetricKeyDetails?.namedCurve === 'prime256v1' ? ['ES256'] : []
  }
  if (key.asymmetricKeyType === 'rsa') return ['RS256', 'PS256']
  return key.asymmetricKeyType === 'ed25519' ? ['EdDSA'] : []
}

/** Fewest bits of an RSA modulus (RFC 7518 §3.3), and most: a verification costs more with each. */
const rsaBits = [2_048, 4_096] as const
/** Keys of one set that are used. */
export const mostKeysInSet = 16
/** Bytes of a JWK set that somebody else hands over, as JSON. */
export const longestKeySet = 12_288

/** Somebody else's public key, checked. */
export interface PublicKey {
  key: KeyObject
  /** What it may verify: what its kind can do, narrowed to `alg` where the JWK names one. */
  algorithms: readonly Algorithm[]
  /** In its one spelling; its `thumbprint` names the key. */
  members: KeyMembers
  kid: string | undefined
}

/** A JWK that is no key to verify with; `problem` continues a sentence that begins with the key. */
export interface UnusableKey {
  problem: string
  /** It is a key of a kind that is used here, but outside the limits. */
  outOfBounds?: true
}

/**
 * Reads a JWK that came from outside (RFC 7517 §4): EC on P-256, RSA of 2,048 to 4,096 bits, Ed25519. Private and symmetric
 * keys, weak and oversized ones, and those meant for anything but signatures are refused.
 */
export function publicKeyFromJwk(jwk: unknown): PublicKey | UnusableKey {
  if (!isObject(jwk)) return { problem: 'is no JSON object' }
  const { kty, alg, use, key_ops, kid } = jwk
  if (kty === 'oct' || 'k' in jwk) return { problem: 'is symmetric' }
  if (['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth'].some((name) => name in jwk)) {
    return { problem: 'holds its private part' }
  }
  if (use !== undefined && use !== 'sig') return { problem: 'is not meant for signatures (use)' }
  if (key_ops !== undefined && !(Array.isArray(key_ops) && key_ops.includes('verify'))) {
    return { problem: 'is not meant to verify with (key_ops)' }
  }
  if (kid !== undefined && typeof kid !== 'string') return { problem: 'has a kid that is no text' }
  const outOfBounds = kty === 'RSA' ? rsaProblem(jwk) : undefined
  if (outOfBounds !== undefined) return { problem: outOfBounds, outOfBounds: true }
  let key: KeyObject
  try {
    key = createPublicKey({ key: jwk, format: 'jwk' })
  } catch {
    return { problem: 'cannot be read' }
  }
  const possible = algorithmsOf(key)
  if (possible.length === 0) return { problem: 'is neither EC on P-256 nor RSA nor Ed25519' }
  const able = alg === undefined ? possible : possible.filter((one) => one === algorithmNamed(alg))
  if (able.length === 0) return { problem: `does not fit its alg; supported: ${algorithms.join(', ')}` }
  return { key, algorithms: able, members: membersOf(key), kid }
}

/** Judged by the text alone, so that a key beyond the limits costs nothing. Undefined also for what is no RSA key at all. */
function rsaProblem({ n, e }: Record<string, unknown>): string | undefined {
  if (typeof n !== 'string' || typeof e !== 'string') return undefined
  const bits = bitsOf(n)
  if (!(bits >= rsaBits[0] && bits <= rsaBits[1]))
    return `has ${Number.isFinite(bits) ? bits : 'too many'} bits, not ${rsaBits[0]} to ${rsaBits[1]}`
  // An exponent of 1 signs nothing, an even one is none, and a huge one takes as long as signing.
  const exponentBits = bitsOf(e)
  const odd = (Buffer.from(e, 'base64url').at(-1) ?? 0) % 2 === 1
  return odd && exponentBits >= 2 && exponentBits <= 32
    ? undefined
    : 'has a public exponent that is not an odd number of 2 to 32 bits'
}

/** Bits of a number in base64url. */
function bitsOf(text: string): number {
  if (text.length > 1_024) return Number.POSITIVE_INFINITY
  const bytes = Buffer.from(text, 'base64url')
  const first = bytes.findIndex((byte) => byte !== 0)
  return first < 0 ? 0 : (bytes.length - first) * 8 - (Math.clz32(bytes[first]!) - 24)
}

function membersOf(publicKey: KeyObject): KeyMembers {
  return publicKey.export({ format: 'jwk' }) as unknown as KeyMembers
}

/** JWK thumbprint (RFC 7638 §3, RFC 8037 §2): the key's name by its content. */
export function thumbprint(members: KeyMembers): string {
  const { kty } = members
  const required =
    kty === 'EC'
      ? { crv: members.crv, kty, x: members.x, y: members.y }
      : kty === 'RSA'
        ? { e: members.e, kty, n: members.n }
        : { crv: members.crv, kty, x: members.x }
  return hash('sha256', JSON.stringify(required), 'base64url')
}

/** A new key, at once. */
export function generateSigningKey(alg: 'ES256' | 'EdDSA' = 'ES256'): SigningKey {
  const { privateKey } =
    alg === 'ES256' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('ed25519')
  return signingKeyFrom(privateKey, alg)
}

/** A new RSA key. It takes up to a second, so not on the event loop. */
export async function generateRsaSigningKey(alg: 'RS256' | 'PS256'): Promise<SigningKey> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: rsaBits[0] })
  return signingKeyFrom(privateKey, alg)
}

/** An EC P-256 private key as PKCS #8 DER, SEC 1 DER or PEM, in base64. Throws a plain sentence otherwise. */
export function signingKeyFromBase64(text: string): SigningKey {
  const bytes = Buffer.from(text, 'base64')
  const pem = bytes.toString('latin1').includes('-----BEGIN') ? bytes.toString('latin1') : undefined
  const attempts = pem
    ? [() => createPrivateKey(pem)]
    : (['pkcs8', 'sec1'] as const).map((type) => () => createPrivateKey({ key: bytes, format: 'der', type }))
  for (const attempt of attempts) {
    let key: KeyObject
    try {
      key = attempt()
    } catch {
      continue
    }
    if (key.asymmetricKeyType !== 'ec' || key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
      throw new Error('the private key is not an EC key on the P-256 curve')
    }
    return signingKeyFrom(key, 'ES256')
  }
  throw new Error('not an EC private key in base64 (PKCS #8 or SEC 1, DER or PEM)')
}

/** A key this server, or one like it, has published. Throws for anything else. */
export function publicKeyFrom(jwk: PublicJwk): KeyObject {
  return createPublicKey({ key: { ...jwk }, format: 'jwk' })
}

function signingKeyFrom(privateKey: KeyObject, alg: Algorithm): SigningKey {
  const members = membersOf(createPublicKey(privateKey))
  const kid = thumbprint(members)
  return { kid, alg, privateKey, publicJwk: { ...members, kid, alg, use: 'sig' } }
}

function base64url(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
