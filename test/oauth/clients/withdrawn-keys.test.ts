import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { after, before, test } from 'node:test'
import { generateSigningKey, type SigningKey } from '../../../src/crypto/jws.ts'
import { assertion } from '../../support/assertions.ts'
import { described, serveClient } from '../../support/described-clients.ts'
import { type Documents, openDocuments } from '../../support/documents.ts'
import { authorize, authorizeParameters, makePkce, readRedirect, readTokens } from '../../support/flow.ts'
import { onBothDatabases, openTestServer, type TestServer } from '../../support/gatehouse.ts'
import { assertJson } from '../answers.ts'

const minute = 60_000
const hour = 60 * minute
const deviceGrant = 'urn:ietf:params:oauth:grant-type:device_code'
const setOf = (...keys: SigningKey[]) => ({ keys: keys.map((key) => key.publicJwk) })

onBothDatabases('keys that a client withdrew', (dialect) => {
  let documents: Documents
  let testServer: TestServer
  let count = 0
  const fresh = () => `/withdrawn-${count++}.json`

  before(async () => {
    documents = await openDocuments('127.0.0.1')
    testServer = await openTestServer(dialect, {
      clientIdMetadata: {},
      outbound: { ca: documents.ca },
      device: {},
      limits: { failuresPerNetwork: 100_000, clientAuthenticationFailures: 100_000 },
      selfRegisteredClients: {
        perNetworkPerHour: 10_000,
        perHour: 10_000,
        grantTypes: ['authorization_code', 'refresh_token', deviceGrant],
      },
    })
  })
  after(async () => {
    await testServer.close()
    await documents.close()
  })

  const readsOf = (id: string) => documents.requests.filter(({ url }) => documents.origin + url === id).length
  const fails = (status: number) => (response: ServerResponse) => response.writeHead(status).end()

  /** A client whose document holds its keys, signed in once; its document says nothing about caching, so it is fresh for ten minutes. */
  async function signedIn(...keys: SigningKey[]) {
    const path = fresh()
    const publish = (...now: SigningKey[]) =>
      serveClient(documents, path, {
        token_endpoint_auth_method: 'private_key_jwt',
        jwks: setOf(...now),
        grant_types: ['authorization_code', 'refresh_token', deviceGrant],
      })
    const client = publish(...keys)
    const pkce = makePkce()
    const { parameters } = readRedirect(await authorize(testServer, authorizeParameters(client, pkce)))
    const post = (to: string, key: SigningKey, form: Record<string, string>) =>
      testServer.post(to, { ...form, ...assertion(client, key, testServer.clock) })
    let { refresh_token } = await readTokens(
      await post('/oauth/token', keys[0]!, {
        grant_type: 'authorization_code',
        code: parameters.code!,
        redirect_uri: 'https://client.example/callback',
        code_verifier: pkce.verifier,
      }),
    )
    const refresh = (key: SigningKey) =>
      post('/oauth/token', key, { grant_type: 'refresh_token', refresh_token: refresh_token! })
    return {
      id: client.id,
      path,
      publish,
      post,
      refresh,
      async refreshed(key: SigningKey) {
        refresh_token = (await readTokens(await refresh(key))).refresh_token
      },
    }
  }

  test('CIMD §5.2: a key that left the document is refused after its cache life, on every way a client authenticates', async () => {
    const ways: Record<string, [path: string, form: Record<string, string>]> = {
      refresh: ['/oauth/token', { grant_type: 'refresh_token' }],
      revocation: ['/oauth/revoke', { token: 'x' }],
      introspection: ['/oauth/introspect', { token: 'x' }],
      'device authorization': ['/oauth/device_authorization', {}],
      'pushed request': ['/oauth/par', {}],
    }
    for (const [way, [path, form]] of Object.entries(ways)) {
      const [lost, next] = [generateSigningKey(), generateSigningKey()]
      const client = await signedIn(lost)
      await client.refreshed(lost)
      client.publish(next)
      assert.equal((await client.post('/oauth/revoke', lost, { token: 'x' })).status, 200, 'still fresh')
      testServer.clock.advance(10 * minute + 1)
      await assertJson(await client.post(path, lost, form), 401, 'invalid_client')
      assert.equal(readsOf(client.id), 2, way)
      await client.refreshed(next)
      assert.equal(readsOf(client.id), 2, way)
    }
  })

  test('CIMD §5.2: a document that is unchanged is read once in its cache life, however many ask at once', async () => {
    const key = generateSigningKey()
    const client = await signedIn(key)
    testServer.clock.advance(11 * minute)
    await Promise.all(
      Array.from({ length: 10 }, async () =>
        assert.equal((await client.post('/oauth/revoke', key, { token: 'x' })).status, 200),
      ),
    )
    assert.equal(readsOf(client.id), 2)
    await client.refreshed(key)
    assert.equal(readsOf(client.id), 2)
  })

  test('CIMD §5.2: while a document cannot be had what is known stays good for an hour, and its server is not hammered', async () => {
    for (const broken of [fails(503), fails(429), (response: ServerResponse) => response.destroy()]) {
      const key = generateSigningKey()
      const client = await signedIn(key)
      documents.serve(client.path, broken)
      testServer.clock.advance(11 * minute)
      for (let n = 0; n < 5; n++) await client.refreshed(key)
      assert.equal(readsOf(client.id), 2, 'one attempt')
      testServer.clock.advance(30_000)
      await client.refreshed(key)
      assert.equal(readsOf(client.id), 3, 'another after a while')
      testServer.clock.advance(58 * minute)
      await client.refreshed(key)
      testServer.clock.advance(minute)
      const late = await client.refresh(key)
      assert.match(late.headers.get('retry-after') ?? '', /^\d+$/)
      await assertJson(late, 503, 'temporarily_unavailable')
      client.publish(key)
      testServer.clock.advance(30_000)
      await client.refreshed(key)
    }
  })

  test('CIMD §5.2: a document that is gone or is no longer its client’s takes effect', async () => {
    const someoneElses = { client_id: 'https://other.example/', redirect_uris: ['https://client.example/'] }
    for (const gone of [fails(404), fails(410), fails(403), someoneElses]) {
      const key = generateSigningKey()
      const client = await signedIn(key)
      documents.serve(client.path, gone)
      await client.refreshed(key)
      testServer.clock.advance(11 * minute)
      await assertJson(await client.refresh(key), 401, 'invalid_client')
      for (let n = 0; n < 3; n++) assert.equal((await client.refresh(key)).status, 401)
      assert.equal(readsOf(client.id), 2, 'one attempt')
      client.publish(key)
      testServer.clock.advance(30_000)
      await client.refreshed(key)
    }
  })

  test('RFC 9111 §4.2.1: keys at jwks_uri count for their cache life, from five minutes to a day', async () => {
    const cases: [said: string | undefined, life: number][] = [
      [undefined, 10 * minute],
      ['max-age=600', 10 * minute],
      ['max-age=1800', 30 * minute],
      ['no-store', 5 * minute],
      ['max-age=1', 5 * minute],
      ['max-age=31536000', 24 * hour],
    ]
    for (const [said, life] of cases) {
      const [lost, next] = [generateSigningKey(), generateSigningKey()]
      const path = fresh()
      const publish = (set: object) =>
        documents.serve(path, (response: ServerResponse) =>
          response
            .writeHead(200, {
              'content-type': 'application/json',
              ...(said === undefined ? {} : { 'cache-control': said }),
            })
            .end(JSON.stringify(set)),
        )
      publish(setOf(lost))
      const created = await testServer.createClient({
        tokenEndpointAuthMethod: 'private_key_jwt',
        jwksUri: documents.origin + path,
      })
      const ask = async (key: SigningKey) =>
        (await testServer.post('/oauth/revoke', { token: 'x', ...assertion(created, key, testServer.clock) }))
          .status
      assert.equal(await ask(lost), 200)
      publish(setOf(next))
      testServer.clock.advance(life)
      assert.equal(await ask(lost), 200, `${said}: fresh`)
      testServer.clock.advance(1)
      assert.equal(await ask(lost), 401, `${said}: over`)
      assert.equal(await ask(next), 200)
      assert.equal(readsOf(documents.origin + path), 2)

      documents.serve(path, fails(500))
      testServer.clock.advance(life + hour)
      assert.equal(await ask(next), 200, `${said}: an hour of outage`)
      testServer.clock.advance(1)
      assert.equal(await ask(next), 503)
      publish(setOf(next))
      testServer.clock.advance(5_000)
      assert.equal(await ask(next), 200)
      documents.serve(path, fails(404))
      testServer.clock.advance(life + 1)
      assert.equal(await ask(next), 503, 'no keys are no outage')
    }
  })

  test('CIMD §8.6: addresses at one host are asked for only so often, whoever names them', async () => {
    const other = await openTestServer(dialect, { clientIdMetadata: {}, outbound: { ca: documents.ca } })
    try {
      const before = documents.requests.length
      const statuses: number[] = []
      for (let n = 0; n < 130; n++) {
        const parameters = authorizeParameters(
          described(`${documents.origin}/flood-${n}.json`, ['https://client.example/callback']),
          makePkce(),
        )
        const address = `198.51.${100 + (n >> 7)}.${n % 128}`
        statuses.push((await other.request(`/oauth/authorize?${parameters}`, { address })).status)
      }
      assert.deepEqual(new Set(statuses.slice(0, 100)), new Set([400]))
      assert.deepEqual(new Set(statuses.slice(100)), new Set([429]))
      assert.equal(documents.requests.length - before, 100)
    } finally {
      await other.close()
    }
  })
})
