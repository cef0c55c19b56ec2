// Clients that authenticate by a JWT they have signed.

import { randomUUID } from 'node:crypto'
import {
  type Algorithm,
  generateRsaSigningKey,
  generateSigningKey,
  type SigningKey,
  signJwt,
} from '../../src/crypto/jws.ts'
import type { ClientInput } from '../../src/oauth/clients/client-input.ts'
import type { CreatedClient } from '../../src/oauth/clients/client-operations.ts'
import { issuer } from './gatehouse.ts'

export const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** One key of each algorithm, as a client of the tests holds it. Made once, since RSA takes its time. */
export const clientKeys: Readonly<Record<Algorithm, SigningKey>> = {
  ES256: generateSigningKey(),
  RS256: await generateRsaSigningKey('RS256'),
  PS256: await generateRsaSigningKey('PS256'),
  EdDSA: generateSigningKey('EdDSA'),
}

/** The key of an algorithm by any name it has: that of EdDSA signs under its newer one, too (RFC 9864 §2.2). */
export function keyNamed(alg: string): SigningKey {
  return alg === 'Ed25519'
    ? ({ ...clientKeys.EdDSA, alg } as unknown as SigningKey)
    : clientKeys[alg as Algorithm]
}

/** What a client registers to authenticate with these keys. */
export function registeredWith(...keys: SigningKey[]): Partial<ClientInput> {
  return { tokenEndpointAuthMethod: 'private_key_jwt', jwks: { keys: keys.map((key) => key.publicJwk) } }
}

/** The claims of a correct assertion; an undefined override leaves one out. */
export function assertionClaims(
  clientId: string,
  now: number,
  overrides: Record<string, unknown> = {},
): Record<string, unknown> {
  const seconds = Math.floor(now / 1_000)
  return {
    iss: clientId,
    sub: clientId,
    aud: issuer,
    jti: randomUUID(),
    iat: seconds,
    exp: seconds + 60,
    ...overrides,
  }
}

/** The parameters of a client assertion that is correct but for the overrides. */
export function assertion(
  { client }: Pick<CreatedClient, 'client'>,
  key: SigningKey,
  { now }: { now(): number },
  overrides: Record<string, unknown> = {},
  header?: Record<string, unknown>,
): { client_assertion_type: string; client_assertion: string } {
  return {
    client_assertion_type: assertionType,
    client_assertion: signJwt(key, 'JWT', assertionClaims(client.id, now(), overrides), header),
  }
}
