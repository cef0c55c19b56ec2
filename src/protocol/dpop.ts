// RFC 9449 §4.2, §4.3, §8, §11.1, §11.6; RFC 3986 §6.2; RFC 7638 §3; RFC 9864 §2.2: what a DPoP proof must be. Nothing is spent
// here: what is known of a request goes in, what its proof proves comes out.

import type { KeyObject } from 'node:crypto'
import {
  type Algorithm,
  algorithmNamed,
  parseJwt,
  publicKeyFromJwk,
  thumbprint,
  verifiedAlgorithms,
  verifySignature,
} from '../crypto/jws.ts'
import { sha256 } from '../crypto/tokens.ts'
import { told, toldUrl } from '../log.ts'
import type { ProofNonces } from './dpop-nonce.ts'
import { isRefusal, type Refusal, refuse } from './refusals.ts'

/** What proofs may be signed with, as metadata says it. */
export const proofAlgorithms = verifiedAlgorithms

/** A proof is refused so long after it was made, in milliseconds. Its `jti` is remembered until then. */
const oldest = 300_000
/** So far a client's clock may be ahead, in milliseconds. */
const aheadAtMost = 30_000
/** Longer than any honest proof, with the largest RSA key there may be. */
const longestProof = 8_192
/** A `jti` is a short random text. It ends up in a hash, so its length bounds only what is read. */
const longestJti = 256

/** A proof that holds. */
export interface Proof {
  /** Thumbprint of the key it was signed with (RFC 7638 §3). */
  jkt: string
  alg: Algorithm
  /** What may be seen once (§11.1): the `jti`, within the key and the URL. */
  id: readonly [jkt: string, url: string, jti: string]
  /** From when it is refused for its age, in epoch milliseconds. */
  expiresAt: number
  /** The nonce for the next proof, where the one in this will soon be too old (§8.2). */
  nextNonce: string | undefined
}

/** The request a proof is to be for. */
export interface ProvenRequest {
  method: string
  /** Its public URL as `proofUrl` spells it; several where it has several. */
  urls: readonly [string, ...string[]]
  /** The access token beside it, at an API (§7). */
  accessToken?: string
}

/** What the proofs of a server or an API are held against. */
export interface ProofRules {
  /** Null where none are given out. */
  nonces: ProofNonces | null
  now(): number
  /** Why no signature by a key that is new here may be verified now. */
  blocked?: () => Refusal | undefined
}

/** Holds the `DPoP` header against the request it came with (§4.3). The signature comes last, since it costs the most. */
export function checkProof(header: string, request: ProvenRequest, rules: ProofRules): Proof | Refusal {
  // Two headers arrive as one text with a comma between them, which no JWT has.
  const jwt = header.length > longestProof ? undefined : parseJwt(header)
  if (!jwt) return refuse('dpop_proof_malformed', { length: header.length })
  const { claims, input, signature } = jwt
  const text = input.slice(0, input.indexOf('.'))
  const key = keys.get(text) ?? readKey(jwt.header)
  if (isRefusal(key)) return key
  const now = rules.now()
  const wrong = wrongRequest(claims, request) ?? wrongTime(claims, now)
  if (wrong) return wrong
  const { jti, iat, nonce } = claims as { jti: unknown; iat: number; nonce: unknown }
  if (typeof jti !== 'string' || jti === '' || jti.length > longestJti)
    return refuse('dpop_proof_malformed', { claim: 'jti' })
  const next = nextNonce(nonce, rules.nonces, now)
  if (isRefusal(next)) return next
  // A key with a verified signature is not blocked by signatures that others made up.
  const blocked = keys.has(text) ? undefined : rules.blocked?.()
  if (blocked) return blocked
  if (!verifySignature(key.alg, key.key, input, signature)) return refuse('dpop_proof_signature')
  remember(text, key)
  return {
    jkt: key.jkt,
    alg: key.alg,
    id: [key.jkt, request.urls[0], jti],
    expiresAt: Math.ceil(iat * 1_000) + oldest,
    nextNonce: next,
  }
}

interface ProofKey {
  alg: Algorithm
  key: KeyObject
  jkt: string
}

/**
 * Keys by the proof's whole header, which a client writes the same every time: reading a key costs more than checking a
 * signature with it. Only headers under which a signature held get in.
 */
