import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openApp } from '../../../src/app.ts'
import { type Database, Unavailable } from '../../../src/db/database.ts'
import { embed } from '../../../src/gatehouse.ts'
import {
  credentials,
  introspect,
  makePkce,
  obtainCode,
  obtainTokens,
  readTokens,
  redeem,
  refresh,
} from '../../support/flow.ts'
import {
  formText,
  issuer,
  onBothDatabases,
  scopes,
  secret,
  type TestServer,
  testServerFor,
} from '../../support/gatehouse.ts'
import { assertJson, eventsOf } from '../answers.ts'

type Created = Awaited<ReturnType<TestServer['createClient']>>

function revoke(server: TestServer, client: Created, token: string, more: Record<string, string> = {}) {
  const { headers, form } = credentials(client)
  return server.post('/oauth/revoke', { token, ...form, ...more }, headers)
}

async function assertDone(answer: Response): Promise<void> {
  assert.equal(answer.status, 200)
  assert.equal(answer.headers.get('cache-control'), 'no-store')
  // Nothing is to be read in it (RFC 7009 §2.2), but clients that expect JSON of every answer find some.
  assert.equal(answer.headers.get('content-type'), 'application/json')
  assert.deepEqual(await answer.json(), {})
}

onBothDatabases('revocation', (dialect) => {
  const open = testServerFor(dialect)

  test('RFC 7009 §2.1: an unknown token is 200, a known one is dead whatever the hint says (N112)', async () => {
    const server = await open()
    for (const tokenEndpointAuthMethod of ['client_secret_basic', 'none'] as const) {
      const client = await server.createClient({ tokenEndpointAuthMethod })
      const bystander = await obtainTokens(server, client)
      for (const token of [
        'unknown',
        `gh_rt_${'0'.repeat(26)}${'A'.repeat(43)}`,
        'a.b.c',
        'gh_at_',
        'x'.repeat(20_000),
      ]) {
        await assertDone(await revoke(server, client, token))
      }
      assert.deepEqual(await eventsOf(server, client.client.id, 'token_revoke'), [])
      for (const token_type_hint of ['access_token', 'refresh_token', 'nonsense', '']) {
        const first = await obtainTokens(server, client)
        await assertDone(await revoke(server, client, first.access_token, { token_type_hint }))
        await assertDone(await revoke(server, client, first.access_token, { token_type_hint }))
        const alive = await readTokens(await refresh(server, client, first.refresh_token!))
        await assertDone(await revoke(server, client, alive.refresh_token!, { token_type_hint }))
        await assertDone(await revoke(server, client, alive.refresh_token!, { token_type_hint }))
        await assertJson(await refresh(server, client, alive.refresh_token!), 400, 'invalid_grant')
      }
      const events = await eventsOf(server, client.client.id, 'token_revoke')
      assert.equal(events.length, 8, 'each revocation is said once')
      await readTokens(await refresh(server, client, bystander.refresh_token!))
    }
    const client = await server.createClient()
    const { headers } = credentials(client)
    await assertJson(await server.post('/oauth/revoke', {}, headers), 400, 'invalid_request')
    const get = await server.request('/oauth/revoke', { headers })
    assert.equal(get.headers.get('allow'), 'POST')
    await assertJson(get, 405, 'invalid_request')
  })

  test('RFC 7009 §2.1: another client’s token is invalid_request and stays alive, for public clients too (N113)', async () => {
    const server = await open()
    const owner = await server.createClient()
    const tokens = await obtainTokens(server, owner)
    for (const tokenEndpointAuthMethod of ['client_secret_basic', 'none'] as const) {
      const stranger = await server.createClient({ tokenEndpointAuthMethod })
      for (const token of [tokens.access_token, tokens.refresh_token!]) {
        await assertJson(await revoke(server, stranger, token), 400, 'invalid_request')
        assert.equal((await introspect(server, owner, token)).active, true)
      }
    }
    assert.deepEqual(await eventsOf(server, owner.client.id, 'token_revoke'), [])
    await assertDone(await revoke(server, owner, tokens.refresh_token!))
    assert.deepEqual(await introspect(server, owner, tokens.access_token), { active: false })
  })

  test('RFC 7009 §2.2.1: what cannot be revoked is unsupported_token_type, trouble is 503 with Retry-After (N114)', async () => {
    const server = await open()
    const client = await server.createClient()
    const pkce = makePkce()
    const code = await obtainCode(server, client, pkce)
    await assertJson(await revoke(server, client, code), 400, 'unsupported_token_type')
    const tokens = await readTokens(await redeem(server, client, code, pkce))

    const healthy = server.app.server.db
    let failing: 'write' | 'one' = 'write'
    const broken: Database = {
      ...healthy,
      write: (...given) => (failing === 'write' ? down() : healthy.write(...given)),
      one: (...given) => (failing === 'one' ? down() : healthy.one(...given)),
    }
    const app = await openApp(
      { issuer, secret, scopes, accounts: server.app.accounts, jobs: false, log: 'silent', migrate: false },
      { database: broken, now: server.clock.now },
    )
    const { headers } = credentials(client)
    const ask = (path: string, form: Record<string, string>) =>
      embed(app).fetch(
        new Request(`${issuer}${path}`, {
          method: 'POST',
          headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
          body: formText(form),
        }),
      )
    try {
      for (failing of ['write', 'one'] as const) {
        for (const token of [tokens.access_token, tokens.refresh_token!]) {
          const answer = await ask('/oauth/revoke', { token })
          assert.match(answer.headers.get('retry-after') ?? '', /^\d+$/)
          assert.equal(answer.headers.get('www-authenticate'), null)
          await assertJson(answer, 503, 'temporarily_unavailable')
        }
        const refused = await ask('/oauth/token', {
          grant_type: 'refresh_token',
          refresh_token: tokens.refresh_token!,
        })
        assert.match(refused.headers.get('retry-after') ?? '', /^\d+$/)
        await assertJson(refused, 503, 'temporarily_unavailable')
      }
    } finally {
      failing = 'one'
      await app.close()
    }
    assert.equal((await introspect(server, client, tokens.access_token)).active, true)
    await assertDone(await revoke(server, client, tokens.refresh_token!))
    await assertJson(await refresh(server, client, tokens.refresh_token!), 400, 'invalid_grant')
  })

  test('RFC 7009 §2.1: with the refresh token every access token of its session dies, and no other session (N115)', async () => {
    const server = await open()
    for (const tokenFormat of ['jwt', 'opaque'] as const) {
      const client = await server.createClient({ tokenFormat })
      const other = await obtainTokens(server, client)
      const first = await obtainTokens(server, client)
      const second = await readTokens(await refresh(server, client, first.refresh_token!))
      // Shown with the older refresh token: the session is meant.
      await assertDone(await revoke(server, client, first.refresh_token!))
      for (const token of [first.access_token, second.access_token, second.refresh_token!]) {
        assert.deepEqual(await introspect(server, client, token), { active: false })
      }
      await assertJson(await refresh(server, client, second.refresh_token!), 400, 'invalid_grant')
      assert.equal((await introspect(server, client, other.access_token)).active, true)
      const [event, ...more] = await eventsOf(server, client.client.id, 'token_revoke')
      assert.equal(more.length, 0)
      assert.ok(event!.session_id)
      assert.deepEqual(await eventsOf(server, client.client.id, 'reuse_detected'), [])
    }
  })

  test('RFC 7009 §2.1: an access token dies alone', async () => {
    const server = await open()
    const client = await server.createClient()
    const tokens = await obtainTokens(server, client)
    await assertDone(await revoke(server, client, tokens.access_token))
    assert.deepEqual(await introspect(server, client, tokens.access_token), { active: false })
    assert.equal((await introspect(server, client, tokens.refresh_token!)).active, true)
  })
})

function down(): Promise<never> {
  return Promise.reject(new Unavailable('the disk is gone'))
}
