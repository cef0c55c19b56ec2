import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto'

/** An ES256 key that signs (RFC 7518 §3.4). */
export interface SigningKey {
  kid: string
  privateKey: KeyObject
  publicJwk: PublicJwk
}

export interface PublicJwk {
  kty: 'EC'
  crv: 'P-256'
  x: string
  y: string
  kid: string
  alg: 'ES256'
  use: 'sig'
}

/** Compact JWS over `claims` (RFC 7515 §3.1). */
export function signJwt(key: SigningKey, type: string, claims: object): string {
  const input = `${headerOf(key.kid, type)}.${base64url(JSON.stringify(claims))}`
  return `${input}.${fromDer(sign('sha256', Buffer.from(input), key.privateKey)).toString('base64url')}`
}

const headers = new Map<string, string>()
function headerOf(kid: string, type: string): string {
  const name = `${type} ${kid}`
  let header = headers.get(name)
  if (!header) {
    if (headers.size > 100) headers.clear()
    headers.set(name, (header = base64url(JSON.stringify({ alg: 'ES256', typ: type, kid }))))
  }
  return header
}

/** The parts of a compact JWS, signature not yet checked; undefined when it is not one. */
export function parseJwt(
  token: string,
):
  | { header: Record<string, unknown>; claims: Record<string, unknown>; input: string; signature: Buffer }
  | undefined {
  const parts = token.split('.')
  if (parts.length !== 3 || !parts.every((part) => /^[A-Za-z0-9_-]+$/.test(part))) return undefined
  try {
    const [header, claims] = parts
      .slice(0, 2)
      .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString('utf8')))
    if (!isObject(header) || !isObject(claims)) return undefined
    return {
      header,
      claims,
      input: `${parts[0]}.${parts[1]}`,
      signature: Buffer.from(parts[2]!, 'base64url'),
    }
  } catch {
    return undefined
  }
}

export function verifyJws(publicKey: KeyObject, input: string, signature: Buffer): boolean {
  return signature.length === 64 && verify('sha256', Buffer.from(input), publicKey, toDer(signature))
}

/**
 * JWS wants r and s side by side (RFC 7518 §3.4). Node can make them so, but asking it to (`dsaEncoding`) takes its slow
 * path, twice the time of signing with the bare key; turning DER around here costs next to nothing.
 */
function fromDer(der: Buffer): Buffer {
  const raw = Buffer.alloc(64)
  let at = 3
  for (let end = 32; end <= 64; end += 32) {
    const length = der[at]!
    const digits = der.subarray(at + 1, at + 1 + length)
    const value = length > 32 ? digits.subarray(length - 32) : digits
    value.copy(raw, end - value.length)
    at += length + 2
  }
  return raw
}

function toDer(raw: Buffer): Buffer {
  const [r, s] = [raw.subarray(0, 32), raw.subarray(32)].map((value) => {
    let start = 0
    while (start < 31 && value[start] === 0) start++
    const digits = value.subarray(start)
    // A leading one bit would make the number negative.
    return digits[0]! & 0x80 ? Buffer.concat([Buffer.from([0]), digits]) : digits
  }) as [Buffer, Buffer]
  return Buffer.concat([
    Buffer.from([0x30, r.length + s.length + 4, 2, r.length]),
    r,
    Buffer.from([2, s.length]),
    s,
  ])
}

export function generateSigningKey(): SigningKey {
  return signingKeyFrom(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey)
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
    return signingKeyFrom(key)
  }
  throw new Error('not an EC private key in base64 (PKCS #8 or SEC 1, DER or PEM)')
}

export function publicKeyFrom(jwk: PublicJwk): KeyObject {
  return createPublicKey({ key: { ...jwk }, format: 'jwk' })
}

function signingKeyFrom(privateKey: KeyObject): SigningKey {
  const { x, y } = createPublicKey(privateKey).export({ format: 'jwk' }) as { x: string; y: string }
  const kid = thumbprint({ x, y })
  return { kid, privateKey, publicJwk: { kty: 'EC', crv: 'P-256', x, y, kid, alg: 'ES256', use: 'sig' } }
}

/** JWK thumbprint of a P-256 key (RFC 7638 §3). */
function thumbprint(key: { x: string; y: string }): string {
  return createHash('sha256')
    .update(JSON.stringify({ crv: 'P-256', kty: 'EC', x: key.x, y: key.y }))
    .digest('base64url')
}

function base64url(text: string): string {
  return Buffer.from(text).toString('base64url')
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
