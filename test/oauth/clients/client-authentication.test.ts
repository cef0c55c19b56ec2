import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from '../../../src/db/sql.ts'
import { makePkce, obtainCode, obtainTokens, readTokens, redeem, refresh } from '../../support/flow.ts'
import { basic, onBothDatabases, type TestServer, testServerFor } from '../../support/gatehouse.ts'
import { assertJson, grantsNothing } from '../answers.ts'

type Created = Awaited<ReturnType<TestServer['createClient']>>
const challenge = 'Basic realm="gatehouse", charset="UTF-8"'

onBothDatabases('client authentication', (dialect) => {
  // These tests fail on purpose, again and again, from one address.
  const open = testServerFor(dialect, {
    limits: { failuresPerNetwork: 100_000, clientAuthenticationFailures: 100_000 },
  })

  /** Sends `form` to every endpoint that authenticates clients. */
  async function atEachEndpoint(
    server: TestServer,
    form: Record<string, string>,
    headers: Record<string, string>,
    check: (answer: Response) => Promise<void>,
  ): Promise<void> {
    for (const [path, more] of [
      ['/oauth/token', { grant_type: 'refresh_token', refresh_token: 'x' }],
      ['/oauth/introspect', { token: 'x' }],
      ['/oauth/revoke', { token: 'x' }],
    ] as const) {
      await check(await server.post(path, { ...more, ...form }, headers))
    }
  }

  test('RFC 6749 §2.3: two authentication methods at once are invalid_request, an assertion with any other invalid_client (N59)', async () => {
    const server = await open()
    const client = await server.createClient()
    const other = await server.createClient()
    const authorization = basic(client.client.id, client.secret!)
    const { refresh_token } = await obtainTokens(server, client)
    const form = { grant_type: 'refresh_token', refresh_token: refresh_token! }
    await grantsNothing(server, async () => {
      for (const more of [
        { client_secret: client.secret! },
        { client_id: client.client.id, client_secret: client.secret! },
        { client_id: other.client.id, client_secret: other.secret! },
        { client_id: other.client.id },
      ] as Record<string, string>[]) {
        await assertJson(
          await server.post('/oauth/token', { ...form, ...more }, { authorization }),
          400,
          'invalid_request',
        )
      }
      const assertion = {
        client_assertion: 'a.b.c',
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      }
      for (const more of [
        assertion,
        { client_id: client.client.id, client_secret: client.secret!, ...assertion },
      ]) {
        for (const headers of [{}, { authorization }] as Record<string, string>[]) {
          await assertJson(
            await server.post('/oauth/token', { ...form, ...more }, headers),
            401,
            'invalid_client',
          )
        }
      }
    })
    const bare = await server.post(
      '/oauth/token',
      { ...form, client_id: client.client.id },
      { authorization },
    )
    await readTokens(bare)
  })

  test('RFC 6749 §5.2: a wrong secret is 401 invalid_client, after Basic with WWW-Authenticate (N60)', async () => {
    const server = await open()
    const client = await server.createClient()
    const publicClient = await server.createClient({ tokenEndpointAuthMethod: 'none' })
    const { id } = client.client
    for (const wrong of [
      'wrong',
      `${client.secret}x`,
      client.secret!.slice(1),
      client.secret!.toUpperCase(),
    ]) {
      await atEachEndpoint(server, {}, { authorization: basic(id, wrong) }, async (answer) => {
        assert.equal((await assertJson(answer, 401, 'invalid_client')).get('www-authenticate'), challenge)
      })
      await atEachEndpoint(server, { client_id: id, client_secret: wrong }, {}, async (answer) => {
        assert.equal((await assertJson(answer, 401, 'invalid_client')).get('www-authenticate'), null)
      })
    }
    const borrowed = { client_id: publicClient.client.id, client_secret: client.secret! }
    await atEachEndpoint(server, borrowed, {}, (answer) =>
      assertJson(answer, 401, 'invalid_client').then(() => {}),
    )
    const { refresh_token } = await obtainTokens(server, client)
    const form = { grant_type: 'refresh_token', refresh_token: refresh_token!, client_id: id }
    await assertJson(
      await server.post('/oauth/token', { ...form, client_secret: 'wrong' }),
      401,
      'invalid_client',
    )
    await readTokens(await server.post('/oauth/token', { ...form, client_secret: client.secret! }))
  })

  test('RFC 6749 §5.2: an unknown, suspended, revoked or deleted client is 401 invalid_client, never invalid_grant (N61)', async () => {
    const server = await open()
    const ends: ((created: Created) => Promise<unknown>)[] = [
      ({ client }) => server.g.clients.suspend(client.id, 'abuse'),
      ({ client }) => server.g.clients.revoke(client.id, 'over'),
      ({ client }) => server.app.server.db.query(sql`delete from clients where id = ${client.id}`),
    ]
    for (const end of ends) {
      for (const tokenEndpointAuthMethod of ['client_secret_basic', 'none'] as const) {
        const client = await server.createClient({ tokenEndpointAuthMethod })
        const pkce = makePkce()
        const tokens = await obtainTokens(server, client)
        const code = await obtainCode(server, client, pkce)
        await end(client)
        server.clock.advance(1_000)
        await grantsNothing(server, async () => {
          await assertJson(await refresh(server, client, tokens.refresh_token!), 401, 'invalid_client')
          await assertJson(await redeem(server, client, code, pkce), 401, 'invalid_client')
          const revoked = await server.post('/oauth/revoke', {
            token: tokens.access_token,
            client_id: client.client.id,
            ...(client.secret ? { client_secret: client.secret } : {}),
          })
          await assertJson(revoked, 401, 'invalid_client')
        })
      }
    }
    for (const id of ['cl_unknown', '__proto__', 'x'.repeat(5_000), '%', 'ä']) {
      const form = { client_id: id, client_secret: 'x' }
      await atEachEndpoint(server, form, {}, (answer) =>
        assertJson(answer, 401, 'invalid_client').then(() => {}),
      )
      await atEachEndpoint(server, {}, { authorization: basic(id, 'x') }, async (answer) => {
        assert.equal((await assertJson(answer, 401, 'invalid_client')).get('www-authenticate'), challenge)
      })
    }
    const living = await server.createClient()
    await readTokens(await refresh(server, living, (await obtainTokens(server, living)).refresh_token!))
  })

  test('RFC 6749 §3.2.1: a confidential client without authentication is 401 invalid_client and spends nothing (N62)', async () => {
    const server = await open()
    const client = await server.createClient()
    const credentialsClient = await server.createClient({
      redirectUris: [],
      grantTypes: ['client_credentials'],
    })
    const pkce = makePkce()
    const { refresh_token } = await obtainTokens(server, client)
    const code = await obtainCode(server, client, pkce)
    const client_id = client.client.id
    await grantsNothing(server, async () => {
      for (const form of [
        { grant_type: 'refresh_token', refresh_token: refresh_token!, client_id },
        { grant_type: 'refresh_token', refresh_token: refresh_token!, client_id, client_secret: '' },
        { grant_type: 'refresh_token', refresh_token: refresh_token! },
        { grant_type: 'authorization_code', code, code_verifier: pkce.verifier, client_id },
        { grant_type: 'authorization_code', code, code_verifier: pkce.verifier },
        { grant_type: 'client_credentials', client_id: credentialsClient.client.id },
      ] as Record<string, string>[]) {
        await assertJson(await server.post('/oauth/token', form), 401, 'invalid_client')
      }
      const emptyPassword = basic(client_id, '')
      await assertJson(
        await server.post(
          '/oauth/token',
          { grant_type: 'refresh_token', refresh_token: refresh_token! },
          { authorization: emptyPassword },
        ),
        401,
        'invalid_client',
      )
    })
    await readTokens(await refresh(server, client, refresh_token!))
    await readTokens(await redeem(server, client, code, pkce))
  })

  test('RFC 6749 §2.3.1: a broken Authorization header is 401 invalid_client with WWW-Authenticate (N63)', async () => {
    const server = await open()
    const client = await server.createClient()
    const encode = (text: string | Uint8Array) => Buffer.from(text as string).toString('base64')
    const good = encode(`${client.client.id}:${client.secret}`)
    for (const authorization of [
      'Basic',
      'Basic ',
      'Basic !!!',
      `Basic ${good}!`,
      `Basic ${good.slice(0, 8)} ${good.slice(8)}`,
      `Basic ${good}, Basic ${good}`,
      `Basic ${encode('%zz')}`,
      `Basic ${encode(client.client.id)}`,
      `Basic ${encode(':no id')}`,
      `Basic ${encode('id:%')}`,
      `Basic ${encode('%zz:secret')}`,
      `Basic ${encode('%ff:secret')}`,
      `Basic ${encode(`${client.client.id}%00:x`)}`,
      `Basic ${encode(`${client.client.id}:%00`)}`,
      `Basic ${encode('\0:\0')}`,
      `Basic ${encode(Uint8Array.of(0xff, 0xfe, 0x3a, 0xff))}`,
      `Bearer ${client.secret}`,
      `Digest username="${client.client.id}"`,
      client.secret!,
      `Basic ${'A'.repeat(7_000)}`,
      `${good}`,
    ]) {
      await atEachEndpoint(server, {}, { authorization }, async (answer) => {
        assert.equal((await assertJson(answer, 401, 'invalid_client')).get('www-authenticate'), challenge)
      })
    }
    for (const scheme of ['Basic', 'basic', 'BASIC', 'Basic ']) {
      const { refresh_token } = await obtainTokens(server, client)
      const form = { grant_type: 'refresh_token', refresh_token: refresh_token! }
      await readTokens(await server.post('/oauth/token', form, { authorization: `${scheme} ${good}` }))
    }
  })

  test('RFC 7521 §4.2.1: client assertions, of whatever type, are 401 invalid_client (N70)', async () => {
    const server = await open()
    const client = await server.createClient()
    const { refresh_token } = await obtainTokens(server, client)
    const form = { grant_type: 'refresh_token', refresh_token: refresh_token! }
    for (const more of [
      { client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:unknown', client_assertion: 'x' },
      {
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:saml2-bearer',
        client_assertion: 'x',
      },
      { client_assertion_type: 'x' },
      { client_assertion: 'x' },
    ] as Record<string, string>[]) {
      const answer = await grantsNothing(server, () =>
        server.post('/oauth/token', { ...form, client_id: client.client.id, ...more }),
      )
      await assertJson(answer, 401, 'invalid_client')
    }
    await readTokens(await refresh(server, client, refresh_token!))
  })

  test('RFC 6749 §2.3.1: one client may use Basic and the body alike, with any characters in its id', async () => {
    const server = await open()
    for (const tokenEndpointAuthMethod of ['client_secret_basic', 'client_secret_post'] as const) {
      const client = await server.createClient({
        id: `app:one+two%20/${tokenEndpointAuthMethod}`,
        tokenEndpointAuthMethod,
      })
      const { refresh_token } = await obtainTokens(server, client)
      const next = await readTokens(await refresh(server, client, refresh_token!))
      await readTokens(
        await server.post('/oauth/token', {
          grant_type: 'refresh_token',
          refresh_token: next.refresh_token!,
          client_id: client.client.id,
          client_secret: client.secret!,
        }),
      )
    }
    const publicClient = await server.createClient({ tokenEndpointAuthMethod: 'none' })
    const { refresh_token } = await obtainTokens(server, publicClient)
    const emptyPassword = await server.post(
      '/oauth/token',
      { grant_type: 'refresh_token', refresh_token: refresh_token! },
      { authorization: basic(publicClient.client.id, '') },
    )
    await readTokens(emptyPassword)
  })

  test('RFC 7617 §2: an id alone, without the colon, is a public client’s; a client with a secret is refused', async () => {
    const server = await open()
    const alone = (id: string) => `Basic ${Buffer.from(id).toString('base64')}`
    const publicClient = await server.createClient({ tokenEndpointAuthMethod: 'none' })
    const { access_token, refresh_token } = await obtainTokens(server, publicClient)
    const authorization = alone(publicClient.client.id)
    const confidential = alone((await server.createClient()).client.id)
    for (const [endpoint, form] of [
      ['/oauth/token', { grant_type: 'refresh_token', refresh_token: refresh_token! }],
      ['/oauth/revoke', { token: access_token }],
    ] as [string, Record<string, string>][]) {
      const refused = await server.post(endpoint, form, { authorization: confidential })
      assert.equal((await assertJson(refused, 401, 'invalid_client')).get('www-authenticate'), challenge)
      assert.equal((await server.post(endpoint, form, { authorization })).status, 200)
    }
    const api = { headers: { authorization: `Bearer ${access_token}` } }
    assert.equal((await server.g.authenticate(api)).ok, false, 'it was revoked')
  })
})
