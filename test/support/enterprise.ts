// An enterprise's identity provider that speaks for its people (RFC 7523 §2.1, ID-JAG).

import { randomUUID } from 'node:crypto'
import { type SigningKey, signJwt } from '../../src/crypto/jws.ts'
import type { CreatedClient } from '../../src/oauth/clients/client-operations.ts'
import { credentials } from './flow.ts'
import { issuer, type TestServer } from './gatehouse.ts'

export const enterprise = 'https://idp.acme.example'
export const jwtBearerGrant = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
export const identityAssertionType = 'oauth-id-jag+jwt'

/** A correct identity assertion but for the overrides; an undefined one leaves a claim out. */
export function identityAssertion(
  key: SigningKey,
  clientId: string,
  now: number,
  overrides: Record<string, unknown> = {},
  { typ = identityAssertionType, ...header }: Record<string, unknown> = {},
): string {
  const seconds = Math.floor(now / 1_000)
  const claims = {
    iss: enterprise,
    sub: 'U019488227',
    aud: issuer,
    client_id: clientId,
    jti: randomUUID(),
    iat: seconds,
    exp: seconds + 300,
    scope: 'jobs:read',
    ...overrides,
  }
  return signJwt(key, String(typ), claims, header)
}

export function bring(
  server: Pick<TestServer, 'post'>,
  created: CreatedClient,
  assertion: string,
  more: Record<string, string | string[]> = {},
  headers: Record<string, string> = {},
): Promise<Response> {
  const by = credentials(created)
  return server.post(
    '/oauth/token',
    { grant_type: jwtBearerGrant, assertion, ...by.form, ...more },
    { ...by.headers, ...headers },
  )
}
