// Request objects (RFC 9101) as a client signs them.

import { type SigningKey, signJwt } from '../../src/crypto/jws.ts'
import type { CreatedClient } from '../../src/oauth/clients/client-operations.ts'
import { issuer } from './gatehouse.ts'

/** The claims of a correct request object over these parameters; an undefined override leaves one out. */
export function requestClaims(
  { client }: Pick<CreatedClient, 'client'>,
  now: number,
  parameters: URLSearchParams,
  overrides: Record<string, unknown> = {},
): Record<string, unknown> {
  const seconds = Math.floor(now / 1_000)
  return {
    ...Object.fromEntries(parameters),
    iss: client.id,
    aud: issuer,
    iat: seconds,
    nbf: seconds,
    exp: seconds + 300,
    ...overrides,
  }
}

/** A request object that is correct but for the overrides. */
export function requestObject(
  created: Pick<CreatedClient, 'client'>,
  key: SigningKey,
  { now }: { now(): number },
  parameters: URLSearchParams,
  overrides: Record<string, unknown> = {},
  header: Record<string, unknown> = {},
): string {
  const claims = requestClaims(created, now(), parameters, overrides)
  return signJwt(key, 'oauth-authz-req+jwt', claims, header)
}

/** What a client sends beside its request object: its id, and what it likes. */
export function withObject(
  { client }: Pick<CreatedClient, 'client'>,
  request: string,
  more: Record<string, string> = {},
): URLSearchParams {
  return new URLSearchParams({ client_id: client.id, request, ...more })
}
