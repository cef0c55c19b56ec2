import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseJwt } from '../../../src/crypto/jws.ts'
import { credentials, introspect, readTokens } from '../../support/flow.ts'
import { issuer, onBothDatabases, testServerFor } from '../../support/gatehouse.ts'
import { assertJson, countGrants, eventsOf, grantsNothing } from '../answers.ts'

const grant_type = 'client_credentials'

onBothDatabases('client credentials', (dialect) => {
  const open = testServerFor(dialect, { resources: { 'https://jobs.example': {} } })

  test('RFC 6749 §4.4: a public client gets unauthorized_client, and nobody ever a refresh token (N88)', async () => {
    const server = await open()
    const publicClient = await server.createClient({ tokenEndpointAuthMethod: 'none' })
    const refused = await grantsNothing(server, () =>
      server.post('/oauth/token', { grant_type, client_id: publicClient.client.id }),
    )
    await assertJson(refused, 400, 'unauthorized_client')
    await assert.rejects(
      server.createClient({
        tokenEndpointAuthMethod: 'none',
        grantTypes: ['client_credentials'],
        redirectUris: [],
      }),
      { name: 'ConfigError' },
    )
    for (const grantTypes of [
      ['client_credentials'],
      ['client_credentials', 'authorization_code', 'refresh_token'],
    ]) {
      const client = await server.createClient({ grantTypes })
      const { headers } = credentials(client)
      const before = await countGrants(server)
      const tokens = await readTokens(await server.post('/oauth/token', { grant_type }, headers))
      assert.ok(!('refresh_token' in tokens))
      const after = await countGrants(server)
      assert.deepEqual(after, { ...before, access_tokens: before.access_tokens! + 1 })
      const [event, ...more] = await eventsOf(server, client.client.id, 'client_credentials')
      assert.equal(more.length, 0)
      assert.equal(event!.user_id, null)
      assert.equal(event!.session_id, null)
    }
  })

  test('RFC 6749 §3.3: a scope beyond the client’s own is invalid_scope (N89)', async () => {
    const server = await open()
    const client = await server.createClient({
      grantTypes: [grant_type],
      scope: ['jobs:read', 'resume:read'],
    })
    const { headers } = credentials(client)
    for (const scope of [
      'applications:write',
      'jobs:read applications:write',
      'unknown',
      'jobs:read  resume:read',
      '"',
    ]) {
      const answer = await grantsNothing(server, () =>
        server.post('/oauth/token', { grant_type, scope }, headers),
      )
      await assertJson(answer, 400, 'invalid_scope')
    }
    for (const [scope, granted] of [
      ['jobs:read', 'jobs:read'],
      ['resume:read jobs:read', 'jobs:read resume:read'],
      ['', 'jobs:read resume:read'],
    ]) {
      const tokens = await readTokens(
        await server.post('/oauth/token', { grant_type, scope: scope! }, headers),
      )
      assert.equal(tokens.scope, granted)
    }
    for (const resource of ['https://unknown.example', 'jobs', 'https://jobs.example#x']) {
      const answer = await grantsNothing(server, () =>
        server.post('/oauth/token', { grant_type, resource }, headers),
      )
      await assertJson(answer, 400, 'invalid_target')
    }
  })

  test('RFC 9068 §2.2: without a user the subject is the client', async () => {
    const server = await open()
    const client = await server.createClient({ grantTypes: [grant_type] })
    const { headers } = credentials(client)
    const tokens = await readTokens(await server.post('/oauth/token', { grant_type }, headers))
    const { claims } = parseJwt(tokens.access_token)!
    assert.equal(claims.sub, client.client.id)
    assert.equal(claims.aud, 'https://jobs.example')
    assert.equal('auth_time' in claims, false)
    const seen = await introspect(server, client, tokens.access_token)
    assert.equal(seen.sub, client.client.id)
    assert.equal(seen.iss, issuer)
    server.clock.advance(900_000)
    assert.deepEqual(await introspect(server, client, tokens.access_token), { active: false })
  })
})
