import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, test } from 'node:test'
import { generateSigningKey, type SigningKey, signJwt } from '../../../src/crypto/jws.ts'
import { assertion, assertionClaims, assertionType, clientKeys } from '../../support/assertions.ts'
import { countCrypto } from '../../support/counted-crypto.ts'
import { openDocuments } from '../../support/documents.ts'
import { makeProofKey, proofFor } from '../../support/dpop.ts'
import { authorizeParameters, credentials, makePkce } from '../../support/flow.ts'
import { issuer, onBothDatabases, openTestServer, testServerFor } from '../../support/gatehouse.ts'
import { publicMetadata, register } from '../../support/registration.ts'
import { requestObject, withObject } from '../../support/request-objects.ts'
import { assertJson } from '../answers.ts'

const { RS256, ES256 } = clientKeys
const documents = await openDocuments()
after(() => documents.close())

/** A JWK nobody has the private key of. */
function rsaJwk(bits: number, exponent: number | bigint, more: Record<string, unknown> = {}) {
  const n = randomBytes(bits / 8)
  n[0]! |= 0x80
  n[n.length - 1]! |= 1
  const hex = exponent.toString(16)
  const e = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex')
  return { kty: 'RSA', n: n.toString('base64url'), e: e.toString('base64url'), ...more }
}

const huge = 2n ** 32n - 1n
const many = <T>(count: number, make: (n: number) => T): T[] =>
  Array.from({ length: count }, (_, n) => make(n))

