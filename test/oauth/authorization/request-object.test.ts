import assert from 'node:assert/strict'
import { createHmac, createPublicKey, type JsonWebKey, sign as signBytes } from 'node:crypto'
import { test } from 'node:test'
import { algorithms, generateSigningKey, type SigningKey, signJwt } from '../../../src/crypto/jws.ts'
import type { CreatedClient } from '../../../src/oauth/clients/client-operations.ts'
import { assertion, clientKeys, registeredWith } from '../../support/assertions.ts'
import {
  answerConsent,
  authorize,
  authorizeParameters,
  makePkce,
  readConsent,
  readTokens,
  redeem,
} from '../../support/flow.ts'
import { issuer, onBothDatabases, type TestServer, testServerFor } from '../../support/gatehouse.ts'
import { requestClaims, requestObject, withObject } from '../../support/request-objects.ts'
import { assertJson, assertPage, assertRedirectError, grantsNothing, readAnswer } from '../answers.ts'
import { countPushed, push, pushed } from './pushing.ts'

const minute = 60_000
const { ES256, RS256 } = clientKeys

/** What is no request object, by what is wrong with it. `good` signs the parameters as it should be. */
function broken(created: CreatedClient, testServer: TestServer): [what: string, request: string][] {
  const { clock } = testServer
  const now = Math.floor(clock.now() / 1_000)
  const parameters = authorizeParameters(created, makePkce())
  const sign = (
    overrides: Record<string, unknown>,
    header: Record<string, unknown> = {},
    key: SigningKey = ES256,
  ) => requestObject(created, key, clock, parameters, overrides, header)
  const claims = requestClaims(created, clock.now(), parameters)
  const text = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const input = (header: object) => `${text(header)}.${text(claims)}`
  const hmac = (secret: string | Buffer) => {
    const signed = input({ alg: 'HS256', typ: 'oauth-authz-req+jwt', kid: ES256.kid })
    return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
  }
  // Deeper than JSON can be written again, which is less deep than it can be read.
  const deep = () => {
    const payload = JSON.stringify({ ...claims, x: 0 }).replace(
      '"x":0',
      `"x":${'['.repeat(9_000)}${']'.repeat(9_000)}`,
    )
    const signed = `${text({ alg: 'ES256', typ: 'oauth-authz-req+jwt', kid: ES256.kid })}.${Buffer.from(payload).toString('base64url')}`
    const key = { key: ES256.privateKey, dsaEncoding: 'ieee-p1363' } as const
    return `${signed}.${signBytes('sha256', Buffer.from(signed), key).toString('base64url')}`
  }
  const publicKey = createPublicKey({ key: { ...ES256.publicJwk } as JsonWebKey, format: 'jwk' })
  const good = sign({})
  return [
    ['alg none', `${input({ alg: 'none' })}.`],
    ['alg none with a signature', `${input({ alg: 'none' })}.${good.split('.')[2]}`],
    ['HS256 with the public key', hmac(publicKey.export({ type: 'spki', format: 'pem' }))],
    ['HS256 with the public JWK', hmac(JSON.stringify(ES256.publicJwk))],
    ['a key that is not the client’s', sign({}, { kid: ES256.kid }, generateSigningKey())],
    ['a key of another client', sign({}, {}, RS256)],
    ['another algorithm than it says', sign({}, { alg: 'RS256' })],
    ['an algorithm nobody speaks', sign({}, { alg: 'ES512' })],
    ['an algorithm that is no text', sign({}, { alg: { toString: 1, valueOf: 1 } })],
    ['a signature cut short', good.slice(0, -1)],
    [
      'claims of another',
      `${good.split('.')[0]}.${text({ ...claims, scope: 'resume:read' })}.${good.split('.')[2]}`,
    ],
    ['a header that must be understood', sign({}, { crit: ['b64'], b64: false })],
    ['no JWT', 'x'],
    ['five parts, as if encrypted', 'eyJhbGciOiJSU0EifQ.a.b.c.d'],
    ['a type of its own', sign({}, { typ: 'at+jwt' })],
    ['an assertion’s type', sign({}, { typ: 'client-authentication+jwt' })],
    [
      'a client assertion',
      assertion(created, ES256, clock, { client_id: created.client.id }).client_assertion,
    ],
    ['another issuer', sign({ iss: 'cl_other' })],
    ['no issuer', sign({ iss: undefined })],
    ['the client as subject', sign({ sub: created.client.id })],
    ['another audience', sign({ aud: 'https://other.example' })],
    ['other audiences', sign({ aud: ['https://other.example', `${issuer}/`] })],
    ['an endpoint as audience', sign({ aud: `${issuer}/oauth/authorize` })],
    ['no audience', sign({ aud: undefined })],
    ['expired', sign({ exp: now })],
    ['expired for long', sign({ iat: now - 600, exp: now - 300 })],
    ['an expiry in words', sign({ exp: String(now + 60) })],
    ['no end in sight', sign({ exp: now + 3_700 })],
    ['not yet valid', sign({ nbf: now + 61 })],
    ['made in the future', sign({ iat: now + 61 })],
    ['another client_id', sign({ client_id: 'cl_other' })],
    ['no client_id', sign({ client_id: undefined })],
    ['a request in the request', sign({ request: good })],
    ['a request_uri in the request', sign({ request_uri: 'https://client.example/r' })],
    ['a NUL in it', sign({ state: 'a\0b' })],
    ['half a character in it', sign({ state: '\ud800' })],
    ['nested without end', deep()],
  ]
}

