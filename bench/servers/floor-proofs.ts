// What a DPoP proof physically costs: its parts, a signature under a key that was read once, and a hash to remember it by.
import { createPublicKey, hash, type JsonWebKey, type KeyObject, randomBytes, verify } from 'node:crypto'
import type { UsedProof } from './floor-store.ts'

type Known = { key: KeyObject; jkt: string }
type Claims = { jti: string; htm: string; htu: string; iat: number; nonce?: string }

/** r and s as OpenSSL wants them; asking node to turn them (`dsaEncoding`) costs as much as the signature itself. */
function derOf(raw: Buffer): Buffer {
  const integers = [raw.subarray(0, 32), raw.subarray(32, 64)].map((value) => {
    const start = value.findIndex((byte) => byte !== 0)
    const digits = value.subarray(start < 0 ? 31 : start)
    const padding = digits[0]! >= 0x80 ? [0] : []
    return Buffer.from([2, digits.length + padding.length, ...padding, ...digits])
  })
  const both = Buffer.concat(integers)
  return Buffer.concat([Buffer.from([0x30, both.length]), both])
}

/** Checks the proofs of POST requests to `url`, with one nonce for as long as it runs. */
export function proofChecker(url: string) {
  const nonce = randomBytes(16).toString('base64url')
  const keys = new Map<string, Known>()

  function keyOf(header: string): Known {
    const known = keys.get(header)
    if (known) return known
    const { jwk } = JSON.parse(Buffer.from(header, 'base64url').toString()) as { jwk: JsonWebKey }
    const { crv, kty, x, y } = jwk
    const jkt = hash('sha256', JSON.stringify({ crv, kty, x, y }), 'base64url')
    const read = { key: createPublicKey({ key: jwk, format: 'jwk' }), jkt }
    keys.set(header, read)
    return read
  }

  function check(proof: string): { jkt: string; used: UsedProof } | 'nonce' | 'wrong' {
    const [header, payload, signature] = proof.split('.') as [string, string, string]
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Claims
    const { jti, htm, htu, iat } = claims
    if (htm !== 'POST' || htu !== url || Math.abs(Date.now() / 1000 - iat) > 300) return 'wrong'
    if (claims.nonce !== nonce) return 'nonce'
    const { key, jkt } = keyOf(header)
    const raw = Buffer.from(signature, 'base64url')
    const input = Buffer.from(`${header}.${payload}`)
    if (!verify('sha256', input, key, derOf(raw))) return 'wrong'
    const used = { hash: hash('sha256', `${jkt} ${htu} ${jti}`, 'base64url'), expiresAt: (iat + 300) * 1000 }
    return { jkt, used }
  }

  return { nonce, check }
}
