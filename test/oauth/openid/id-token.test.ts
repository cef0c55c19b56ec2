import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { test } from 'node:test'
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose'
import { endSignedOut } from '../../../src/accounts/sign-outs.ts'
import { algorithms } from '../../../src/crypto/jws.ts'
import { sql } from '../../../src/db/sql.ts'
import type { ClientInput } from '../../../src/oauth/clients/client-input.ts'
import { createDevice, obtainDeviceTokens } from '../../support/device.ts'
import {
  answerConsent,
  authorize,
  authorizeParameters,
  introspect,
  makePkce,
  obtainCode,
  obtainTokens,
  readConsent,
  readTokens,
  redeem,
  refresh,
  type Tokens,
} from '../../support/flow.ts'
import {
  alice,
  bob,
  issuer,
  onBothDatabases,
  openTestServer,
  type TestServer,
  testServerFor,
} from '../../support/gatehouse.ts'
import { assertRedirectError, grantsNothing, readAnswer } from '../answers.ts'

type OpenidTokens = Tokens & { id_token: string }

async function openidTokens(
  testServer: TestServer,
  input: Partial<ClientInput> = {},
  asked: Record<string, string> = {},
): Promise<OpenidTokens> {
  const client = await testServer.createClient(input)
  return (await obtainTokens(testServer, client, { scope: 'openid jobs:read', ...asked })) as OpenidTokens
}

async function published(testServer: TestServer): Promise<JSONWebKeySet> {
  return (await (await testServer.request('/.well-known/jwks.json')).json()) as JSONWebKeySet
}

