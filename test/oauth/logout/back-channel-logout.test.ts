import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { after, before, test } from 'node:test'
import { createLocalJWKSet, decodeJwt, type JSONWebKeySet, jwtVerify } from 'jose'
import { closeUserOf, deleteUser, disableUser } from '../../../src/accounts/user-operations.ts'
import { jobsOf } from '../../../src/app.ts'
import { algorithms } from '../../../src/crypto/jws.ts'
import { sql } from '../../../src/db/sql.ts'
import type { ClientInput } from '../../../src/oauth/clients/client-input.ts'
import type { CreatedClient } from '../../../src/oauth/clients/client-operations.ts'
import { deliverLogouts, logoutsAreDue } from '../../../src/oauth/logout/back-channel-logout.ts'
import { endSession } from '../../../src/oauth/sessions.ts'
import { ann, visit } from '../../accounts/visitor.ts'
import { type Documents, openDocuments } from '../../support/documents.ts'
import {
  authorizeParameters,
  credentials,
  introspect,
  makePkce,
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
} from '../../support/gatehouse.ts'

type OpenidTokens = Tokens & { id_token: string }
const event = 'http://schemas.openid.net/event/backchannel-logout'

onBothDatabases('back-channel logout', (dialect) => {
  let party: Documents
  let testServer: TestServer
  before(async () => {
    party = await openDocuments()
    testServer = await openTestServer(dialect, { outbound: { ca: party.ca } })
  })
  after(async () => {
    await testServer.close()
    await party.close()
  })

  let paths = 0
  /** A client with an endpoint of its own, which answers 200. */
  async function listener(input: Partial<ClientInput> = {}, at = testServer) {
    const path = `/logout-${++paths}`
    party.serve(path, {})
    const client = await at.createClient({ backchannelLogoutUri: party.origin + path, ...input })
    const told = () =>
      party.requests
        .filter((one) => one.url === path)
        .map((one) => new URLSearchParams(one.body).get('logout_token')!)
    return { client, path, told }
  }

  const signedInAs = (account = alice, sessionId = 'sign-in 1') => {
    const authTime = testServer.clock.now()
    testServer.signedIn.account = { ...account, authTime, ...(sessionId === '' ? {} : { sessionId }) }
  }
  async function connect(client: CreatedClient): Promise<OpenidTokens> {
    // Sessions of one moment have no order.
    testServer.clock.advance(1)
    return (await obtainTokens(testServer, client, { scope: 'openid' })) as OpenidTokens
  }
  const deliver = (at = testServer) => deliverLogouts(at.app.server, { pause: async () => {} })
  const notices = (at = testServer) =>
    at.app.server.db.query(
      sql<{
        client_id: string
        attempts: number
        next_attempt_at: number
        last_error: string | null
      }>`select client_id, attempts, next_attempt_at, last_error from logout_deliveries`,
    )
  const userId = async (subject = 'alice', at = testServer) =>
    (await at.app.server.db.query(sql<{ id: string }>`select id from users where subject = ${subject}`))[0]!
      .id
  const sessionOf = async (client: CreatedClient) =>
    (
      await testServer.app.server.db.query(
        sql<{ id: string }>`select id from sessions
          where client_id = ${client.client.id} and revoked_at is null order by id desc`,
      )
    )[0]!.id
  const end = async (client: CreatedClient, reason = 'by_administrator') =>
    endSession(testServer.app.server, await sessionOf(client), reason, {})

  for (const alg of algorithms) {
    test(`OpenID Connect Back-Channel Logout §2.4, §2.5: the logout token, signed with ${alg}, is what it must be and no more`, async () => {
      signedInAs()
      const { client, told, path } = await listener({ idTokenSignedResponseAlg: alg })
      const { id_token } = await connect(client)
      await end(client)
      assert.deepEqual(await deliver(), { delivered: 1, failed: 0 })
      const [token, ...more] = told()
      assert.deepEqual(more, [])
      const request = party.requests.find((one) => one.url === path)!
      assert.equal(request.method, 'POST')
      assert.equal(request.headers['content-type'], 'application/x-www-form-urlencoded')
      const keys = (await (await testServer.request('/.well-known/jwks.json')).json()) as JSONWebKeySet
      const { payload } = await jwtVerify(token!, createLocalJWKSet(keys), {
        algorithms: [alg],
        typ: 'logout+jwt',
        issuer,
        audience: client.client.id,
        currentDate: new Date(testServer.clock.now()),
      })
      const { jti, iat, exp, ...claims } = payload
      assert.deepEqual(claims, {
        iss: issuer,
        aud: client.client.id,
        sub: 'alice',
        sid: decodeJwt(id_token).sid,
        events: { [event]: {} },
      })
      assert.equal(typeof claims.sid, 'string')
      assert.ok(jti)
      assert.ok(exp! - iat! <= 120)
      assert.equal('nonce' in payload, false)
    })
  }

  test('OpenID Connect Back-Channel Logout §2.4: a logout token is no ID token and no access token', async () => {
    signedInAs()
    const { client, told } = await listener()
    await connect(client)
    await end(client)
    await deliver()
    const [token] = told()
    const { access_token } = await connect(client)
    const call = (bearer: string) =>
      testServer.request('/oauth/userinfo', { headers: { authorization: `Bearer ${bearer}` } })
    assert.equal((await call(token!)).status, 401)
    assert.equal((await call(access_token)).status, 200)
    const hint = authorizeParameters(client, makePkce(), { scope: 'openid', id_token_hint: token })
    const refused = await testServer.request(`/oauth/authorize?${hint}`)
    assert.match(refused.headers.get('location')!, /error=invalid_request/)
  })

  test('OpenID Connect Back-Channel Logout §2.7: with the sign-in end its sessions, those with offline_access go on; all are told', async () => {
    const local = await openTestServer(dialect, { accounts: undefined, outbound: { ca: party.ca } })
    try {
      const [bound, free] = [await listener({}, local), await listener({ name: 'Offline' }, local)]
      const silent = await local.createClient({ name: 'Told nothing' })
      const plain = await listener({ name: 'No OpenID' }, local)
      const visitor = visit(local)
      await visitor.signUp()
      const asked: [CreatedClient, string][] = [
        [bound.client, 'openid jobs:read'],
        [free.client, 'openid offline_access'],
        [silent, 'openid'],
        [plain.client, 'jobs:read'],
      ]
      const tokens: OpenidTokens[] = []
      for (const [client, scope] of asked) {
        const pkce = makePkce()
        const consent = await visitor.get(`/oauth/authorize?${authorizeParameters(client, pkce, { scope })}`)
        const answer = await visitor.submit(consent, '/oauth/consent', { decision: 'allow' })
        const code = new URL(answer.location!).searchParams.get('code')!
        tokens.push((await readTokens(await redeem(local, client, code, pkce))) as OpenidTokens)
      }
      const pkce = makePkce()
      const late = await visitor.get(
        `/oauth/authorize?${authorizeParameters(bound.client, pkce, { scope: 'openid jobs:read' })}`,
      )
      const unredeemed = new URL(late.location!).searchParams.get('code')!
      const sid = decodeJwt(tokens[0]!.id_token).sid
      assert.equal(decodeJwt(tokens[1]!.id_token).sid, sid)
      assert.deepEqual(decodeJwt(tokens[0]!.id_token).amr, ['pwd'])

      const account = await visitor.get('/account')
      await visitor.submit(account, '/sign-out')
      const alive = async () =>
        Promise.all(
          asked.map(async ([client], n) => (await introspect(local, client, tokens[n]!.access_token)).active),
        )
      assert.deepEqual(await alive(), [false, true, false, true])
      assert.equal((await refresh(local, bound.client, tokens[0]!.refresh_token!)).status, 400)
      const next = await readTokens(await refresh(local, free.client, tokens[1]!.refresh_token!))
      assert.equal(decodeJwt((next as OpenidTokens).id_token).sid, undefined, 'it has no sign-in any more')
      assert.equal(
        (await redeem(local, bound.client, unredeemed, pkce)).status,
        400,
        'nor does a code begin one',
      )
      assert.deepEqual(await deliver(local), { delivered: 2, failed: 0 })
      for (const { told } of [bound, free]) {
        assert.deepEqual(
          told().map((token) => decodeJwt(token).sid),
          [sid],
        )
      }
      assert.deepEqual(plain.told(), [])
    } finally {
      await local.close()
    }
  })

  test('OpenID Connect Back-Channel Logout §2.1: who proves themselves again keeps the sid, another user in the browser ends it', async () => {
    const local = await openTestServer(dialect, { accounts: undefined, outbound: { ca: party.ca } })
    try {
      const { client, told } = await listener({}, local)
      const visitor = visit(local)
      await visitor.signUp()
      const obtain = async (more: Record<string, string> = {}) => {
        const pkce = makePkce()
        const asked = authorizeParameters(client, pkce, { scope: 'openid', ...more })
        let page = await visitor.get(`/oauth/authorize?${asked}`)
        if (page.location?.includes('/sign-in')) {
          const form = await visitor.get(page.location)
          const back = await visitor.submit(form, '/sign-in', { login: ann.login, password: ann.password })
          page = await visitor.get(back.location!)
        }
        if (page.status === 200) page = await visitor.submit(page, '/oauth/consent', { decision: 'allow' })
        const code = new URL(page.location!).searchParams.get('code')!
        return (await readTokens(await redeem(local, client, code, pkce))) as OpenidTokens
      }
      const first = decodeJwt((await obtain()).id_token)
      const cookie = visitor.cookies.get('gh_sign_in')
      local.clock.advance(60_000)
      const tokens = await obtain({ prompt: 'login' })
      const again = decodeJwt(tokens.id_token)
      assert.equal(again.sid, first.sid)
      assert.equal(again.auth_time, (first.auth_time as number) + 60)
      assert.notEqual(visitor.cookies.get('gh_sign_in'), cookie, 'under a secret of its own (RFC 9700 §4.12)')
      assert.deepEqual(await notices(local), [])

      await visitor.signUp({ login: 'bert@example.com', name: 'Bert' })
      assert.equal((await introspect(local, client, tokens.access_token)).active, false)
      await deliver(local)
      assert.deepEqual(
        told().map((token) => decodeJwt(token).sid),
        [first.sid],
      )
    } finally {
      await local.close()
    }
  })

  const endings: Record<string, (client: CreatedClient, tokens: OpenidTokens) => Promise<unknown>> = {
    'an administrator ends the session': (client) => end(client),
    'the user disconnects the app': async (client) => {
      const page = await readConsent(await testServer.request('/account/apps'))
      const form = page.html
        .split('<form ')
        .find((one) => one.includes(`value="${client.client.id}"`))!
        .matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)
      const fields = Object.fromEntries([...form].map(([, name, value]) => [name!, value!]))
      assert.equal((await testServer.post('/account/apps', fields, { cookie: page.cookie })).status, 303)
    },
    'the account is disabled': async () => disableUser(testServer.app.server, await userId(), 'abuse'),
    'a refresh token is used twice': async (client, { refresh_token }) => {
      const successor = await readTokens(await refresh(testServer, client, refresh_token!))
      await refresh(testServer, client, successor.refresh_token!)
      assert.equal((await refresh(testServer, client, refresh_token!)).status, 400)
    },
    'the account is gone at its provider': () => closeUserOf(testServer.app.server, alice),
    'the user is deleted': async () => deleteUser(testServer.app.server, await userId()),
  }
  for (const [what, act] of Object.entries(endings)) {
    test(`OpenID Connect Back-Channel Logout §2.5: the client is told when ${what}`, async () => {
      signedInAs()
      const { client, told } = await listener()
      const quiet = await testServer.createClient()
      const tokens = await connect(client)
      await connect(quiet)
      await act(client, tokens)
      assert.equal((await introspect(testServer, client, tokens.access_token)).active, false)
      assert.deepEqual(
        (await notices()).map((row) => row.client_id).filter((id) => id === quiet.client.id),
        [],
      )
      await deliver()
      assert.equal(new Set(told().map((token) => decodeJwt(token).sub)).size, 1, 'told of alice')
      await deliver()
      assert.equal(told().length, 1, 'once')
      await testServer.app.server.db.query(sql`update users set disabled_at = null`)
    })
  }

  test('OpenID Connect Back-Channel Logout §2.5: a client that never asked for openid is told nothing', async () => {
    signedInAs()
    const { client, told } = await listener()
    await obtainTokens(testServer, client)
    await end(client)
    await deliver()
    assert.deepEqual(told(), [])
    await connect(client)
    await end(client)
    await deliver()
    assert.equal(told().length, 1)
  })

  test('OpenID Connect Back-Channel Logout §2.5: a changed password ends every sign-in of the user, and clients are told', async () => {
    const local = await openTestServer(dialect, { accounts: undefined, outbound: { ca: party.ca } })
    try {
      const { client, told } = await listener({}, local)
      const [desk, phone] = [visit(local), visit(local)]
      await desk.signUp()
      await phone.signIn()
      const tokens: OpenidTokens[] = []
      for (const visitor of [desk, phone]) {
        local.clock.advance(1)
        const pkce = makePkce()
        const asked = authorizeParameters(client, pkce, { scope: 'openid' })
        let page = await visitor.get(`/oauth/authorize?${asked}`)
        if (page.status === 200) page = await visitor.submit(page, '/oauth/consent', { decision: 'allow' })
        const code = new URL(page.location!).searchParams.get('code')!
        tokens.push((await readTokens(await redeem(local, client, code, pkce))) as OpenidTokens)
      }
      const sids = tokens.map((one) => decodeJwt(one.id_token).sid)
      assert.notEqual(sids[0], sids[1])
      const account = await desk.get('/account')
      const changed = await desk.submit(account, '/account/password', {
        current_password: ann.password,
        new_password: 'another battery, correct horse staple',
      })
      assert.equal(changed.status, 303)
      for (const { access_token } of tokens)
        assert.equal((await introspect(local, client, access_token)).active, false)
      assert.deepEqual(await deliver(local), { delivered: 2, failed: 0 })
      assert.deepEqual(
        told()
          .map((token) => decodeJwt(token).sid)
          .sort(),
        sids.sort(),
      )
    } finally {
      await local.close()
    }
  })

  test('RFC 7009 §2.1: a client that gives its own token back is not told of it', async () => {
    signedInAs()
    const { client, told } = await listener()
    const { refresh_token } = await connect(client)
    const { headers, form } = credentials(client)
    await testServer.post('/oauth/revoke', { token: refresh_token!, ...form }, headers)
    await deliver()
    assert.deepEqual(told(), [])
    await connect(client)
    await end(client)
    await deliver()
    assert.equal(told().length, 1)
  })

  test('OpenID Connect Back-Channel Logout §2.5: as long as a client has another session of the sign-in it is told nothing', async () => {
    signedInAs(alice, 'sign-in 2')
    const { client, told } = await listener()
    await connect(client)
    await connect(client)
    signedInAs(alice, 'sign-in 3')
    await connect(client)
    await end(client)
    await deliver()
    assert.equal(told().length, 1, 'the only session of the third sign-in')
    await end(client)
    await deliver()
    assert.equal(told().length, 1, 'one of two')
    await end(client)
    await deliver()
    assert.equal(told().length, 2)
    assert.equal(new Set(told().map((token) => decodeJwt(token).sid)).size, 2)
  })

  test('OpenID Connect Back-Channel Logout §2.2, §2.4: without a sign-in to name only the user is named, unless the client needs more', async () => {
    signedInAs(bob, '')
    const [one, strict] = [await listener(), await listener({ backchannelLogoutSessionRequired: true })]
    const { id_token } = await connect(one.client)
    assert.equal('sid' in decodeJwt(id_token), false)
    await connect(strict.client)
    await end(one.client)
    await end(strict.client)
    assert.deepEqual(await deliver(), { delivered: 1, failed: 0 })
    const [token] = one.told()
    assert.equal(decodeJwt(token!).sub, 'bob')
    assert.equal('sid' in decodeJwt(token!), false)
    assert.deepEqual(strict.told(), [])
    assert.deepEqual(await notices(), [])
  })

  test('OpenID Connect Back-Channel Logout §2.5: a client that does not take it is told again, ever more rarely, for a day', async () => {
    signedInAs()
    const { client, told, path } = await listener()
    await connect(client)
    const answers = [500, 302, 400, 204]
    party.serve(path, (response: ServerResponse) => response.writeHead(answers.shift()!).end())
    await end(client)
    const began = testServer.clock.now()
    assert.equal(await logoutsAreDue(testServer.app.server), true)
    const pauses = [30_000, 60_000, 120_000]
    for (const [n, error] of ['status 500', 'status 302', 'status 400'].entries()) {
      assert.deepEqual(await deliver(), { delivered: 0, failed: 1 })
      const [row] = await notices()
      assert.deepEqual([row!.attempts, row!.last_error], [n + 1, error])
      assert.equal(row!.next_attempt_at, testServer.clock.now() + pauses[n]!)
      testServer.clock.advance(pauses[n]! - 1)
      assert.deepEqual(await deliver(), { delivered: 0, failed: 0 }, 'not yet')
      assert.equal(await logoutsAreDue(testServer.app.server), false)
      testServer.clock.advance(1)
    }
    assert.deepEqual(await deliver(), { delivered: 1, failed: 0 })
    assert.equal(new Set(told().map((token) => decodeJwt(token).jti)).size, 4, 'each token is one of its own')
    assert.deepEqual(await notices(), [])

    signedInAs()
    const dead = await listener({ backchannelLogoutUri: 'https://localhost:1/logout' })
    await connect(dead.client)
    await end(dead.client)
    let attempts = 0
    while ((await deliver()).failed > 0 || testServer.clock.now() < began + 2 * 86_400_000) {
      attempts = (await notices())[0]?.attempts ?? attempts
      testServer.clock.advance(3_600_000)
    }
    assert.ok(attempts > 20 && attempts < 40, `${attempts} attempts`)
    assert.equal((await notices()).length, 1, 'given up, and still to be seen')
    const cleanUp = jobsOf(testServer.app.server).find((job) => job.name === 'clean_up')!
    await cleanUp.run({ previous: null, pause: async () => {} })
    assert.deepEqual(await notices(), [])
  })

  test('OpenID Connect Back-Channel Logout §2.5: of processes that deliver at once each notice is sent by one', async () => {
    signedInAs()
    const { client, told } = await listener()
    const twin = await testServer.twin({ outbound: { ca: party.ca } })
    for (let n = 0; n < 20; n++) {
      signedInAs(alice, `sign-in of many ${n}`)
      await connect(client)
    }
    await disableUser(testServer.app.server, await userId(), 'a test')
    assert.equal((await notices()).length, 20)
    const done = await Promise.all(
      [testServer.app.server, twin.app.server, testServer.app.server, twin.app.server].map((server) =>
        deliverLogouts(server, { pause: async () => {} }),
      ),
    )
    assert.equal(
      done.reduce((sum, one) => sum + one.delivered, 0),
      20,
    )
    assert.equal(told().length, 20)
    assert.equal(new Set(told().map((token) => decodeJwt(token).sid)).size, 20)
    assert.deepEqual(await notices(), [])
    await testServer.app.server.db.query(sql`update users set disabled_at = null`)
  })

  test('OpenID Connect Back-Channel Logout §2.2: what is registered must be https, and can be withdrawn', async () => {
    await assert.rejects(testServer.createClient({ backchannelLogoutUri: 'http://localhost:9/logout' }))
    await assert.rejects(testServer.createClient({ backchannelLogoutUri: 'https://client.example/logout#x' }))
    signedInAs()
    const { client, told } = await listener()
    await connect(client)
    await end(client)
    await testServer.g.clients.change(client.client.id, { backchannelLogoutUri: undefined })
    assert.deepEqual(await deliver(), { delivered: 0, failed: 0 })
    assert.deepEqual(told(), [])
    assert.deepEqual(await notices(), [])
  })
})