/** A signature as long as an RSA key of so many bits makes it. */
function forged(bits: number, claims: object, header: Record<string, unknown>): string {
  const text = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${text(header)}.${text(claims)}.${randomBytes(bits / 8).toString('base64url')}`
}

onBothDatabases('keys that cost', (dialect) => {
  const open = testServerFor(dialect, {
    outbound: { ca: documents.ca },
    registration: { policy: 'open' },
    selfRegisteredClients: { perNetworkPerHour: 10_000 },
    limits: { failuresPerNetwork: 100_000, clientAuthenticationFailures: 100_000 },
  })
  let sets = 0
  async function publish(keys: object[]) {
    const server = await open()
    const path = `/costly-${dialect}-${++sets}.json`
    documents.serve(path, { keys })
    const created = await server.createClient({
      tokenEndpointAuthMethod: 'private_key_jwt',
      jwksUri: documents.origin + path,
    })
    return { server, created }
  }
  const pinned = async (keys: object[]) => {
    const server = await open()
    return {
      server,
      created: await server.createClient({ tokenEndpointAuthMethod: 'private_key_jwt', jwks: { keys } }),
    }
  }

  test('RFC 8725 §3.5: twenty RSA keys of 8,192 bits with a huge exponent cost no verification at all', async () => {
    const { server, created } = await publish(many(20, () => rsaJwk(8_192, huge)))
    const claims = assertionClaims(created.client.id, server.clock.now())
    const parameters = authorizeParameters(created, makePkce())
    const header = { alg: 'RS256', typ: 'oauth-authz-req+jwt' }
    const object = forged(8_192, { ...claims, ...Object.fromEntries(parameters), sub: undefined }, header)
    const client_assertion = forged(8_192, claims, { alg: 'RS256' })
    const counts = await countCrypto(async () => {
      const shown = await server.request(`/oauth/authorize?${withObject(created, object)}`)
      assert.equal(shown.status, 400)
      await assertJson(
        await server.post('/oauth/revoke', {
          token: 'x',
          client_assertion_type: assertionType,
          client_assertion,
        }),
        401,
        'invalid_client',
      )
    })
    assert.deepEqual(counts, { verify: 0, createPublicKey: 0 })
  })

  test('RFC 7517 §4.5: one key is tried for a kid, and two without, however many a set has', async () => {
    const { server, created } = await publish(many(16, () => generateSigningKey().publicJwk))
    const signed = (header: Record<string, unknown>) =>
      server.post('/oauth/revoke', { token: 'x', ...assertion(created, ES256, server.clock, {}, header) })
    await assertJson(await signed({ kid: undefined }), 401, 'invalid_client')
    const unnamed = await countCrypto(async () => {
      await assertJson(await signed({ kid: undefined }), 401, 'invalid_client')
    })
    assert.deepEqual(unnamed, { verify: 2, createPublicKey: 0 })

    const same = await publish(many(16, () => ({ ...generateSigningKey().publicJwk, kid: 'same' })))
    const named = await countCrypto(async () => {
      await assertJson(
        await server.post('/oauth/revoke', {
          token: 'x',
          ...assertion(same.created, ES256, server.clock, {}, { kid: 'same' }),
        }),
        401,
        'invalid_client',
      )
    })
    assert.equal(named.verify, 1)

    const good = await publish([RS256.publicJwk, generateSigningKey().publicJwk, ES256.publicJwk])
    for (const header of [{}, { kid: undefined }]) {
      const asked = assertion(good.created, ES256, server.clock, {}, header)
      assert.equal((await server.post('/oauth/revoke', { token: 'x', ...asked })).status, 200)
    }
  })

  test('RFC 7517 §5: the keys of a client are read once, and no more often than they change', async () => {
    for (const { server, created } of [
      await pinned([RS256.publicJwk, ES256.publicJwk]),
      await publish([RS256.publicJwk, ES256.publicJwk]),
    ]) {
      const good = async (key: SigningKey) => {
        const answer = await server.post('/oauth/revoke', {
          token: 'x',
          ...assertion(created, key, server.clock),
        })
        assert.equal(answer.status, 200)
      }
      await good(ES256)
      await good(RS256)
      const counts = await countCrypto(async () => {
        for (let n = 0; n < 5; n++) {
          server.clock.advance(1_500)
          await good(ES256)
          await good(RS256)
        }
      })
      assert.deepEqual(counts, { verify: 10, createPublicKey: 0 })
    }
  })

  test('RFC 7591 §3.2.2: keys beyond the limits are refused at registration, with the limit', async () => {
    const server = await open()
    const es = ES256.publicJwk
    const cases: [keys: object[], said: RegExp][] = [
      [[rsaJwk(8_192, 65_537)], /jwks\.keys\[0\].*2048 to 4096/],
      [[es, rsaJwk(8_192, 65_537)], /jwks\.keys\[1\].*2048 to 4096/],
      [[es, rsaJwk(1_024, 65_537)], /jwks\.keys\[1\].*2048 to 4096/],
      [[es, rsaJwk(2_048, 1)], /jwks\.keys\[1\].*exponent.*odd.*32 bits/],
      [[es, rsaJwk(2_048, 65_536)], /jwks\.keys\[1\].*exponent.*odd.*32 bits/],
      [[es, rsaJwk(2_048, 2n ** 32n + 1n)], /jwks\.keys\[1\].*exponent.*odd.*32 bits/],
      [many(17, () => es), /jwks.*1 to 16/],
      [[{ ...es, filler: 'x'.repeat(13_000) }], /jwks.*12288/],
    ]
    for (const [keys, said] of cases) {
      const metadata = { ...publicMetadata, token_endpoint_auth_method: 'private_key_jwt', jwks: { keys } }
      const answer = await register(server, metadata)
      const body = (await answer.json()) as { error: string; error_description: string }
      assert.deepEqual([answer.status, body.error], [400, 'invalid_client_metadata'], JSON.stringify(body))
      assert.match(body.error_description, said)
      await assert.rejects(
        server.createClient({ tokenEndpointAuthMethod: 'private_key_jwt', jwks: { keys } }),
        said,
      )
    }
    for (const keys of [
      [rsaJwk(2_048, 3)],
      [rsaJwk(4_096, 65_537)],
      [es, { kty: 'EC', crv: 'P-384', x: 'x', y: 'y' }],
    ]) {
      const metadata = { ...publicMetadata, token_endpoint_auth_method: 'private_key_jwt', jwks: { keys } }
      assert.equal((await register(server, metadata)).status, 201)
    }
  })
})

onBothDatabases('signatures that do not hold', (dialect) => {
  const limits = { failuresPerNetwork: 6, clientAuthenticationFailures: 2 }
  const near = '198.51.100.1'

  test('RFC 6819 §5.1.4.2.3: after enough bad signatures of a client from a network none is verified; others are', async () => {
    const server = await openTestServer(dialect, { limits })
    try {
      const [mine, other] = await Promise.all(
        ['mine', 'other'].map((id) =>
          server.createClient({
            id,
            tokenEndpointAuthMethod: 'private_key_jwt',
            jwks: { keys: [ES256.publicJwk] },
          }),
        ),
      )
      const ask = (created: typeof mine, key: SigningKey, address: string) =>
        server.request('/oauth/revoke', {
          method: 'POST',
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
          address,
          body: new URLSearchParams({
            token: 'x',
            ...assertion(created!, key, server.clock, {}, { kid: ES256.kid }),
          }).toString(),
        })
      const stranger = generateSigningKey()
      assert.equal((await ask(mine!, ES256, '203.0.113.9')).status, 200, 'a network that proved itself')
      for (let n = 0; n < 4; n++) assert.notEqual((await ask(mine!, stranger, near)).status, 200)
      const counts = await countCrypto(async () => {
        for (let n = 0; n < 4; n++) {
          const answer = await ask(mine!, stranger, near)
          await assertJson(answer, 429, 'temporarily_unavailable')
          assert.match(answer.headers.get('retry-after') ?? '', /^\d+$/)
        }
      })
      assert.equal(counts.verify, 0)
      assert.equal((await ask(mine!, ES256, '203.0.113.9')).status, 200, 'from elsewhere it goes on')
      assert.equal((await ask(mine!, ES256, '192.0.2.1')).status, 200, 'from anywhere else')
      assert.equal((await ask(other!, ES256, near)).status, 200, 'another client, the same network')
      for (let n = 0; n < 6; n++) await ask(mine!, stranger, '203.0.113.9')
      assert.equal(
        (await ask(mine!, ES256, '203.0.113.9')).status,
        200,
        'strangers lock no proven client out',
      )
      server.clock.advance(15 * 60_000)
      assert.equal((await ask(mine!, ES256, near)).status, 200, 'the window ends')
    } finally {
      await server.close()
    }
  })

  test('RFC 9101 §10.8: bad request objects, hints and proofs of a network stop being verified', async () => {
    const server = await openTestServer(dialect, { limits })
    try {
      const created = await server.createClient({ jwks: { keys: [ES256.publicJwk] } })
      const stranger = generateSigningKey()
      const parameters = authorizeParameters(created, makePkce())
      const object = () => requestObject(created, stranger, server.clock, parameters, {}, { kid: ES256.kid })
      const hint = signJwt(
        stranger,
        'JWT',
        { iss: issuer, sub: 'x', aud: created.client.id, iat: 1, exp: 2, at_hash: 'x' },
        { kid: server.app.server.keys.current('ES256').kid },
      )
      const key = await makeProofKey()
      const wrong = await makeProofKey()
      const asks: Record<string, () => Promise<Response>> = {
        object: () =>
          server.request(`/oauth/authorize?${withObject(created, object())}`, { address: '192.0.2.1' }),
        hint: () =>
          server.request(
            `/oauth/authorize?${authorizeParameters(created, makePkce(), { scope: 'openid', id_token_hint: hint })}`,
            { address: '192.0.2.2' },
          ),
        proof: async () =>
          server.request('/oauth/token', {
            method: 'POST',
            address: '192.0.2.3',
            headers: {
              'content-type': 'application/x-www-form-urlencoded',
              dpop: await proofFor(server, key, { signedBy: wrong }),
              ...credentials(created).headers,
            },
            body: 'grant_type=client_credentials',
          }),
      }
      for (const [what, ask] of Object.entries(asks)) {
        const first = await countCrypto(async () => void (await ask()))
        assert.equal(first.verify, 1, what)
        for (let n = 0; n < 6; n++) await ask()
        const counts = await countCrypto(async () => {
          for (let n = 0; n < 3; n++) {
            const answer = await ask()
            const said = answer.headers.get('location') ?? (await answer.text())
            assert.match(said, /temporarily_unavailable|Too many/, what)
          }
        })
        assert.equal(counts.verify, 0, what)
      }
    } finally {
      await server.close()
    }
  })
})
