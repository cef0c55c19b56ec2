import assert from 'node:assert/strict'
import { generateKeyPairSync, type JsonWebKey } from 'node:crypto'
import { test } from 'node:test'
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose'
import { signJwt } from '../../../src/crypto/jws.ts'
import { sql } from '../../../src/db/sql.ts'
import { publishAhead } from '../../../src/oauth/keys/signing-keys.ts'
import { obtainTokens, readTokens, refresh, type Tokens } from '../../support/flow.ts'
import {
  issuer,
  onBothDatabases,
  openTestServer,
  secret,
  type TestServer,
  testServerFor,
} from '../../support/gatehouse.ts'

const day = 86_400_000

async function published(g: TestServer['g']): Promise<{ keys: (JsonWebKey & { kid: string })[] }> {
  const answer = await g.fetch(new Request(`${issuer}/.well-known/jwks.json`))
  assert.equal(answer.headers.get('content-type'), 'application/jwk-set+json')
  assert.match(answer.headers.get('cache-control') ?? '', /^public, max-age=3600$/)
  return answer.json() as never
}

const kidsOf = async (g: TestServer['g'], alg = 'ES256') =>
  (await published(g)).keys.filter((key) => key.alg === alg).map((key) => key.kid)

/** What a rotation did to the keys of ES256. */
function ofEs256(
  keys: TestServer['app']['server']['keys'],
  { created, retired }: { created: string[]; retired: string[] },
) {
  const es256 = keys.list().filter((key) => key.alg === 'ES256')
  const among = (kids: string[]) => kids.filter((kid) => es256.some((key) => key.kid === kid))
  return { created: among(created), retired: among(retired) }
}

