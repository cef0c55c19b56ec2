import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { after, before, test } from 'node:test'
import {
  generateRsaSigningKey,
  generateSigningKey,
  type SigningKey,
  signJwt,
} from '../../../src/crypto/jws.ts'
import { sql } from '../../../src/db/sql.ts'
import { listEvents } from '../../../src/events/list.ts'
import { freshness } from '../../../src/http/freshness.ts'
import { clientUrlProblem } from '../../../src/oauth/registration/client-id-metadata.ts'
import { callback, described, serveClient } from '../../support/described-clients.ts'
import { type Documents, openDocuments } from '../../support/documents.ts'
import {
  answerConsent,
  assertError,
  authorize,
  authorizeParameters,
  introspect,
  makePkce,
  obtainCode,
  obtainTokens,
  readConsent,
  readRedirect,
  readTokens,
  redeem,
  refresh,
} from '../../support/flow.ts'
import { issuer, onBothDatabases, openTestServer, type TestServer } from '../../support/gatehouse.ts'

const hour = 3_600_000

test('CIMD §3: a client’s address is https, has a path, and nothing that reads in two ways (N15)', () => {
  const good = [
    'https://a.example/client.json',
    'https://a.example/',
    'https://a.example:8443/a/b.json',
    'https://a.example/a?b=c',
    'https://a.example/..a/b../...',
  ]
  for (const url of good) assert.equal(clientUrlProblem(url), undefined, url)
  const wrong = [
    ['http://a.example/a', 'is not https'],
    ['HTTPS://a.example/a', 'is not https'],
    ['https://a.example', 'has no path'],
    ['https://a.example?a=b', 'has no path'],
    ['https://a.example/a#b', 'has a fragment'],
    ['https://a.example/#', 'has a fragment'],
    ['https:///a.example/a', 'has no host'],
    ['https://u@a.example/a', 'has user information'],
    ['https://u:p@a.example/a', 'has user information'],
    ['https://@a.example/a', 'has user information'],
    ['https://a.example/./a', 'has dot segments'],
    ['https://a.example/a/../b', 'has dot segments'],
    ['https://a.example/a/..', 'has dot segments'],
    ['https://a.example/%2e%2E/b', 'has dot segments'],
    ['https://a.example/.%2e/b', 'has dot segments'],
    ['https://a.example/a\\..\\b', 'is no URL'],
    ['https://a.example/a b', 'is no URL'],
    ['https://ä.example/a', 'is no URL'],
    ['https://a.example:99999/a', 'is no URL'],
    [`https://a.example/${'a'.repeat(500)}`, 'is longer than 512 characters'],
  ]
  for (const [url, why] of wrong) assert.equal(clientUrlProblem(url!), why, url)
})

test('RFC 9111 §4.2.1: how long an answer says it stays fresh', () => {
  const cases: [Record<string, string>, number | undefined][] = [
    [{}, undefined],
    [{ 'cache-control': 'public, max-age=60' }, 60_000],
    [{ 'cache-control': 'MAX-AGE="60"', age: '20' }, 40_000],
    [{ 'cache-control': 'max-age=60, no-store' }, 0],
    [{ 'cache-control': 'no-cache' }, 0],
    [{ 'cache-control': 's-maxage=60' }, undefined],
    [{ 'cache-control': 'max-age=60', expires: 'Thu, 01 Jan 1970 00:00:00 GMT' }, 60_000],
    [{ date: 'Thu, 15 Jan 2026 12:00:00 GMT', expires: 'Thu, 15 Jan 2026 12:01:00 GMT' }, 60_000],
    [{ date: 'Thu, 15 Jan 2026 12:00:00 GMT', expires: '0' }, 0],
    [{ expires: 'Thu, 15 Jan 2026 12:01:00 GMT' }, 0],
  ]
  for (const [headers, expected] of cases) {
    assert.equal(
      freshness((name) => headers[name]),
      expected,
      JSON.stringify(headers),
    )
  }
})

