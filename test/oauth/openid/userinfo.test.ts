import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose'
import { AccountsUnavailable } from '../../../src/accounts/account.ts'
import { algorithms } from '../../../src/crypto/jws.ts'
import { visit } from '../../accounts/visitor.ts'
import { makeProofKey, proofFor } from '../../support/dpop.ts'
import {
  authorizeParameters,
  credentials,
  makePkce,
  obtainCode,
  obtainTokens,
  readTokens,
  redeem,
  refresh,
} from '../../support/flow.ts'
import {
  alice,
  issuer,
  onBothDatabases,
  openTestServer,
  scopes,
  type TestServer,
  testServerFor,
} from '../../support/gatehouse.ts'

const url = `${issuer}/oauth/userinfo`

function ask(server: TestServer, token: string, init: RequestInit = {}): Promise<Response> {
  return server.request('/oauth/userinfo', {
    ...init,
    headers: { authorization: `Bearer ${token}`, ...(init.headers as Record<string, string>) },
  })
}

async function claimsOf(response: Response): Promise<Record<string, unknown>> {
  const text = await response.text()
  assert.equal(response.status, 200, text)
  assert.equal(response.headers.get('content-type'), 'application/json')
  assert.equal(response.headers.get('cache-control'), 'no-store')
  return JSON.parse(text)
}