onBothDatabases('signing keys', (dialect) => {
  const open = testServerFor(dialect)

  test('RFC 7517 §5: the published set verifies every living token and holds no private part', async () => {
    const server = await open()
    const client = await server.createClient()
    const { access_token } = await obtainTokens(server, client)
    const set = await published(server.g)
    for (const key of set.keys) {
      const members = { EC: ['crv', 'x', 'y'], OKP: ['crv', 'x'], RSA: ['e', 'n'] }[key.kty as 'EC']
      assert.deepEqual(Object.keys(key).sort(), ['alg', 'kid', 'kty', 'use', ...members].sort())
    }
    await jwtVerify(access_token, createLocalJWKSet(set as never), {
      issuer,
      audience: issuer,
      typ: 'at+jwt',
      currentDate: new Date(server.clock.now()),
    })
    const rows = await server.app.server.db.query(sql<{ sealed_private: string }>`select * from signing_keys`)
    for (const row of rows) {
      assert.match(row.sealed_private, /^v1\.[0-9a-f]{8}\.[\w-]+$/)
      assert.doesNotMatch(JSON.stringify(row), /PRIVATE KEY|"d":/)
    }
  })

  test('RFC 7517 §5: a successor is published before it signs, the old key stays until nothing it signed can live', async () => {
    const server = await openTestServer(dialect, {
      signingKeys: { rotateEveryDays: 10 },
      tokens: { sessionLifetime: 3_650 * 86_400 },
    })
    try {
      const { g: twin, app } = await server.twin()
      const client = await server.createClient({ accessTokenLifetime: 86_400 })
      const { keys } = server.app.server
      const kidOf = (token: string) => decodeProtectedHeader(token).kid!
      const rotate = async () => ofEs256(keys, await keys.rotate())
      await keys.complete()
      let tokens = await obtainTokens(server, client)
      const first = kidOf(tokens.access_token)
      assert.deepEqual(await rotate(), { created: [], retired: [] })

      server.clock.advance(10 * day - publishAhead)
      const { created, retired } = await rotate()
      assert.equal(created.length, 1)
      assert.deepEqual(retired, [])
      assert.deepEqual(await kidsOf(server.g), [created[0], first])
      assert.deepEqual(await rotate(), { created: [], retired: [] }, 'once is enough')
      await app.server.keys.reload()
      assert.deepEqual(await kidsOf(twin), [created[0], first], 'the other process publishes it too')
      tokens = await readTokens(await refresh(server, client, tokens.refresh_token!))
      assert.equal(kidOf(tokens.access_token), first, 'it does not sign yet')

      server.clock.advance(publishAhead)
      assert.equal(app.server.keys.current().kid, created[0], 'it signs in every process, without a word')
      tokens = await readTokens(await refresh(server, client, tokens.refresh_token!))
      assert.equal(kidOf(tokens.access_token), created[0])
      assert.deepEqual(await rotate(), { created: [], retired: [first] })
      assert.deepEqual(await kidsOf(server.g), [created[0], first], 'still published')
      assert.ok(keys.verifier(first))

      server.clock.advance(day + 3_600_000)
      await keys.reload()
      assert.deepEqual(await kidsOf(server.g), [created[0]])
      assert.equal(keys.verifier(first), undefined)
    } finally {
      await server.close()
    }
  })

  test('RFC 7517 §5: another process’s rotation is seen within a minute', async () => {
    const server = await openTestServer(dialect)
    try {
      const { g: twin, app } = await server.twin()
      const [first] = await kidsOf(twin)
      server.clock.advance(1)
      const { keys } = server.app.server
      const { created, retired } = ofEs256(keys, await keys.rotate({ force: true }))
      assert.deepEqual(retired, [first])
      assert.deepEqual(await kidsOf(twin), [first])
      server.clock.advance(60_000)
      await kidsOf(twin)
      await app.server.keys.reload()
      assert.deepEqual(await kidsOf(twin), [created[0], first])
      assert.equal(app.server.keys.current().kid, created[0])
      const client = await server.createClient()
      const { access_token } = await obtainTokens(server, client)
      assert.ok(app.server.keys.verifier(decodeProtectedHeader(access_token).kid!))
    } finally {
      await server.close()
    }
  })

  test('RFC 7517 §5: two processes that start at once agree on one signing key', async () => {
    const server = await openTestServer(dialect)
    try {
      await server.app.server.db.query(sql`delete from signing_keys`)
      const twins = await Promise.all([server.twin(), server.twin(), server.twin()])
      for (const { app } of twins) await app.server.keys.reload()
      const current = twins.map(({ app }) => app.server.keys.current().kid)
      assert.equal(new Set(current).size, 1, `one key signs: ${current}`)
      for (const { app } of twins) assert.ok(app.server.keys.verifier(current[0]!))
    } finally {
      await server.close()
    }
  })

  test('RFC 7518 §3.1: a key of another algorithm is made when it is first wanted, once for all processes', async () => {
    const server = await openTestServer(dialect)
    try {
      const { app: twin } = await server.twin()
      const { keys } = server.app.server
      const [first] = keys.list()
      assert.deepEqual(
        keys.list().map((key) => key.alg),
        ['ES256'],
        'a start makes one key',
      )
      assert.throws(() => keys.current('RS256'), /no signing key of RS256/)
      for (const alg of ['RS256', 'PS256', 'EdDSA'] as const) {
        const made = await Promise.all(
          [keys, twin.server.keys, keys, twin.server.keys].map((ring) => ring.ensure(alg)),
        )
        assert.equal(new Set(made.map((key) => key.kid)).size, 1, alg)
        const key = keys.current(alg)
        assert.equal(key.kid, made[0]!.kid)
        assert.ok(keys.verifier(key.kid, alg))
        assert.equal(keys.verifier(key.kid), undefined, 'access tokens are signed with ES256 alone')
        assert.equal(keys.verifier(first!.kid, alg), undefined)
        const token = signJwt(key, 'JWT', { sub: 'alice' })
        const set = await published(server.g)
        await jwtVerify(token, createLocalJWKSet(set as never), { algorithms: [alg] })
        assert.doesNotMatch(JSON.stringify(set), /"(d|p|q|dp|dq|qi)":/)
      }
      assert.equal(keys.current().kid, first!.kid)
      assert.deepEqual(
        keys.list().map((key) => [key.alg, key.state]),
        keys.list().map((key) => [key.alg, 'signs']),
      )
      assert.equal(keys.list().length, 4)
      const { app: later } = await server.twin()
      assert.equal((await later.server.keys.ensure('RS256')).kid, keys.current('RS256').kid)
    } finally {
      await server.close()
    }
  })

  test('OpenID Connect Core §10.1: the first key set has a key for every algorithm of the metadata, and using one adds none', async () => {
    const server = await openTestServer(dialect)
    try {
      const { g: twin } = await server.twin()
      const [first, other] = await Promise.all([published(server.g), published(twin)])
      assert.deepEqual(first.keys.map((key) => key.alg).sort(), ['ES256', 'EdDSA', 'PS256', 'RS256'])
      assert.deepEqual(other, first, 'two processes that are asked at once publish the same keys')
      for (const alg of ['RS256', 'PS256', 'ES256', 'EdDSA'] as const) {
        const client = await server.createClient({ idTokenSignedResponseAlg: alg, scope: ['openid'] })
        const { id_token } = (await obtainTokens(server, client, { scope: 'openid' })) as Tokens & {
          id_token: string
        }
        const options = { issuer, algorithms: [alg], currentDate: new Date(server.clock.now()) }
        await jwtVerify(id_token, createLocalJWKSet(first as never), options)
      }
      assert.deepEqual(await published(server.g), first)
    } finally {
      await server.close()
    }
  })

  test('OpenID Connect Core §10.1.1: a key that the configuration adds is published for the life of a cached set before it signs', async () => {
    const server = await openTestServer(dialect)
    try {
      const [first] = await kidsOf(server.g)
      const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      const ecPrivateKeyBase64 = privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64')
      const { g, app } = await server.twin({ signingKeys: { ecPrivateKeyBase64 } })
      const [added, ...others] = await kidsOf(g)
      assert.deepEqual(others, [first])
      assert.equal(app.server.keys.current().kid, first)
      server.clock.advance(3_600_000)
      assert.equal(app.server.keys.current().kid, added)
    } finally {
      await server.close()
    }
  })

  test('RFC 7517 §5: each algorithm rotates and retires by itself, and all are sealed anew together', async () => {
    const server = await openTestServer(dialect, { signingKeys: { rotateEveryDays: 10 } })
    try {
      const { keys } = server.app.server
      const { kid: es } = await keys.ensure('ES256')
      server.clock.advance(5 * day)
      const { kid: rs } = await keys.ensure('RS256')
      await keys.complete()
      server.clock.advance(5 * day - publishAhead)
      const byAge = await keys.rotate()
      assert.equal(byAge.created.length, 1, 'only the older one is due')
      assert.equal(keys.list().find((key) => key.kid === byAge.created[0])?.alg, 'ES256')
      server.clock.advance(publishAhead)
      assert.deepEqual(await keys.rotate(), { created: [], retired: [es] })
      assert.equal(keys.current('RS256').kid, rs)
      const forced = await keys.rotate({ force: true })
      assert.deepEqual([forced.created.length, forced.retired.length], [4, 4])
      assert.ok(forced.retired.includes(rs))
      const newer = 'a newer secret that is long enough, really'
      const before = (await kidsOf(server.g)).sort()
      await server.twin({ secret: [newer, secret] })
      const { g, app } = await server.twin({ secret: newer })
      assert.deepEqual((await kidsOf(g)).sort(), before)
      assert.equal(app.server.keys.current('RS256').kid, keys.current('RS256').kid)
    } finally {
      await server.close()
    }
  })

  test('RFC 7518 §3.4: a key from the configuration signs from the start, in whatever form', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const forms = [
      privateKey.export({ type: 'pkcs8', format: 'der' }),
      privateKey.export({ type: 'sec1', format: 'der' }),
      Buffer.from(privateKey.export({ type: 'pkcs8', format: 'pem' })),
    ]
    const { x } = privateKey.export({ format: 'jwk' })
    const server = await openTestServer(dialect, {
      signingKeys: { ecPrivateKeyBase64: forms[0]!.toString('base64') },
    })
    try {
      const [key, ...more] = (await published(server.g)).keys.filter(({ alg }) => alg === 'ES256')
      assert.equal(more.length, 0)
      assert.equal(key!.x, x)
      for (const form of forms) {
        const { g } = await server.twin({ signingKeys: { ecPrivateKeyBase64: form.toString('base64') } })
        assert.deepEqual(await kidsOf(g), [key!.kid], 'the same key is no second key')
      }
      for (const wrong of [
        'x',
        generateKeyPairSync('ec', { namedCurve: 'P-384' })
          .privateKey.export({ type: 'pkcs8', format: 'der' })
          .toString('base64'),
      ]) {
        await assert.rejects(server.twin({ signingKeys: { ecPrivateKeyBase64: wrong } }), /EC/)
      }
    } finally {
      await server.close()
    }
  })

  test('RFC 7517 §5: with a new root secret every key is sealed anew; without the old one first nothing opens', async () => {
    const server = await openTestServer(dialect)
    try {
      const newer = 'a newer secret that is long enough, really'
      const sealed = () =>
        server.app.server.db.query(sql<{ sealed_private: string }>`select sealed_private from signing_keys`)
      const before = await kidsOf(server.g)
      await assert.rejects(server.twin({ secret: newer }), /sealed with a secret that is not configured/)
      const [old] = await sealed()
      await server.twin({ secret: [newer, secret] })
      const [fresh] = await sealed()
      assert.notEqual(fresh!.sealed_private.split('.')[1], old!.sealed_private.split('.')[1])
      const { g } = await server.twin({ secret: newer })
      assert.deepEqual(await kidsOf(g), before, 'the same key, sealed anew')
    } finally {
      await server.close()
    }
  })
})