onBothDatabases('ID token', (dialect) => {
  const open = testServerFor(dialect, { authentication: { acrValues: ['urn:low', 'urn:high'] } })

  for (const alg of algorithms) {
    test(`OpenID Connect Core §2, §3.1.3.3: an ID token signed with ${alg} says who signed in, when and how`, async () => {
      const testServer = await open()
      const authTime = testServer.clock.now() - 90_500
      testServer.signedIn.account = {
        ...alice,
        authTime,
        acr: 'urn:high',
        amr: ['pwd', 'otp'],
        sessionId: 'a session',
      }
      const client = await testServer.createClient({ idTokenSignedResponseAlg: alg })
      const tokens = (await obtainTokens(testServer, client, {
        scope: 'openid jobs:read',
        nonce: 'n-0S6_WzA2Mj',
      })) as OpenidTokens
      const { payload, protectedHeader } = await jwtVerify(
        tokens.id_token,
        createLocalJWKSet(await published(testServer)),
        {
          issuer,
          audience: client.client.id,
          algorithms: [alg],
          currentDate: new Date(testServer.clock.now()),
        },
      )
      const digest = hash(alg === 'EdDSA' ? 'sha512' : 'sha256', tokens.access_token, 'buffer')
      const { sid, ...claims } = payload
      assert.deepEqual(claims, {
        iss: issuer,
        sub: 'alice',
        aud: client.client.id,
        iat: Math.floor(testServer.clock.now() / 1_000),
        exp: Math.floor(testServer.clock.now() / 1_000) + tokens.expires_in,
        nonce: 'n-0S6_WzA2Mj',
        auth_time: Math.floor(authTime / 1_000),
        acr: 'urn:high',
        amr: ['pwd', 'otp'],
        at_hash: digest.subarray(0, digest.length / 2).toString('base64url'),
      })
      assert.match(String(sid), /^[\w-]{43}$/)
      assert.doesNotMatch(tokens.id_token, /a session/)
      assert.equal(protectedHeader.typ, 'JWT')
      assert.ok(protectedHeader.kid)
    })
  }

  test('OpenID Connect Core §3.1.2.1: without openid there is none, and nobody gets openid without asking', async () => {
    const testServer = await open()
    const client = await testServer.createClient()
    for (const scope of ['jobs:read', 'jobs:read profile email offline_access', undefined]) {
      const tokens = await obtainTokens(testServer, client, { scope })
      assert.equal('id_token' in tokens, false, scope)
      assert.equal(tokens.scope.split(' ').includes('openid'), false)
    }
    const twin = (await obtainTokens(testServer, client, { scope: 'openid' })) as OpenidTokens
    assert.equal(decodeJwt(twin.id_token).sub, 'alice')
    assert.equal(twin.scope, 'openid')
  })

  test('OpenID Connect Core §2: what is not known of a sign-in is not said', async () => {
    const testServer = await open()
    testServer.signedIn.account = bob
    const { id_token } = await openidTokens(testServer)
    assert.deepEqual(Object.keys(decodeJwt(id_token)).sort(), ['at_hash', 'aud', 'exp', 'iat', 'iss', 'sub'])
    testServer.signedIn.account = { ...alice, authTime: testServer.clock.now() }
  })

  test('OpenID Connect Registration §2: a client that named no algorithm gets RS256, and is told so', async () => {
    const testServer = await open()
    const { id_token } = await openidTokens(testServer)
    assert.equal(decodeProtectedHeader(id_token).alg, 'RS256')
    const chosen = await openTestServer(dialect, { openid: { signingAlg: 'ES256' } })
    try {
      assert.equal(decodeProtectedHeader((await openidTokens(chosen)).id_token).alg, 'ES256')
    } finally {
      await chosen.close()
    }
  })

  test('OpenID Connect Core §5.4: the claims of granted scopes are in the ID token where the client or the server wants them', async () => {
    const told = { name: 'Alice', email: 'alice@example.com' }
    const claimsOf = async (testServer: TestServer, input: object, scope = 'openid profile email') => {
      const client = await testServer.createClient({
        scope: ['openid', 'profile', 'email', 'jobs:read'],
        ...input,
      })
      const { id_token } = (await obtainTokens(testServer, client, { scope })) as OpenidTokens
      const { name, email } = decodeJwt(id_token)
      return { name, email }
    }
    const testServer = await open()
    testServer.signedIn.account = { ...alice, name: told.name, email: told.email }
    assert.deepEqual(await claimsOf(testServer, {}), told, 'a client that an administrator made for sign-in')
    assert.deepEqual(
      await claimsOf(testServer, { scope: undefined }),
      told,
      'and one with every scope there is',
    )
    assert.deepEqual(await claimsOf(testServer, {}, 'openid profile'), { ...told, email: undefined })
    assert.deepEqual(await claimsOf(testServer, { claimsInIdToken: false }), {
      name: undefined,
      email: undefined,
    })
    const client = await testServer.createClient({ scope: ['jobs:read'] })
    await testServer.g.clients.change(client.client.id, { scope: ['openid', 'profile', 'jobs:read'] })
    const change = async (claimsInIdToken: boolean) => {
      await testServer.g.clients.change(client.client.id, { claimsInIdToken })
      const { id_token } = (await obtainTokens(testServer, client, {
        scope: 'openid profile',
      })) as OpenidTokens
      return decodeJwt(id_token)['name']
    }
    assert.equal(await change(true), told.name)
    assert.equal(await change(false), undefined)
    testServer.signedIn.account = { ...alice, authTime: testServer.clock.now() }
  })

  test('OpenID Connect Core §12.2: a refresh tells the same user and sign-in, without the nonce', async () => {
    const testServer = await open()
    const authTime = testServer.clock.now() - 5_000
    testServer.signedIn.account = { ...alice, authTime, amr: ['pwd'], sessionId: 'one' }
    const client = await testServer.createClient()
    const first = (await obtainTokens(testServer, client, {
      scope: 'openid jobs:read',
      nonce: 'once',
    })) as OpenidTokens
    const before = decodeJwt(first.id_token)
    testServer.clock.advance(60_000)
    const second = (await readTokens(await refresh(testServer, client, first.refresh_token!))) as OpenidTokens
    const again = (await readTokens(await refresh(testServer, client, first.refresh_token!))) as OpenidTokens
    for (const one of [second, again]) {
      const after = decodeJwt(one.id_token)
      assert.equal(after.nonce, undefined)
      assert.equal(after.iat, before.iat! + 60)
      for (const name of ['iss', 'sub', 'aud', 'auth_time', 'amr', 'sid'])
        assert.deepEqual(after[name], before[name], name)
      assert.equal(
        after.at_hash,
        hash('sha256', one.access_token, 'buffer').subarray(0, 16).toString('base64url'),
      )
    }
    const narrowed = await readTokens(
      await refresh(testServer, client, second.refresh_token!, { scope: 'jobs:read' }),
    )
    assert.equal('id_token' in narrowed, false, 'the narrowed token has no openid')
  })

  test('OAuth 2.0 Form Post Response Mode §2: a code that was posted brings an ID token all the same', async () => {
    const testServer = await open()
    const client = await testServer.createClient()
    const pkce = makePkce()
    const asked = authorizeParameters(client, pkce, {
      scope: 'openid',
      nonce: 'x',
      response_mode: 'form_post',
    })
    const shown = await testServer.request(`/oauth/authorize?${asked}`)
    const posted = await (
      await answerConsent(testServer, await readConsent(shown), { decision: 'allow' })
    ).text()
    const code = /name="code" value="([^"]+)"/.exec(posted)![1]!
    assert.doesNotMatch(posted, /id_token/, 'an ID token never comes through the browser')
    const tokens = (await readTokens(await redeem(testServer, client, code, pkce))) as OpenidTokens
    assert.equal(decodeJwt(tokens.id_token).nonce, 'x')
  })

  test('RFC 8628 §3.5: a device learns who allowed it; the browser it was allowed in is not its sign-in', async () => {
    const testServer = await openTestServer(dialect, { device: {} })
    try {
      testServer.signedIn.account = {
        ...alice,
        authTime: testServer.clock.now(),
        amr: ['pwd'],
        sessionId: 'the browser',
      }
      const device = await createDevice(testServer)
      const tokens = (await obtainDeviceTokens(testServer, device, { scope: 'openid' })) as OpenidTokens
      const claims = decodeJwt(tokens.id_token)
      assert.deepEqual([claims.sub, claims.aud, claims.amr], ['alice', device.client.id, ['pwd']])
      assert.equal('sid' in claims, false)
      const client = await testServer.createClient()
      const browser = (await obtainTokens(testServer, client, { scope: 'openid' })) as OpenidTokens
      const sid = decodeJwt(browser.id_token).sid as string
      const [row] = await testServer.app.server.db.query(
        sql<{ id: string }>`select id from users where subject = 'alice'`,
      )
      await endSignedOut(testServer.app.server, { id: row!.id, sid }, undefined)
      assert.equal((await refresh(testServer, client, browser.refresh_token!)).status, 400)
      const next = (await readTokens(
        await refresh(testServer, device, tokens.refresh_token!),
      )) as OpenidTokens
      assert.equal(decodeJwt(next.id_token).sub, 'alice')
    } finally {
      await testServer.close()
    }
  })

  test('RFC 9068 §4: an ID token is no access token, anywhere (N119)', async () => {
    const testServer = await open()
    const client = await testServer.createClient()
    const tokens = (await obtainTokens(testServer, client, { scope: 'openid jobs:read' })) as OpenidTokens
    const call = (token: string) => ({ headers: { authorization: `Bearer ${token}` } })
    for (const check of ['session', 'offline'] as const) {
      const asked = new Request('https://api.example/jobs', call(tokens.id_token))
      const access = await testServer.g.authenticate(asked, { check })
      assert.ok(!access.ok)
      assert.equal(access.response.status, 401)
      assert.match(access.response.headers.get('www-authenticate')!, /error="invalid_token"/)
      assert.equal(access.reason, 'access_token_type')
      const twin = await testServer.g.authenticate(
        new Request('https://api.example/jobs', call(tokens.access_token)),
        {
          check,
        },
      )
      assert.ok(twin.ok)
    }
    const refused = await testServer.request('/oauth/userinfo', call(tokens.id_token))
    assert.equal(refused.status, 401)
    assert.match(refused.headers.get('www-authenticate')!, /error="invalid_token"/)
    assert.equal((await testServer.request('/oauth/userinfo', call(tokens.access_token))).status, 200)
    assert.deepEqual(await introspect(testServer, client, tokens.id_token), { active: false })
    assert.equal((await introspect(testServer, client, tokens.access_token)).active, true)
  })

  test('OpenID Connect Core §3.1.2.1: a client that must send a nonce is refused without one (N42)', async () => {
    const testServer = await open()
    const client = await testServer.createClient({ requireNonce: true })
    const asked = authorizeParameters(client, makePkce(), { scope: 'openid' })
    assertRedirectError(
      await grantsNothing(testServer, () => authorize(testServer, asked)),
      'invalid_request',
    )
    asked.set('nonce', 'x')
    assert.ok(readAnswer(await authorize(testServer, asked)).get('code'))
    const plain = authorizeParameters(client, makePkce(), { scope: 'jobs:read' })
    assert.ok(
      readAnswer(await authorize(testServer, plain)).get('code'),
      'nobody misses it without an ID token',
    )
  })

  test('OpenID Connect Core §3.1.2.1: only an ID token of this server, made for the client, is a hint', async () => {
    const testServer = await open()
    const client = await testServer.createClient()
    const tokens = (await obtainTokens(testServer, client, { scope: 'openid' })) as OpenidTokens
    const { id_token } = await openidTokens(testServer)
    const [header, claims, signature] = tokens.id_token.split('.') as [string, string, string]
    const other = Buffer.from(JSON.stringify({ ...decodeJwt(tokens.id_token), sub: 'bob' })).toString(
      'base64url',
    )
    const none = Buffer.from(JSON.stringify({ alg: 'none', typ: 'JWT' })).toString('base64url')
    for (const [what, hint] of Object.entries({
      'another client’s': id_token,
      'an access token': tokens.access_token,
      'other claims': `${header}.${other}.${signature}`,
      unsigned: `${none}.${claims}.`,
      'cut off': `${header}.${claims}`,
      'no JWT': 'y',
    })) {
      const asked = authorizeParameters(client, makePkce(), { scope: 'openid', id_token_hint: hint })
      const answer = await grantsNothing(testServer, () => authorize(testServer, asked))
      assertRedirectError(answer, 'invalid_request')
      assert.ok(what)
    }
    testServer.clock.advance(30 * 86_400_000)
    testServer.signedIn.account = { ...alice, authTime: testServer.clock.now() }
    const asked = { scope: 'openid', id_token_hint: tokens.id_token }
    assert.ok(await obtainCode(testServer, client, makePkce(), asked), 'however long ago it expired')
  })
})
