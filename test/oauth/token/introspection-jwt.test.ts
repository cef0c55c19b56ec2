import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose'
import { algorithms } from '../../../src/crypto/jws.ts'
import type { CreatedClient } from '../../../src/oauth/clients/client-operations.ts'
import { prefersJwt } from '../../../src/oauth/token/introspection-jwt.ts'
import { credentials, introspect, obtainTokens } from '../../support/flow.ts'
import { basic, issuer, onBothDatabases, type TestServer, testServerFor } from '../../support/gatehouse.ts'
import { assertJson, grantsNothing } from '../answers.ts'

const [jobs, mail] = ['https://jobs.example', 'https://mail.example']
const mediaType = 'application/token-introspection+jwt'

function ask(
  testServer: TestServer,
  created: CreatedClient,
  token: string,
  accept = mediaType,
): Promise<Response> {
  return testServer.post('/oauth/introspect', { token }, { ...credentials(created).headers, accept })
}

/** What a resource server learns, with the signature and every claim of its own checked as RFC 9701 §5 has it. */
async function read(testServer: TestServer, asking: CreatedClient, answer: Response, alg = 'RS256') {
  assert.equal(answer.status, 200)
  assert.equal(answer.headers.get('content-type'), mediaType)
  assert.equal(answer.headers.get('cache-control'), 'no-store')
  const keys = (await (await testServer.request('/.well-known/jwks.json')).json()) as JSONWebKeySet
  const { payload, protectedHeader } = await jwtVerify(await answer.text(), createLocalJWKSet(keys), {
    issuer,
    audience: asking.client.id,
    typ: 'token-introspection+jwt',
    algorithms: [alg],
    currentDate: new Date(testServer.clock.now()),
  })
  assert.equal(protectedHeader.alg, alg)
  const { token_introspection, ...rest } = payload
  assert.deepEqual(rest, {
    iss: issuer,
    aud: asking.client.id,
    iat: Math.floor(testServer.clock.now() / 1_000),
  })
  return token_introspection as Record<string, unknown>
}

onBothDatabases('introspection as JWT', (dialect) => {
  const open = testServerFor(dialect, { resources: { [jobs]: {}, [mail]: {} } })

  test('RFC 9701 §5: whoever asks for a signed answer gets what the plain one says, signed for it alone', async () => {
    const testServer = await open()
    const client = await testServer.createClient()
    const { access_token: token, refresh_token: refresh } = await obtainTokens(testServer, client, {
      resource: jobs,
    })
    const plain = await introspect(testServer, client, token)
    assert.deepEqual(await read(testServer, client, await ask(testServer, client, token)), plain)
    assert.equal(plain.active, true)
    for (const alg of algorithms) {
      const server = await testServer.createClient({
        redirectUris: [],
        resourceServerFor: [jobs],
        introspectionSignedResponseAlg: alg,
      })
      assert.deepEqual(await read(testServer, server, await ask(testServer, server, token), alg), plain)
    }
    assert.equal((await read(testServer, client, await ask(testServer, client, refresh!))).active, true)
    // It is no access token, whatever it is shown as.
    const jwt = await (await ask(testServer, client, token)).text()
    assert.equal(
      (await testServer.g.authenticate({ headers: { authorization: `Bearer ${jwt}` } }, {})).ok,
      false,
    )
    assert.deepEqual(await introspect(testServer, client, jwt), { active: false })
  })

  test('RFC 7662 §2.2; RFC 9701 §5: what is not for the one who asks is inactive and nothing else, signed too (N111)', async () => {
    const testServer = await open()
    const client = await testServer.createClient()
    const stranger = await testServer.createClient()
    const mailServer = await testServer.createClient({ redirectUris: [], resourceServerFor: [mail] })
    const jobServer = await testServer.createClient({ redirectUris: [], resourceServerFor: [jobs] })
    const tokens = await obtainTokens(testServer, client, { resource: jobs })
    const revoked = await obtainTokens(testServer, client, { resource: jobs })
    const { headers } = credentials(client)
    await testServer.post('/oauth/revoke', { token: revoked.refresh_token! }, headers)
    await grantsNothing(testServer, async () => {
      for (const [asking, token] of [
        [client, 'unknown'],
        [client, revoked.access_token],
        [client, revoked.refresh_token!],
        [stranger, tokens.access_token],
        [mailServer, tokens.access_token],
        [jobServer, tokens.refresh_token!],
      ] as const) {
        assert.deepEqual(await read(testServer, asking, await ask(testServer, asking, token)), {
          active: false,
        })
      }
    })
    const seen = await read(testServer, jobServer, await ask(testServer, jobServer, tokens.access_token))
    assert.equal(seen.active, true)
    testServer.clock.advance(900_000)
    const late = await ask(testServer, jobServer, tokens.access_token)
    assert.deepEqual(await read(testServer, jobServer, late), { active: false })
  })

  test('RFC 7662 §2.1: what is refused is refused in JSON, whatever was asked for (N110)', async () => {
    const testServer = await open()
    const client = await testServer.createClient()
    const accept = { accept: mediaType }
    const { access_token: token } = await obtainTokens(testServer, client)
    await assertJson(await testServer.post('/oauth/introspect', { token }, accept), 401, 'invalid_client')
    const wrong = { authorization: basic(client.client.id, 'wrong'), ...accept }
    await assertJson(await testServer.post('/oauth/introspect', { token }, wrong), 401, 'invalid_client')
    const right = { ...credentials(client).headers, ...accept }
    await assertJson(await testServer.post('/oauth/introspect', {}, right), 400, 'invalid_request')
    await read(testServer, client, await testServer.post('/oauth/introspect', { token }, right))
  })

  test('RFC 7009 §2.1: a revoked refresh token ends its access tokens, also as a signed answer tells it (N115)', async () => {
    const testServer = await open()
    const client = await testServer.createClient()
    const jobServer = await testServer.createClient({ redirectUris: [], resourceServerFor: [jobs] })
    const tokens = await obtainTokens(testServer, client, { resource: jobs })
    const seen = async () =>
      read(testServer, jobServer, await ask(testServer, jobServer, tokens.access_token))
    assert.equal((await seen()).active, true)
    await testServer.post('/oauth/revoke', { token: tokens.refresh_token! }, credentials(client).headers)
    assert.deepEqual(await seen(), { active: false })
  })

  test('RFC 9701 §7: every algorithm that signs answers is advertised', async () => {
    const testServer = await open()
    const document = await testServer.request('/.well-known/oauth-authorization-server')
    const metadata = (await document.json()) as Record<string, unknown>
    assert.deepEqual(metadata.introspection_signing_alg_values_supported, algorithms)
  })
})

test('RFC 9701 §4: a signed answer goes to who names it and does not prefer JSON', () => {
  for (const accept of [
    mediaType,
    'Application/Token-Introspection+JWT',
    `${mediaType};q=0.5`,
    `application/json, ${mediaType}`,
    `application/json;q=0.8, ${mediaType};q=0.9`,
    `*/*;q=0.1,${mediaType}`,
  ]) {
    assert.equal(prefersJwt(accept), true, accept)
  }
  for (const accept of [
    undefined,
    '',
    '*/*',
    'application/*',
    'application/json',
    'application/jwt',
    `${mediaType};q=0`,
    `${mediaType};q=0.5, application/json`,
    `${mediaType};q=x`,
  ]) {
    assert.equal(prefersJwt(accept), false, accept)
  }
})