onBothDatabases('request objects', (dialect) => {
  const open = testServerFor(dialect)
  const signing = (testServer: TestServer, key: SigningKey = ES256, more = {}) =>
    testServer.createClient({ jwks: { keys: [key.publicJwk] }, ...more })

  test('RFC 9101 §6.2, §6.3: a request in a JWT of the client, with every algorithm, at both endpoints', async () => {
    const testServer = await open()
    for (const alg of algorithms) {
      const key = clientKeys[alg]
      const created = await signing(testServer, key)
      for (const way of ['authorize', 'push'] as const) {
        const pkce = makePkce()
        const parameters = authorizeParameters(created, pkce, { prompt: 'consent' })
        const object = requestObject(created, key, testServer.clock, parameters, {
          resource: [issuer],
          max_age: 3_600,
        })
        const sent = withObject(created, object)
        const asked = way === 'authorize' ? sent : await pushed(testServer, created, sent)
        const answer = readAnswer(await authorize(testServer, asked))
        assert.equal(answer.get('state'), 'a state')
        await readTokens(await redeem(testServer, created, answer.get('code')!, pkce))
      }
    }
  })

  test('RFC 9101 §10.8: typ says what it is, and clocks may differ by a little', async () => {
    const testServer = await open()
    const created = await signing(testServer)
    const parameters = authorizeParameters(created, makePkce())
    const now = Math.floor(testServer.clock.now() / 1_000)
    readAnswer(await authorize(testServer, parameters))
    for (const [overrides, header] of [
      [{}, { typ: undefined }],
      [{}, { typ: 'JWT' }],
      [{}, { typ: 'application/oauth-authz-req+jwt' }],
      [{ nbf: now + 10, iat: now + 10 }, {}],
      [{ nbf: undefined, iat: undefined }, {}],
      [{ aud: [issuer, 'https://other.example'] }, {}],
      [{ exp: now + 3_600 }, {}],
      [{ exp: undefined }, {}],
      [{ sub: 'a person', jti: 'x' }, {}],
      [{}, { kid: undefined }],
    ]) {
      const object = requestObject(created, ES256, testServer.clock, parameters, overrides, header)
      const answer = await authorize(testServer, withObject(created, object))
      assert.ok(readAnswer(answer).get('code'), JSON.stringify([overrides, header]))
    }
  })

  test('RFC 9101 §5, §6.2: a request object that is none of this client’s, for this server, now, is invalid_request_object (N34)', async () => {
    const testServer = await open()
    const created = await signing(testServer)
    const outside = { redirect_uri: 'https://client.example/callback', state: 'a state' }
    for (const [what, request] of broken(created, testServer)) {
      const answer = await grantsNothing(testServer, () =>
        authorize(testServer, withObject(created, request, outside)),
      )
      assert.equal(
        new URL(answer.headers.get('location') ?? 'about:').searchParams.get('error'),
        'invalid_request_object',
        what,
      )
      assertRedirectError(answer, 'invalid_request_object')
      // Nothing in the object is believed, not even where the answer would go.
      const nowhere = await grantsNothing(testServer, () =>
        authorize(testServer, withObject(created, request)),
      )
      await assertPage(nowhere, 400, { shows: ['invalid_request_object', 'Job board'], echoes: ['a state'] })
      const stranger = withObject(created, request, { redirect_uri: 'https://elsewhere.example/' })
      await assertPage(await grantsNothing(testServer, () => authorize(testServer, stranger)))
      const before = await countPushed(testServer)
      const refused = await push(testServer, created, withObject(created, request, outside))
      await assertJson(refused, 400, 'invalid_request_object')
      assert.equal(await countPushed(testServer), before, what)
    }
    const object = requestObject(created, ES256, testServer.clock, authorizeParameters(created, makePkce()))
    assert.ok(readAnswer(await authorize(testServer, withObject(created, object))).get('code'))
  })

  test('RFC 9101 §10.2: a client signs with the algorithm it registered and with no other (N34)', async () => {
    const testServer = await open()
    const keys = { jwks: { keys: [ES256.publicJwk, RS256.publicJwk] } }
    const created = await testServer.createClient({ ...keys, requestObjectSigningAlg: 'ES256' })
    const parameters = authorizeParameters(created, makePkce())
    const sign = (key: SigningKey) =>
      withObject(created, requestObject(created, key, testServer.clock, parameters), {
        redirect_uri: 'https://client.example/callback',
        state: 'a state',
      })
    assertRedirectError(
      await grantsNothing(testServer, () => authorize(testServer, sign(RS256))),
      'invalid_request_object',
    )
    assert.ok(readAnswer(await authorize(testServer, sign(ES256))).get('code'))
  })

  test('RFC 9101 §5: a client_id that is not the one in the object is invalid_request_object (N35)', async () => {
    const testServer = await open()
    const created = await signing(testServer)
    const other = await signing(testServer)
    const object = requestObject(created, ES256, testServer.clock, authorizeParameters(created, makePkce()))
    const outside = { redirect_uri: 'https://client.example/callback', state: 'a state' }
    const borrowed = withObject(other, object, outside)
    assertRedirectError(
      await grantsNothing(testServer, () => authorize(testServer, borrowed)),
      'invalid_request_object',
    )
    await assertJson(await push(testServer, other, withObject(other, object)), 400, 'invalid_request_object')
    const nobody = new URLSearchParams({ request: object })
    await assertPage(await grantsNothing(testServer, () => authorize(testServer, nobody)))
    assert.ok(readAnswer(await authorize(testServer, withObject(created, object))).get('code'))
  })

  test('RFC 9101 §6.3: what stands beside a request object is ignored, at both endpoints (N36)', async () => {
    const testServer = await open()
    const created = await signing(testServer, ES256, {
      redirectUris: ['https://client.example/callback', 'https://client.example/other'],
    })
    const beside = {
      redirect_uri: 'https://client.example/other',
      scope: 'resume:read',
      state: 'another state',
      code_challenge: makePkce().challenge,
      code_challenge_method: 'plain',
      response_type: 'token',
      response_mode: 'fragment',
      resource: 'https://unknown.example',
      dpop_jkt: 'x',
      prompt: 'none',
    }
    for (const way of ['authorize', 'push'] as const) {
      const pkce = makePkce()
      const parameters = authorizeParameters(created, pkce, { state: undefined })
      const sent = withObject(created, requestObject(created, ES256, testServer.clock, parameters), beside)
      const asked = way === 'authorize' ? sent : await pushed(testServer, created, sent)
      const answer = readAnswer(await authorize(testServer, asked), 'https://client.example/callback')
      assert.equal(answer.get('state'), null, 'what is absent inside stays absent')
      const tokens = await readTokens(await redeem(testServer, created, answer.get('code')!, pkce))
      assert.equal(tokens.scope, 'jobs:read')
    }
    // Not even what the object lacks is taken from beside it.
    const bare = authorizeParameters(created, makePkce(), { code_challenge: undefined })
    const lacking = withObject(created, requestObject(created, ES256, testServer.clock, bare), {
      code_challenge: makePkce().challenge,
      code_challenge_method: 'S256',
    })
    assertRedirectError(
      await grantsNothing(testServer, () => authorize(testServer, lacking)),
      'invalid_request',
    )
    await assertJson(await push(testServer, created, lacking), 400, 'invalid_request')
  })

  test('RFC 9101 §10.5: a client that must sign its requests gets invalid_request for every other one', async () => {
    const testServer = await open()
    const created = await signing(testServer, ES256, { requireSignedRequestObject: true })
    const parameters = authorizeParameters(created, makePkce())
    assertRedirectError(
      await grantsNothing(testServer, () => authorize(testServer, parameters)),
      'invalid_request',
    )
    await assertJson(await push(testServer, created, parameters), 400, 'invalid_request')
    const sent = withObject(created, requestObject(created, ES256, testServer.clock, parameters))
    assert.ok(readAnswer(await authorize(testServer, sent)).get('code'))
    assert.ok(readAnswer(await authorize(testServer, await pushed(testServer, created, sent))).get('code'))
  })

  test('RFC 9101 §7: a client without keys gets request_not_supported, at both endpoints (N32)', async () => {
    const testServer = await open()
    const created = await testServer.createClient()
    const object = requestObject(created, ES256, testServer.clock, authorizeParameters(created, makePkce()))
    const sent = withObject(created, object, {
      redirect_uri: 'https://client.example/callback',
      state: 'a state',
    })
    assertRedirectError(
      await grantsNothing(testServer, () => authorize(testServer, sent)),
      'request_not_supported',
    )
    await assertJson(await push(testServer, created, sent), 400, 'request_not_supported')
    await testServer.g.clients.change(created.client.id, { jwks: { keys: [ES256.publicJwk] } })
    testServer.clock.advance(1_000)
    assert.ok(readAnswer(await authorize(testServer, sent)).get('code'))
  })

  test('RFC 9101 §6.2: what expires while its user signs in has not expired', async () => {
    const testServer = await open()
    const created = await signing(testServer)
    const parameters = authorizeParameters(created, makePkce())
    const sent = withObject(created, requestObject(created, ES256, testServer.clock, parameters))
    const { account } = testServer.signedIn
    testServer.signedIn.account = null
    const shown = await authorize(testServer, sent)
    testServer.signedIn.account = account
    const back = new URL(new URL(shown.headers.get('location')!).searchParams.get('to')!)
    assert.deepEqual([...back.searchParams.keys()], ['client_id', 'request', 'gatehouse_opened'])
    testServer.clock.advance(20 * minute)
    await assertPage(await grantsNothing(testServer, () => authorize(testServer, sent)), 400, {
      shows: ['invalid_request_object'],
    })
    const elsewhere = await grantsNothing(testServer, () => authorize(testServer, back.searchParams))
    await assertPage(elsewhere, 400, { shows: ['invalid_request_object'] })
    const cookie = shown.headers.getSetCookie()[0]!.split(';')[0]!
    const consent = await readConsent(await testServer.request(back.href, { cookie }))
    const allowed = await answerConsent(testServer, { ...consent, cookie }, { decision: 'allow' })
    assert.ok(readAnswer(allowed).get('code'))
  })

  test('RFC 9101 §7: keys that cannot be had now are temporarily_unavailable, keys nobody may fetch invalid_request_object', async () => {
    const testServer = await open()
    for (const [jwksUri, error, status] of [
      ['https://127.0.0.1:1/jwks.json', 'temporarily_unavailable', 503],
      ['https://169.254.169.254/jwks.json', 'invalid_request_object', 400],
    ] as const) {
      const created = await testServer.createClient({ jwksUri })
      const object = requestObject(created, ES256, testServer.clock, authorizeParameters(created, makePkce()))
      const sent = withObject(created, object, {
        redirect_uri: 'https://client.example/callback',
        state: 'a state',
      })
      assertRedirectError(await grantsNothing(testServer, () => authorize(testServer, sent)), error)
      await assertJson(await push(testServer, created, sent), status, error)
    }
  })

  test('RFC 9101 §4: objects and lists in the claims are parameters in JSON', async () => {
    const testServer = await open()
    const created = await signing(testServer)
    const claims = requestClaims(created, testServer.clock.now(), authorizeParameters(created, makePkce()), {
      authorization_details: [{ type: 'unknown' }],
    })
    const sent = withObject(created, signJwt(ES256, 'oauth-authz-req+jwt', claims))
    assertRedirectError(
      await grantsNothing(testServer, () => authorize(testServer, sent)),
      'invalid_authorization_details',
    )
    const scopes = requestObject(created, ES256, testServer.clock, authorizeParameters(created, makePkce()), {
      scope: ['jobs:read'],
    })
    assertRedirectError(await authorize(testServer, withObject(created, scopes)), 'invalid_scope')
  })

  test('RFC 9126 §3: the client authenticates beside the request object it pushes', async () => {
    const testServer = await open()
    const created = await testServer.createClient(registeredWith(ES256))
    const pkce = makePkce()
    const object = requestObject(created, ES256, testServer.clock, authorizeParameters(created, pkce))
    const sent = withObject(created, object)
    const asked = await pushed(testServer, created, sent, {
      form: assertion(created, ES256, testServer.clock),
    })
    const code = readAnswer(await authorize(testServer, asked)).get('code')!
    await readTokens(
      await redeem(testServer, created, code, pkce, assertion(created, ES256, testServer.clock)),
    )
    const refused = await push(testServer, created, sent)
    await assertJson(refused, 401, 'invalid_client')
  })
})