onBothDatabases('clients that are documents', (dialect) => {
  let documents: Documents
  let testServer: TestServer
  let count = 0
  const fresh = () => `/client-${count++}.json`

  before(async () => {
    documents = await openDocuments('127.0.0.1', { names: ['localhost', 'allowed.test'] })
    testServer = await openTestServer(dialect, {
      clientIdMetadata: {},
      outbound: { ca: documents.ca },
      // Every test comes from the same network.
      selfRegisteredClients: {
        perNetworkPerHour: 10_000,
        grantTypes: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
      },
      device: {},
    })
  })
  after(async () => {
    await testServer.close()
    await documents.close()
  })

  const requestsFor = (id: string) =>
    documents.requests.filter(({ url }) => documents.origin + url === id).length

  /** Asserts the page of a refusal: on our own origin, without a way off it. */
  async function assertPage(response: Response, status = 400): Promise<string> {
    const html = await response.text()
    assert.equal(response.status, status, html)
    assert.match(response.headers.get('content-type') ?? '', /^text\/html/)
    assert.equal(response.headers.get('location'), null)
    assert.equal(response.headers.get('cache-control'), 'no-store')
    return html
  }

  const ask = (id: string, redirectUri = callback, in_ = testServer) =>
    in_.request(`/oauth/authorize?${authorizeParameters(described(id, [redirectUri]), makePkce())}`)

  const isKnown = async (id: string, in_ = testServer) =>
    (await in_.g.clients.list()).some((client) => client.id === id)

  test('CIMD §4: a document is one client for every machine that runs it, and a user has five times as many sessions with it', async () => {
    const client = serveClient(documents, fresh())
    for (let n = 0; n < 51; n++) {
      testServer.clock.advance(1_000)
      await obtainTokens(testServer, client)
    }
    const [row] = await testServer.app.server.db.query(
      sql<{
        count: number
      }>`select count(*) as count from sessions where client_id = ${client.id} and revoked_at is null`,
    )
    assert.equal(Number(row!.count), 50)
  })

  test('CIMD §4, §5: a document at its address is a client, shown by its host, and gets tokens (A4, A7, CL2)', async () => {
    const client = serveClient(documents, fresh(), { logo_uri: 'https://client.example/logo.png' })
    const pkce = makePkce()
    const shown = await testServer.request(`/oauth/authorize?${authorizeParameters(client, pkce)}`)
    const page = await readConsent(shown)
    assert.match(page.html, /Desk tool/)
    assert.match(page.html, new RegExp(`localhost:${documents.port}</bdi></strong> says that this is`))
    assert.match(page.html, /client\.example/)
    assert.doesNotMatch(page.html, /logo\.png/)
    const { to, parameters } = readRedirect(await answerConsent(testServer, page, { decision: 'allow' }))
    assert.equal(to.origin + to.pathname, callback)
    assert.deepEqual([parameters.state, parameters.iss], ['a state', issuer])
    const tokens = await readTokens(await redeem(testServer, client, parameters.code!, pkce))
    const again = await readTokens(await refresh(testServer, client, tokens.refresh_token!))
    const { client: resourceServer, secret } = await testServer.createClient({ resourceServerFor: [issuer] })
    const answer = await introspect(
      testServer,
      { client: resourceServer, secret: secret! },
      again.access_token,
    )
    assert.deepEqual([answer.active, answer.client_id], [true, client.id])
    assert.equal(requestsFor(client.id), 1)
    const metadata = (await (
      await testServer.request('/.well-known/oauth-authorization-server')
    ).json()) as Record<string, unknown>
    assert.equal(metadata.client_id_metadata_document_supported, true)
    assert.ok((metadata.token_endpoint_auth_methods_supported as string[]).includes('none'))
    const row = (await testServer.g.clients.list()).find(({ id }) => id === client.id)!
    assert.deepEqual([row.source, row.profile, row.requirePkce], ['cimd', 'default', true])
  })

  test('CIMD §4: the documents of ChatGPT, Claude and Claude Code, as they publish them (H7, H8, CL1, CC1)', async () => {
    const key = await generateRsaSigningKey('RS256')
    const keys = fresh()
    documents.serve(keys, { keys: [key.publicJwk] })
    const both = ['authorization_code', 'refresh_token']
    const published: [Record<string, unknown>, string[]][] = [
      [
        {
          client_name: 'ChatGPT',
          redirect_uris: ['https://chatgpt.com/connector_platform_oauth_redirect'],
          token_endpoint_auth_method: 'private_key_jwt',
          token_endpoint_auth_signing_alg: 'RS256',
          jwks_uri: documents.origin + keys,
          grant_types: both,
          response_types: ['code'],
        },
        ['https://chatgpt.com/connector_platform_oauth_redirect'],
      ],
      [
        {
          client_name: 'Claude',
          client_uri: 'https://claude.ai',
          redirect_uris: [
            'https://claude.ai/api/mcp/auth_callback',
            'https://claude.com/api/mcp/auth_callback',
          ],
          token_endpoint_auth_method: 'none',
          grant_types: both,
          response_types: ['code'],
        },
        ['https://claude.ai/api/mcp/auth_callback', 'https://claude.com/api/mcp/auth_callback'],
      ],
      [
        {
          client_name: 'Claude Code',
          client_uri: 'https://claude.ai',
          redirect_uris: ['http://localhost/callback', 'http://127.0.0.1/callback'],
          token_endpoint_auth_method: 'none',
          grant_types: both,
          response_types: ['code'],
        },
        ['http://localhost:54212/callback', 'http://127.0.0.1:54212/callback'],
      ],
    ]
    for (const [metadata, redirects] of published) {
      const client = serveClient(documents, fresh(), metadata)
      for (const redirect_uri of redirects) {
        const pkce = makePkce()
        const answer = await authorize(testServer, authorizeParameters(client, pkce, { redirect_uri }))
        const { parameters } = readRedirect(answer)
        assert.equal(parameters.iss, issuer)
        const proof = 'jwks_uri' in metadata ? assertionBy(client.id, key) : {}
        const redeemed = await redeem(testServer, client, parameters.code!, pkce, { redirect_uri, ...proof })
        const { refresh_token } = await readTokens(redeemed)
        const again = 'jwks_uri' in metadata ? assertionBy(client.id, key) : {}
        assert.equal((await refresh(testServer, client, refresh_token!, again)).status, 200)
      }
    }
  })

  test('CIMD §5.2, §8.6: a document that is another one each time is followed only so often an hour', async () => {
    const path = fresh()
    const quick = { 'cache-control': 'max-age=0' }
    const { id } = serveClient(documents, path, {}, quick)
    testServer.clock.advance(hour - (testServer.clock.now() % hour))
    await (await ask(id)).text()
    const statuses: number[] = []
    for (let n = 0; n < 25; n++) {
      testServer.clock.advance(61_000)
      serveClient(documents, path, { client_name: `Name ${n}` }, quick)
      statuses.push((await ask(id)).status)
    }
    assert.deepEqual(statuses, [...Array(20).fill(200), ...Array(5).fill(429)])
    const changes = await testServer.app.server.db.query(
      sql<{ id: string }>`select id from events where client_id = ${id} and type = 'client_updated'`,
    )
    assert.equal(changes.length, 20)
    testServer.clock.advance(hour)
    assert.equal((await ask(id)).status, 200)
  })

  test('CIMD §3: an address that can be no document’s gets a page and no request (A8) (N15)', async () => {
    const path = fresh()
    const client = serveClient(documents, path)
    const { port } = documents
    const wrong = [
      `http://localhost:${port}${path}`,
      `https://localhost:${port}`,
      `https://localhost:${port}${path}#a`,
      `https://user@localhost:${port}${path}`,
      `https://localhost:${port}/a/..${path}`,
      `https://localhost:${port}/a/%2e%2e${path}`,
      `https://localhost:${port}/.${path}`,
      `ftp://localhost:${port}${path}`,
    ]
    const connections = documents.connections
    for (const id of wrong) {
      await assertPage(await ask(id))
      assert.equal(await isKnown(id), false, id)
    }
    assert.equal(documents.connections, connections)
    assert.equal((await ask(client.id)).status, 200)
  })

  test('CIMD §8.6: a document at a special-use address is not fetched, whatever name leads there (A8) (N16)', async () => {
    const { port } = documents
    const resolutions: string[] = []
    const addresses: Record<string, string[][]> = {
      'inside.test': [['10.0.0.1']],
      'metadata.test': [['169.254.169.254']],
      'mixed.test': [['93.184.216.34', '127.0.0.1']],
      'mapped.test': [['::ffff:127.0.0.1']],
      // Whoever looks again gets another answer.
      'rebinding.test': [['127.0.0.1'], ['93.184.216.34']],
      'allowed.test': [['127.0.0.1'], ['127.0.0.2']],
    }
    const guarded = await openTestServer(
      dialect,
      {
        issuer: 'https://auth.example.com',
        clientIdMetadata: {},
        outbound: { ca: documents.ca, allow: [`allowed.test:${port}`] },
      },
      undefined,
      async (host) => {
        resolutions.push(host)
        const answers = addresses[host] ?? []
        return answers.shift() ?? []
      },
    )
    const elsewhere = await openDocuments('127.0.0.2', { port })
    try {
      const connections = documents.connections
      for (const host of ['inside.test', 'metadata.test', 'mixed.test', 'mapped.test', 'rebinding.test']) {
        await assertPage(await ask(`https://${host}:${port}/client.json`, callback, guarded))
        assert.deepEqual(resolutions.splice(0), [host])
      }
      for (const host of ['localhost', '127.0.0.1', '[::1]', '[::ffff:7f00:1]', '2130706433', '0.0.0.0']) {
        await assertPage(await ask(`https://${host}:${port}/client.json`, callback, guarded))
      }
      assert.equal(documents.connections, connections)
      assert.deepEqual(await guarded.g.clients.list(), [])
      // The twin: named in the configuration, resolved once, and reached where it was checked.
      const id = `https://allowed.test:${port}/allowed.json`
      documents.serve('/allowed.json', { client_id: id, client_name: 'A', redirect_uris: [callback] })
      resolutions.length = 0
      assert.equal((await ask(id, callback, guarded)).status, 200)
      assert.deepEqual(resolutions, ['allowed.test'])
      assert.equal(elsewhere.connections, 0)
      assert.equal(documents.connections, connections + 1)
    } finally {
      await elsewhere.close()
      await guarded.close()
    }
  })

  test('CIMD §4, §4.1, §5, §8.7: what is no document of this client is refused, not followed and not kept (A8) (N17)', async () => {
    documents.serve('/target.json', {})
    const privateJwk = (await generateRsaSigningKey('RS256')).privateKey.export({ format: 'jwk' })
    const refused: Record<string, (id: string, respond: Respond) => void> = {
      'a redirect': (_id, respond) => respond(302, '', { location: '/target.json' }),
      'another success': (id, respond) => respond(201, JSON.stringify(good(id))),
      'no document': (_id, respond) => respond(404, '{}'),
      trouble: (_id, respond) => respond(500, '{}'),
      'a long one': (id, respond) => respond(200, JSON.stringify({ ...good(id), pad: 'x'.repeat(5 * 1024) })),
      HTML: (id, respond) => respond(200, JSON.stringify(good(id)), { 'content-type': 'text/html' }),
      'no JSON': (_id, respond) => respond(200, '<html></html>'),
      'a list': (id, respond) => respond(200, JSON.stringify([good(id)])),
      null: (_id, respond) => respond(200, 'null'),
      ...Object.fromEntries(
        Object.entries<Record<string, unknown>>({
          'no client_id': { client_id: undefined },
          'another client_id': { client_id: `${documents.origin}/target.json` },
          'a port left out': { client_id: 'https://localhost/a.json' },
          'a secret by basic': { token_endpoint_auth_method: 'client_secret_basic' },
          'a secret by post': { token_endpoint_auth_method: 'client_secret_post' },
          'a secret for JWTs': { token_endpoint_auth_method: 'client_secret_jwt' },
          'an unknown method': { token_endpoint_auth_method: 'magic' },
          'a secret': { client_secret: 'a' },
          'an end of a secret': { client_secret_expires_at: 0 },
          'a private key': { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [privateJwk] } },
          'no keys': { token_endpoint_auth_method: 'private_key_jwt' },
          'no redirect URI': { redirect_uris: undefined },
          'a redirect URI with a fragment': { redirect_uris: [`${callback}#a`] },
          'a redirect URI without TLS': { redirect_uris: ['http://client.example/callback'] },
          'a redirect URI that is a script': { redirect_uris: ['javascript:alert(1)'] },
          'a response type of the past': { response_types: ['token'] },
          'keys inside': { token_endpoint_auth_method: 'private_key_jwt', jwks_uri: 'https://10.0.0.1/jwks' },
        }).map(([name, wrong]) => [
          name,
          (id: string, respond: Respond) => respond(200, JSON.stringify({ ...good(id), ...wrong })),
        ]),
      ),
    }
    for (const [name, answer] of Object.entries(refused)) {
      const path = fresh()
      const id = documents.origin + path
      documents.serve(path, (response: ServerResponse) =>
        answer(id, (status, body, headers = {}) =>
          response
            .writeHead(status, {
              'content-type': 'application/json',
              'cache-control': 'max-age=3600',
              ...headers,
            })
            .end(body),
        ),
      )
      await assertPage(await ask(id))
      assert.equal(await isKnown(id), false, name)
      assert.equal(requestsFor(id), 1, name)
      // Neither the failure nor the document is remembered (§5.2).
      serveClient(documents, path)
      assert.equal((await ask(id)).status, 200, name)
    }
    assert.equal(requestsFor(`${documents.origin}/target.json`), 0)
  })

  test('CIMD §5.2: a document is read again when its time is over, and only then', async () => {
    const path = fresh()
    const client = serveClient(documents, path, {}, { 'cache-control': 'max-age=300', etag: '"one"' })
    for (const passed of [0, 299_000]) {
      testServer.clock.advance(passed)
      assert.equal((await ask(client.id)).status, 200)
      assert.equal(requestsFor(client.id), 1)
    }
    testServer.clock.advance(2_000)
    documents.serve(path, (response: ServerResponse) =>
      response.writeHead(304, { 'cache-control': 'max-age=600' }).end(),
    )
    assert.equal((await ask(client.id)).status, 200)
    assert.equal(documents.requests.at(-1)!.headers['if-none-match'], '"one"')
    testServer.clock.advance(599_000)
    assert.equal((await ask(client.id)).status, 200)
    assert.equal(requestsFor(client.id), 2)
    testServer.clock.advance(2_000)
    serveClient(documents, path, { client_name: 'Renamed tool' })
    assert.match(await (await ask(client.id)).text(), /Renamed tool/)
    assert.equal(requestsFor(client.id), 3)
  })

  test('CIMD §5.2: whatever the document’s server says, it is not asked at every step and not believed for ever', async () => {
    const shy = serveClient(documents, fresh(), {}, { 'cache-control': 'no-store' })
    const stubborn = serveClient(documents, fresh(), {}, { 'cache-control': 'max-age=999999999' })
    for (const client of [shy, stubborn]) {
      await obtainTokens(testServer, client)
      await ask(client.id)
      assert.equal(requestsFor(client.id), 1)
    }
    testServer.clock.advance(61_000)
    await ask(shy.id)
    assert.equal(requestsFor(shy.id), 2)
    testServer.clock.advance(24 * hour)
    await ask(stubborn.id)
    assert.equal(requestsFor(stubborn.id), 2)
  })

  test('CIMD §5.1: a flow begins with a fresh document or not at all; tokens that exist live on', async () => {
    const path = fresh()
    const client = serveClient(documents, path)
    const { refresh_token } = await obtainTokens(testServer, client)
    testServer.clock.advance(hour)
    documents.serve(path, (response: ServerResponse) => response.writeHead(503).end())
    await assertPage(await ask(client.id))
    const pushed = await testServer.post(
      '/oauth/par',
      Object.fromEntries(authorizeParameters(client, makePkce())),
    )
    await assertError(pushed, 400, 'invalid_request')
    const before = requestsFor(client.id)
    const again = await readTokens(await refresh(testServer, client, refresh_token!))
    assert.equal(requestsFor(client.id), before + 1, 'what is known is good for an hour of outage')
    serveClient(documents, path)
    assert.equal((await ask(client.id)).status, 303)
    assert.equal((await refresh(testServer, client, again.refresh_token!)).status, 200)
  })

  test('RFC 9126 §2.1: a document’s client may push its request', async () => {
    const client = serveClient(documents, fresh())
    const pkce = makePkce()
    const pushed = await testServer.post('/oauth/par', Object.fromEntries(authorizeParameters(client, pkce)))
    assert.equal(pushed.status, 201, await pushed.clone().text())
    const { request_uri } = (await pushed.json()) as { request_uri: string }
    const parameters = new URLSearchParams({ client_id: client.id, request_uri })
    const { code } = readRedirect(await authorize(testServer, parameters)).parameters
    assert.equal((await redeem(testServer, client, code!, pkce)).status, 200)
    assert.equal(requestsFor(client.id), 1)
  })

  test('RFC 8628 §3.1: a document’s client may be a device', async () => {
    const client = serveClient(documents, fresh(), {
      redirect_uris: undefined,
      grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
    })
    const answer = await testServer.post('/oauth/device_authorization', {
      client_id: client.id,
      scope: 'jobs:read',
    })
    const body = (await answer.json()) as { user_code?: string }
    assert.equal(answer.status, 200, JSON.stringify(body))
    assert.ok(body.user_code)
    assert.equal(requestsFor(client.id), 1)
    const nobody = await testServer.post('/oauth/device_authorization', {
      client_id: `${documents.origin}/nobody.json`,
    })
    await assertError(nobody, 400, 'invalid_request')
  })

  test('CIMD §8.4: a document that gives less takes it away from what was granted', async () => {
    const path = fresh()
    const other = 'https://other.example/callback'
    const client = serveClient(documents, path, {
      redirect_uris: [callback, other],
      scope: 'jobs:read resume:read',
    })
    const asked = { scope: 'jobs:read resume:read' }
    const { refresh_token } = await obtainTokens(testServer, client, asked)
    const pkce = makePkce()
    const shown = await testServer.request(
      `/oauth/authorize?${authorizeParameters(client, pkce, { redirect_uri: other })}`,
    )
    const form = await readConsent(shown)
    testServer.clock.advance(hour)
    serveClient(documents, path, { scope: 'jobs:read' })
    assert.equal((await ask(client.id)).status, 303, 'consent is remembered')
    // A form that was shown before grants nothing to an address that is gone; the same address asks in vain.
    await assertPage(await answerConsent(testServer, form, { decision: 'allow' }))
    await assertPage(await ask(client.id, other))
    const { parameters } = readRedirect(
      // The user allowed this host, so it hears of the error.
      await testServer.request(
        `/oauth/authorize?${authorizeParameters(client, pkce, { ...asked, prompt: 'none' })}`,
      ),
    )
    assert.equal(parameters.error, 'invalid_scope')
    const tokens = await readTokens(await refresh(testServer, client, refresh_token!))
    assert.equal(tokens.scope, 'jobs:read')
  })

  test('CIMD §8.4: a consent holds for the host its answers went to', async () => {
    const path = fresh()
    const client = serveClient(documents, path)
    await obtainTokens(testServer, client)
    assert.equal((await ask(client.id)).status, 303)
    testServer.clock.advance(hour)
    const moved = 'https://elsewhere.example/callback'
    serveClient(documents, path, { redirect_uris: [moved] })
    const shown = await ask(client.id, moved)
    assert.equal(shown.status, 200)
    assert.match(await shown.text(), /elsewhere\.example/)
  })

  test('CIMD §8.2, §8.4: who is to authenticate in another way is another client, and the old sessions end', async () => {
    const path = fresh()
    const client = serveClient(documents, path)
    const { refresh_token, access_token } = await obtainTokens(testServer, client)
    testServer.clock.advance(hour)
    const key = await generateRsaSigningKey('RS256')
    const jwks = { keys: [key.publicJwk] }
    serveClient(documents, path, { token_endpoint_auth_method: 'private_key_jwt', jwks })
    assert.equal((await ask(client.id)).status, 303)
    await assertError(await refresh(testServer, client, refresh_token!), 401, 'invalid_client')
    const form = {
      grant_type: 'refresh_token',
      refresh_token: refresh_token!,
      ...assertionBy(client.id, key),
    }
    await assertError(await testServer.post('/oauth/token', form), 400, 'invalid_grant')
    const access = await testServer.g.authenticate(
      new Request('https://api.example/', { headers: { authorization: `Bearer ${access_token}` } }),
    )
    assert.equal(access.ok, false)
    const { clientUpdates } = await eventsOf(client.id)
    assert.deepEqual(clientUpdates, [['token_endpoint_auth_method', 'jwks']])
  })

  test('RFC 7523 §2.2: a document’s client authenticates by keys it publishes elsewhere (H8)', async () => {
    for (const alg of ['RS256', 'ES256'] as const) {
      const key = alg === 'RS256' ? await generateRsaSigningKey(alg) : generateSigningKey(alg)
      const keys = fresh()
      documents.serve(keys, { keys: [key.publicJwk] })
      const client = serveClient(documents, fresh(), {
        token_endpoint_auth_method: 'private_key_jwt',
        jwks_uri: documents.origin + keys,
      })
      const pkce = makePkce()
      const code = await obtainCode(testServer, client, pkce)
      await assertError(await redeem(testServer, client, code, pkce), 401, 'invalid_client')
      const proof = assertionBy(client.id, key)
      assert.equal((await redeem(testServer, client, code, pkce, proof)).status, 200)
      await assertError(await redeem(testServer, client, code, pkce, proof), 401, 'invalid_client')
    }
  })

  test('RFC 8252 §7.3: any port of a program on the user’s computer, with a warning (CC1, CC2, CC3)', async () => {
    const redirectUris = ['http://localhost/callback', 'http://127.0.0.1/callback']
    const client = serveClient(documents, fresh(), {
      client_name: 'Claude Code',
      redirect_uris: redirectUris,
    })
    for (const redirect_uri of ['http://localhost:3118/callback', 'http://127.0.0.1:53682/callback']) {
      const pkce = makePkce()
      const page = await readConsent(
        await testServer.request(`/oauth/authorize?${authorizeParameters(client, pkce, { redirect_uri })}`),
      )
      assert.match(page.html, /a program on your own computer/)
      assert.ok(page.html.includes(new URL(redirect_uri).host))
      const { parameters } = readRedirect(await answerConsent(testServer, page, { decision: 'allow' }))
      assert.equal((await redeem(testServer, client, parameters.code!, pkce, { redirect_uri })).status, 200)
    }
    await assertPage(await ask(client.id, 'http://localhost:3118/other'))
  })

  test('CIMD §7.2: a client that an administrator registered under its address is taken as registered', async () => {
    const path = fresh()
    const client = serveClient(documents, path, { redirect_uris: ['https://evil.example/'] })
    await testServer.createClient({ id: client.id, tokenEndpointAuthMethod: 'none' })
    assert.equal((await ask(client.id, 'https://client.example/callback')).status, 200)
    await assertPage(await ask(client.id, 'https://evil.example/'))
    assert.equal(requestsFor(client.id), 0)
  })

  test('RFC 6749 §4.1.2.1: a suspended client stays suspended, whatever its document says', async () => {
    const client = serveClient(documents, fresh())
    await obtainTokens(testServer, client)
    await testServer.g.clients.suspend(client.id, 'phishing')
    testServer.clock.advance(hour)
    await assertPage(await ask(client.id))
    assert.equal(requestsFor(client.id), 1)
    await testServer.g.clients.restore(client.id)
    assert.equal((await ask(client.id)).status, 303)
  })

  test('CIMD §9.1: many who come at once cause one request', async () => {
    const client = serveClient(documents, fresh())
    const answers = await Promise.all(Array.from({ length: 12 }, () => ask(client.id)))
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]))
    assert.equal(requestsFor(client.id), 1)
    const { registered } = await eventsOf(client.id)
    assert.equal(registered, 1)
  })

  test('CIMD §5: two processes that read a document for the first time know one client', async () => {
    const { g } = await testServer.twin()
    for (let round = 0; round < 5; round++) {
      const client = serveClient(documents, fresh())
      const url = `${issuer}/oauth/authorize?${authorizeParameters(client, makePkce())}`
      const both = [testServer.request(url), g.fetch(new Request(url, { redirect: 'manual' }))]
      assert.deepEqual(
        (await Promise.all(both)).map(({ status }) => status),
        [200, 200],
      )
      assert.equal((await testServer.g.clients.list()).filter(({ id }) => id === client.id).length, 1)
    }
  })

  test('CIMD §8.9: only hosts that are trusted, where they are named', async () => {
    const trusting = await openTestServer(dialect, {
      clientIdMetadata: { hosts: ['127.0.0.1', '*.claude.example'] },
      outbound: { ca: documents.ca },
    })
    try {
      const client = serveClient(documents, fresh())
      const connections = documents.connections
      await assertPage(await ask(client.id, callback, trusting))
      await assertPage(await ask('https://claude.example/a', callback, trusting))
      assert.equal(documents.connections, connections)
      const id = client.id.replace('localhost', '127.0.0.1')
      await assertPage(await ask(id, callback, trusting))
      assert.equal(documents.connections, connections + 1, 'reached, and refused for its certificate')
    } finally {
      await trusting.close()
    }
  })

  test('CIMD §8.6: nobody makes this server ask for documents again and again', async () => {
    const limited = await openTestServer(dialect, {
      clientIdMetadata: {},
      outbound: { ca: documents.ca },
      selfRegisteredClients: { perNetworkPerHour: 3, networks: { '198.51.100.0/24': 5 } },
    })
    try {
      const path = fresh()
      const known = serveClient(documents, path)
      assert.equal((await ask(known.id, callback, limited)).status, 200)
      const tryAt = (n: number, address: string) => {
        const parameters = authorizeParameters(
          described(`${documents.origin}/nothing-${n}.json`, [callback]),
          null,
        )
        return limited.request(`/oauth/authorize?${parameters}`, { address })
      }
      const connections = documents.connections
      for (const n of [1, 2]) await assertPage(await tryAt(n, '203.0.113.7'))
      const full = await tryAt(3, '203.0.113.7')
      assert.ok(Number(full.headers.get('retry-after')) > 0)
      await assertPage(full, 429)
      for (let n = 0; n < 5; n++) await assertPage(await tryAt(n, '198.51.100.9'))
      await assertPage(await tryAt(5, '198.51.100.9'), 429)
      assert.equal(documents.connections, connections + 7)
      // Who is known is not kept out: a fresh document needs no try.
      assert.equal((await ask(known.id, callback, limited)).status, 200)
      limited.clock.advance(hour)
      await assertPage(await tryAt(6, '203.0.113.7'))
      assert.equal(documents.connections, connections + 8)
    } finally {
      await limited.close()
    }
  })

  test('CIMD §6: where documents are not configured no address is one', async () => {
    const plain = await openTestServer(dialect)
    const path = fresh()
    const former = serveClient(documents, path)
    const tokens = await obtainTokens(testServer, former)
    const without = await testServer.twin({ clientIdMetadata: undefined })
    const begin = () =>
      without.g.fetch(new Request(`${issuer}/oauth/authorize?${authorizeParameters(former, makePkce())}`))
    try {
      await assertPage(await begin())
      assert.equal((await refresh(testServer, former, tokens.refresh_token!)).status, 200)
      const client = serveClient(documents, fresh())
      await assertPage(await ask(client.id, callback, plain))
      assert.equal(requestsFor(client.id), 0)
      const answer = await plain.request('/.well-known/oauth-authorization-server')
      assert.equal('client_id_metadata_document_supported' in ((await answer.json()) as object), false)
    } finally {
      await plain.close()
    }
  })

  type Respond = (status: number, body: string, headers?: Record<string, string>) => void
  const good = (id: string) => ({ client_id: id, client_name: 'Desk tool', redirect_uris: [callback] })

  function assertionBy(id: string, key: SigningKey): Record<string, string> {
    const seconds = Math.floor(testServer.clock.now() / 1_000)
    const claims = { iss: id, sub: id, aud: issuer, jti: randomUUID(), iat: seconds, exp: seconds + 60 }
    return {
      client_id: id,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: signJwt(key, 'JWT', claims),
    }
  }

  async function eventsOf(clientId: string) {
    const rows = await listEvents(testServer.app.server.db, { clientId, limit: 50 })
    const of = (type: string) =>
      rows.filter((row) => row.type === type).map((row) => JSON.parse(row.body).data)
    return {
      registered: of('client_registered').length,
      clientUpdates: of('client_updated').map((data) => data.changed),
    }
  }
})
