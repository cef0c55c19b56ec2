import assert from 'node:assert/strict'
import { test } from 'node:test'
import { jobsOf } from '../../../src/app.ts'
import { Unavailable } from '../../../src/db/database.ts'
import { sql } from '../../../src/db/sql.ts'
import { assertion, clientKeys, registeredWith } from '../../support/assertions.ts'
import { makeProofKey, proofFor } from '../../support/dpop.ts'
import {
  answerConsent,
  authorize,
  authorizeParameters,
  makePkce,
  obtainTokens,
  readConsent,
  readTokens,
  redeem,
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
import {
  assertJson,
  assertPage,
  assertRedirectError,
  eventsOf,
  grantsNothing,
  readAnswer,
} from '../answers.ts'
import { countPushed, push, pushed, readPushed } from './pushing.ts'

const minute = 60_000

/** Asserts that no request_uri came of it. */
async function pushesNothing(testServer: TestServer, work: () => Promise<Response>): Promise<Response> {
  const before = await countPushed(testServer)
  const answer = await grantsNothing(testServer, work)
  assert.equal(await countPushed(testServer), before)
  return answer
}

onBothDatabases('pushed authorization requests', (dialect) => {
  const open = testServerFor(dialect)

  test('RFC 9126 §2.2: a request is pushed, opened by its name and redeemed, whatever the client authenticates with', async () => {
    const testServer = await open()
    const key = clientKeys.ES256
    const clients = [
      { created: await testServer.createClient(), sign: () => ({}) },
      { created: await testServer.createClient({ tokenEndpointAuthMethod: 'none' }), sign: () => ({}) },
    ]
    const signing = await testServer.createClient(registeredWith(key))
    clients.push({ created: signing, sign: () => assertion(signing, key, testServer.clock) })
    for (const { created, sign } of clients) {
      const pkce = makePkce()
      const parameters = authorizeParameters(created, pkce, { resource: issuer, nonce: 'n' })
      const answer = await push(testServer, created, parameters, { form: sign() })
      assert.equal(answer.headers.get('cache-control'), 'no-store')
      assert.equal(answer.headers.get('content-type'), 'application/json')
      const { request_uri, expires_in } = await readPushed(answer)
      assert.match(request_uri, /^urn:ietf:params:oauth:request_uri:gh_pr_[0-9a-z]{26}[\w-]{43}$/)
      assert.equal(expires_in, 90)
      const asked = new URLSearchParams({ client_id: created.client.id, request_uri })
      const parameters_ = readAnswer(await authorize(testServer, asked))
      assert.equal(parameters_.get('state'), 'a state')
      await readTokens(await redeem(testServer, created, parameters_.get('code')!, pkce, sign()))
    }
  })

  test('RFC 9126 §2.1: a request_uri in the pushed body is invalid_request (N49)', async () => {
    const testServer = await open()
    const created = await testServer.createClient()
    const parameters = authorizeParameters(created, makePkce())
    const earlier = await readPushed(await push(testServer, created, parameters))
    for (const request_uri of [earlier.request_uri, 'https://client.example/request', 'x']) {
      const answer = await pushesNothing(testServer, () =>
        push(testServer, created, parameters, { form: { request_uri } }),
      )
      await assertJson(answer, 400, 'invalid_request')
    }
    const asked = new URLSearchParams({ client_id: created.client.id, request_uri: earlier.request_uri })
    assert.ok(
      readAnswer(await authorize(testServer, asked)).get('code'),
      'the earlier one is as good as before',
    )
  })

  test('RFC 9126 §2.1: without or with wrong authentication it is invalid_client (N50)', async () => {
    const testServer = await open()
    const created = await testServer.createClient()
    const other = await testServer.createClient()
    const parameters = authorizeParameters(created, makePkce())
    const wrong: [Record<string, string>, Record<string, string>][] = [
      [{ client_id: created.client.id }, {}],
      [{ client_id: created.client.id, client_secret: 'wrong' }, {}],
      [{ client_id: created.client.id, client_secret: other.secret! }, {}],
      [{ client_id: 'cl_unknown', client_secret: created.secret! }, {}],
    ]
    for (const [form] of wrong) {
      const body = new URLSearchParams(parameters)
      for (const [name, value] of Object.entries(form)) body.set(name, value)
      const answer = await pushesNothing(testServer, () =>
        testServer.post('/oauth/par', Object.fromEntries(body)),
      )
      await assertJson(answer, 401, 'invalid_client')
    }
    const anonymous = new URLSearchParams(parameters)
    anonymous.delete('client_id')
    const answer = await pushesNothing(testServer, () =>
      testServer.post('/oauth/par', Object.fromEntries(anonymous)),
    )
    await assertJson(answer, 401, 'invalid_client')
    await assertJson(
      await pushesNothing(testServer, () =>
        push(testServer, created, parameters, { form: { client_id: other.client.id } }),
      ),
      400,
      'invalid_request',
    )
    await readPushed(await push(testServer, created, parameters))
  })

  test('RFC 9126 §2.3: another method is 405, a body over the limit 413, too many requests 429 (N51)', async () => {
    const testServer = await openTestServer(dialect, { pushedRequests: { perNetwork: 3 } })
    try {
      const created = await testServer.createClient()
      const parameters = authorizeParameters(created, makePkce())
      const got = await testServer.request(`/oauth/par?${parameters}`)
      assert.equal(got.headers.get('allow'), 'POST')
      await assertJson(got, 405, 'invalid_request')
      const long = authorizeParameters(created, makePkce(), { scope: 'x'.repeat(70_000) })
      await assertJson(
        await pushesNothing(testServer, () => push(testServer, created, long)),
        413,
        'invalid_request',
      )

      const limited = await testServer.createClient({ requestsPerHour: 2 })
      const own = authorizeParameters(limited, makePkce())
      for (let n = 0; n < 2; n++) await readPushed(await push(testServer, limited, own))
      const refused = await pushesNothing(testServer, () => push(testServer, limited, own))
      assert.ok(Number(refused.headers.get('retry-after')) > 0)
      await assertJson(refused, 429, 'temporarily_unavailable')

      // Nothing but an id is asked of a public client, so where it pushes from is what bounds it.
      const anyone = await testServer.createClient({ tokenEndpointAuthMethod: 'none' })
      const theirs = authorizeParameters(anyone, makePkce())
      for (let n = 0; n < 3; n++) await readPushed(await push(testServer, anyone, theirs))
      const full = await pushesNothing(testServer, () => push(testServer, anyone, theirs))
      assert.ok(Number(full.headers.get('retry-after')) > 0)
      await assertJson(full, 429, 'temporarily_unavailable')
      await readPushed(await push(testServer, created, parameters))
      testServer.clock.advance(15 * minute)
      await readPushed(await push(testServer, anyone, theirs))
    } finally {
      await testServer.close()
    }
  })

  test('RFC 9126 §2.3: an unregistered redirect URI, a scope not allowed, an unknown resource: no request_uri (N52)', async () => {
    const testServer = await open()
    const created = await testServer.createClient({ scope: ['jobs:read'] })
    for (const [overrides, error] of [
      [{ redirect_uri: 'https://elsewhere.example/callback' }, 'invalid_request'],
      [{ redirect_uri: 'https://client.example/callback/' }, 'invalid_request'],
      [{ scope: 'jobs:read resume:read' }, 'invalid_scope'],
      [{ scope: 'nonsense' }, 'invalid_scope'],
      [{ resource: 'https://unknown.example' }, 'invalid_target'],
      [{ response_mode: 'web_message' }, 'invalid_request'],
    ] as const) {
      const parameters = authorizeParameters(created, makePkce(), overrides)
      await assertJson(
        await pushesNothing(testServer, () => push(testServer, created, parameters)),
        400,
        error,
      )
    }
    const several = await testServer.createClient({
      redirectUris: ['https://client.example/callback', 'https://client.example/other'],
    })
    const unnamed = authorizeParameters(several, makePkce(), { redirect_uri: undefined })
    await assertJson(
      await pushesNothing(testServer, () => push(testServer, several, unnamed)),
      400,
      'invalid_request',
    )
    await readPushed(await push(testServer, created, authorizeParameters(created, makePkce())))
  })

  test('RFC 9449 §10.1: dpop_jkt that is not the key of the proof is invalid_request; the key binds the code (N53)', async () => {
    const testServer = await open()
    const created = await testServer.createClient({ tokenEndpointAuthMethod: 'none' })
    const [key, other] = [await makeProofKey(), await makeProofKey()]
    const pkce = makePkce()
    const parameters = authorizeParameters(created, pkce)
    const proof = () => proofFor(testServer, key, { url: `${issuer}/oauth/par` })
    const mixed = authorizeParameters(created, pkce, { dpop_jkt: other.jkt })
    const refused = await pushesNothing(testServer, async () =>
      push(testServer, created, mixed, { headers: { dpop: await proof() } }),
    )
    await assertJson(refused, 400, 'invalid_request')
    const elsewhere = await proofFor(testServer, key)
    await assertJson(
      await pushesNothing(testServer, () =>
        push(testServer, created, parameters, { headers: { dpop: elsewhere } }),
      ),
      400,
      'invalid_dpop_proof',
    )
    const once = await proof()
    for (const dpop_jkt of [undefined, key.jkt]) {
      const named = authorizeParameters(created, pkce, { dpop_jkt })
      const dpop = dpop_jkt === undefined ? once : await proof()
      const asked = await pushed(testServer, created, named, { headers: { dpop } })
      const code = readAnswer(await authorize(testServer, asked)).get('code')!
      const withKey = async (one: typeof key) =>
        testServer.post(
          '/oauth/token',
          {
            grant_type: 'authorization_code',
            code,
            client_id: created.client.id,
            redirect_uri: 'https://client.example/callback',
            code_verifier: pkce.verifier,
          },
          { dpop: await proofFor(testServer, one) },
        )
      await assertJson(await redeem(testServer, created, code, pkce), 400, 'invalid_grant')
      await assertJson(await withKey(other), 400, 'invalid_grant')
      assert.equal((await readTokens(await withKey(key))).token_type, 'DPoP')
    }
    await assertJson(
      await pushesNothing(testServer, () =>
        push(testServer, created, parameters, { headers: { dpop: once } }),
      ),
      400,
      'invalid_dpop_proof',
    )
  })

  test('RFC 9126 §4: an unknown, expired or foreign request_uri gets a page, and a foreign one stays with its owner (N13)', async () => {
    const testServer = await open()
    const created = await testServer.createClient({ name: 'Owner of the request' })
    const thief = await testServer.createClient({ name: 'Another application' })
    const asked = await pushed(testServer, created, authorizeParameters(created, makePkce()))
    const uri = asked.get('request_uri')!
    const names = async (client_id: string, request_uri: string) => {
      // Even a registered redirect URI beside it is not trusted with the error.
      const query = new URLSearchParams({
        client_id,
        request_uri,
        redirect_uri: 'https://client.example/callback',
        state: 'a state',
      })
      const answer = await grantsNothing(testServer, () => authorize(testServer, query))
      return assertPage(answer, 400, { shows: ['invalid_request_uri'], echoes: ['a state', uri] })
    }
    const pages = new Set<string>()
    const prefix = 'urn:ietf:params:oauth:request_uri:'
    for (const wrong of [
      `${prefix}unknown`,
      `${prefix}gh_pr_${'0'.repeat(26)}${'A'.repeat(43)}`,
      `${uri.slice(0, -2)}AA`,
      `${uri}x`,
      uri.slice(0, -1),
    ]) {
      pages.add(await names(created.client.id, wrong))
    }
    const foreign = await names(thief.client.id, uri)
    assert.equal(pages.size, 1, 'they all look the same')
    assert.equal(
      foreign.replaceAll('Another application', 'Owner of the request'),
      [...pages][0],
      'a foreign one too',
    )
    assert.ok(readAnswer(await authorize(testServer, asked)).get('code'))
    const late = await pushed(testServer, created, authorizeParameters(created, makePkce()))
    testServer.clock.advance(90_000)
    await names(created.client.id, late.get('request_uri')!)
    testServer.clock.advance(-1)
    assert.ok(readAnswer(await authorize(testServer, late)).get('code'))
  })

  test('RFC 9126 §7.3: once its flow has ended a request_uri gets a page and no second code; until then it may be reloaded (N14)', async () => {
    const testServer = await open()
    const created = await testServer.createClient()
    const isSpent = async (asked: URLSearchParams) => {
      const answer = await grantsNothing(testServer, () => authorize(testServer, asked))
      await assertPage(answer, 400, { shows: ['invalid_request_uri', 'Job board'] })
    }
    const ask = (overrides = {}) =>
      pushed(testServer, created, authorizeParameters(created, makePkce(), overrides))

    const allowed = await ask()
    const first = await readConsent(await testServer.request(`/oauth/authorize?${allowed}`))
    const reloaded = await readConsent(await testServer.request(`/oauth/authorize?${allowed}`))
    assert.ok(readAnswer(await answerConsent(testServer, reloaded, { decision: 'allow' })).get('code'))
    await isSpent(allowed)
    for (const decision of ['allow', 'deny']) {
      const late = await grantsNothing(testServer, () => answerConsent(testServer, first, { decision }))
      await assertPage(late, 400)
    }
    const remembered = await ask()
    assert.ok(readAnswer(await testServer.request(`/oauth/authorize?${remembered}`)).get('code'))
    await isSpent(remembered)

    const denied = await ask({ prompt: 'consent' })
    assertRedirectError(await authorize(testServer, denied, 'deny'), 'access_denied')
    await isSpent(denied)
    const silent = await ask({ prompt: 'none', scope: 'resume:read' })
    assertRedirectError(await authorize(testServer, silent), 'consent_required')
    await isSpent(silent)
    const given = await ask()
    given.set('gatehouse_cancelled', '1')
    assertRedirectError(await authorize(testServer, given), 'access_denied')
    await isSpent(given)
    given.delete('gatehouse_cancelled')
    await isSpent(given)
    // What was allowed when it was pushed and no longer is: the client hears of it, once.
    const narrowed = await ask({ scope: 'resume:read' })
    await testServer.g.clients.change(created.client.id, { scope: ['jobs:read'] })
    testServer.clock.advance(1_000)
    assertRedirectError(await authorize(testServer, narrowed), 'invalid_scope')
    await isSpent(narrowed)
    assert.equal((await eventsOf(testServer, created.client.id, 'authorize')).length, 2)
  })

  test('RFC 9126 §4: trouble of our own ends nothing: the user tries again with the same request_uri', async () => {
    const testServer = await open()
    const created = await testServer.createClient()
    const asked = await pushed(testServer, created, authorizeParameters(created, makePkce()))
    const { accounts } = testServer.app
    const { authenticate } = accounts
    accounts.authenticate = () => {
      throw new Unavailable('the provider is away')
    }
    try {
      assertRedirectError(await authorize(testServer, asked), 'temporarily_unavailable')
    } finally {
      accounts.authenticate = authenticate
    }
    assert.ok(readAnswer(await authorize(testServer, asked)).get('code'))
  })

  test('RFC 9126 §4: the time a person takes to sign in is not counted, and the way back says nothing of the request', async () => {
    const testServer = await open()
    const created = await testServer.createClient()
    const { account } = testServer.signedIn
    let cookie = ''
    const away = async (asked: URLSearchParams) => {
      testServer.signedIn.account = null
      const shown = await testServer.request(`/oauth/authorize?${asked}`, { cookie })
      testServer.signedIn.account = account
      cookie ||= shown.headers.getSetCookie()[0]!.split(';')[0]!
      return new URL(new URL(shown.headers.get('location')!).searchParams.get('to')!)
    }
    const parameters = authorizeParameters(created, makePkce(), { login_hint: 'alice@example.com' })
    const asked = await pushed(testServer, created, parameters)
    const back = await away(asked)
    assert.deepEqual([...back.searchParams.keys()], ['client_id', 'request_uri', 'gatehouse_opened'])
    testServer.clock.advance(10 * minute)
    await assertPage(await authorize(testServer, asked), 400, { shows: ['invalid_request_uri'] })

    const [at, mac] = back.searchParams.get('gatehouse_opened')!.split('.')
    const borrowed = await pushed(testServer, created, parameters)
    testServer.clock.advance(2 * minute)
    borrowed.set('gatehouse_opened', `${at}.${mac}`)
    const here = (asked: URLSearchParams) => testServer.request(`/oauth/authorize?${asked}`, { cookie })
    await assertPage(await here(borrowed), 400, { shows: ['invalid_request_uri'] })
    for (const other of ['', 'gh_browser=AAAAAAAAAAAAAAAAAAAAAA']) {
      const elsewhere = await grantsNothing(testServer, () =>
        testServer.request(back.href, { cookie: other }),
      )
      await assertPage(elsewhere, 400, { shows: ['invalid_request_uri'] })
    }
    for (const marker of [`${at}.${'A'.repeat(43)}`, `${Number(at) + 1}.${mac}`, `.${mac}`, at!]) {
      const tampered = new URL(back)
      tampered.searchParams.set('gatehouse_opened', marker)
      const answer = await grantsNothing(testServer, () => here(tampered.searchParams))
      await assertPage(answer, 400, { shows: ['invalid_request_uri'] })
    }
    // Sent to sign in once more, the first moment still counts.
    const again = await away(back.searchParams)
    assert.equal(again.search, back.search)
    const shown = await readConsent(await here(again.searchParams))
    const answer = await answerConsent(testServer, { ...shown, cookie }, { decision: 'allow' })
    assert.ok(readAnswer(answer).get('code'))
    assert.equal(new URL(answer.headers.get('location')!).searchParams.get('state'), 'a state')

    const late = await away(await pushed(testServer, created, parameters))
    testServer.clock.advance(30 * minute)
    await assertPage(await here(late.searchParams), 400, { shows: ['invalid_request_uri'] })
  })

  test('RFC 9126 §4: a consent page may be reloaded in its browser after the request_uri has expired, and nowhere else', async () => {
    const testServer = await open()
    const created = await testServer.createClient()
    const parameters = authorizeParameters(created, makePkce())
    const [asked, other] = [
      await pushed(testServer, created, parameters),
      await pushed(testServer, created, parameters),
    ]
    const shown = await testServer.request(`/oauth/authorize?${asked}`)
    assert.ok(shown.headers.getSetCookie().every((one) => /; HttpOnly; SameSite=Lax/.test(one)))
    const { cookie } = await readConsent(shown)
    testServer.clock.advance(20 * minute)
    await assertPage(await testServer.request(`/oauth/authorize?${asked}`), 400, {
      shows: ['invalid_request_uri'],
    })
    const elsewhere = await testServer.request(`/oauth/authorize?${other}`, { cookie })
    await assertPage(elsewhere, 400, { shows: ['invalid_request_uri'] })
    const forged = cookie.replace(/gh_opened=(\d+)/, (_, at) => `gh_opened=${Number(at) + 1}`)
    const tampered = await testServer.request(`/oauth/authorize?${asked}`, { cookie: forged })
    await assertPage(tampered, 400, { shows: ['invalid_request_uri'] })

    const { account } = testServer.signedIn
    testServer.signedIn.account = null
    const sent = await testServer.request(`/oauth/authorize?${asked}`, { cookie })
    testServer.signedIn.account = account
    const back = new URL(new URL(sent.headers.get('location')!).searchParams.get('to')!)
    testServer.clock.advance(5 * minute)
    const reloaded = await readConsent(await testServer.request(`${back.pathname}${back.search}`, { cookie }))
    const decided = await testServer.post(
      '/oauth/consent',
      { ...reloaded.fields, decision: 'allow' },
      { cookie },
    )
    assert.ok(readAnswer(decided).get('code'))
    const late = await testServer.request(`/oauth/authorize?${asked}`, { cookie })
    await assertPage(late, 400, { shows: ['invalid_request_uri'] })
  })

  test('RFC 9101 §6.3: what stands beside a pushed request_uri is ignored (N36)', async () => {
    const testServer = await open()
    const created = await testServer.createClient({
      redirectUris: ['https://client.example/callback', 'https://client.example/other'],
    })
    const pkce = makePkce()
    const asked = await pushed(testServer, created, authorizeParameters(created, pkce, { state: undefined }))
    for (const [name, value] of Object.entries({
      redirect_uri: 'https://client.example/other',
      scope: 'resume:read',
      state: 'another state',
      prompt: 'none',
      response_mode: 'form_post',
      code_challenge: makePkce().challenge,
      response_type: 'token',
    })) {
      asked.set(name, value)
    }
    const answer = readAnswer(await authorize(testServer, asked), 'https://client.example/callback')
    assert.equal(answer.get('state'), null)
    const tokens = await readTokens(await redeem(testServer, created, answer.get('code')!, pkce))
    assert.equal(tokens.scope, 'jobs:read')
  })

  test('RFC 9126 §5, §6: where a pushed request is required, every other one is invalid_request (N38)', async () => {
    const testServer = await open()
    const strict = await testServer.createClient({ requirePushedAuthorizationRequests: true })
    const plain = authorizeParameters(strict, makePkce())
    assertRedirectError(
      await grantsNothing(testServer, () => authorize(testServer, plain)),
      'invalid_request',
    )
    assert.ok(readAnswer(await authorize(testServer, await pushed(testServer, strict, plain))).get('code'))

    const everywhere = await openTestServer(dialect, { pushedRequests: { required: true, lifetime: 300 } })
    try {
      const metadata = (await (
        await everywhere.request('/.well-known/oauth-authorization-server')
      ).json()) as Record<string, unknown>
      assert.equal(metadata.require_pushed_authorization_requests, true)
      const created = await everywhere.createClient()
      const asked = authorizeParameters(created, makePkce())
      assertRedirectError(
        await grantsNothing(everywhere, () => authorize(everywhere, asked)),
        'invalid_request',
      )
      const answer = await readPushed(await push(everywhere, created, asked))
      assert.equal(answer.expires_in, 300)
      everywhere.clock.advance(299_000)
      const { request_uri } = answer
      const query = new URLSearchParams({ client_id: created.client.id, request_uri })
      assert.ok(readAnswer(await authorize(everywhere, query)).get('code'))
    } finally {
      await everywhere.close()
    }
  })

  test('RFC 9126 §5: a server that accepts none says so, and answers a push with invalid_request', async () => {
    const testServer = await openTestServer(dialect, { pushedRequests: { accepted: false } })
    try {
      const metadata = await (await testServer.request('/.well-known/oauth-authorization-server')).text()
      assert.doesNotMatch(metadata, /pushed_authorization/)
      const created = await testServer.createClient()
      const parameters = authorizeParameters(created, makePkce())
      await assertJson(
        await pushesNothing(testServer, () => push(testServer, created, parameters)),
        400,
        'invalid_request',
      )
      assert.ok(readAnswer(await authorize(testServer, parameters)).get('code'))
    } finally {
      await testServer.close()
    }
  })

  test('C4: of a pushed request neither its name nor a credential is stored', async () => {
    const testServer = await open()
    const created = await testServer.createClient()
    const { client, secret } = created
    const asked = await pushed(testServer, created, authorizeParameters(created, makePkce()))
    const posted = await testServer.post('/oauth/par', {
      ...Object.fromEntries(authorizeParameters(created, makePkce())),
      client_id: client.id,
      client_secret: secret!,
    })
    await readPushed(posted)
    const rows = JSON.stringify(
      await testServer.app.server.db.query(
        sql`select * from pushed_authorization_requests where client_id = ${client.id}`,
      ),
    )
    const token = asked.get('request_uri')!.split(':').at(-1)!
    assert.ok(rows.includes('a state'))
    for (const hidden of [secret!, token, token.slice(-43)]) assert.ok(!rows.includes(hidden))
  })

  test('F13: a pushed request is removed once nobody can be deciding about it any more', async () => {
    const testServer = await openTestServer(dialect)
    try {
      const created = await testServer.createClient()
      const { server } = testServer.app
      const cleanUp = jobsOf(server).find(({ name }) => name === 'clean_up')!
      const run = () => cleanUp.run({ previous: null, pause: async () => {} })
      testServer.signedIn.account = null
      const asked = await pushed(testServer, created, authorizeParameters(created, makePkce()))
      testServer.clock.advance(89_000)
      const shown = await authorize(testServer, asked)
      const back = new URL(new URL(shown.headers.get('location')!).searchParams.get('to')!)
      testServer.signedIn.account = alice
      testServer.clock.advance(29 * minute)
      const cookie = shown.headers.getSetCookie()[0]!.split(';')[0]!
      const page = { ...(await readConsent(await testServer.request(back.href, { cookie }))), cookie }
      testServer.clock.advance(29 * minute)
      await run()
      assert.ok(readAnswer(await answerConsent(testServer, page, { decision: 'allow' })).get('code'))
      testServer.clock.advance(5 * minute)
      await run()
      assert.equal(await countPushed(testServer), 0)
    } finally {
      await testServer.close()
    }
  })

  test('OpenID Connect Core §3.1.2.2: a request pushed for one user is answered to nobody else (R22, N29)', async () => {
    const testServer = await open()
    const created = await testServer.createClient()
    testServer.signedIn.account = { ...bob, authTime: testServer.clock.now() }
    const { id_token } = (await obtainTokens(testServer, created, { scope: 'openid' })) as {
      id_token?: string
    }
    const pushFor = (more: Record<string, string>) =>
      pushed(
        testServer,
        created,
        authorizeParameters(created, makePkce(), { scope: 'openid', id_token_hint: id_token, ...more }),
      )
    assert.ok(readAnswer(await authorize(testServer, await pushFor({}))).get('code'))
    const kept = sql<{
      subject: string
      request: string
    }>`select subject, request from pushed_authorization_requests
      where client_id = ${created.client.id}`
    assert.deepEqual(
      (await testServer.app.server.db.query(kept)).map((row) => row.subject),
      ['bob'],
    )
    assert.ok((await testServer.app.server.db.query(kept)).every((row) => !row.request.includes(id_token!)))
    testServer.signedIn.account = { ...alice, authTime: testServer.clock.now() }
    const silent = await pushFor({ prompt: 'none' })
    assertRedirectError(
      await grantsNothing(testServer, () => authorize(testServer, silent)),
      'login_required',
    )
    const sent = await testServer.request(`/oauth/authorize?${await pushFor({})}`)
    const back = new URL(sent.headers.get('location')!).searchParams.get('to')!
    assertRedirectError(await grantsNothing(testServer, () => testServer.request(back)), 'login_required')
  })

  test('RFC 9126 §4: the page that signs the user in names the client of a pushed request', async () => {
    const testServer = await openTestServer(dialect, { accounts: undefined })
    try {
      const created = await testServer.createClient({ name: 'Pushing client' })
      const asked = await pushed(testServer, created, authorizeParameters(created, makePkce()))
      const sent = await testServer.request(`/oauth/authorize?${asked}`)
      const page = await testServer.request(sent.headers.get('location')!)
      const html = await page.text()
      assert.match(html, /Pushing client/)
      assert.doesNotMatch(page.headers.get('content-security-policy')!, /form-action/)
      const cancel = /href="([^"]*gatehouse_cancelled=1)"/.exec(html)![1]!.replaceAll('&amp;', '&')
      assert.doesNotMatch(cancel, /state|challenge/)
      assertRedirectError(await testServer.request(cancel), 'access_denied')
    } finally {
      await testServer.close()
    }
  })
})
