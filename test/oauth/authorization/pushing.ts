// A client that pushes its authorization requests (RFC 9126), for the tests of what may be pushed.

import assert from 'node:assert/strict'
import { sql } from '../../../src/db/sql.ts'
import type { CreatedClient } from '../../../src/oauth/clients/client-operations.ts'
import { credentials } from '../../support/flow.ts'
import type { TestServer } from '../../support/gatehouse.ts'

/** Pushes the parameters of an authorization request, authenticated as the client is. */
export function push(
  server: TestServer,
  created: CreatedClient,
  parameters: URLSearchParams,
  more: { form?: Record<string, string>; headers?: Record<string, string> } = {},
): Promise<Response> {
  const own = credentials(created)
  const body = new URLSearchParams(parameters)
  for (const [name, value] of Object.entries({ ...own.form, ...more.form })) body.set(name, value)
  return server.request('/oauth/par', {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...own.headers, ...more.headers },
    body: body.toString(),
  })
}

export async function readPushed(response: Response): Promise<{ request_uri: string; expires_in: number }> {
  const body = (await response.json()) as { request_uri: string; expires_in: number }
  assert.equal(response.status, 201, JSON.stringify(body))
  return body
}

/** Pushes a request and answers what the client sends its user with. */
export async function pushed(
  server: TestServer,
  created: CreatedClient,
  parameters: URLSearchParams,
  more: Parameters<typeof push>[3] = {},
): Promise<URLSearchParams> {
  const { request_uri } = await readPushed(await push(server, created, parameters, more))
  return new URLSearchParams({ client_id: created.client.id, request_uri })
}

export async function countPushed(server: TestServer): Promise<number> {
  const [row] = await server.app.server.db.query(
    sql<{ count: number }>`select count(*) as count from pushed_authorization_requests`,
  )
  return Number(row!.count)
}
