// RFC 7636 §4.1-§4.6, §4.4.1; OAuth 2.1 §3.2.4, §4.1.1: proof key for code exchange, S256 only.

import { equalInConstantTime } from '../crypto/secrets.ts'
import { sha256 } from '../crypto/tokens.ts'
import { told } from '../log.ts'
import { type Refusal, refuse } from './refusals.ts'

const challengeShape = /^[A-Za-z0-9_-]{43}$/
const verifierShape = /^[A-Za-z0-9._~-]{43,128}$/

/** The challenge of an authorization request (§4.3), null when PKCE was lifted for the client and none was sent. */
export function readChallenge(
  challenge: string | undefined,
  method: string | undefined,
  required: boolean,
): string | null | Refusal {
  if (challenge === undefined) {
    if (method !== undefined) return refuse('pkce_missing')
    return required ? refuse('pkce_missing') : null
  }
  // A challenge without a method means plain (§4.3), which is not spoken here.
  if (method !== 'S256') return refuse('pkce_method_unsupported', { method: told(method) })
  return challengeShape.test(challenge) ? challenge : refuse('pkce_challenge_malformed')
}

/** Holds the verifier of a token request against the stored challenge (§4.6). */
export function checkVerifier(challenge: string | null, verifier: string | undefined): Refusal | undefined {
  if (challenge === null) return verifier === undefined ? undefined : refuse('code_verifier_unexpected')
  if (verifier === undefined || !verifierShape.test(verifier)) return refuse('code_verifier_wrong')
  return equalInConstantTime(sha256(verifier), challenge) ? undefined : refuse('code_verifier_wrong')
}
