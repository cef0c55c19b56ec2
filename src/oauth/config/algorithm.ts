import { custom } from '../../config/section.ts'
import { type Algorithm, algorithmNamed, algorithms } from '../../crypto/jws.ts'

/** A JWS algorithm; `Ed25519` (RFC 9864) is the newer name of `EdDSA` with that curve. */
export const algorithm = {
  ...custom<Algorithm | 'Ed25519', Algorithm>(
    [...algorithms, 'Ed25519'].map((name) => `'${name}'`).join(' | '),
    (given, place) => {
      const named = algorithmNamed(given ?? 'RS256')
      if (named === undefined) place.problem(algorithms.join(', '), given, 'RS256')
      return named ?? 'RS256'
    },
  ),
  standard: 'RS256',
}
