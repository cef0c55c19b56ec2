import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { sql } from '../../../src/db/sql.ts'
import {
  assertError,
  authorizeParameters,
  introspect,
  makePkce,
  obtainTokens,
  refresh,
} from '../../support/flow.ts'
import { basic, issuer, onBothDatabases, openTestServer, type TestServer } from '../../support/gatehouse.ts'
import { asCreated, publicMetadata, type Registration, registered } from '../../support/registration.ts'

const callback = 'https://client.example/callback'

onBothDatabases('management of a registration', (dialect) => {
  let testServer: TestServer

  before(async () => {
    testServer = await openTestServer(dialect, {
      registration: { policy: 'open' },
      selfRegisteredClients: {
        perNetworkPerHour: 10_000,
        grantTypes: ['authorization_code', 'refresh_token', 'client_credentials'],
      },
    })
  })
  after(() => testServer.close())

  function manage(
    of: Registration,
    method: string,
    body?: unknown,
    token: string | undefined = of.registration_access_token,
  ): Promise<Response> {
    const { pathname, search } = new URL(of.registration_client_uri)
    return testServer.request(pathname + search, {
      method,
      headers: {
        ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
  }

  const rowOf = async ({ client_id }: Registration) =>
    (await testServer.app.server.db.query(sql<object>`select * from clients where id = ${client_id}`))[0]

  async function assertChallenge(answer: Response, error?: string): Promise<void> {
    assert.equal(answer.status, 401)
    assert.equal(answer.headers.get('cache-control'), 'no-store')
    const challenge = answer.headers.get('www-authenticate') ?? ''
    assert.match(challenge, /^Bearer realm="gatehouse"/)
    assert.equal(/error="([^"]*)"/.exec(challenge)?.[1], error)
    const text = await answer.text()
    assert.equal(error === undefined ? text : JSON.parse(text).error, error ?? '')
  }

  test('RFC 7592 §2.1: a client reads its registration, without its secret', async () => {
    const made = await registered(testServer, {
      token_endpoint_auth_method: 'client_secret_post',
      software_id: 'x',
    })
    const answer = await manage(made, 'GET')
    assert.equal(answer.status, 200)
    assert.equal(answer.headers.get('cache-control'), 'no-store')
    const { client_secret, client_secret_expires_at, ...shown } = made
    assert.ok(client_secret)
    assert.equal(client_secret_expires_at, 0)
    assert.deepEqual(await answer.json(), shown)
  })

  test('RFC 7592 §2.2: an update replaces the whole registration and keeps its secret', async () => {
    const made = await registered(testServer, {
      token_endpoint_auth_method: 'client_secret_basic',
      scope: 'jobs:read',
      software_id: 'old',
      contacts: ['a@client.example'],
    })
    const {
      client_secret,
      registration_client_uri,
      registration_access_token,
      client_id_issued_at,
      ...said
    } = made
    const { contacts, client_secret_expires_at, software_id, ...kept } = said
    const moved = ['https://moved.example/callback']
    const changes = {
      ...kept,
      client_name: 'Renamed',
      redirect_uris: moved,
      software_id: null,
      client_secret,
    }
    const answer = await manage(made, 'PUT', changes)
    const body = (await answer.json()) as Registration
    assert.equal(answer.status, 200, JSON.stringify(body))
    assert.deepEqual(
      [body.client_id, body.client_name, body.redirect_uris, body.scope],
      [made.client_id, 'Renamed', moved, 'jobs:read'],
    )
    for (const gone of ['contacts', 'software_id', 'client_secret']) assert.equal(gone in body, false, gone)
    assert.deepEqual(
      [body.registration_access_token, body.registration_client_uri, body.client_id_issued_at],
      [registration_access_token, registration_client_uri, client_id_issued_at],
    )
    assert.deepEqual(await (await manage(made, 'GET')).json(), body)
    const client = asCreated({ ...body, client_secret: client_secret! })
    await obtainTokens(testServer, client)
    const old = await testServer.request(
      `/oauth/authorize?${authorizeParameters(asCreated(made), makePkce())}`,
    )
    assert.equal(old.status, 400)
  })

  test('RFC 7592 §2.2: what an administrator decided stays, and so does what the client may ask for', async () => {
    const made = await registered(testServer, { scope: 'jobs:read resume:read' })
    await testServer.g.clients.change(made.client_id, { accessTokenLifetime: 120, description: 'Looked at' })
    const { refresh_token } = await obtainTokens(testServer, asCreated(made), {
      scope: 'jobs:read resume:read',
    })
    const answer = await manage(made, 'PUT', {
      ...publicMetadata,
      client_id: made.client_id,
      scope: 'jobs:read',
    })
    assert.equal(((await answer.json()) as Registration).scope, 'jobs:read')
    // What it names is what it gets when it asks for none; what it may ask for is the server's to say.
    assert.equal((await obtainTokens(testServer, asCreated(made), { scope: undefined })).scope, 'jobs:read')
    assert.equal(
      (await obtainTokens(testServer, asCreated(made), { scope: 'resume:read' })).scope,
      'resume:read',
    )
    const tokens = (await (await refresh(testServer, asCreated(made), refresh_token!)).json()) as Record<
      string,
      unknown
    >
    assert.deepEqual([tokens.scope, tokens.expires_in], ['jobs:read resume:read', 120])
    const row = (await testServer.g.clients.list()).find(({ id }) => id === made.client_id)!
    assert.equal(row.description, 'Looked at')
  })

  test('RFC 7592 §2.2: what a client may not change about itself', async () => {
    const made = await registered(testServer)
    const good = { ...publicMetadata, client_id: made.client_id }
    const before = await rowOf(made)
    const wrong: [unknown, string][] = [
      [{ ...good, client_id: undefined }, 'invalid_client_metadata'],
      [{ ...good, client_id: 'cl_other' }, 'invalid_client_metadata'],
      [{ ...good, registration_access_token: made.registration_access_token }, 'invalid_client_metadata'],
      [{ ...good, registration_client_uri: made.registration_client_uri }, 'invalid_client_metadata'],
      [{ ...good, client_secret_expires_at: 0 }, 'invalid_client_metadata'],
      [{ ...good, client_id_issued_at: 1 }, 'invalid_client_metadata'],
      [{ ...good, token_endpoint_auth_method: 'client_secret_basic' }, 'invalid_client_metadata'],
      [{ ...good, redirect_uris: ['http://evil.example/'] }, 'invalid_redirect_uri'],
      [{ ...good, redirect_uris: undefined }, 'invalid_redirect_uri'],
      [{ ...good, scope: 'nobody:knows' }, 'invalid_client_metadata'],
      [[good], 'invalid_client_metadata'],
    ]
    for (const [body, error] of wrong) await assertError(await manage(made, 'PUT', body), 400, error)
    assert.deepEqual(await rowOf(made), before)
    assert.equal((await manage(made, 'PUT', good)).status, 200)
  })

  test('RFC 7592 §2.1, §2.2, §2.3: another client’s token opens nothing, and no secret is of the caller’s choice (N109)', async () => {
    const [mine, yours] = [
      await registered(testServer, { token_endpoint_auth_method: 'client_secret_basic' }),
      await registered(testServer, { token_endpoint_auth_method: 'client_secret_basic' }),
    ]
    const good = {
      ...publicMetadata,
      token_endpoint_auth_method: 'client_secret_basic',
      client_id: yours.client_id,
    }
    const before = await rowOf(yours)
    for (const [method, body] of [['GET'], ['PUT', good], ['DELETE']] as [string, unknown?][]) {
      await assertChallenge(
        await manage(yours, method, body, mine.registration_access_token),
        'invalid_token',
      )
      await assertChallenge(
        await manage(yours, method, body, `${yours.registration_access_token}x`),
        'invalid_token',
      )
      await assertChallenge(await manage(yours, method, body, yours.client_secret), 'invalid_token')
      await assertChallenge(await manage(yours, method, body, ''))
      const nobody = {
        ...yours,
        registration_client_uri: `${issuer}/oauth/register/client?client_id=cl_nobody`,
      }
      await assertChallenge(await manage(nobody, method, body), 'invalid_token')
    }
    assert.deepEqual(await rowOf(yours), before)
    for (const client_secret of ['mine', '', 7, mine.client_secret]) {
      const answer = await manage(yours, 'PUT', { ...good, client_secret })
      await assertError(answer, 400, 'invalid_client_metadata')
    }
    assert.deepEqual(await rowOf(yours), before)
    const authenticates = (secret: string) =>
      testServer.post(
        '/oauth/token',
        { grant_type: 'client_credentials' },
        { authorization: basic(yours.client_id, secret) },
      )
    await assertError(await authenticates('mine'), 401, 'invalid_client')
    await assertError(await authenticates(yours.client_secret!), 400, 'unauthorized_client')
    assert.equal((await manage(yours, 'PUT', { ...good, client_secret: yours.client_secret })).status, 200)
    await assertError(await authenticates(yours.client_secret!), 400, 'unauthorized_client')
  })

  test('RFC 7592 §2.3: a client that ends itself is gone, with every token it had', async () => {
    const made = await registered(testServer)
    const other = await registered(testServer)
    const tokens = await obtainTokens(testServer, asCreated(made))
    const others = await obtainTokens(testServer, asCreated(other))
    const machine = await registered(testServer, {
      token_endpoint_auth_method: 'client_secret_basic',
      grant_types: ['authorization_code', 'client_credentials'],
    })
    const authorization = basic(machine.client_id, machine.client_secret!)
    const issued = await testServer.post(
      '/oauth/token',
      { grant_type: 'client_credentials' },
      { authorization },
    )
    const own = ((await issued.json()) as { access_token: string }).access_token
    const { client, secret } = await testServer.createClient({ resourceServerFor: [issuer] })
    const api = { client, secret: secret! }
    assert.equal((await introspect(testServer, api, own)).active, true)

    for (const gone of [made, machine]) {
      const answer = await manage(gone, 'DELETE')
      assert.deepEqual(
        [answer.status, await answer.text(), answer.headers.get('cache-control')],
        [204, '', 'no-store'],
      )
      assert.equal(await rowOf(gone), undefined)
      await assertChallenge(await manage(gone, 'GET'), 'invalid_token')
    }
    await assertError(
      await refresh(testServer, asCreated(made), tokens.refresh_token!),
      401,
      'invalid_client',
    )
    for (const token of [tokens.access_token, own]) {
      assert.deepEqual(await introspect(testServer, api, token), { active: false })
      const request = new Request('https://api.example/', { headers: { authorization: `Bearer ${token}` } })
      assert.equal((await testServer.g.authenticate(request)).ok, false)
    }
    assert.equal((await refresh(testServer, asCreated(other), others.refresh_token!)).status, 200)
    const shown = await testServer.request(
      `/oauth/authorize?${authorizeParameters(asCreated(made), makePkce())}`,
    )
    assert.equal(shown.status, 400)
    assert.equal(shown.headers.get('location'), null)
  })

  test('RFC 7592 §2: a suspended client manages nothing, and clients of an administrator cannot be managed so', async () => {
    const made = await registered(testServer)
    await testServer.g.clients.suspend(made.client_id, 'looked odd')
    await assertChallenge(await manage(made, 'DELETE'), 'invalid_token')
    await testServer.g.clients.restore(made.client_id)
    assert.equal((await manage(made, 'GET')).status, 200)
    const { client, secret } = await testServer.createClient({ redirectUris: [callback] })
    const uri = `${issuer}/oauth/register/client?client_id=${client.id}`
    for (const token of [secret!, 'null', made.registration_access_token]) {
      await assertChallenge(
        await manage({ ...made, registration_client_uri: uri }, 'DELETE', undefined, token),
        'invalid_token',
      )
    }
    const [post] = [await manage(made, 'POST', {})]
    assert.deepEqual([post.status, post.headers.get('allow')], [405, 'GET, PUT, DELETE'])
  })

  test('RFC 7592 §2.2, RFC 7591 §5: a client changes itself only so often, whoever sends it, and what is refused leaves no trace', async () => {
    const [made, neighbour] = [await registered(testServer), await registered(testServer)]
    const change = (of: Registration, n: number) =>
      manage(of, 'PUT', { ...publicMetadata, client_id: of.client_id, client_name: `Name ${n}` })
    const eventsOf = async ({ client_id }: Registration) =>
      testServer.app.server.db.query(
        sql<{ id: string }>`select id from events where client_id = ${client_id} and type = 'client_updated'`,
      )
    let changes = 0
    let answer = await change(made, changes)
    while (answer.status === 200 && changes < 50) answer = await change(made, ++changes)
    assert.equal(changes, 20)
    assert.ok(Number(answer.headers.get('retry-after')) > 0)
    await assertError(answer, 429, 'temporarily_unavailable')
    const row = await rowOf(made)
    assert.equal((await change(made, 99)).status, 429)
    assert.deepEqual(await rowOf(made), row)
    assert.equal((await eventsOf(made)).length, 20)
    assert.equal((await manage(made, 'GET')).status, 200)
    assert.equal((await change(neighbour, 1)).status, 200, 'nobody else is kept out')
    testServer.clock.advance(3_600_000)
    assert.equal((await change(made, 100)).status, 200)
  })

  test('RFC 7591 §5: changes count for their network and for the whole server, before anything is fetched', async () => {
    const small = await openTestServer(dialect, {
      registration: { policy: 'open' },
      selfRegisteredClients: { perNetworkPerHour: 4, perHour: 3 },
    })
    try {
      const [one, other] = [await registered(small), await registered(small)]
      const change = (of: Registration, address: string) => {
        const { pathname, search } = new URL(of.registration_client_uri)
        return small.request(pathname + search, {
          method: 'PUT',
          headers: {
            authorization: `Bearer ${of.registration_access_token}`,
            'content-type': 'application/json',
          },
          body: JSON.stringify({ ...publicMetadata, client_id: of.client_id }),
          address,
        })
      }
      assert.equal((await change(one, '198.51.100.1')).status, 200)
      for (let n = 0; n < 4; n++) await change({ ...one, client_id: 'another' }, '198.51.100.2')
      assert.equal((await change(one, '198.51.100.2')).status, 429, 'the network')
      assert.equal((await change(other, '198.18.3.1')).status, 200)
      assert.equal((await change(other, '198.18.4.1')).status, 200)
      assert.equal((await change(other, '198.18.5.1')).status, 429, 'the server')
    } finally {
      await small.close()
    }
  })
})
