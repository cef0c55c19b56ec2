// RFC 7517 §4.5, RFC 7515 §4.1.4 and §4.1.11, RFC 8725 §3.1: whether a client, or an issuer it speaks for, signed a JWT.

import {
  type Algorithm,
  algorithmNamed,
  type PublicKey,
  type UnverifiedJwt,
  verifySignature,
} from '../../crypto/jws.ts'
import { isRefusal, type Refusal } from '../../protocol/refusals.ts'
import { countBadSignature, noteGoodSignature, signaturesBlocked } from '../guards/signature-failures.ts'
import type { Server } from '../server.ts'
import type { KeyOwner } from './client-keys.ts'

/**
 * Whether a key of the owner signed the JWT with one of these algorithms; the token's own `alg` only chooses among them. One
 * key is tried for a `kid`, two where none is named. Refused, without trying any, where too many signatures failed.
 */
export async function isSignedBy(
  server: Pick<Server, 'clientKeys' | 'counters' | 'now' | 'settings'>,
  { owner, address }: { owner: KeyOwner; address: string },
  { header, input, signature }: UnverifiedJwt,
  allowed: readonly Algorithm[],
): Promise<boolean | Refusal> {
  const { alg, kid } = header
  const algorithm = allowed.find((one) => one === algorithmNamed(alg))
  // Nothing that must be understood is (RFC 7515 §4.1.11).
  if (!algorithm || 'crit' in header) return false
  const blocked = signaturesBlocked(server, owner.id, address)
  if (blocked) return blocked
  const tried: PublicKey['key'][] = []
  const found = await server.clientKeys.find(owner, (keys) =>
    candidates(keys, algorithm, kid).find(({ key }) => {
      // What was read again and is still the same fails again.
      if (tried.some((one) => one.equals(key))) return false
      tried.push(key)
      return verifySignature(algorithm, key, input, signature)
    }),
  )
  if (isRefusal(found)) return found
  if (found) noteGoodSignature(server, owner.id, address)
  else if (tried.length > 0) countBadSignature(server, owner.id, address)
  return found !== undefined
}

/** Keys of different kinds may share a `kid` (RFC 7517 §4.5); of those for one algorithm the first counts. */
function candidates(keys: readonly PublicKey[], algorithm: Algorithm, kid: unknown): PublicKey[] {
  const able = keys.filter((key) => key.algorithms.includes(algorithm))
  if (kid === undefined) return able.slice(0, 2)
  const named = able.find((key) => key.kid === kid)
  return named ? [named] : able.filter((key) => key.kid === undefined).slice(0, 1)
}
