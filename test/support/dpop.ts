// DPoP proofs as a client makes them, with `jose` instead of our own signatures.

import { createHash, type KeyObject, randomUUID } from 'node:crypto'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'
import { issuer, type TestServer } from './gatehouse.ts'

export interface ProofKey {
  alg: string
  publicJwk: JWK
  privateJwk: JWK
  privateKey: CryptoKey | KeyObject
  /** Its thumbprint (RFC 7638). */
  jkt: string
}

/** `alg` as a proof's header names it. */
export async function makeProofKey(alg = 'ES256'): Promise<ProofKey> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true })
  const publicJwk = await exportJWK(publicKey)
  const jkt = await calculateJwkThumbprint(publicJwk)
  return { alg, publicJwk, privateJwk: await exportJWK(privateKey), privateKey, jkt }
}

export interface ProofOptions {
  method?: string
  url?: string
  nonce?: string | undefined
  accessToken?: string
  /** Epoch milliseconds. */
  now?: number
  /** Replace claims and header members; undefined leaves one out. */
  claims?: Record<string, unknown>
  header?: Record<string, unknown>
  signedBy?: ProofKey
}

/** A proof for a POST to the token endpoint unless told otherwise. */
export function makeProof(key: ProofKey, options: ProofOptions = {}): Promise<string> {
  const { method = 'POST', url = `${issuer}/oauth/token`, nonce, accessToken, now = Date.now() } = options
  const ath = accessToken && createHash('sha256').update(accessToken).digest('base64url')
  const claims = {
    jti: randomUUID(),
    htm: method,
    htu: url,
    iat: Math.floor(now / 1_000),
    nonce,
    ath,
    ...options.claims,
  }
  const header = { typ: 'dpop+jwt', alg: key.alg, jwk: key.publicJwk, ...options.header }
  return new SignJWT(claims).setProtectedHeader(header).sign((options.signedBy ?? key).privateKey)
}

/** A proof with the house's clock and the nonce it gives out at the moment. */
export function proofFor(server: TestServer, key: ProofKey, options: ProofOptions = {}): Promise<string> {
  const now = server.clock.now()
  return makeProof(key, { now, nonce: server.app.server.nonces.current(now), ...options })
}
