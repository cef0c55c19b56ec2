// Clients that register themselves, as the tests do it.

import assert from 'node:assert/strict'
import type { CreatedClient } from '../../src/oauth/clients/client-operations.ts'
import type { TestServer } from './gatehouse.ts'

/** A client information response (RFC 7591 §3.2.1). */
export interface Registration {
  client_id: string
  client_secret?: string
  redirect_uris: string[]
  registration_access_token: string
  registration_client_uri: string
  [member: string]: unknown
}

export function register(
  server: Pick<TestServer, 'request'>,
  metadata: unknown,
  { token, address }: { token?: string; address?: string } = {},
): Promise<Response> {
  return server.request('/oauth/register', {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(metadata),
    ...(address === undefined ? {} : { address }),
  })
}

export async function registered(
  server: Pick<TestServer, 'request'>,
  metadata: Record<string, unknown> = {},
  more?: { token?: string; address?: string },
): Promise<Registration> {
  const answer = await register(server, { ...publicMetadata, ...metadata }, more)
  const body = (await answer.json()) as Registration
  assert.equal(answer.status, 201, JSON.stringify(body))
  return body
}

/** What a client without a secret says. */
export const publicMetadata = {
  client_name: 'Desk tool',
  redirect_uris: ['https://client.example/callback'],
  token_endpoint_auth_method: 'none',
}

/** A registration as the flow helpers want it. */
export function asCreated({ client_id, client_secret, redirect_uris }: Registration): CreatedClient {
  return {
    client: { id: client_id, redirectUris: redirect_uris } as CreatedClient['client'],
    ...(client_secret === undefined ? {} : { secret: client_secret }),
  }
}
