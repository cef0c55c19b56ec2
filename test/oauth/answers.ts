// What every refusal has in common, whatever its row: the forms of an answer, and that nothing was granted.

import assert from 'node:assert/strict'
import { raw, sql } from '../../src/db/sql.ts'
import { issuer, type TestServer } from '../support/gatehouse.ts'

/** A page on our own origin: no redirect, nothing that leaves, no frame, nothing stored. Answers its HTML. */
export async function assertPage(
  response: Response,
  status = 400,
  { shows = [], echoes = [] }: { shows?: string[]; echoes?: string[] } = {},
): Promise<string> {
  const page = await response.text()
  assert.equal(response.status, status, page)
  assert.match(response.headers.get('content-type') ?? '', /^text\/html; charset=utf-8$/)
  assert.equal(response.headers.get('location'), null)
  assert.equal(response.headers.get('refresh'), null)
  assertUnframed(response)
  assert.doesNotMatch(page, /<script|<meta[^>]+http-equiv/i)
  for (const text of shows) assert.ok(page.includes(text), `the page shows ${text}`)
  for (const text of echoes) assert.ok(!page.includes(text), `the page does not echo ${text}`)
  return page
}

/** What every page carries (RFC 6749 §10.13, RFC 9700 §4.16, §4.2.4). */
export function assertUnframed(response: Pick<Response, 'headers'>): void {
  assert.match(response.headers.get('content-security-policy') ?? '', /frame-ancestors 'none'/)
  assert.equal(response.headers.get('x-frame-options'), 'DENY')
  assert.equal(response.headers.get('referrer-policy'), 'no-referrer')
  assert.equal(response.headers.get('cache-control'), 'no-store')
}

/** An error sent to the registered URI: with `iss`, the unchanged `state`, and nothing that grants (RFC 6749 §4.1.2.1). */
export function assertRedirectError(
  response: Response,
  error: string,
  {
    to = 'https://client.example/callback',
    state = 'a state',
  }: { to?: string; state?: string | undefined | null } = {},
): URLSearchParams {
  const parameters = readAnswer(response, to)
  assert.equal(parameters.get('error'), error, response.headers.get('location') ?? '')
  assert.match(parameters.get('error_description') ?? '', /^[\x20-\x21\x23-\x5b\x5d-\x7e]*$/)
  assert.equal(parameters.get('state'), state ?? null)
  assert.equal(parameters.get('code'), null)
  return parameters
}

/** The parameters of any authorization response that is a redirect; each once, `iss` byte for byte the issuer (RFC 9207 §2). */
export function readAnswer(response: Response, to = 'https://client.example/callback'): URLSearchParams {
  const location = response.headers.get('location') ?? ''
  assert.equal(response.status, 303, location)
  assert.ok(location.startsWith(to), `${location} begins with ${to}`)
  assert.match(location.slice(to.length), /^[?&]/)
  assert.equal(response.headers.get('cache-control'), 'no-store')
  assert.equal(response.headers.get('referrer-policy'), 'no-referrer')
  const parameters = new URL(location).searchParams
  assert.deepEqual(parameters.getAll('iss'), [issuer])
  for (const name of ['state', 'code', 'error']) assert.ok(parameters.getAll(name).length <= 1, name)
  return parameters
}

/** The JSON form of a back-channel refusal (RFC 6749 §5.2). Answers its headers. */
export async function assertJson(response: Response, status: number, error: string): Promise<Headers> {
  const text = await response.text()
  assert.equal(response.status, status, text)
  assert.equal(response.headers.get('content-type'), 'application/json')
  assert.equal(response.headers.get('cache-control'), 'no-store')
  assert.equal(response.headers.get('pragma'), 'no-cache')
  const body = JSON.parse(text) as Record<string, string>
  assert.equal(body.error, error, text)
  assert.deepEqual(
    Object.keys(body).filter((name) => !['error', 'error_description'].includes(name)),
    [],
  )
  assert.match(body.error_description ?? '', /^[\x20-\x21\x23-\x5b\x5d-\x7e]*$/)
  return response.headers
}

const grants = ['codes', 'consents', 'sessions', 'refresh_tokens', 'access_tokens'] as const

/** How many of everything that grants something there is. */
export async function countGrants(server: TestServer): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const table of grants) {
    const [row] = await server.app.server.db.query(
      sql<{ count: number }>`select count(*) as count from ${raw(table)}`,
    )
    counts[table] = Number(row!.count)
  }
  return counts
}

/** Runs `work` and asserts that it granted nothing. */
export async function grantsNothing<T>(server: TestServer, work: () => Promise<T>): Promise<T> {
  const before = await countGrants(server)
  const result = await work()
  assert.deepEqual(await countGrants(server), before)
  return result
}

export interface StoredEvent {
  id: string
  type: string
  user_id: string | null
  client_id: string | null
  session_id: string | null
  ip_address: string | null
  user_agent: string | null
  body: string
}

/** Events of a client, oldest first; of one type when given. */
export async function eventsOf(server: TestServer, clientId: string, type?: string): Promise<StoredEvent[]> {
  const all = await server.app.server.db.query(
    sql<StoredEvent>`select id, type, user_id, client_id, session_id, ip_address, user_agent, body from events
      where client_id = ${clientId} order by created_at, id`,
  )
  return type === undefined ? all : all.filter((event) => event.type === type)
}
