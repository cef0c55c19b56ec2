import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hash } from '@node-rs/bcrypt'
import { introspect, obtainTokens, readTokens, refresh } from '../../support/flow.ts'
import {
  basic,
  formText,
  issuer,
  onBothDatabases,
  type TestServer,
  testServerFor,
} from '../../support/gatehouse.ts'
import { assertJson, grantsNothing } from '../answers.ts'

type Created = Awaited<ReturnType<TestServer['createClient']>>

/** Authenticates a client without any further effect: 200 when it succeeds. */
function authenticate(
  g: TestServer['g'],
  { client }: Created,
  secret: string,
  address: string,
): Promise<Response> {
  return g.fetch(
    new Request(`${issuer}/oauth/revoke`, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        authorization: basic(client.id, secret),
      },
      body: formText({ token: 'x' }),
    }),
    { address },
  )
}

async function assertTooMany(answer: Response, seconds: number): Promise<void> {
  assert.equal(answer.headers.get('www-authenticate'), null)
  const wait = Number(answer.headers.get('retry-after'))
  assert.ok(Number.isInteger(wait) && wait > 0 && wait <= seconds, `Retry-After: ${wait}`)
  await assertJson(answer, 429, 'temporarily_unavailable')
}

onBothDatabases('limits', (dialect) => {
  const open = testServerFor(dialect, { limits: { clientAuthenticationFailures: 5, failuresPerNetwork: 8 } })

  test('RFC 6749 §2.3.1: wrong secrets of one client are limited over all networks and processes, the right one never', async () => {
    const server = await open()
    const { g: twin } = await server.twin()
    const client = await server.createClient()
    for (let n = 0; n < 5; n++) {
      const answer = await authenticate(n % 2 ? twin : server.g, client, 'wrong', `198.51.100.${n}`)
      await assertJson(answer, 401, 'invalid_client')
    }
    await assertTooMany(await authenticate(server.g, client, 'wrong', '198.51.100.9'), 900)
    assert.equal((await authenticate(server.g, client, client.secret!, '198.51.100.9')).status, 200)
    const other = await server.createClient()
    await assertJson(await authenticate(server.g, other, 'wrong', '198.51.100.9'), 401, 'invalid_client')
    server.clock.advance(900_000)
    await assertJson(await authenticate(server.g, client, 'wrong', '198.51.100.9'), 401, 'invalid_client')
  })

  test('RFC 6819 §5.1.4.2.3: failures are limited per network, an IPv6 network by its /64', async () => {
    const server = await open()
    const fail = async (address: string) =>
      authenticate(server.g, await server.createClient(), 'wrong', address).then((answer) => answer.status)
    for (const [near, far] of [
      [() => '192.0.2.1', '192.0.2.2'],
      [(n: number) => `2001:db8:1:2:${n.toString(16)}::1`, '2001:db8:1:3::1'],
    ] as const) {
      for (let n = 0; n < 8; n++) assert.equal(await fail(near(n)), 401)
      assert.equal(await fail(near(8)), 429)
      const client = await server.createClient()
      assert.equal(
        (await authenticate(server.g, client, client.secret!, near(9))).status,
        200,
        'the right secret passes',
      )
      assert.equal(await fail(far), 401, 'another network')
    }
    for (let n = 0; n < 12; n++) assert.equal(await fail(''), 401, 'unknown addresses are ten networks')
  })

  test('RFC 6749 §2.3.1: beyond the limit an imported bcrypt secret is not even computed', async () => {
    const server = await open()
    const imported = await server.createClient({ bcryptSecretHash: await hash('an imported secret', 4) })
    const before = await Promise.all(
      Array.from({ length: 30 }, (_, n) =>
        authenticate(server.g, imported, `guess ${n}`, `203.0.113.${100 + n}`),
      ),
    )
    const statuses = before.map((answer) => answer.status)
    assert.equal(statuses.filter((status) => status === 200).length, 0)
    assert.ok(statuses.filter((status) => status === 429).length >= 20, `refused uncomputed: ${statuses}`)
    await assertTooMany(await authenticate(server.g, imported, 'an imported secret', '203.0.113.99'), 900)
    server.clock.advance(900_000)
    assert.equal((await authenticate(server.g, imported, 'an imported secret', '203.0.113.99')).status, 200)
    for (let n = 0; n < 6; n++) await authenticate(server.g, imported, 'wrong', `203.0.113.${200 + n}`)
    const remembered = await authenticate(server.g, imported, 'an imported secret', '203.0.113.99')
    assert.equal(remembered.status, 200, 'a match is remembered for a minute')
    server.clock.advance(60_000)
    await assertTooMany(await authenticate(server.g, imported, 'an imported secret', '203.0.113.98'), 900)
    server.clock.advance(900_000)
  })

  test('RFC 6585 §4: requests per client and hour are limited, 429 spends nothing and says when to come back', async () => {
    const server = await open()
    const client = await server.createClient({ requestsPerHour: 6 })
    const free = await server.createClient()
    const tokens = await obtainTokens(server, client)
    let { refresh_token } = tokens
    for (let n = 1; n < 6; n++) {
      refresh_token = (await readTokens(await refresh(server, client, refresh_token!))).refresh_token
    }
    const answer = await grantsNothing(server, () => refresh(server, client, refresh_token!))
    await assertTooMany(answer, 3_600)
    await readTokens(await refresh(server, free, (await obtainTokens(server, free)).refresh_token!))
    server.clock.advance(3_600_000)
    assert.equal((await introspect(server, client, refresh_token!)).active, true)
    await readTokens(await refresh(server, client, refresh_token!))
  })

  test('RFC 6585 §4: two processes share the count of requests', async () => {
    const server = await open()
    const { g: twin, app } = await server.twin()
    const client = await server.createClient({ requestsPerHour: 10 })
    const use = (g: TestServer['g']) =>
      authenticate(g, client, client.secret!, '203.0.113.50').then(({ status }) => status)
    for (let n = 0; n < 5; n++) assert.deepEqual([await use(server.g), await use(twin)], [200, 200])
    await server.app.server.counters.flush()
    await app.server.counters.flush()
    await server.app.server.counters.flush()
    assert.equal(await use(twin), 429)
    await use(server.g)
    await server.app.server.counters.flush()
    assert.equal(await use(server.g), 429)
  })
})
