import assert from 'node:assert/strict'
import { test } from 'node:test'
import { credentials, introspect, obtainTokens, readTokens, refresh } from '../../support/flow.ts'
import { basic, issuer, onBothDatabases, testServerFor } from '../../support/gatehouse.ts'
import { assertJson, grantsNothing } from '../answers.ts'

const jobs = 'https://jobs.example'
const mail = 'https://mail.example'

onBothDatabases('introspection', (dialect) => {
  const open = testServerFor(dialect, { resources: { [jobs]: {}, [mail]: {} } })

  test('RFC 7662 §2.1: without credentials or with wrong ones it is 401, without a token 400 invalid_request (N110)', async () => {
    const testServer = await open()
    const client = await testServer.createClient()
    const publicClient = await testServer.createClient({ tokenEndpointAuthMethod: 'none' })
    const { access_token: token } = await obtainTokens(testServer, client)
    const own = await obtainTokens(testServer, publicClient)
    for (const [form, headers] of [
      [{ token }, {}],
      [{ token, client_id: client.client.id }, {}],
      [{ token, client_id: client.client.id, client_secret: 'wrong' }, {}],
      [{ token }, { authorization: basic(client.client.id, 'wrong') }],
      [{ token }, { authorization: `Bearer ${token}` }],
      // A public client proves nothing, not even for its own tokens.
      [{ token: own.access_token, client_id: publicClient.client.id }, {}],
    ] as const) {
      await assertJson(
        await testServer.post('/oauth/introspect', form, headers as Record<string, string>),
        401,
        'invalid_client',
      )
    }
    const { headers } = credentials(client)
    for (const form of [{}, { token: '' }] as Record<string, string>[]) {
      await assertJson(await testServer.post('/oauth/introspect', form, headers), 400, 'invalid_request')
    }
    await assertJson(
      await testServer.post('/oauth/introspect', { token: [token, token] }, headers),
      400,
      'invalid_request',
    )
    const get = await testServer.request(`/oauth/introspect?token=${token}`, { headers })
    assert.equal(get.headers.get('allow'), 'POST')
    await assertJson(get, 405, 'invalid_request')
    await assertJson(
      await testServer.post(`/oauth/introspect?token=${token}`, {}, headers),
      400,
      'invalid_request',
    )
    assert.equal((await introspect(testServer, client, token)).active, true)
  })

  test('RFC 7662 §2.2: whatever is not a living token for the one who asks is inactive and nothing else (N111)', async () => {
    const testServer = await open()
    const client = await testServer.createClient({ accessTokenLifetime: 60 })
    const stranger = await testServer.createClient()
    const jobServer = await testServer.createClient({ redirectUris: [], resourceServerFor: [jobs] })
    const mailServer = await testServer.createClient({ redirectUris: [], resourceServerFor: [mail] })
    const expired = await obtainTokens(testServer, client, { resource: jobs })
    testServer.clock.advance(60_000)
    const alive = await obtainTokens(testServer, client, { resource: jobs })
    const revoked = await obtainTokens(testServer, client, { resource: jobs })
    const rotated = await obtainTokens(testServer, client, { resource: jobs })
    await readTokens(await refresh(testServer, client, rotated.refresh_token!))
    const { headers } = credentials(client)
    await testServer.post('/oauth/revoke', { token: revoked.refresh_token! }, headers)

    await grantsNothing(testServer, async () => {
      for (const [asking, token] of [
        [client, 'unknown'],
        [client, `gh_at_${'0'.repeat(26)}${'A'.repeat(43)}`],
        [client, 'a.b.c'],
        [
          client,
          `${alive.access_token.split('.')[0]}.${Buffer.from('{"jti":"\\u0000"}').toString('base64url')}.x`,
        ],
        [client, `${alive.access_token.split('.')[0]}.${Buffer.from('{"jti":7}').toString('base64url')}.x`],
        [client, 'x'.repeat(20_000)],
        [client, expired.access_token],
        [client, revoked.access_token],
        [client, revoked.refresh_token!],
        [client, rotated.refresh_token!],
        [stranger, alive.access_token],
        [stranger, alive.refresh_token!],
        [mailServer, alive.access_token],
        [jobServer, alive.refresh_token!],
        [jobServer, expired.access_token],
        [jobServer, revoked.access_token],
      ] as const) {
        const { headers } = credentials(asking)
        const answer = await testServer.post('/oauth/introspect', { token }, headers)
        assert.equal(answer.status, 200)
        assert.equal(answer.headers.get('cache-control'), 'no-store')
        assert.equal(await answer.text(), '{"active":false}')
      }
    })
    for (const hint of ['access_token', 'refresh_token', 'nonsense', '']) {
      const form = { token: alive.access_token, token_type_hint: hint }
      const answer = await testServer.post('/oauth/introspect', form, credentials(jobServer).headers)
      const { iat, exp, jti, ...seen } = (await answer.json()) as Record<string, unknown>
      assert.deepEqual(seen, {
        active: true,
        scope: 'jobs:read',
        client_id: client.client.id,
        token_type: 'Bearer',
        sub: 'alice',
        aud: jobs,
        iss: issuer,
        auth_time: Math.floor(testServer.signedIn.account!.authTime! / 1_000),
      })
      assert.equal(Number(exp) - Number(iat), 60)
      assert.match(String(jti), /^[0-9a-z]{26}$/)
    }
    const refreshSeen = await introspect(testServer, client, alive.refresh_token!)
    assert.equal(refreshSeen.active, true)
    assert.equal('token_type' in refreshSeen, false, 'a refresh token is no Bearer token')
  })

  test('RFC 7662 §2.2: a suspended client’s tokens are inactive until it is restored, a revoked one’s for good', async () => {
    const testServer = await open()
    const server = await testServer.createClient({ redirectUris: [], resourceServerFor: [jobs] })
    for (const tokenFormat of ['jwt', 'opaque'] as const) {
      const client = await testServer.createClient({ tokenFormat })
      const { access_token, refresh_token } = await obtainTokens(testServer, client, { resource: jobs })
      const active = async () => (await introspect(testServer, server, access_token)).active
      assert.equal(await active(), true)
      await testServer.g.clients.suspend(client.client.id, 'abuse')
      assert.equal(await active(), false)
      await testServer.g.clients.restore(client.client.id)
      assert.equal(await active(), true)
      const next = await readTokens(await refresh(testServer, client, refresh_token!))
      await testServer.g.clients.revoke(client.client.id, 'over')
      assert.equal(await active(), false)
      assert.deepEqual(await introspect(testServer, server, next.access_token), { active: false })
      await testServer.g.clients.restore(client.client.id)
      assert.equal(await active(), false)
    }
  })
})
