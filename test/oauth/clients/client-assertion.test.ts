import assert from 'node:assert/strict'
import { createHmac, createPublicKey } from 'node:crypto'
import { test } from 'node:test'
import { algorithms, generateSigningKey, type SigningKey } from '../../../src/crypto/jws.ts'
import { sql } from '../../../src/db/sql.ts'
import type { ClientInput } from '../../../src/oauth/clients/client-input.ts'
import {
  assertion,
  assertionClaims,
  assertionType,
  clientKeys,
  registeredWith,
} from '../../support/assertions.ts'
import { makePkce, obtainCode, readTokens, redeem, refresh } from '../../support/flow.ts'
import {
  basic,
  issuer,
  onBothDatabases,
  openTestServer,
  type TestServer,
  testServerFor,
} from '../../support/gatehouse.ts'
import { assertJson, grantsNothing } from '../answers.ts'

type Created = Awaited<ReturnType<TestServer['createClient']>>
type Parameters = Record<string, string>

const { ES256, RS256 } = clientKeys

onBothDatabases('client assertions', (dialect) => {
  const open = testServerFor(dialect, {
    limits: { failuresPerNetwork: 100_000, clientAuthenticationFailures: 100_000 },
  })

  const keyClient = (testServer: TestServer, key: SigningKey = ES256, more: Partial<ClientInput> = {}) =>
    testServer.createClient({ ...registeredWith(key), ...more })

  async function spentJtis(testServer: TestServer): Promise<number> {
    const [row] = await testServer.app.server.db.query(
      sql<{ count: number }>`select count(*) as count from used_jtis`,
    )
    return Number(row!.count)
  }

  /** Sends the parameters with a refresh token of the client: 401, and neither the token nor a jti is spent. */
  async function refusedEverywhere(
    testServer: TestServer,
    token: string,
    parameters: Parameters,
    what: string,
  ) {
    const before = await spentJtis(testServer)
    await grantsNothing(testServer, async () => {
      for (const [path, form] of [
        ['/oauth/token', { grant_type: 'refresh_token', refresh_token: token }],
        ['/oauth/introspect', { token }],
        ['/oauth/revoke', { token }],
      ] as const) {
        const answer = await testServer.post(path, { ...form, ...parameters })
        const headers = await assertJson(answer, 401, 'invalid_client').catch((error) => {
          throw new Error(`${what} at ${path}`, { cause: error })
        })
        assert.equal(headers.get('www-authenticate'), null)
      }
    })
    assert.equal(await spentJtis(testServer), before, `${what} spends no jti`)
  }

  /** A client with a living refresh token that survives every refusal of `cases`, and then is good. */
  async function tableOf(
    testServer: TestServer,
    created: Created,
    key: SigningKey,
    cases: [string, Parameters][],
  ): Promise<void> {
    const sign = () => assertion(created, key, testServer.clock)
    const pkce = makePkce()
    const code = await obtainCode(testServer, created, pkce)
    const tokens = await readTokens(await redeem(testServer, created, code, pkce, sign()))
    for (const [what, parameters] of cases) {
      await refusedEverywhere(testServer, tokens.refresh_token!, parameters, what)
    }
    await readTokens(await refresh(testServer, created, tokens.refresh_token!, sign()))
  }

  test('RFC 7523 §2.2: with RS256, PS256, ES256 and EdDSA, at every endpoint, with and without client_id', async () => {
    const testServer = await open()
    for (const alg of algorithms) {
      const key = clientKeys[alg]
      const created = await keyClient(testServer, key, {
        grantTypes: ['client_credentials'],
        redirectUris: [],
      })
      assert.equal(created.secret, undefined)
      const sign = () => assertion(created, key, testServer.clock)
      const form = { grant_type: 'client_credentials' }
      const { access_token: token } = await readTokens(
        await testServer.post('/oauth/token', { ...form, ...sign() }),
      )
      const named = { ...form, client_id: created.client.id, ...sign() }
      await readTokens(await testServer.post('/oauth/token', named))
      const introspected = await testServer.post('/oauth/introspect', { token, ...sign() })
      assert.equal(((await introspected.json()) as { active: boolean }).active, true)
      assert.equal((await testServer.post('/oauth/revoke', { token, ...sign() })).status, 200)
      const gone = await testServer.post('/oauth/introspect', { token, ...sign() })
      assert.deepEqual(await gone.json(), { active: false })
    }
  })

  test('RFC 7521 §4.2.1: an assertion beside another method is invalid_client, and spends nothing (N59)', async () => {
    const testServer = await open()
    const created = await keyClient(testServer)
    const secret = await testServer.createClient()
    const form = { token: 'x' }
    const cases: [Parameters, Record<string, string>][] = [
      [{ client_secret: 'x' }, {}],
      [{ client_id: created.client.id, client_secret: 'x' }, {}],
      [{ client_id: secret.client.id, client_secret: secret.secret! }, {}],
      [{}, { authorization: basic(secret.client.id, secret.secret!) }],
      [{}, { authorization: basic(created.client.id, 'x') }],
      [{}, { authorization: basic(created.client.id, '') }],
      [{}, { authorization: 'Bearer x' }],
    ]
    const before = await spentJtis(testServer)
    for (const [more, headers] of cases) {
      const sign = assertion(created, ES256, testServer.clock)
      await assertJson(
        await testServer.post('/oauth/revoke', { ...form, ...more, ...sign }, headers),
        401,
        'invalid_client',
      )
      assert.equal(
        (await testServer.post('/oauth/revoke', { ...form, ...sign })).status,
        200,
        'the same, alone',
      )
    }
    assert.equal(await spentJtis(testServer), before + cases.length)
  })

  test('RFC 6749 §2.3: each client authenticates by its registered method and by no other', async () => {
    const testServer = await open()
    const created = await keyClient(testServer)
    const withSecret = await testServer.createClient({ jwks: { keys: [ES256.publicJwk] } })
    const open_ = await testServer.createClient({
      tokenEndpointAuthMethod: 'none',
      jwks: { keys: [ES256.publicJwk] },
    })
    const refused: [string, Parameters][] = [
      ['a key client with a secret', { client_id: created.client.id, client_secret: 'x' }],
      ['a secret client by assertion', assertion(withSecret, ES256, testServer.clock)],
      ['a public client by assertion', assertion(open_, ES256, testServer.clock)],
      [
        'an unknown client',
        assertion({ client: { ...created.client, id: 'cl_unknown' } }, ES256, testServer.clock),
      ],
    ]
    for (const [what, parameters] of refused) await refusedEverywhere(testServer, 'x', parameters, what)
    const basicAnswer = await testServer.post(
      '/oauth/revoke',
      { token: 'x' },
      { authorization: basic(created.client.id, 'x') },
    )
    assert.match(
      (await assertJson(basicAnswer, 401, 'invalid_client')).get('www-authenticate') ?? '',
      /^Basic/,
    )
    for (const good of [
      assertion(created, ES256, testServer.clock),
      { client_id: withSecret.client.id, client_secret: withSecret.secret! },
      { client_id: open_.client.id },
    ] as Parameters[]) {
      assert.equal((await testServer.post('/oauth/revoke', { token: 'x', ...good })).status, 200)
    }
  })

  test('RFC 6749 §3.2.1: a key client without authentication is 401 on every grant and spends nothing (N62)', async () => {
    const testServer = await open()
    const created = await keyClient(testServer)
    const sign = () => assertion(created, ES256, testServer.clock)
    const pkce = makePkce()
    const code = await obtainCode(testServer, created, pkce)
    await grantsNothing(testServer, async () => {
      await assertJson(await redeem(testServer, created, code, pkce), 401, 'invalid_client')
      const form = { grant_type: 'client_credentials', client_id: created.client.id }
      await assertJson(await testServer.post('/oauth/token', form), 401, 'invalid_client')
    })
    const tokens = await readTokens(await redeem(testServer, created, code, pkce, sign()))
    await grantsNothing(testServer, async () => {
      await assertJson(await refresh(testServer, created, tokens.refresh_token!), 401, 'invalid_client')
    })
    const next = await readTokens(await refresh(testServer, created, tokens.refresh_token!, sign()))
    assert.notEqual(next.refresh_token, tokens.refresh_token)
  })

  test('RFC 7523 §3: alg none, HS256 with the public key, and another than the registered algorithm are refused (N65)', async () => {
    const testServer = await open()
    // A key that could do more than what is registered.
    const { alg: _alg, ...able } = RS256.publicJwk
    const created = await keyClient(testServer, RS256, {
      jwks: { keys: [able] },
      tokenEndpointAuthSigningAlg: 'RS256',
    })
    const claims = () => assertionClaims(created.client.id, testServer.clock.now())
    const text = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const made = (alg: string, signature: (input: string) => string) => {
      const input = `${text({ alg, typ: 'JWT', kid: RS256.kid })}.${text(claims())}`
      return { client_assertion_type: assertionType, client_assertion: `${input}.${signature(input)}` }
    }
    const publicKey = createPublicKey({ key: { ...RS256.publicJwk }, format: 'jwk' })
    const hmac = (key: string | Buffer) =>
      made('HS256', (input) => createHmac('sha256', key).update(input).digest('base64url'))
    const ps256: SigningKey = { ...RS256, alg: 'PS256' }
    const sign = (key: SigningKey, header?: Record<string, unknown>) =>
      assertion(created, key, testServer.clock, {}, header)
    await tableOf(testServer, created, RS256, [
      ['none', made('none', () => '')],
      ['none with something', made('none', () => 'AAAA')],
      ['NONE', made('NoNe', () => 'AAAA')],
      ['HS256, PEM', hmac(publicKey.export({ type: 'spki', format: 'pem' }))],
      ['HS256, DER', hmac(publicKey.export({ type: 'spki', format: 'der' }))],
      ['HS256, JWK', hmac(JSON.stringify(RS256.publicJwk))],
      ['HS256, n', hmac(Buffer.from((RS256.publicJwk as unknown as { n: string }).n, 'base64url'))],
      ['PS256 with the registered key', sign(ps256)],
      ['PS256 said to be RS256', sign(ps256, { alg: 'RS256' })],
      ['RS256 said to be PS256', sign(RS256, { alg: 'PS256' })],
      ['RS384', sign(RS256, { alg: 'RS384' })],
      ['ES256 with a key of its own', sign({ ...generateSigningKey(), kid: RS256.kid })],
      ['another RSA key', sign({ ...clientKeys.PS256, alg: 'RS256', kid: RS256.kid })],
      ['an unknown kid', sign({ ...RS256, kid: 'unknown' })],
      ['a key in the header', sign({ ...ES256, kid: RS256.kid }, { jwk: ES256.publicJwk })],
      ['crit', sign(RS256, { crit: ['exp'] })],
      ['crit b64', sign(RS256, { crit: ['b64'], b64: false })],
      ['an access token', sign(RS256, { typ: 'at+jwt' })],
      ['a request object', sign(RS256, { typ: 'oauth-authz-req+jwt' })],
      ['a DPoP proof', sign(RS256, { typ: 'dpop+jwt' })],
      ['typ that is no text', sign(RS256, { typ: 1 })],
      [
        'alg and kid that are no text',
        sign(RS256, { alg: { toString: 1, valueOf: 1 }, kid: [{ toString: 1 }] }),
      ],
      [
        'another signature',
        { ...sign(RS256), client_assertion: `${sign(RS256).client_assertion.slice(0, -6)}AAAAAA` },
      ],
      [
        'two parts',
        { ...sign(RS256), client_assertion: sign(RS256).client_assertion.replace(/\.[^.]+$/, '') },
      ],
      ['five parts', { ...sign(RS256), client_assertion: 'a.b.c.d.e' }],
      ['nothing', { client_assertion_type: assertionType }],
    ])
    for (const typ of ['client-authentication+jwt', 'application/client-authentication+jwt', undefined]) {
      assert.equal(
        (await testServer.post('/oauth/revoke', { token: 'x', ...sign(RS256, { typ }) })).status,
        200,
      )
    }
  })

  test('RFC 7523 §3: without a registered algorithm each that fits the key is good, with or without kid', async () => {
    const testServer = await open()
    const { kid: _kid, alg: _alg, ...bare } = RS256.publicJwk
    const created = await testServer.createClient({
      ...registeredWith(),
      jwks: { keys: [bare, ES256.publicJwk] },
    })
    for (const key of [RS256, { ...RS256, alg: 'PS256' }, ES256] as SigningKey[]) {
      for (const header of [{}, { kid: undefined }]) {
        const sign = assertion(created, key, testServer.clock, {}, header)
        assert.equal((await testServer.post('/oauth/revoke', { token: 'x', ...sign })).status, 200, key.alg)
      }
    }
  })

  test('RFC 7523 §3: an aud that is missing or names another server is refused (N66)', async () => {
    const testServer = await open()
    const created = await keyClient(testServer)
    const sign = (aud: unknown) => assertion(created, ES256, testServer.clock, { aud })
    await tableOf(testServer, created, ES256, [
      ...[
        undefined,
        null,
        '',
        [],
        {},
        1,
        'https://other.example',
        `${issuer}/`,
        issuer.toUpperCase(),
        `${issuer}.evil.example`,
        `${issuer}/oauth/revoke`,
        `${issuer}/oauth/token?x`,
        [issuer, 'https://other.example'],
        ['https://other.example'],
        [[issuer]],
        created.client.id,
      ].map((aud): [string, Parameters] => [JSON.stringify(aud) ?? 'missing', sign(aud)]),
    ])
    for (const aud of [
      issuer,
      `${issuer}/oauth/token`,
      `${issuer}/oauth/par`,
      [issuer],
      [issuer, `${issuer}/oauth/token`],
    ]) {
      const answer = await testServer.post('/oauth/revoke', { token: 'x', ...sign(aud) })
      assert.equal(answer.status, 200, JSON.stringify(aud))
    }
  })

  test('RFC 7523 §3: under the profile fapi2 aud is the issuer as a plain string, and RS256 is refused (N66)', async () => {
    const testServer = await open()
    const created = await testServer.createClient({
      ...registeredWith(ES256, RS256),
      profile: 'fapi2',
    })
    const sign = (aud: unknown, key = ES256) => assertion(created, key, testServer.clock, { aud })
    for (const [what, parameters] of [
      ['the token endpoint', sign(`${issuer}/oauth/token`)],
      ['the PAR endpoint', sign(`${issuer}/oauth/par`)],
      ['a list', sign([issuer])],
      ['RS256', sign(issuer, RS256)],
    ] as [string, Parameters][]) {
      await refusedEverywhere(testServer, 'x', parameters, what)
    }
    assert.equal((await testServer.post('/oauth/revoke', { token: 'x', ...sign(issuer) })).status, 200)
  })

  test('RFC 7523 §3: exp must be there and near, nbf and iat not ahead of the clock (N67)', async () => {
    const testServer = await open()
    const created = await keyClient(testServer)
    const now = Math.floor(testServer.clock.now() / 1_000)
    const sign = (overrides: Record<string, unknown>) =>
      assertion(created, ES256, testServer.clock, overrides)
    const refused: Record<string, unknown>[] = [
      { exp: undefined },
      { exp: null },
      { exp: 0 },
      { exp: -1 },
      { exp: now },
      { exp: now - 1 },
      { exp: String(now + 60) },
      { exp: [now + 60] },
      { exp: true },
      { exp: now + 86_400 },
      { exp: 1e300 },
      { exp: (now + 60) * 1_000 },
      { nbf: now + 61 },
      { nbf: String(now) },
      { nbf: null },
      { iat: now + 61 },
      { iat: String(now) },
      { iat: null },
    ]
    await tableOf(
      testServer,
      created,
      ES256,
      refused.map((overrides) => [JSON.stringify(overrides), sign(overrides)]),
    )
    for (const good of [
      { exp: now + 1 },
      { exp: now + 3_600 },
      { exp: now + 60.5 },
      { iat: now + 10 },
      { nbf: now + 10 },
      { iat: undefined, nbf: undefined },
      { iat: 0, nbf: 0 },
    ]) {
      const answer = await testServer.post('/oauth/revoke', { token: 'x', ...sign(good) })
      assert.equal(answer.status, 200, JSON.stringify(good))
    }
    const late = sign({})
    testServer.clock.advance(60_000)
    await refusedEverywhere(testServer, 'x', late, 'an assertion a minute later')
  })

  test('RFC 7523 §3: iss, sub and client_id are the client, all of them, and jti is there (N68)', async () => {
    const testServer = await open()
    const created = await keyClient(testServer)
    const other = await keyClient(testServer)
    const [id, otherId] = [created.client.id, other.client.id]
    const sign = (overrides: Record<string, unknown>) =>
      assertion(created, ES256, testServer.clock, overrides)
    const { clock } = testServer
    await tableOf(testServer, created, ES256, [
      ['iss of another', sign({ iss: otherId })],
      ['no iss', sign({ iss: undefined })],
      ['iss is the server', sign({ iss: issuer })],
      ['no sub', sign({ sub: undefined })],
      ['sub is a list', sign({ sub: [id] })],
      ['sub with a NUL', sign({ sub: `${id}\0` })],
      ['sub is an unknown client', sign({ sub: 'cl_unknown' })],
      ['iss is a list', sign({ iss: [id] })],
      ['client_id of another', { ...sign({}), client_id: otherId }],
      ['client_id in other letters', { ...sign({}), client_id: id.toUpperCase() }],
      ['no jti', sign({ jti: undefined })],
      ['an empty jti', sign({ jti: '' })],
      ['a number as jti', sign({ jti: 1 })],
    ])
    const stranger = generateSigningKey()
    const third = await testServer.createClient(registeredWith(stranger))
    const borrowed = assertion(third, ES256, clock)
    await refusedEverywhere(testServer, 'x', borrowed, 'the key of another client')
    const good = { token: 'x', client_id: id, ...sign({}) }
    assert.equal((await testServer.post('/oauth/revoke', good)).status, 200)
  })

  test('RFC 7523 §3: a jti is good once: in sequence, in parallel on two processes, and after a restart (N69)', async () => {
    const testServer = await openTestServer(dialect)
    try {
      const created = await keyClient(testServer, ES256, {
        grantTypes: ['client_credentials'],
        redirectUris: [],
      })
      const { g: twin } = await testServer.twin()
      const send = (g: TestServer['g'], parameters: Parameters) =>
        g.fetch(
          new Request(`${issuer}/oauth/token`, {
            method: 'POST',
            headers: { 'content-type': 'application/x-www-form-urlencoded' },
            body: new URLSearchParams({ grant_type: 'client_credentials', ...parameters }).toString(),
          }),
        )
      const once = assertion(created, ES256, testServer.clock)
      await readTokens(await send(testServer.g, once))
      for (const g of [testServer.g, twin]) await assertJson(await send(g, once), 401, 'invalid_client')

      const raced = assertion(created, ES256, testServer.clock)
      const answers = await Promise.all(
        [testServer.g, twin, testServer.g, twin, testServer.g, twin, twin, testServer.g].map((g) =>
          send(g, raced),
        ),
      )
      const statuses = answers.map((answer) => answer.status).sort()
      assert.deepEqual(statuses, [200, 401, 401, 401, 401, 401, 401, 401])
      for (const answer of answers) if (answer.status === 401) await assertJson(answer, 401, 'invalid_client')

      const { g: later } = await testServer.twin()
      for (const used of [once, raced]) await assertJson(await send(later, used), 401, 'invalid_client')
      const jti = 'one of mine'
      await readTokens(await send(later, assertion(created, ES256, testServer.clock, { jti })))
      const again = assertion(created, ES256, testServer.clock, {
        jti,
        exp: Math.floor(testServer.clock.now() / 1_000) + 90,
      })
      await assertJson(await send(testServer.g, again), 401, 'invalid_client')

      const other = await keyClient(testServer, ES256, {
        grantTypes: ['client_credentials'],
        redirectUris: [],
      })
      await readTokens(await send(testServer.g, assertion(other, ES256, testServer.clock, { jti })))
    } finally {
      await testServer.close()
    }
  })

  test('RFC 7521 §4.2.1: an unknown client_assertion_type is invalid_client (N70)', async () => {
    const testServer = await open()
    const created = await keyClient(testServer)
    const good = assertion(created, ES256, testServer.clock)
    const { client_assertion } = good
    const types = [
      'urn:ietf:params:oauth:client-assertion-type:saml2-bearer',
      'urn:ietf:params:oauth:client-assertion-type:JWT-bearer',
      'urn:ietf:params:oauth:grant-type:jwt-bearer',
      'jwt',
    ]
    await tableOf(testServer, created, ES256, [
      ...types.map((client_assertion_type): [string, Parameters] => [
        client_assertion_type,
        { client_assertion_type, client_assertion },
      ]),
      ['no type', { client_assertion }],
      ['no type, with client_id', { client_id: created.client.id, client_assertion }],
    ])
    assert.equal((await testServer.post('/oauth/revoke', { token: 'x', ...good })).status, 200)
  })

  test('RFC 6819 §5.1.4.2.3: wrong assertions are limited, and the right key is never locked out', async () => {
    const testServer = await openTestServer(dialect, { limits: { clientAuthenticationFailures: 3 } })
    try {
      const created = await keyClient(testServer)
      const wrong = () => assertion(created, { ...generateSigningKey(), kid: ES256.kid }, testServer.clock)
      for (let n = 0; n < 3; n++) {
        await assertJson(
          await testServer.post('/oauth/revoke', { token: 'x', ...wrong() }),
          401,
          'invalid_client',
        )
      }
      const limited = await testServer.post('/oauth/revoke', { token: 'x', ...wrong() })
      assert.equal(limited.status, 429)
      assert.match(limited.headers.get('retry-after') ?? '', /^\d+$/)
      const right = assertion(created, ES256, testServer.clock)
      assert.equal((await testServer.post('/oauth/revoke', { token: 'x', ...right })).status, 200)
    } finally {
      await testServer.close()
    }
  })

  test('RFC 8414 §2: metadata names the method and its algorithms for every endpoint that authenticates clients', async () => {
    const testServer = await open()
    const answer = await testServer.request('/.well-known/oauth-authorization-server')
    const metadata = (await answer.json()) as Record<string, string[]>
    for (const endpoint of ['token', 'introspection', 'revocation']) {
      assert.ok(metadata[`${endpoint}_endpoint_auth_methods_supported`]?.includes('private_key_jwt'))
      assert.deepEqual(metadata[`${endpoint}_endpoint_auth_signing_alg_values_supported`], [
        'ES256',
        'RS256',
        'PS256',
        'EdDSA',
        'Ed25519',
      ])
    }
  })
})
