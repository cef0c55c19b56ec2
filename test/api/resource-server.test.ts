import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeProtectedHeader } from 'jose'
import type { AccessNeeds } from '../../src/api/bearer.ts'
import { Unavailable } from '../../src/db/database.ts'
import { sql } from '../../src/db/sql.ts'
import { endSession } from '../../src/oauth/sessions.ts'
import { makeAccessToken } from '../../src/oauth/token/access-token.ts'
import { guardResources } from '../../src/oauth/token/resource-server.ts'
import { obtainTokens, refresh } from '../support/flow.ts'
import { alice, issuer, onBothDatabases, type TestServer, testServerFor } from '../support/gatehouse.ts'

const jobs = `${issuer}/jobs`
const other = 'https://other.example.com'
const gateway = 'https://gateway.example.com'

function call(testServer: TestServer, token: string | undefined, needs: AccessNeeds = {}) {
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` }
  return testServer.g.authenticate(new Request(`${jobs}/search`, { headers }), needs)
}

async function refusal(testServer: TestServer, token: string | undefined, needs: AccessNeeds = {}) {
  const access = await call(testServer, token, needs)
  assert.ok(!access.ok, 'refused')
  const { status, headers } = access.response
  assert.equal(headers.get('cache-control'), 'no-store')
  return {
    status,
    challenge: headers.get('www-authenticate'),
    reason: access.reason,
    text: await access.response.text(),
  }
}

onBothDatabases('resource server', (dialect) => {
  const open = testServerFor(dialect, {
    resources: {
      [jobs]: { name: 'Job board' },
      [other]: { tokenFormat: 'opaque', scopes: ['jobs:read'] },
      [gateway]: { tokenSigningAlg: 'RS256' },
    },
  })
  const at = `resource_metadata="${issuer}/.well-known/oauth-protected-resource/jobs"`
  const checks = ['session', 'offline'] as const

  test('RFC 6750 §2.1: a good token tells who asks, by both checks', async () => {
    const testServer = await open()
    const client = await testServer.createClient()
    const { access_token } = await obtainTokens(testServer, client, { scope: 'jobs:read resume:read' })
    for (const check of checks) {
      const access = await call(testServer, access_token, { scope: ['jobs:read'], check })
      assert.ok(access.ok)
      assert.equal(access.subject, alice.subject)
      assert.equal(access.clientId, client.client.id)
      assert.deepEqual(access.scope, ['jobs:read', 'resume:read'])
      assert.deepEqual(access.resource, [jobs])
      assert.equal(access.expiresAt, Math.floor(testServer.clock.now() / 1_000) * 1_000 + 900_000)
      assert.equal(access.claims['iss'], issuer)
      assert.equal(access.claims['aud'], jobs)
      assert.equal(typeof access.sessionId, check === 'session' ? 'string' : 'undefined')
    }
  })

  test('RFC 9068 §2.1: an API that verifies RS256 alone gets its tokens so signed; the others stay with ES256', async () => {
    const testServer = await open()
    const client = await testServer.createClient()
    const algOf = async (resource: string | string[]) => {
      const { access_token } = await obtainTokens(testServer, client, { resource })
      return { access_token, alg: decodeProtectedHeader(access_token).alg }
    }
    const { access_token, alg } = await algOf(gateway)
    assert.equal(alg, 'RS256')
    for (const check of checks)
      assert.ok((await call(testServer, access_token, { resource: gateway, check })).ok, check)
    assert.equal((await algOf(jobs)).alg, 'ES256')
    const [header, claims] = access_token.split('.')
    const forged = await refusal(testServer, `${header}.${claims}.${'A'.repeat(342)}`, {
      resource: gateway,
      check: 'offline',
    })
    assert.equal(forged.status, 401)
  })

  test('RFC 6750 §2.1: an opaque token is looked up; offline nobody can read it', async () => {
    const testServer = await open()
    const client = await testServer.createClient()
    const { access_token } = await obtainTokens(testServer, client, { resource: other })
    assert.match(access_token, /^gh_at_/)
    assert.ok((await call(testServer, access_token, { resource: other })).ok)
    const offline = await refusal(testServer, access_token, { resource: other, check: 'offline' })
    assert.equal(offline.status, 401)
  })

  test('RFC 6750 §3 (N116): without a token the challenge says where to look, and no error', async () => {
    const testServer = await open()
    assert.deepEqual(await refusal(testServer, undefined), {
      status: 401,
      challenge: `Bearer ${at}`,
      reason: 'token_missing',
      text: '',
    })
    const scoped = await refusal(testServer, undefined, { scope: 'jobs:read' })
    assert.equal(scoped.challenge, `Bearer scope="jobs:read", ${at}`)
  })

  test('RFC 6750 §3.1 (N117): malformed credentials are invalid_request', async () => {
    const testServer = await open()
    const found = await refusal(testServer, 'two words')
    assert.equal(found.status, 400)
    assert.match(
      found.challenge!,
      /^Bearer error="invalid_request", error_description="[^"]+", resource_metadata="/,
    )
    assert.equal(JSON.parse(found.text).error, 'invalid_request')
  })

  test('RFC 9068 §4 (N118): a token for another resource is invalid_token', async () => {
    const testServer = await open()
    const client = await testServer.createClient()
    const { access_token } = await obtainTokens(testServer, client)
    const foreign = await obtainTokens(testServer, client, { resource: other })
    for (const check of checks) {
      assert.ok((await call(testServer, access_token, { check })).ok)
      const found = await refusal(testServer, access_token, { resource: other, check })
      assert.equal(found.status, 401)
      assert.match(found.challenge!, /error="invalid_token"/)
      assert.match(found.challenge!, /resource_metadata="https:\/\/other\.example\.com\/\.well-known/)
    }
    assert.equal((await refusal(testServer, foreign.access_token)).reason, 'access_token_audience')
  })

  test('RFC 9068 §4 (N119): a JWT that is no access token, though we signed it, is invalid_token', async () => {
    const testServer = await open()
    const client = await testServer.createClient()
    const { access_token, refresh_token } = await obtainTokens(testServer, client)
    const [, payload] = access_token.split('.')
    const header = Buffer.from(JSON.stringify({ alg: 'none', typ: 'JWT' })).toString('base64url')
    for (const wrong of [`${header}.${payload}.AA`, refresh_token!, 'nonsense', 'a.b.c']) {
      for (const check of checks) {
        const found = await refusal(testServer, wrong, { check })
        assert.equal(found.status, 401)
        assert.match(found.challenge!, /error="invalid_token"/)
      }
    }
    assert.ok((await call(testServer, access_token)).ok)
  })

  test('RFC 6750 §3.1 (N78): a token cut short or extended by a character is invalid_token', async () => {
    const testServer = await open()
    const client = await testServer.createClient()
    for (const resource of [jobs, other]) {
      const { access_token } = await obtainTokens(testServer, client, { resource })
      for (const wrong of [access_token.slice(0, -1), `${access_token}A`]) {
        assert.equal((await refusal(testServer, wrong, { resource })).status, 401)
        assert.equal((await refusal(testServer, wrong, { resource, check: 'offline' })).status, 401)
      }
      assert.ok((await call(testServer, access_token, { resource })).ok)
    }
  })

  test('RFC 6750 §3.1 (N120): a missing scope is 403 with all that the operation needs', async () => {
    const testServer = await open()
    const client = await testServer.createClient()
    const { access_token } = await obtainTokens(testServer, client)
    for (const check of checks) {
      const found = await refusal(testServer, access_token, { scope: 'jobs:read applications:write', check })
      assert.equal(found.status, 403)
      assert.equal(
        found.challenge,
        `Bearer error="insufficient_scope", error_description="The access token lacks a scope", scope="jobs:read applications:write", ${at}`,
      )
    }
  })

  test('RFC 9470 §3 (N121): an authentication too old is 401 with max_age', async () => {
    const testServer = await open()
    const client = await testServer.createClient()
    testServer.signedIn.account = { ...alice, authTime: testServer.clock.now() - 60_000 }
    const { access_token } = await obtainTokens(testServer, client)
    for (const check of checks) {
      assert.ok((await call(testServer, access_token, { maxAge: 120, check })).ok)
      const found = await refusal(testServer, access_token, { maxAge: 30, check })
      assert.equal(found.status, 401)
      assert.match(found.challenge!, /error="insufficient_user_authentication", .*max_age="30"/)
    }
  })

  test('RFC 7009 §2.1 (N115): revocation of the refresh token ends the access token on the next request', async () => {
    const testServer = await open()
    const client = await testServer.createClient()
    const { access_token, refresh_token } = await obtainTokens(testServer, client)
    const kept = await obtainTokens(testServer, client)
    assert.ok((await call(testServer, access_token)).ok)
    const form: Record<string, string> = {
      token: refresh_token!,
      client_id: client.client.id,
      client_secret: client.secret!,
    }
    assert.equal((await testServer.post('/oauth/revoke', form)).status, 200)
    const found = await refusal(testServer, access_token)
    assert.equal(found.status, 401)
    assert.match(found.challenge!, /error="invalid_token"/)
    assert.ok((await call(testServer, access_token, { check: 'offline' })).ok, 'nobody is asked')
    assert.ok((await call(testServer, kept.access_token)).ok, 'the other session lives')
  })

  test('RFC 6749 §1.4: what expired is invalid_token by both checks, however hot it was', async () => {
    const testServer = await open()
    const client = await testServer.createClient({ accessTokenLifetime: 60 })
    const { access_token, refresh_token } = await obtainTokens(testServer, client)
    for (const check of checks) assert.ok((await call(testServer, access_token, { check })).ok)
    testServer.clock.advance(60_000)
    for (const check of checks) {
      assert.equal((await refusal(testServer, access_token, { check })).reason, 'access_token_expired')
    }
    const next = (await (await refresh(testServer, client, refresh_token!)).json()) as {
      access_token: string
    }
    for (const check of checks) assert.ok((await call(testServer, next.access_token, { check })).ok)
  })

  test('RFC 6749 §2: suspension of the client bites at once and ends with it', async () => {
    const testServer = await open()
    const client = await testServer.createClient()
    const { access_token } = await obtainTokens(testServer, client)
    assert.ok((await call(testServer, access_token)).ok)
    await testServer.g.clients.suspend(client.client.id, 'misuse')
    assert.equal((await refusal(testServer, access_token)).status, 401)
    await testServer.g.clients.restore(client.client.id)
    assert.ok((await call(testServer, access_token)).ok)
  })

  test('R6: a call counts as use of the session', async () => {
    const testServer = await open()
    const client = await testServer.createClient()
    const { access_token } = await obtainTokens(testServer, client)
    await testServer.app.server.activity.flush()
    const access = await call(testServer, access_token)
    assert.ok(access.ok)
    const session = async () => {
      await testServer.app.server.activity.flush()
      const rows = await testServer.app.server.db.query(
        sql<{
          uses: number
          last_active_at: number
        }>`select uses, last_active_at from sessions where id = ${access.sessionId!}`,
      )
      return rows[0]!
    }
    const before = await session()
    testServer.clock.advance(5_000)
    await call(testServer, access_token)
    await call(testServer, access_token)
    await refusal(testServer, access_token, { scope: 'applications:write' })
    const used = await session()
    assert.equal(used.uses - before.uses, 2)
    assert.equal(used.last_active_at, testServer.clock.now())
  })

  test('RFC 7009 §2.1: what another process ended is refused here', async () => {
    const testServer = await open()
    const client = await testServer.createClient()
    const { access_token } = await obtainTokens(testServer, client)
    const access = await call(testServer, access_token)
    assert.ok(access.ok)
    const twin = await testServer.twin()
    await endSession(twin.app.server, access.sessionId!, 'test', {})
    assert.equal((await refusal(testServer, access_token)).status, 401)
  })

  test('RFC 6749 §4.4: a client’s own token has no user and no session', async () => {
    const testServer = await open()
    const created = await testServer.createClient({ redirectUris: [], grantTypes: ['client_credentials'] })
    const { client, secret } = created
    const form = { grant_type: 'client_credentials', client_id: client.id, client_secret: secret! }
    const { access_token } = (await (await testServer.post('/oauth/token', form)).json()) as {
      access_token: string
    }
    const access = await call(testServer, access_token)
    assert.ok(access.ok)
    assert.equal(access.subject, client.id)
    assert.equal(access.userId, undefined)
    assert.equal(access.sessionId, undefined)
    assert.equal(
      (await refusal(testServer, access_token, { maxAge: 60 })).reason,
      'authentication_insufficient',
    )
  })

  test('RFC 9068 §4: a signed token that nobody issued is refused by the session check', async () => {
    const testServer = await open()
    const { client } = await testServer.createClient()
    const { server } = testServer.app
    const known = (await server.clients.find(client.id))!
    const grant = {
      subject: 'alice',
      userId: null,
      sessionId: null,
      sessionExpiresAt: null,
      scope: [],
      resources: [jobs],
      authTime: null,
    }
    const { token } = await makeAccessToken(server, known, grant, testServer.clock.now())
    assert.ok((await call(testServer, token, { check: 'offline' })).ok)
    assert.equal((await refusal(testServer, token)).status, 401)
  })

  test('a database that cannot be asked is 503 with Retry-After, never 401', async () => {
    const testServer = await open()
    const client = await testServer.createClient()
    const { access_token } = await obtainTokens(testServer, client)
    const twin = await testServer.twin()
    const request = () => new Request(jobs, { headers: { authorization: `Bearer ${access_token}` } })
    assert.ok((await twin.g.authenticate(request())).ok)
    const { server } = twin.app
    const gone = () => Promise.reject(new Unavailable('the connection was lost', { retryAfter: 3 }))
    const guard = guardResources({ ...server, db: { ...server.db, one: gone } })
    const access = await guard(request())
    assert.ok(!access.ok)
    assert.equal(access.response.status, 503)
    assert.equal(access.response.headers.get('retry-after'), '3')
    assert.ok((await guard(request(), { check: 'offline' })).ok)
    if (dialect === 'postgres') {
      await server.db.close()
      const closed = await twin.g.authenticate(request())
      assert.ok(!closed.ok && closed.response.status === 503)
    }
  })

  test('an API that is not configured is the host’s mistake', async () => {
    const testServer = await open()
    await assert.rejects(call(testServer, 'x', { resource: 'https://unknown.example.com' }), TypeError)
  })

  test('RFC 7519 §4.1.3: a token for several APIs serves each of them', async () => {
    const testServer = await open()
    const client = await testServer.createClient()
    const { access_token } = await obtainTokens(testServer, client, { resource: [jobs, other] })
    for (const resource of [jobs, other]) assert.ok((await call(testServer, access_token, { resource })).ok)
  })
})