const keys = new Map<string, ProofKey>()
const mostKeys = 2_000

function remember(header: string, key: ProofKey): void {
  if (keys.has(header)) return
  if (keys.size >= mostKeys) keys.delete(keys.keys().next().value!)
  keys.set(header, key)
}

function readKey(header: Record<string, unknown>): ProofKey | Refusal {
  const { typ, alg, jwk } = header
  // An extension that must be understood is none that is understood here (RFC 7515 §4.1.11).
  if (typ !== 'dpop+jwt' || 'crit' in header) return refuse('dpop_proof_malformed', { typ: told(typ) })
  const spoken = algorithmNamed(alg)
  if (!spoken) return refuse('dpop_proof_key', { alg: told(alg) })
  const read = publicKeyFromJwk(jwk)
  if ('problem' in read) return refuse('dpop_proof_key', { jwk: read.problem })
  if (!read.algorithms.includes(spoken)) return refuse('dpop_proof_key', { alg: spoken })
  return { alg: spoken, key: read.key, jkt: thumbprint(read.members) }
}

/** `htm`, `htu` and, beside an access token, `ath`. */
function wrongRequest(claims: Record<string, unknown>, request: ProvenRequest): Refusal | undefined {
  const { htm, htu, ath } = claims
  if (htm !== request.method) return refuse('dpop_proof_request', { htm: told(htm), method: request.method })
  if (typeof htu !== 'string' || !(request.urls.includes(htu) || request.urls.includes(proofUrl(htu) ?? '')))
    return refuse('dpop_proof_request', {
      htu: typeof htu === 'string' ? toldUrl(htu) : told(htu),
      url: request.urls[0],
    })
  if (request.accessToken !== undefined && ath !== sha256(request.accessToken))
    return refuse('dpop_proof_token')
  return undefined
}

function wrongTime({ iat, exp, nbf }: Record<string, unknown>, now: number): Refusal | undefined {
  const made = typeof iat === 'number' ? iat * 1_000 : Number.NaN
  if (!(made > now - oldest && made <= now + aheadAtMost))
    return refuse('dpop_proof_time', { seconds_off: Math.round((made - now) / 1_000) })
  // A proof needs neither, but one that is present must hold (RFC 7519 §4.1.4, §4.1.5).
  if (exp !== undefined && !(typeof exp === 'number' && exp * 1_000 > now))
    return refuse('dpop_proof_time', { claim: 'exp' })
  if (nbf !== undefined && !(typeof nbf === 'number' && nbf * 1_000 <= now + aheadAtMost))
    return refuse('dpop_proof_time', { claim: 'nbf' })
  return undefined
}

/** Undefined when the one in the proof stays good for a while (§8, §9). */
function nextNonce(nonce: unknown, nonces: ProofNonces | null, now: number): string | undefined | Refusal {
  if (!nonces || (nonce === undefined && !nonces.required)) return undefined
  const age = typeof nonce === 'string' ? nonces.ageOf(nonce, now) : 'unknown'
  if (age === 'fresh') return undefined
  const next = nonces.current(now)
  if (age === 'ageing') return next
  return refuse(
    nonce === undefined ? 'dpop_nonce_missing' : 'dpop_nonce_stale',
    {},
    { headers: { 'dpop-nonce': next } },
  )
}

/** Visible ASCII after the scheme, and nothing that a lenient reader would turn into something else. */
const plainUrl = /^https?:\/\/[\x21-\x5b\x5d-\x7e]+$/i

/**
 * A URL as it is compared with `htu` (§4.3 item 9): normalised by its syntax and scheme (RFC 3986 §6.2.2, §6.2.3), without
 * query and fragment. Undefined for what is no http URL or names a user.
 */
export function proofUrl(text: string): string | undefined {
  if (!plainUrl.test(text) || !URL.canParse(text)) return undefined
  const { origin, pathname, username, password } = new URL(text)
  if (username !== '' || password !== '') return undefined
  return (
    origin +
    pathname.replace(/%[0-9a-f]{2}/gi, (escaped) => {
      const character = String.fromCharCode(Number.parseInt(escaped.slice(1), 16))
      return /[A-Za-z0-9._~-]/.test(character) ? character : escaped.toUpperCase()
    })
  )
}
