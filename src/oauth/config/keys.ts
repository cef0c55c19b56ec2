import { custom, isObject, type Options, optional, type Place, text } from '../../config/section.ts'
import { mostKeysInSet, publicKeyFromJwk } from '../../crypto/jws.ts'

/** Public keys, as a set or where they are published: the options `jwks` and `jwksUri`, of which one must be given. */
export const publicKeys = {
  /** Its public keys; either these or `jwksUri`. */
  jwks: optional(custom<{ keys: object[] }>('{ keys: object[] }', readKeySet)),
  /** Where its public keys are published. */
  jwksUri: optional(
    text('an https URL', (given) => /^https:\/\/[^#\s]+$/.test(given) && URL.canParse(given), {
      example: 'https://idp.example.com/jwks.json',
    }),
  ),
} satisfies Options

export function eitherKeys(
  { jwks, jwksUri }: { jwks: object | null; jwksUri: string | null },
  place: Place,
): void {
  if ((jwks === null) === (jwksUri === null)) place.problem('either jwks or jwksUri')
}

function readKeySet(given: unknown, place: Place): { keys: object[] } {
  const keys: unknown[] = isObject(given) && Array.isArray(given.keys) ? given.keys : []
  if (keys.length > mostKeysInSet) place.problem(`at most ${mostKeysInSet} keys`)
  if (keys.length === 0 || keys.some((key) => 'problem' in publicKeyFromJwk(key)))
    place.problem('a JWK set of public keys for signatures (RFC 7517 §5)')
  return { keys: keys as object[] }
}
