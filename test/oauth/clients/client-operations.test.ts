import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hash } from '@node-rs/bcrypt'
import { ConfigError } from '../../../src/config-error.ts'
import { sql } from '../../../src/db/sql.ts'
import {
  authorize,
  authorizeParameters,
  introspect,
  makePkce,
  obtainTokens,
  readTokens,
  redeem,
  refresh,
} from '../../support/flow.ts'
import {
  basic,
  formText,
  issuer,
  onBothDatabases,
  type TestServer,
  testServerFor,
} from '../../support/gatehouse.ts'
import { assertJson, assertPage, eventsOf, readAnswer } from '../answers.ts'

type Created = Awaited<ReturnType<TestServer['createClient']>>

async function authenticates(
  g: TestServer['g'],
  id: string,
  secret: string,
  inBody = false,
): Promise<boolean> {
  const answer = await g.fetch(
    new Request(`${issuer}/oauth/revoke`, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        ...(inBody ? {} : { authorization: basic(id, secret) }),
      },
      body: formText({ token: 'x', ...(inBody ? { client_id: id, client_secret: secret } : {}) }),
    }),
  )
  if (answer.status !== 200) await assertJson(answer, 401, 'invalid_client')
  return answer.status === 200
}

onBothDatabases('client operations', (dialect) => {
  const open = testServerFor(dialect, {
    limits: { clientAuthenticationFailures: 1_000, failuresPerNetwork: 1_000 },
    resources: { 'https://jobs.example': {}, 'https://opaque.example': { tokenFormat: 'opaque' } },
  })

  test('RFC 6749 §2.3.1: two secrets live side by side while one replaces the other', async () => {
    const testServer = await open()
    const { g: twin } = await testServer.twin()
    const { client, secret: first } = await testServer.createClient()
    assert.match(first!, /^gh_cs_[\w-]{43}$/)
    const second = await testServer.g.clients.rotateSecret(client.id, 3_600)
    assert.notEqual(second, first)
    testServer.clock.advance(1_000)
    for (const g of [testServer.g, twin]) {
      for (const inBody of [false, true]) {
        assert.deepEqual(
          [
            await authenticates(g, client.id, first!, inBody),
            await authenticates(g, client.id, second!, inBody),
          ],
          [true, true],
        )
      }
    }
    testServer.clock.advance(3_600_000 - 1_001)
    assert.equal(await authenticates(testServer.g, client.id, first!), true)
    testServer.clock.advance(1)
    assert.equal(await authenticates(testServer.g, client.id, first!), false)
    assert.equal(await authenticates(testServer.g, client.id, second!), true)

    const third = await testServer.g.clients.rotateSecret(client.id, 0)
    assert.equal(await authenticates(testServer.g, client.id, second!), false, 'no overlap: it ends at once')
    assert.equal(await authenticates(testServer.g, client.id, third!), true)
    const events = await eventsOf(testServer, client.id, 'client_secret_rotated')
    assert.equal(events.length, 2)
    for (const event of events) assert.doesNotMatch(event.body, /gh_cs_/)
    for (const overlap of [-1, 1.5, Number.NaN, 7_776_001]) {
      await assert.rejects(testServer.g.clients.rotateSecret(client.id, overlap), ConfigError)
    }
    assert.equal(await testServer.g.clients.rotateSecret('cl_unknown'), undefined)
    const publicClient = await testServer.createClient({ tokenEndpointAuthMethod: 'none' })
    assert.equal(await testServer.g.clients.rotateSecret(publicClient.client.id), undefined)
  })

  test('RFC 6749 §2.3.1: imported bcrypt hashes verify, in every variant, up to 72 bytes', async () => {
    const testServer = await open()
    const imported = await hash('an imported sécret', 4)
    for (const variant of ['$2a$', '$2b$', '$2y$']) {
      const created = await testServer.createClient({ bcryptSecretHash: variant + imported.slice(4) })
      assert.equal(created.secret, undefined)
      const { id } = created.client
      assert.equal(await authenticates(testServer.g, id, 'an imported sécret'), true)
      assert.equal(await authenticates(testServer.g, id, 'an imported sécret', true), true)
      for (const wrong of ['an imported secret', 'An imported sécret', 'an imported sécret ', '']) {
        assert.equal(await authenticates(testServer.g, id, wrong), false)
      }
      assert.equal(
        await authenticates(testServer.g, id, variant + imported.slice(4)),
        false,
        'the hash is no secret',
      )
    }
    const longest = 'x'.repeat(72)
    const long = await testServer.createClient({ bcryptSecretHash: await hash(longest, 4) })
    assert.equal(await authenticates(testServer.g, long.client.id, longest), true)
    assert.equal(
      await authenticates(testServer.g, long.client.id, `${longest}y`),
      false,
      'bcrypt alone would accept it',
    )
    assert.equal(await authenticates(testServer.g, long.client.id, longest.slice(1)), false)

    const replaced = await testServer.g.clients.rotateSecret(long.client.id, 60)
    assert.equal(await authenticates(testServer.g, long.client.id, longest), true)
    assert.equal(await authenticates(testServer.g, long.client.id, replaced!), true)
    for (const bcryptSecretHash of [
      'x',
      imported.slice(1),
      `$2x$${imported.slice(4)}`,
      `$2b$15$${imported.slice(7)}`,
    ]) {
      await assert.rejects(testServer.createClient({ bcryptSecretHash }), (error: Error) => {
        assert.doesNotMatch(error.message, new RegExp(imported.slice(10).replace(/[$./]/g, '\\$&')))
        return error instanceof ConfigError
      })
    }
    await assert.rejects(
      testServer.createClient({ bcryptSecretHash: imported, tokenEndpointAuthMethod: 'none' }),
      ConfigError,
    )
  })

  test('RFC 6749 §10.1: suspended, restored and revoked take effect on living tokens, in every process within a second', async () => {
    const testServer = await open()
    const { g: twin } = await testServer.twin()
    const client = await testServer.createClient()
    const tokens = await obtainTokens(testServer, client)
    const seen = async (g: TestServer['g']) => authenticates(g, client.client.id, client.secret!)
    assert.deepEqual([await seen(testServer.g), await seen(twin)], [true, true])
    assert.equal(await testServer.g.clients.suspend(client.client.id, 'abuse'), true)
    assert.equal(await testServer.g.clients.suspend(client.client.id, 'abuse'), false)
    assert.equal(await seen(testServer.g), false)
    testServer.clock.advance(1_000)
    assert.equal(await seen(twin), false)
    await assertJson(await refresh(testServer, client, tokens.refresh_token!), 401, 'invalid_client')
    await assertPage(await authorize(testServer, authorizeParameters(client, makePkce())))

    assert.equal(await testServer.g.clients.restore(client.client.id), true)
    testServer.clock.advance(1_000)
    assert.deepEqual([await seen(testServer.g), await seen(twin)], [true, true])
    assert.equal((await introspect(testServer, client, tokens.access_token)).active, true, 'nothing was lost')
    const next = await readTokens(await refresh(testServer, client, tokens.refresh_token!))

    assert.equal(await testServer.g.clients.revoke(client.client.id, 'over'), true)
    assert.equal(await testServer.g.clients.restore(client.client.id), false, 'for good')
    const [alive] = await testServer.app.server.db.query(
      sql<{
        count: number
      }>`select count(*) as count from sessions where client_id = ${client.client.id} and revoked_at is null`,
    )
    assert.equal(Number(alive!.count), 0)
    await assertJson(await refresh(testServer, client, next.refresh_token!), 401, 'invalid_client')
    const types = (await eventsOf(testServer, client.client.id)).map((event) => event.type)
    for (const type of ['client_suspended', 'client_restored', 'client_revoked']) {
      assert.equal(types.filter((one) => one === type).length, 1, type)
    }
  })

  test('RFC 6749 §4.2.2: lifetimes per client, within the server’s bounds', async () => {
    const testServer = await open()
    const client = await testServer.createClient({ accessTokenLifetime: 60, refreshTokenLifetime: 3_600 })
    const tokens = await obtainTokens(testServer, client)
    assert.equal(tokens.expires_in, 60)
    testServer.clock.advance(60_000)
    assert.deepEqual(await introspect(testServer, client, tokens.access_token), { active: false })
    assert.equal((await introspect(testServer, client, tokens.refresh_token!)).active, true)
    testServer.clock.advance(3_540_000)
    await assertJson(await refresh(testServer, client, tokens.refresh_token!), 400, 'invalid_grant')
    await testServer.g.clients.change(client.client.id, { accessTokenLifetime: 86_400 })
    assert.equal((await obtainTokens(testServer, client)).expires_in, 86_400)
    for (const wrong of [
      { accessTokenLifetime: 59 },
      { accessTokenLifetime: 86_401 },
      { accessTokenLifetime: 90.5 },
      { codeLifetime: 29 },
      { codeLifetime: 601 },
      { refreshTokenLifetime: 59 },
      { refreshTokenLifetime: 365 * 86_400 + 1 },
      { reuseWindow: -1 },
      { reuseWindow: 86_401 },
      { requestsPerHour: 0 },
      { requestsPerHour: 1.5 },
      { tokenFormat: 'xml' as 'jwt' },
    ]) {
      const [path] = Object.keys(wrong)
      await assert.rejects(testServer.createClient(wrong), (error: ConfigError) => {
        assert.ok(error instanceof ConfigError)
        assert.ok(error.message.includes(path!), error.message)
        return true
      })
      await assert.rejects(testServer.g.clients.change(client.client.id, wrong), ConfigError)
    }
    // A row from elsewhere that is out of bounds is held within them.
    await testServer.app.server.db.query(
      sql`update clients set access_token_lifetime = 999999999 where id = ${client.client.id}`,
    )
    testServer.clock.advance(1_000)
    assert.equal((await obtainTokens(testServer, client)).expires_in, 86_400)
  })

  test('RFC 9068 §2: the token format is the client’s, else the resource’s, else the server’s', async () => {
    const testServer = await open()
    const format = async (client: Created, resource?: string) =>
      (await obtainTokens(testServer, client, { resource })).access_token.startsWith('gh_at_')
        ? 'opaque'
        : 'jwt'
    const plain = await testServer.createClient()
    const opaque = await testServer.createClient({ tokenFormat: 'opaque' })
    const jwt = await testServer.createClient({ tokenFormat: 'jwt' })
    assert.equal(await format(plain, 'https://jobs.example'), 'jwt')
    assert.equal(await format(plain, 'https://opaque.example'), 'opaque')
    assert.equal(await format(opaque, 'https://jobs.example'), 'opaque')
    assert.equal(await format(jwt, 'https://opaque.example'), 'jwt')
    await testServer.g.clients.change(plain.client.id, { tokenFormat: 'opaque' })
    assert.equal(await format(plain, 'https://jobs.example'), 'opaque')
  })

  test('RFC 6749 §3.1.2: a GPT’s new id replaces the old one in both redirect URIs, exactly', async () => {
    const testServer = await open()
    const uris = (id: string) =>
      ['https://chat.openai.com', 'https://chatgpt.com'].map((origin) => `${origin}/aip/${id}/oauth/callback`)
    const client = await testServer.createClient({
      profile: 'gpt_action',
      redirectUris: [...uris('g-old'), 'https://client.example/aip/g-old-2/oauth/callback'],
    })
    assert.ok(
      readAnswer(await authorize(testServer, authorizeParameters(client, null)), uris('g-old')[0]).get(
        'code',
      ),
    )
    const changed = await testServer.g.clients.replaceGptId(client.client.id, 'g-old', 'g-New1')
    assert.deepEqual(changed!.redirectUris, [
      ...uris('g-New1'),
      'https://client.example/aip/g-old-2/oauth/callback',
    ])
    for (const redirect_uri of uris('g-old')) {
      await assertPage(await authorize(testServer, authorizeParameters(client, null, { redirect_uri })))
    }
    for (const redirect_uri of uris('g-New1')) {
      const answer = await authorize(testServer, authorizeParameters(client, null, { redirect_uri }))
      const code = readAnswer(answer, redirect_uri).get('code')!
      await readTokens(await redeem(testServer, client, code, null, { redirect_uri }))
    }
    for (const [from, to] of [
      ['g-old', 'g-x'],
      ['g-New1', 'x'],
      ['g-New1', 'g-x/../..'],
      ['g-.*', 'g-x'],
      ['', 'g-x'],
    ]) {
      await assert.rejects(testServer.g.clients.replaceGptId(client.client.id, from!, to!), ConfigError)
    }
    assert.equal(await testServer.g.clients.replaceGptId('cl_unknown', 'g-a', 'g-b'), undefined)
  })

  test('RFC 7591 §2: a change keeps what it does not name, and two changes at once both happen', async () => {
    const testServer = await open()
    const { g: twin } = await testServer.twin()
    const client = await testServer.createClient({
      logoUri: 'https://client.example/logo.png',
      scope: ['jobs:read'],
      reuseWindow: 17,
      metadata: { team: 'jobs' },
    })
    const { id } = client.client
    const stored = async () => (await testServer.g.clients.list()).find((one) => one.id === id)!
    const { name: _1, scope: _2, accessTokenLifetime: _3, updatedAt: _4, ...before } = await stored()
    await Promise.all([
      testServer.g.clients.change(id, { name: 'New name' }),
      twin.clients.change(id, { scope: ['jobs:read', 'resume:read'] }),
      testServer.g.clients.change(id, { accessTokenLifetime: 120 }),
    ])
    const { name, scope, accessTokenLifetime, updatedAt, ...rest } = await stored()
    assert.deepEqual([name, scope, accessTokenLifetime], ['New name', ['jobs:read', 'resume:read'], 120])
    assert.deepEqual(rest, before)
    assert.ok(updatedAt > client.client.updatedAt)
    assert.equal(await authenticates(testServer.g, id, client.secret!), true, 'the secret stays')
    await assert.rejects(testServer.g.clients.change(id, { tokenEndpointAuthMethod: 'none' }), ConfigError)
    assert.equal(await testServer.g.clients.change('cl_unknown', { name: 'x' }), undefined)
    await assert.rejects(testServer.createClient({ id }), ConfigError)
  })

  test('RFC 7591 §2: every problem of an input is named at once', async () => {
    const testServer = await open()
    const wrong = {
      id: 'with space',
      name: ' ',
      redirectUris: ['https://ok.example/cb', 'http://plain.example/cb', 'x'],
      grantTypes: ['password'],
      scope: ['unknown'],
      resources: ['https://unknown.example', 'x#y'],
      resourceServerFor: ['https://unknown.example'],
      profile: 'unknown' as 'default',
      tokenEndpointAuthMethod: 'client_secret_jwt' as 'none',
    }
    await assert.rejects(testServer.g.clients.create(wrong), (error: ConfigError) => {
      for (const path of [
        'id',
        'name',
        'redirectUris[1]',
        'redirectUris[2]',
        'grantTypes',
        'scope',
        'resources',
        'resourceServerFor',
        'profile',
        'tokenEndpointAuthMethod',
      ]) {
        assert.ok(error.message.includes(path), `${path} in ${error.message}`)
      }
      return true
    })
    await assert.rejects(
      testServer.g.clients.create({ name: 'x', grantTypes: ['authorization_code'] }),
      /redirectUris/,
    )
  })
})
