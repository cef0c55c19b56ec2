import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { after, test } from 'node:test'
import { generateSigningKey, type SigningKey } from '../../../src/crypto/jws.ts'
import { assertion, clientKeys } from '../../support/assertions.ts'
import { openDocuments } from '../../support/documents.ts'
import { onBothDatabases, openTestServer, type TestServer, testServerFor } from '../../support/gatehouse.ts'
import { assertJson } from '../answers.ts'

const { RS256, ES256 } = clientKeys
const documents = await openDocuments()
after(() => documents.close())

const setOf = (...keys: SigningKey[]) => ({ keys: keys.map((key) => key.publicJwk) })

onBothDatabases('published keys of clients', (dialect) => {
  const open = testServerFor(dialect, {
    outbound: { ca: documents.ca },
    limits: { failuresPerNetwork: 100_000, clientAuthenticationFailures: 100_000 },
  })
  let sets = 0

  /** A client whose keys are at an address of its own. */
  async function publish(server: TestServer, answer: unknown = setOf(RS256)) {
    const path = `/${dialect}/${++sets}.json`
    documents.serve(path, answer)
    const created = await server.createClient({
      tokenEndpointAuthMethod: 'private_key_jwt',
      jwksUri: documents.origin + path,
    })
    const ask = (key: SigningKey, header?: Record<string, unknown>) =>
      server.post('/oauth/revoke', { token: 'x', ...assertion(created, key, server.clock, {}, header) })
    return {
      created,
      ask,
      async good(key: SigningKey, header?: Record<string, unknown>) {
        const response = await ask(key, header)
        assert.equal(response.status, 200, await response.text())
      },
      async refused(key: SigningKey, header?: Record<string, unknown>) {
        await assertJson(await ask(key, header), 401, 'invalid_client')
      },
      async unavailable(key: SigningKey) {
        const headers = await assertJson(await ask(key), 503, 'temporarily_unavailable')
        assert.match(headers.get('retry-after') ?? '', /^\d+$/)
      },
      serve: (next: unknown) => documents.serve(path, next),
      reads: () => documents.requests.filter((request) => request.url === path).length,
    }
  }

  test('RFC 7591 §2: keys at jwks_uri are read once and verify from then on, RS256 and ES256 alike (H8)', async () => {
    const server = await open()
    const client = await publish(server, setOf(RS256, ES256))
    await Promise.all([RS256, ES256, RS256].map((key) => client.good(key)))
    await client.good(RS256, { kid: undefined })
    server.clock.advance(9 * 60_000)
    await client.good(ES256)
    assert.equal(client.reads(), 1)
  })

  test('RFC 7517 §4.5: a key that is not known yet is looked for once, then not again for ten seconds', async () => {
    const server = await open()
    const client = await publish(server)
    await client.good(RS256)
    const next = generateSigningKey()
    await client.refused(next)
    assert.equal(client.reads(), 1, 'just read')
    server.clock.advance(10_000)
    await Promise.all(Array.from({ length: 8 }, () => client.refused(next)))
    assert.equal(client.reads(), 2, 'one read for all of them')
    client.serve(setOf(next, RS256))
    server.clock.advance(9_999)
    await client.refused(next)
    assert.equal(client.reads(), 2)
    server.clock.advance(1)
    await client.good(next)
    await client.good(RS256)
    assert.equal(client.reads(), 3)
  })

  test('RFC 7517 §5: a key that was withdrawn ends when the set is read again', async () => {
    const server = await open()
    const client = await publish(server, setOf(RS256, ES256))
    await client.good(RS256)
    client.serve(setOf(ES256))
    server.clock.advance(10 * 60_000 + 1)
    await client.refused(RS256)
    assert.equal(client.reads(), 2)
    await client.good(ES256)
  })

  test('RFC 6749 §5.2: keys that cannot be had are 503, asked for once in five seconds, and the assertion stays good', async () => {
    const server = await open()
    const failures: unknown[] = [
      (response: ServerResponse) => response.writeHead(500).end(),
      (response: ServerResponse) =>
        response.writeHead(302, { location: `${documents.origin}/${dialect}/1.json` }).end(),
      (response: ServerResponse) => response.destroy(),
      (response: ServerResponse) =>
        response.writeHead(200, { 'content-type': 'text/html' }).end(JSON.stringify(setOf(RS256))),
      { keys: 'none' },
      [],
      { keys: [{ ...RS256.publicJwk, filler: 'x'.repeat(70_000) }] },
    ]
    for (const failure of failures) {
      const client = await publish(server, failure)
      const sign = assertion(client.created, RS256, server.clock)
      const ask = () => server.post('/oauth/revoke', { token: 'x', ...sign })
      await assertJson(await ask(), 503, 'temporarily_unavailable')
      await Promise.all([client.unavailable(RS256), client.unavailable(RS256)])
      assert.equal(client.reads(), 1)
      client.serve(setOf(RS256))
      await assertJson(await ask(), 503, 'temporarily_unavailable')
      server.clock.advance(5_000)
      assert.equal((await ask()).status, 200, 'the very same assertion')
      assert.equal(client.reads(), 2)
    }
  })

  test('RFC 6819 §5.1.4.2.3: keys that cannot be had count as nobody’s failure', async () => {
    const server = await openTestServer(dialect, {
      outbound: { ca: documents.ca },
      limits: { clientAuthenticationFailures: 2 },
    })
    try {
      const client = await publish(server, (response: ServerResponse) => response.writeHead(500).end())
      for (let n = 0; n < 4; n++) await client.unavailable(RS256)
      client.serve(setOf(RS256))
      server.clock.advance(5_000)
      for (let n = 0; n < 2; n++) await client.refused(ES256)
      assert.equal((await client.ask(ES256)).status, 429)
      await client.good(RS256)
    } finally {
      await server.close()
    }
  })

  test('RFC 7517 §5: known keys outlive an outage for an hour, and no longer', async () => {
    const server = await open()
    const client = await publish(server)
    await client.good(RS256)
    client.serve((response: ServerResponse) => response.writeHead(500).end())
    server.clock.advance(10 * 60_000 + 3_600_000)
    await client.good(RS256)
    server.clock.advance(1)
    await client.unavailable(RS256)
    client.serve(setOf(RS256))
    server.clock.advance(5_000)
    await client.good(RS256)
  })

  test('RFC 7591 §5: keys at an internal address are refused without a connection', async () => {
    const server = await open()
    const inside = await openDocuments('127.0.0.2')
    inside.serve('/jwks.json', setOf(RS256))
    for (const jwksUri of [
      `https://127.0.0.2:${inside.port}/jwks.json`,
      'https://10.0.0.1/jwks.json',
      'https://169.254.169.254/jwks.json',
      'https://[fd00::1]/jwks.json',
    ]) {
      const created = await server.createClient({ tokenEndpointAuthMethod: 'private_key_jwt', jwksUri })
      const sign = () => assertion(created, RS256, server.clock)
      for (let n = 0; n < 3; n++) {
        await assertJson(await server.post('/oauth/revoke', { token: 'x', ...sign() }), 401, 'invalid_client')
      }
    }
    await inside.close()
    assert.equal(inside.connections, 0)
    for (const jwksUri of ['http://localhost/jwks.json', 'jwks.json', 'file:///etc/passwd', '']) {
      const input = { tokenEndpointAuthMethod: 'private_key_jwt', jwksUri } as const
      await assert.rejects(server.createClient(input), /jwksUri/, jwksUri)
    }
  })

  test('RFC 7517 §4: private, symmetric, weak and encryption keys of a set verify nothing, the others do', async () => {
    const server = await open()
    const secret = { ...RS256.privateKey.export({ format: 'jwk' }), kid: RS256.kid }
    const client = await publish(server, {
      keys: [
        null,
        'x',
        { kty: 'oct', k: 'c2VjcmV0', kid: ES256.kid },
        secret,
        { ...RS256.publicJwk, use: 'enc' },
        ES256.publicJwk,
      ],
    })
    await client.refused(RS256)
    await client.good(ES256)
  })
})
