import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { jobsOf } from '../../../src/app.ts'
import { ConfigError } from '../../../src/config-error.ts'
import { sql } from '../../../src/db/sql.ts'
import { assertError, obtainTokens } from '../../support/flow.ts'
import { issuer, onBothDatabases, openTestServer, type TestServer } from '../../support/gatehouse.ts'
import { asCreated, publicMetadata, register, registered } from '../../support/registration.ts'

const hour = 3_600_000

onBothDatabases('initial access tokens', (dialect) => {
  let server: TestServer
  before(async () => {
    server = await openTestServer(dialect, { registration: { policy: 'initial_access_token' } })
  })
  after(() => server.close())

  const invite = async (uses = 1, lifetime = 3_600) =>
    server.g.clients.createInitialAccessToken({ name: 'Partner', uses, lifetime })
  const usesLeft = async (id: string) =>
    (await server.g.clients.listInitialAccessTokens()).find((one) => one.id === id)?.uses_left
  const countClients = async () => (await server.g.clients.list()).length

  async function assertChallenge(answer: Response, error?: string): Promise<void> {
    const text = await answer.text()
    assert.equal(answer.status, 401, text)
    const challenge = answer.headers.get('www-authenticate') ?? ''
    assert.match(challenge, /^Bearer /)
    assert.equal(/error="([^"]*)"/.exec(challenge)?.[1], error)
    assert.equal(text === '' ? undefined : JSON.parse(text).error, error)
    assert.equal(answer.headers.get('cache-control'), 'no-store')
  }

  test('RFC 7591 §3, §3.2.2: nobody registers without an initial access token, or with a wrong one (N108)', async () => {
    const { token, id } = await invite()
    const before = await countClients()
    await assertChallenge(await register(server, publicMetadata))
    const basic = await server.request('/oauth/register', {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: 'Basic YTpi' },
      body: JSON.stringify(publicMetadata),
    })
    await assertChallenge(basic)
    const wrong = [
      `${token}x`,
      token.slice(0, -1),
      `${token.slice(0, -2)}AA`,
      'gh_ia_x',
      token.replace('gh_ia', 'gh_ra'),
    ]
    for (const one of wrong)
      await assertChallenge(await register(server, publicMetadata, { token: one }), 'invalid_token')
    assert.deepEqual([await countClients(), await usesLeft(id)], [before, 1])
    const body = await registered(server, {}, { token })
    await obtainTokens(server, asCreated(body))
    await assertChallenge(await register(server, publicMetadata, { token }), 'invalid_token')
    assert.deepEqual([await countClients(), await usesLeft(id)], [before + 1, 0])
  })

  test('RFC 7591 §3: a registration that is refused spends no use', async () => {
    const { token, id } = await invite()
    await assertError(
      await register(server, { ...publicMetadata, redirect_uris: [] }, { token }),
      400,
      'invalid_redirect_uri',
    )
    await assertError(await register(server, [], { token }), 400, 'invalid_client_metadata')
    assert.equal(await usesLeft(id), 1)
    await registered(server, {}, { token })
  })

  test('RFC 7591 §3: of many registrations at once in two processes exactly as many succeed as a token has uses', async () => {
    const { g } = await server.twin()
    const other = { request: (path: string, init?: RequestInit) => g.fetch(new Request(issuer + path, init)) }
    for (const uses of [1, 5]) {
      const { token, id } = await invite(uses)
      const before = await countClients()
      const answers = await Promise.all(
        Array.from({ length: 16 }, (_, n) => register(n % 2 ? server : other, publicMetadata, { token })),
      )
      const statuses = answers.map((answer) => answer.status).sort()
      assert.deepEqual(statuses, [...Array<number>(uses).fill(201), ...Array<number>(16 - uses).fill(401)])
      assert.deepEqual([await countClients(), await usesLeft(id)], [before + uses, 0])
    }
  })

  test('RFC 7591 §3: a token that has expired or was ended lets nobody in, and is removed in its time', async () => {
    const [short, long] = [await invite(1, 60), await invite(1, 86_400)]
    server.clock.advance(61_000)
    await assertChallenge(await register(server, publicMetadata, { token: short.token }), 'invalid_token')
    assert.equal(await server.g.clients.revokeInitialAccessToken(long.id), true)
    assert.equal(await server.g.clients.revokeInitialAccessToken(long.id), false)
    assert.equal(await server.g.clients.revokeInitialAccessToken('nobody'), false)
    await assertChallenge(await register(server, publicMetadata, { token: long.token }), 'invalid_token')
    server.clock.advance(24 * hour)
    await jobsOf(server.app.server)[0]!.run({ previous: null, pause: async () => {} })
    assert.deepEqual(await server.g.clients.listInitialAccessTokens(), [])
  })

  test('RFC 7591 §5: a token is kept as a hash, named in the audit log, and guessing is limited', async () => {
    const { token, id } = await invite(3)
    const body = await registered(server, {}, { token })
    const { db } = server.app.server
    const rows = await db.query(sql<object>`select * from initial_access_tokens`)
    const events = await db.query(
      sql<{ type: string; body: string }>`select type, body from events order by id`,
    )
    assert.ok(!JSON.stringify([rows, events]).includes(token))
    const made = events.find((event) => event.type === 'client_registered' && event.body.includes(id))
    assert.ok(made && body.client_id)
    assert.ok(
      events.some((event) => event.type === 'initial_access_token_created' && event.body.includes(id)),
    )
    const guess = () => register(server, publicMetadata, { token: `${token}x`, address: '198.51.100.77' })
    for (let n = 0; n < 60; n++) assert.equal((await guess()).status, 401)
    assert.equal((await guess()).status, 429)
    await registered(server, {}, { token, address: '198.51.100.77' })
  })

  test('what cannot be an initial access token is said', async () => {
    const wrong = [
      { name: '' },
      { name: 'a', uses: 0 },
      { name: 'a', uses: 1.5 },
      { name: 'a', lifetime: 0 },
      { name: 'a', lifetime: 1e9 },
    ]
    for (const input of wrong)
      await assert.rejects(server.g.clients.createInitialAccessToken(input), ConfigError)
  })
})
