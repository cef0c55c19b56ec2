// DPoP proofs (RFC 9449 §4.2) as a client makes them that has one key and keeps the nonce it was last given.
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { rawFromDer } from '../../src/crypto/ecdsa-der.ts'
import type { Answer } from './connection.ts'

const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

export class Prover {
  readonly #url: string
  readonly #header: string
  readonly #key
  #nonce: string | undefined

  /** Proves POST requests to `url`. */
  constructor(url: string) {
    this.#url = url
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    this.#key = privateKey
    this.#header = encoded({ typ: 'dpop+jwt', alg: 'ES256', jwk: publicKey.export({ format: 'jwk' }) })
  }

  /** A request with a new proof among its headers. */
  prove(request: string): string {
    const jti = randomBytes(16).toString('base64url')
    const iat = Math.floor(Date.now() / 1000)
    const claims = { jti, htm: 'POST', htu: this.#url, iat, nonce: this.#nonce }
    const input = `${this.#header}.${encoded(claims)}`
    const signature = rawFromDer(sign('sha256', Buffer.from(input), this.#key)).toString('base64url')
    return request.replace('\r\n', `\r\nDPoP: ${input}.${signature}\r\n`)
  }

  /** Keeps the nonce of an answer; whether the request is to be sent again with it. */
  learn({ status, nonce, body }: Answer): boolean {
    if (nonce === '') return false
    this.#nonce = nonce
    return status === 400 && body.includes('"use_dpop_nonce"')
  }
}
