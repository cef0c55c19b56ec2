// What the mission asks of the tables of an authorization server whose clients come by themselves.

import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { raw, sql } from '../../src/db/sql.ts'
import { authorizeParameters, makePkce, obtainTokens, readTokens } from '../support/flow.ts'
import { basic, onBothDatabases, testServerFor } from '../support/gatehouse.ts'

onBothDatabases('what is stored of clients, tokens and requests', (dialect) => {
  const open = testServerFor(dialect, { registration: { policy: 'open' }, device: {} })
  const jwk = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' })

  test('R19, R28: a client that registered itself has everything it said, and no secret in the clear', async () => {
    const testServer = await open()
    const said = {
      client_name: 'Registered',
      redirect_uris: ['https://client.example/callback'],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [jwk] },
    }
    const answer = await testServer.request('/oauth/register', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(said),
    })
    const told = (await answer.json()) as Record<string, string>
    assert.equal(answer.status, 201, JSON.stringify(told))
    const [row] = await testServer.app.server.db.query<Record<string, string | number | null>>(
      sql`select * from clients where id = ${told['client_id']}`,
    )
    assert.equal(row?.name, 'Registered')
    assert.equal(row.source, 'dcr')
    assert.deepEqual(JSON.parse(String(row.redirect_uris)), said.redirect_uris)
    assert.equal(row.grant_types, 'authorization_code refresh_token')
    assert.equal(row.response_types, 'code')
    assert.equal(row.token_endpoint_auth_method, 'private_key_jwt')
    assert.deepEqual(JSON.parse(String(row.jwks)), said.jwks)
    assert.equal(row.require_pkce, 1)
    assert.ok(row.created_at && row.updated_at && row.metadata === '{}')
    assert.ok(told['registration_access_token'] && row.registration_token_hash)
    assert.ok(!JSON.stringify(row).includes(told['registration_access_token']))
    const own = await testServer.createClient({
      accessTokenLifetime: 86_400,
      refreshTokenLifetime: 1_209_600,
    })
    assert.equal(own.client.accessTokenLifetime, 86_400)
    assert.equal(own.client.refreshTokenLifetime, 1_209_600)
  })

  test('R20, R21: a token has its client, user, session, scope, key and times; a refresh token always has a user and an end', async () => {
    const testServer = await open()
    const created = await testServer.createClient()
    const tokens = await obtainTokens(testServer, created)
    assert.equal(tokens.token_type, 'Bearer')
    const { db } = testServer.app.server
    const [access] = await db.query<Record<string, unknown>>(
      sql`select * from access_tokens where client_id = ${created.client.id}`,
    )
    assert.ok(access?.user_id && access.session_id && access.scope === 'jobs:read')
    assert.ok(access.created_at && access.expires_at && access.revoked_at === null && access.jkt === null)
    const [refresh] = await db.query<Record<string, unknown>>(
      sql`select r.*, s.user_id, s.client_id from refresh_tokens r join sessions s on s.id = r.session_id
        where s.client_id = ${created.client.id}`,
    )
    assert.ok(refresh?.user_id && refresh.expires_at && refresh.client_id === created.client.id)
  })

  test('R22, R24: a pushed request and one that waits for its user are rows with all they asked, their client and their end', async () => {
    const testServer = await open()
    const created = await testServer.createClient()
    const parameters = authorizeParameters(created, makePkce(), {
      scope: 'openid jobs:read',
      nonce: 'a nonce',
      login_hint: 'alice',
      state: 'kept',
    })
    const pushed = await testServer.request('/oauth/par', {
      method: 'POST',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        authorization: basic(created.client.id, created.secret!),
      },
      body: parameters.toString(),
    })
    const { request_uri } = (await pushed.json()) as { request_uri: string }
    assert.equal(pushed.status, 201)
    const { db } = testServer.app.server
    const [row] = await db.query<Record<string, unknown>>(
      sql`select * from pushed_authorization_requests where client_id = ${created.client.id}`,
    )
    for (const asked of ['a nonce', 'alice', 'kept', 'code_challenge']) {
      assert.ok(String(row?.request).includes(asked), asked)
    }
    assert.ok(Number(row?.expires_at) > Number(row?.created_at) && row?.used_at === null)
    assert.ok(!JSON.stringify(row).includes(request_uri.split(':').at(-1)!))

    const query = new URLSearchParams({ client_id: created.client.id, request_uri })
    assert.equal((await testServer.request(`/oauth/authorize?${query}`)).status, 200)
    const [waiting] = await db.query<Record<string, unknown>>(
      sql`select * from authorization_requests where client_id = ${created.client.id}`,
    )
    for (const asked of ['a nonce', 'alice', 'kept', 'https://client.example/callback', 'openid']) {
      assert.ok(String(waiting?.request).includes(asked), asked)
    }
    assert.equal(waiting?.pushed_id, row?.id)
    assert.ok(Number(waiting?.expires_at) > Number(waiting?.created_at))
  })

  test('C4: no registration token, invitation, device code, user code or name of a pushed request stands in the database', async () => {
    const testServer = await open()
    const created = await testServer.createClient({
      grantTypes: ['urn:ietf:params:oauth:grant-type:device_code'],
    })
    const form = {
      'content-type': 'application/x-www-form-urlencoded',
      authorization: basic(created.client.id, created.secret!),
    }
    const registered = await testServer.request('/oauth/register', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ redirect_uris: ['https://client.example/callback'] }),
    })
    const device = await testServer.request('/oauth/device_authorization', { method: 'POST', headers: form })
    const told = {
      ...((await registered.json()) as Record<string, string>),
      ...((await device.json()) as Record<string, string>),
    }
    const { token } = await testServer.g.clients.createInitialAccessToken({ name: 'for a partner' })
    const { db } = testServer.app.server
    const tables = ['clients', 'device_codes', 'initial_access_tokens', 'events', 'rate_limits', 'used_jtis']
    const stored = JSON.stringify(
      await Promise.all(tables.map((name) => db.query(sql`select * from ${raw(name)}`))),
    )
    assert.ok(stored.includes(created.client.id))
    const secrets = {
      registration_access_token: told['registration_access_token'],
      client_secret: told['client_secret'],
      device_code: told['device_code'],
      user_code: told['user_code'],
      invitation: token,
    }
    for (const [name, secret] of Object.entries(secrets)) {
      assert.ok(secret && secret.length > 6, name)
      assert.ok(!stored.includes(secret), `${name} is stored as it is`)
      assert.ok(!stored.includes(secret.replaceAll('-', '')), `${name} is stored as it is typed`)
    }
  })

  test('R27: with a client go its sessions, consents, pushed and waiting requests and devices', async () => {
    const testServer = await open()
    const created = await testServer.createClient({
      grantTypes: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
    })
    const authorization = basic(created.client.id, created.secret!)
    const form = { 'content-type': 'application/x-www-form-urlencoded', authorization }
    await obtainTokens(testServer, created)
    const parameters = authorizeParameters(created, makePkce(), { scope: 'jobs:read resume:read' })
    await testServer.request('/oauth/par', { method: 'POST', headers: form, body: parameters.toString() })
    assert.equal((await testServer.request(`/oauth/authorize?${parameters}`)).status, 200)
    await readTokens(
      await testServer.request('/oauth/device_authorization', { method: 'POST', headers: form }),
    )
    const { db } = testServer.app.server
    const tables = [
      'sessions',
      'consents',
      'pushed_authorization_requests',
      'authorization_requests',
      'device_codes',
    ]
    const count = async (table: string) => {
      const [row] = await db.query<{ n: number }>(
        sql`select count(*) as n from ${raw(table)} where client_id = ${created.client.id}`,
      )
      return Number(row!.n)
    }
    for (const table of tables) assert.ok((await count(table)) > 0, table)
    await db.query(sql`delete from clients where id = ${created.client.id}`)
    for (const table of tables) assert.equal(await count(table), 0, table)
  })
})
