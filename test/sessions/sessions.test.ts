import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from '../../src/db/sql.ts'
import { assertJson, assertRedirectError, eventsOf, grantsNothing, readAnswer } from '../oauth/answers.ts'
import {
  authorize,
  authorizeParameters,
  credentials,
  introspect,
  makePkce,
  obtainCode,
  obtainTokens,
  type Pkce,
  readTokens,
  refresh,
} from '../support/flow.ts'
import { alice, bob, onBothDatabases, type TestServer, testServerFor } from '../support/gatehouse.ts'

onBothDatabases('sessions', (dialect) => {
  const open = testServerFor(dialect, { sessions: { quota: 3 } })
  const openStrict = testServerFor(dialect, { sessions: { quota: 2, whenFull: 'refuse' } })

  test('RFC 6749 §4.1: over the quota the session idle for longest ends, audited, and nobody is locked out', async () => {
    const server = await open()
    const client = await server.createClient()
    const other = await server.createClient()
    const sessions = []
    for (let n = 0; n < 3; n++) {
      server.clock.advance(1_000)
      sessions.push(await obtainTokens(server, client))
    }
    const elsewhere = await obtainTokens(server, other)
    server.signedIn.account = { ...bob, authTime: server.clock.now() }
    const bobs = await obtainTokens(server, client)
    server.signedIn.account = { ...alice, authTime: server.clock.now() }

    // The oldest is used again, so the second is the one idle for longest.
    server.clock.advance(1_000)
    sessions[0] = await readTokens(await refresh(server, client, sessions[0]!.refresh_token!))
    await server.app.server.activity.flush()
    server.clock.advance(1_000)
    const newest = await obtainTokens(server, client)

    const alive = async (token: string) => (await introspect(server, client, token)).active
    assert.equal(await alive(sessions[0]!.access_token), true)
    assert.equal(await alive(sessions[1]!.access_token), false)
    await assertJson(await refresh(server, client, sessions[1]!.refresh_token!), 400, 'invalid_grant')
    assert.equal(await alive(sessions[2]!.access_token), true)
    assert.equal(await alive(newest.access_token), true)
    assert.equal(await alive(bobs.access_token), true, 'another user’s')
    assert.equal((await introspect(server, other, elsewhere.access_token)).active, true, 'another client’s')
    const [event, ...more] = await eventsOf(server, client.client.id, 'session_evicted')
    assert.equal(more.length, 0)
    assert.ok(event!.session_id && event!.user_id)
  })

  test('RFC 8252 §8.4: a client whose one id serves every machine of a user has five times as many', async () => {
    const server = await open()
    const living = async (id: string) => {
      const [row] = await server.app.server.db.query(
        sql<{
          count: number
        }>`select count(*) as count from sessions where client_id = ${id} and revoked_at is null`,
      )
      return Number(row!.count)
    }
    const native = { tokenEndpointAuthMethod: 'none' as const, redirectUris: ['http://127.0.0.1/callback'] }
    const cases: [string, Parameters<TestServer['createClient']>[0], number][] = [
      ['a program on the user’s own computer', native, 15],
      ['one with a scheme of its own', { ...native, redirectUris: ['com.example.app:/callback'] }, 15],
      ['a page in a browser', { ...native, redirectUris: ['https://spa.example/callback'] }, 3],
      ['a server', {}, 3],
      ['a confidential client on loopback', { redirectUris: ['http://127.0.0.1/callback'] }, 3],
    ]
    for (const [name, input, quota] of cases) {
      const client = await server.createClient({ name, ...input })
      for (let n = 0; n < 16; n++) {
        server.clock.advance(1_000)
        await obtainTokens(server, client)
      }
      assert.equal(await living(client.client.id), quota, name)
    }
    // Of two machines that register by themselves each has an id of its own.
    const registered = await server.createClient(native)
    const { db, clients } = server.app.server
    await db.query(sql`update clients set source = 'dcr' where id = ${registered.client.id}`)
    clients.forget(registered.client.id)
    for (let n = 0; n < 5; n++) {
      server.clock.advance(1_000)
      await obtainTokens(server, registered)
    }
    assert.equal(await living(registered.client.id), 3)
  })

  test('RFC 6749 §4.1.2.1: where the quota is strict the new session is refused and the old ones stay', async () => {
    const server = await openStrict()
    const client = await server.createClient()
    const first = await obtainTokens(server, client)
    await obtainTokens(server, client)
    const asked = authorizeParameters(client, makePkce())
    assertRedirectError(await grantsNothing(server, () => authorize(server, asked)), 'access_denied')
    assert.equal((await introspect(server, client, first.access_token)).active, true)
    const other = await server.createClient()
    assert.ok(readAnswer(await authorize(server, authorizeParameters(other, makePkce()))).get('code'))
    await server.post('/oauth/revoke', {
      token: first.refresh_token!,
      client_id: client.client.id,
      client_secret: client.secret!,
    })
    assert.ok(readAnswer(await authorize(server, asked)).get('code'), 'an ended session makes room')
  })

  test('RFC 6749 §4.1.2: where the quota is strict, codes that were taken before it was full go no further', async () => {
    const server = await openStrict()
    const twin = await server.twin()
    const client = await server.createClient()
    const codes: { code: string; pkce: Pkce }[] = []
    for (let n = 0; n < 6; n++) {
      const pkce = makePkce()
      codes.push({ pkce, code: await obtainCode(server, client, pkce, { prompt: 'consent' }) })
    }
    const { headers } = credentials(client)
    const answers = await Promise.all(
      codes.map(({ code, pkce }, n) => {
        const form = {
          grant_type: 'authorization_code',
          code,
          redirect_uri: 'https://client.example/callback',
          code_verifier: pkce.verifier,
        }
        return (n % 2 ? twin.g : server.g).fetch(
          new Request('http://localhost:4400/oauth/token', {
            method: 'POST',
            headers: { ...headers, 'content-type': 'application/x-www-form-urlencoded' },
            body: new URLSearchParams(form).toString(),
          }),
          { address: '203.0.113.7' },
        )
      }),
    )
    const good = answers.filter((answer) => answer.status === 200)
    assert.equal(good.length, 2, 'as many as the quota says')
    for (const answer of answers.filter((one) => one.status !== 200))
      await assertJson(answer, 400, 'invalid_grant')
    for (const answer of good) {
      const { access_token } = (await answer.json()) as { access_token: string }
      assert.equal(
        (await introspect(server, client, access_token)).active,
        true,
        'none was ended for another',
      )
    }
    assert.equal((await eventsOf(server, client.client.id, 'session_evicted')).length, 0)
  })

  test('RFC 6749 §6: use of a session is counted in batches', async () => {
    const server = await open()
    const client = await server.createClient()
    let tokens = await obtainTokens(server, client)
    const stored = async () => {
      const [row] = await server.app.server.db.query(
        sql<{
          uses: number
          last_active_at: number
          granted_scope: string
        }>`select uses, last_active_at, granted_scope
          from sessions where client_id = ${client.client.id}`,
      )
      return { uses: Number(row!.uses), at: Number(row!.last_active_at), scope: row!.granted_scope }
    }
    const began = server.clock.now()
    for (let n = 0; n < 3; n++) {
      server.clock.advance(1_000)
      tokens = await readTokens(await refresh(server, client, tokens.refresh_token!))
    }
    assert.deepEqual(await stored(), { uses: 0, at: began, scope: 'jobs:read' }, 'no write per request')
    await server.app.server.activity.flush()
    assert.deepEqual(await stored(), { uses: 3, at: began + 3_000, scope: 'jobs:read' })
    await server.app.server.activity.flush()
    assert.equal((await stored()).uses, 3)
  })
})