onBothDatabases('userinfo', (dialect) => {
  const open = testServerFor(dialect, { resources: { 'https://jobs.example': {} } })

  test('OpenID Connect Core §5.4: each scope stands for its claims, and no other is told', async () => {
    const server = await open()
    const client = await server.createClient()
    const cases: Record<string, Record<string, unknown>> = {
      openid: { sub: 'alice' },
      'openid profile': { sub: 'alice', name: 'Alice' },
      'openid email': { sub: 'alice', email: 'alice@example.com' },
      'openid email profile jobs:read': { sub: 'alice', name: 'Alice', email: 'alice@example.com' },
    }
    for (const [scope, expected] of Object.entries(cases)) {
      const { access_token } = await obtainTokens(server, client, { scope })
      for (const method of ['GET', 'POST'])
        assert.deepEqual(await claimsOf(await ask(server, access_token, { method })), expected, scope)
    }
  })

  test('OpenID Connect Core §5.3: any access token with openid does, whatever its format and audience', async () => {
    const server = await open()
    for (const tokenFormat of ['jwt', 'opaque'] as const) {
      const client = await server.createClient({ tokenFormat })
      for (const resource of ['https://jobs.example', issuer]) {
        const tokens = await obtainTokens(server, client, { scope: 'openid', resource })
        assert.equal((await claimsOf(await ask(server, tokens.access_token))).sub, 'alice')
        const next = await readTokens(await refresh(server, client, tokens.refresh_token!))
        assert.equal((await claimsOf(await ask(server, next.access_token))).sub, 'alice')
      }
    }
  })

  test('OpenID Connect Core §5.3.3: a token without openid is insufficient_scope (N122)', async () => {
    const server = await open()
    const client = await server.createClient()
    const { access_token } = await obtainTokens(server, client, { scope: 'jobs:read profile email' })
    const refused = await ask(server, access_token)
    assert.equal(refused.status, 403)
    const challenge = refused.headers.get('www-authenticate')!
    assert.match(challenge, /^Bearer /)
    assert.match(challenge, /error="insufficient_scope"/)
    assert.match(challenge, /scope="openid"/)
    assert.equal((await refused.json()).error, 'insufficient_scope')
    const twin = await obtainTokens(server, client, { scope: 'openid jobs:read' })
    assert.equal((await ask(server, twin.access_token)).status, 200)
    const narrowed = await readTokens(
      await refresh(server, client, twin.refresh_token!, { scope: 'jobs:read' }),
    )
    assert.equal((await ask(server, narrowed.access_token)).status, 403)
  })

  test('RFC 6750 §2.2: a POST may bring its token as a form, never in the query, never twice', async () => {
    const server = await open()
    const client = await server.createClient()
    const { access_token } = await obtainTokens(server, client, { scope: 'openid' })
    assert.equal((await claimsOf(await server.post('/oauth/userinfo', { access_token }))).sub, 'alice')
    const statusOf = async (path: string, body: string, headers: Record<string, string> = {}) => {
      const type = { 'content-type': 'application/x-www-form-urlencoded', ...headers }
      return (await server.request(path, { method: 'POST', body, headers: type })).status
    }
    const token = `access_token=${access_token}`
    assert.equal(await statusOf('/oauth/userinfo', `${token}&${token}`), 400)
    assert.equal(await statusOf('/oauth/userinfo', token, { authorization: `Bearer ${access_token}` }), 400)
    assert.equal(await statusOf(`/oauth/userinfo?${token}`, token), 400)
    assert.equal(await statusOf(`/oauth/userinfo?${token}`, ''), 400)
    assert.equal(await statusOf('/oauth/userinfo', token, { 'content-type': 'text/plain' }), 401)
    assert.equal(await statusOf('/oauth/userinfo', 'access_token=wrong'), 401)
    assert.equal(await statusOf('/oauth/userinfo', ''), 401)
    assert.equal(await statusOf('/oauth/userinfo', `${token}&pad=${'x'.repeat(70_000)}`), 413)
  })

  test('RFC 6750 §3.1: without a token there is a challenge without an error, with a bad one invalid_token', async () => {
    const server = await open()
    const client = await server.createClient()
    const none = await server.request('/oauth/userinfo')
    assert.equal(none.status, 401)
    assert.match(none.headers.get('www-authenticate')!, /^Bearer realm=/)
    assert.doesNotMatch(none.headers.get('www-authenticate')!, /error=/)
    const { access_token, refresh_token } = await obtainTokens(server, client, { scope: 'openid' })
    for (const token of [refresh_token!, `${access_token}x`, 'nonsense']) {
      const refused = await ask(server, token)
      assert.equal(refused.status, 401)
      assert.match(refused.headers.get('www-authenticate')!, /error="invalid_token"/)
    }
    const twice = await server.request(`/oauth/userinfo?access_token=${access_token}`, {
      headers: { authorization: `Bearer ${access_token}` },
    })
    assert.equal(twice.status, 400)
    assert.equal((await ask(server, access_token)).status, 200)
    await server.post('/oauth/revoke', {
      token: refresh_token!,
      client_id: client.client.id,
      client_secret: client.secret!,
    })
    assert.equal((await ask(server, access_token)).status, 401, 'the session has ended')
    assert.equal((await server.request('/oauth/userinfo', { method: 'PUT' })).status, 405)
  })

  test('RFC 9449 §7.1: a token bound to a key needs its proof here too', async () => {
    const server = await open()
    const client = await server.createClient()
    const key = await makeProofKey()
    const pkce = makePkce()
    const code = await obtainCode(server, client, pkce, { scope: 'openid' })
    const { headers, form } = credentials(client)
    const answer = await server.post(
      '/oauth/token',
      {
        grant_type: 'authorization_code',
        code,
        redirect_uri: 'https://client.example/callback',
        code_verifier: pkce.verifier,
        ...form,
      },
      { ...headers, dpop: await proofFor(server, key) },
    )
    const { access_token, token_type } = await readTokens(answer)
    assert.equal(token_type, 'DPoP')
    const refused = await ask(server, access_token)
    assert.equal(refused.status, 401)
    assert.match(refused.headers.get('www-authenticate')!, /^DPoP /)
    const proof = (method: string) => proofFor(server, key, { method, url, accessToken: access_token })
    for (const method of ['GET', 'POST']) {
      const headers = { authorization: `DPoP ${access_token}`, dpop: await proof(method) }
      assert.equal(
        (await claimsOf(await server.request('/oauth/userinfo', { method, headers }))).sub,
        'alice',
      )
      const again = await server.request('/oauth/userinfo', { method, headers })
      assert.equal(again.status, 401, 'a proof is good once')
    }
  })

  for (const alg of algorithms) {
    test(`OpenID Connect Core §5.3.2: a client that wants it signed gets it signed with ${alg}`, async () => {
      const server = await open()
      const client = await server.createClient({ userinfoSignedResponseAlg: alg })
      const { access_token } = await obtainTokens(server, client, { scope: 'openid email' })
      const answer = await ask(server, access_token)
      assert.equal(answer.headers.get('content-type'), 'application/jwt')
      assert.equal(answer.headers.get('cache-control'), 'no-store')
      const keys = (await (await server.request('/.well-known/jwks.json')).json()) as JSONWebKeySet
      const { payload } = await jwtVerify(await answer.text(), createLocalJWKSet(keys), { algorithms: [alg] })
      assert.deepEqual(payload, {
        sub: 'alice',
        email: 'alice@example.com',
        iss: issuer,
        aud: client.client.id,
      })
    })
  }

  test('OpenID Connect Core §5.3: browser code of other origins may ask, without credentials', async () => {
    const server = await open()
    const client = await server.createClient()
    const { access_token } = await obtainTokens(server, client, { scope: 'openid' })
    const origin = 'https://spa.example'
    const preflight = await server.request('/oauth/userinfo', { method: 'OPTIONS', headers: { origin } })
    assert.equal(preflight.status, 204)
    assert.match(preflight.headers.get('access-control-allow-headers')!, /authorization/)
    const answer = await ask(server, access_token, { headers: { origin } })
    assert.equal(answer.headers.get('access-control-allow-origin'), '*')
    const refused = await server.request('/oauth/userinfo', { headers: { origin } })
    assert.equal(refused.headers.get('access-control-allow-origin'), '*')
    assert.match(refused.headers.get('access-control-expose-headers')!, /www-authenticate/)
  })

  test('OpenID Connect Core §5.1: what the accounts adapter knows is told within the scopes, and nothing of ours is overridden', async () => {
    const asked: [string, readonly string[]][] = []
    let down = false
    const server = await openTestServer(dialect, {
      scopes: { ...scopes, phone: 'See your phone number', team: 'See your team' },
      accounts: {
        authenticate: () => ({ ...alice, subject: 'account-1' }),
        claimNames: ['given_name', 'phone_number', 'team'],
        claims(subject, scopes) {
          if (down) throw new AccountsUnavailable('down')
          asked.push([subject, scopes])
          // As careless as an adapter may be.
          return {
            sub: 'mallory',
            iss: 'https://mallory.example',
            name: 'Alice of the adapter',
            given_name: 'Alice',
            family_name: null,
            nickname: '',
            email_verified: true,
            phone_number: '+1 555',
            ...(scopes.includes('team') ? { team: 'red' } : {}),
          }
        },
      },
    })
    try {
      const client = await server.createClient()
      const tell = async (scope: string) =>
        claimsOf(await ask(server, (await obtainTokens(server, client, { scope })).access_token))
      assert.deepEqual(await tell('openid'), { sub: 'account-1' })
      assert.deepEqual(asked.at(-1), ['account-1', ['openid']])
      assert.deepEqual(await tell('openid profile'), {
        sub: 'account-1',
        name: 'Alice of the adapter',
        given_name: 'Alice',
      })
      assert.deepEqual(await tell('openid email phone team'), {
        sub: 'account-1',
        email: 'alice@example.com',
        email_verified: true,
        phone_number: '+1 555',
        team: 'red',
      })
      const { access_token } = await obtainTokens(server, client, { scope: 'openid' })
      down = true
      const unavailable = await ask(server, access_token)
      assert.equal(unavailable.status, 503)
      assert.ok(unavailable.headers.get('retry-after'))
      down = false
      assert.equal((await ask(server, access_token)).status, 200)
    } finally {
      await server.close()
    }
  })

  test('OpenID Connect Core §5.1: local accounts tell the login, and that nobody has proved the address', async () => {
    const server = await openTestServer(dialect, { accounts: undefined })
    try {
      const visitor = visit(server)
      await visitor.signUp()
      const client = await server.createClient()
      const pkce = makePkce()
      const asked = authorizeParameters(client, pkce, { scope: 'openid profile email' })
      const consent = await visitor.get(`/oauth/authorize?${asked}`)
      const answer = await visitor.submit(consent, '/oauth/consent', { decision: 'allow' })
      const code = new URL(answer.location!).searchParams.get('code')!
      const { access_token } = await readTokens(await redeem(server, client, code, pkce))
      const { sub, ...claims } = await claimsOf(await ask(server, access_token))
      assert.match(String(sub), /^usr_/)
      assert.deepEqual(claims, {
        name: 'Ann Example',
        preferred_username: 'ann@example.com',
        email: 'ann@example.com',
        email_verified: false,
      })
    } finally {
      await server.close()
    }
  })
})
