import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJwt } from 'jose'
import { endSignedOut, sidOf } from '../../../src/accounts/sign-outs.ts'
import { sql } from '../../../src/db/sql.ts'
import {
  answerConsent,
  authorize,
  authorizeParameters,
  makePkce,
  obtainCode,
  readConsent,
  readTokens,
  redeem,
  type ShownConsent,
  type Tokens,
} from '../../support/flow.ts'
import {
  alice,
  bob,
  formText,
  onBothDatabases,
  scopes,
  type TestServer,
  testServerFor,
} from '../../support/gatehouse.ts'
import {
  assertJson,
  assertPage,
  assertRedirectError,
  assertUnframed,
  eventsOf,
  grantsNothing,
  readAnswer,
} from '../answers.ts'

type Created = Awaited<ReturnType<TestServer['createClient']>>

/** Asks for consent anew, in a browser of its own or in that of another page. */
async function show(
  testServer: TestServer,
  client: Created,
  overrides: Record<string, string | string[] | undefined> = {},
  cookie?: string,
): Promise<ShownConsent> {
  const asked = authorizeParameters(client, makePkce(), { prompt: 'consent', ...overrides })
  const answer = await testServer.request(`/oauth/authorize?${asked}`, cookie === undefined ? {} : { cookie })
  assert.equal(answer.status, 200)
  const shown = await readConsent(answer)
  return cookie === undefined ? shown : { ...shown, cookie }
}

onBothDatabases('consent', (dialect) => {
  const open = testServerFor(dialect, {
    resources: { 'https://jobs.example': {}, 'https://mail.example': {} },
  })

  test('RFC 6749 §4.1.2.1: who denies sends access_denied back, and the form is spent (N41)', async () => {
    const testServer = await open()
    const client = await testServer.createClient()
    const shown = await show(testServer, client)
    const denied = await grantsNothing(testServer, () =>
      answerConsent(testServer, shown, { decision: 'deny' }),
    )
    assertRedirectError(denied, 'access_denied')
    const [event, ...more] = await eventsOf(testServer, client.client.id, 'authorize_denied')
    assert.equal(more.length, 0)
    assert.ok(event!.user_id)
    await assertPage(
      await grantsNothing(testServer, () => answerConsent(testServer, shown, { decision: 'allow' })),
      400,
    )
    assert.equal((await eventsOf(testServer, client.client.id)).length, 2, 'created, denied')
    assert.ok(
      readAnswer(await answerConsent(testServer, await show(testServer, client), { decision: 'allow' })).get(
        'code',
      ),
    )
  })

  test('RFC 6749 §10.12: a consent without its form token, or with that of another session, is a 403 page (N43)', async () => {
    const testServer = await open()
    const client = await testServer.createClient()
    const shown = await show(testServer, client)
    const elsewhere = await show(testServer, client)
    const sameBrowser = await show(testServer, client, {}, shown.cookie)
    const { form_token: _, ...withoutToken } = shown.fields
    const { request: __, ...withoutRequest } = shown.fields
    const attempts: { fields: Record<string, string>; cookie: string }[] = [
      { fields: withoutToken, cookie: shown.cookie },
      { fields: { ...shown.fields, form_token: '' }, cookie: shown.cookie },
      { fields: { ...shown.fields, form_token: 'x'.repeat(43) }, cookie: shown.cookie },
      { fields: { ...shown.fields, form_token: elsewhere.fields.form_token! }, cookie: shown.cookie },
      { fields: { ...shown.fields, form_token: sameBrowser.fields.form_token! }, cookie: shown.cookie },
      { fields: shown.fields, cookie: elsewhere.cookie },
      { fields: shown.fields, cookie: '' },
      { fields: shown.fields, cookie: 'gh_browser=x' },
      { fields: withoutRequest, cookie: shown.cookie },
      { fields: { ...shown.fields, request: 'gh_rq_echo-mark' }, cookie: shown.cookie },
    ]
    for (const { fields, cookie } of attempts) {
      const answer = await grantsNothing(testServer, () =>
        testServer.post('/oauth/consent', { ...fields, decision: 'allow' }, cookie ? { cookie } : {}),
      )
      await assertPage(answer, 403, { echoes: ['echo-mark'] })
    }
    assert.ok(readAnswer(await answerConsent(testServer, shown, { decision: 'allow' })).get('code'))
  })

  test('RFC 6749 §10.12: a consent posted by another user or nobody is a 403 page, and stays open for its owner (N44)', async () => {
    const testServer = await open()
    const client = await testServer.createClient()
    const own = { ...alice, authTime: testServer.clock.now() }
    testServer.signedIn.account = own
    const shown = await show(testServer, client)
    for (const account of [{ ...bob, authTime: testServer.clock.now() }, null]) {
      testServer.signedIn.account = account
      for (const decision of ['allow', 'deny']) {
        const answer = await grantsNothing(testServer, () => answerConsent(testServer, shown, { decision }))
        await assertPage(answer, 403, { echoes: ['Alice', 'alice'] })
      }
    }
    assert.deepEqual(await eventsOf(testServer, client.client.id, 'authorize'), [])
    testServer.signedIn.account = own
    assert.ok(readAnswer(await answerConsent(testServer, shown, { decision: 'allow' })).get('code'))
  })

  test('RFC 9700 §2.3: a consent for more than was asked is a 400 page (N45)', async () => {
    const testServer = await open()
    const client = await testServer.createClient()
    const shown = await show(testServer, client, {
      scope: 'jobs:read resume:read',
      resource: 'https://jobs.example',
    })
    for (const more of [
      { scope: 'jobs:read applications:write' },
      { scope: 'unknown' },
      { scope: 'jobs:read  resume:read' },
      { resource: 'https://mail.example' },
      { resource: 'nonsense' },
      { decision: 'perhaps' },
      { decision: '' },
    ] as Record<string, string>[]) {
      const answer = await grantsNothing(testServer, () =>
        answerConsent(testServer, shown, { decision: 'allow', ...more }),
      )
      await assertPage(answer, 400)
    }
    const pkce = makePkce()
    const asked = authorizeParameters(client, pkce, { scope: 'jobs:read resume:read' })
    const less = await readConsent(await testServer.request(`/oauth/authorize?${asked}`))
    const code = readAnswer(
      await answerConsent(testServer, less, { decision: 'allow', scope: 'jobs:read' }),
    ).get('code')
    assert.equal((await readTokens(await redeem(testServer, client, code!, pkce))).scope, 'jobs:read')
    assert.ok(readAnswer(await answerConsent(testServer, shown, { decision: 'allow' })).get('code'))
  })

  test('RFC 6749 §10.13: no page may be framed (N46)', async () => {
    const testServer = await open()
    const client = await testServer.createClient()
    const asked = authorizeParameters(client, makePkce())
    const pages = [
      await testServer.request(`/oauth/authorize?${asked}`),
      await testServer.request('/oauth/authorize'),
      await testServer.request('/oauth/authorize', { method: 'PUT' }),
      await testServer.request('/oauth/consent'),
      await testServer.post('/oauth/consent', {}),
      await testServer.request('/nowhere'),
      await testServer.request(
        `/oauth/authorize?${authorizeParameters(client, null, { response_mode: 'form_post' })}`,
      ),
    ]
    for (const page of pages) {
      assertUnframed(page)
      assert.match(page.headers.get('content-type') ?? '', /^text\/html/)
    }
    // A page of the host app in the middle of the flow as well.
    const { accounts } = testServer.app
    const { authenticate } = accounts
    try {
      accounts.authenticate = () =>
        new Response('<h1>Sign in</h1>', {
          headers: {
            'content-type': 'text/html',
            'cache-control': 'public, max-age=60',
            'set-cookie': 'a=b',
          },
        })
      const page = await testServer.request(`/oauth/authorize?${asked}`)
      assertUnframed(page)
      assert.deepEqual(page.headers.getSetCookie(), ['a=b'])
      assert.equal(await page.text(), '<h1>Sign in</h1>')
    } finally {
      accounts.authenticate = authenticate
    }
  })

  test('RFC 7591 §5: what a client says about itself is inert text (N47)', async () => {
    const testServer = await open()
    const name = '<img src=x onerror=alert(1)>\u202egnikaerB\u2066'
    const client = await testServer.createClient({ name })
    // What registration refuses may still stand in a row that came another way.
    await testServer.app.server.db.query(
      sql`update clients set logo_uri = 'javascript:alert(1)', client_uri = 'javascript:alert(2)',
        policy_uri = 'https://user:pass@evil.example/', tos_uri = 'https://terms.example/' where id = ${client.client.id}`,
    )
    testServer.clock.advance(1_000)
    const { html } = await show(testServer, client)
    assert.doesNotMatch(html, /<img src=x|javascript:|evil\.example|[\u202a-\u202e\u2066-\u2069](?=gnikaerB)/)
    assert.match(html, /&lt;img src=x onerror=alert\(1\)&gt;gnikaerB/)
    assert.match(html, /href="https:\/\/terms\.example\/"/)
    for (const uri of ['javascript:alert(1)', 'data:text/html,x', 'http://plain.example/', 'x']) {
      for (const field of ['logoUri', 'clientUri', 'policyUri', 'tosUri']) {
        await assert.rejects(testServer.createClient({ [field]: uri }), { name: 'ConfigError' })
      }
    }
  })

  test('RFC 9700 §4.12: the redirect after the form is a 303 without referrer (N48)', async () => {
    const testServer = await open()
    const client = await testServer.createClient()
    for (const decision of ['allow', 'deny']) {
      const answer = await answerConsent(testServer, await show(testServer, client), { decision })
      assert.equal(answer.status, 303)
      assert.equal(answer.headers.get('referrer-policy'), 'no-referrer')
    }
    // A POST to the authorization endpoint itself that is answered at once.
    const again = await testServer.post(
      '/oauth/authorize',
      Object.fromEntries(authorizeParameters(client, makePkce())),
    )
    assert.equal(again.status, 303)
    assert.equal(again.headers.get('referrer-policy'), 'no-referrer')
    assert.equal((await testServer.request('/nowhere')).headers.get('referrer-policy'), 'no-referrer')
  })

  test('OpenID Connect Core §5.5: what a user leaves out is not told by name either', async () => {
    const testServer = await open()
    const client = await testServer.createClient({ scope: ['openid', 'profile', 'email'] })
    const pkce = makePkce()
    const claims = '{"userinfo":{"email":null},"id_token":{"email":null,"name":null}}'
    const asked = { scope: 'openid email', claims }
    const less = await readConsent(
      await testServer.request(`/oauth/authorize?${authorizeParameters(client, pkce, asked)}`),
    )
    const answer = await answerConsent(testServer, less, { decision: 'allow', scope: 'openid profile' })
    const tokens = await readTokens(await redeem(testServer, client, readAnswer(answer).get('code')!, pkce))
    assert.equal(tokens.scope, 'openid')
    const { email, name } = decodeJwt((tokens as Tokens & { id_token: string }).id_token)
    assert.deepEqual([email, name], [undefined, alice.name])
    const headers = { authorization: `Bearer ${tokens.access_token}` }
    const told = await (await testServer.request('/oauth/userinfo', { headers })).json()
    assert.deepEqual(Object.keys(told as object), ['sub'])
    const again = authorizeParameters(client, pkce, { ...asked, prompt: 'none' })
    assertRedirectError(await authorize(testServer, again), 'consent_required')
    const whole = await readConsent(
      await testServer.request(`/oauth/authorize?${authorizeParameters(client, pkce, asked)}`),
    )
    assert.ok(readAnswer(await answerConsent(testServer, whole, { decision: 'allow' })).get('code'))
    assert.ok(readAnswer(await authorize(testServer, again)).get('code'))
  })

  test('RFC 6749 §3.1: a consent is remembered, and a later request asks only for what is new', async () => {
    const testServer = await open()
    const client = await testServer.createClient()
    const ask = async (overrides: Record<string, string | string[]>) => {
      const asked = authorizeParameters(client, makePkce(), overrides)
      const answer = await testServer.request(`/oauth/authorize?${asked}`)
      return answer.status === 303 ? undefined : readConsent(answer)
    }
    const first = await ask({ scope: 'jobs:read' })
    assert.ok(first!.html.includes(scopes['jobs:read']))
    readAnswer(await answerConsent(testServer, first!, { decision: 'allow' }))
    assert.equal(await ask({ scope: 'jobs:read' }), undefined, 'not asked again')

    const wider = await ask({ scope: 'jobs:read resume:read' })
    const [askedPart, heldPart] = wider!.html.split('id="held"')
    assert.ok(askedPart!.includes(scopes['resume:read']))
    assert.ok(!askedPart!.includes(scopes['jobs:read']))
    assert.ok(heldPart!.includes(scopes['jobs:read']))
    readAnswer(await answerConsent(testServer, wider!, { decision: 'allow' }))
    assert.equal(await ask({ scope: 'resume:read' }), undefined)
    assert.equal(await ask({ scope: 'jobs:read resume:read' }), undefined, 'it is cumulative')

    assert.ok(await ask({ scope: 'jobs:read', prompt: 'consent' }), 'unless the client insists')
    assert.ok(await ask({ scope: 'jobs:read', resource: 'https://mail.example' }), 'another API is new')
    testServer.signedIn.account = { ...bob, authTime: testServer.clock.now() }
    assert.ok(await ask({ scope: 'jobs:read' }), 'another user is asked')
    testServer.signedIn.account = { ...alice, authTime: testServer.clock.now() }
    const remembered = await eventsOf(testServer, client.client.id, 'authorize')
    assert.deepEqual(remembered.map((event) => JSON.parse(event.body).data.consent).sort(), [
      'given',
      'given',
      'remembered',
      'remembered',
      'remembered',
    ])
  })

  test('RFC 8252 §8.6: a program on the user’s computer is asked for each time', async () => {
    const testServer = await open()
    for (const uri of ['http://127.0.0.1/callback', 'com.example.app:/callback']) {
      const client = await testServer.createClient({ redirectUris: [uri], tokenEndpointAuthMethod: 'none' })
      const asked = authorizeParameters(client, makePkce())
      readAnswer(await authorize(testServer, asked), uri)
      assert.equal((await testServer.request(`/oauth/authorize?${asked}`)).status, 200)
      const silent = authorizeParameters(client, makePkce(), { prompt: 'none' })
      assertRedirectError(await authorize(testServer, silent), 'consent_required', { to: uri })
    }
  })

  test('RFC 6749 §10.5: a consent form is good for half an hour and for a living client only', async () => {
    const testServer = await open()
    const client = await testServer.createClient()
    const late = await show(testServer, client)
    testServer.clock.advance(30 * 60_000)
    await assertPage(
      await grantsNothing(testServer, () => answerConsent(testServer, late, { decision: 'allow' })),
    )
    const shown = await show(testServer, client)
    await testServer.g.clients.suspend(client.client.id, 'abuse')
    await assertPage(
      await grantsNothing(testServer, () => answerConsent(testServer, shown, { decision: 'allow' })),
    )
    await testServer.g.clients.restore(client.client.id)
    assert.ok(readAnswer(await answerConsent(testServer, shown, { decision: 'allow' })).get('code'))
  })

  test('RFC 6749 §10.12: a form that is sent many times, on two processes, gives one code', async () => {
    const testServer = await open()
    const client = await testServer.createClient()
    const { g: twin } = await testServer.twin()
    const shown = await show(testServer, client)
    const send = (g: typeof twin) =>
      g.fetch(
        new Request('http://localhost:4400/oauth/consent', {
          method: 'POST',
          headers: { 'content-type': 'application/x-www-form-urlencoded', cookie: shown.cookie },
          body: formText({ ...shown.fields, decision: 'allow' }),
          redirect: 'manual',
        }),
      )
    const answers = await Promise.all(Array.from({ length: 12 }, (_, n) => send(n % 2 ? twin : testServer.g)))
    assert.equal(new Set(answers.map((answer) => readAnswer(answer).get('code'))).size, 1)
    assert.equal((await eventsOf(testServer, client.client.id, 'authorize')).length, 1)
  })

  test('RFC 6749 §10.12: a form outlives the statement of an account provider, but not the sign-in it was shown in', async () => {
    const testServer = await open()
    const client = await testServer.createClient()
    const { server, accounts } = testServer.app
    const before = testServer.signedIn.account
    const signedIn = {
      ...alice,
      sessionId: 'one',
      authTime: testServer.clock.now(),
      expiresAt: testServer.clock.now() + 60_000,
    }
    testServer.signedIn.account = signedIn
    const shown = [
      await show(testServer, client),
      await show(testServer, client),
      await show(testServer, client),
    ] as const
    // The statement is over after a minute; the browser is signed out, in as somebody else, in again, or as it was.
    testServer.signedIn.account = null
    testServer.clock.advance(21 * 60_000)
    const answer = (form: ShownConsent) => answerConsent(testServer, form, { decision: 'allow' })
    try {
      await assertPage(await grantsNothing(testServer, () => answer(shown[0])), 403)
      for (const lapsed of [null, { ...signedIn, ...bob }, { ...signedIn, sessionId: 'two' }]) {
        accounts.endedStatement = () => lapsed
        await assertPage(await grantsNothing(testServer, () => answer(shown[0])), 403)
      }
      accounts.endedStatement = () => signedIn
      assert.ok(readAnswer(await answer(shown[0])).get('code'))
      testServer.signedIn.account = { ...signedIn, sessionId: 'two', authTime: testServer.clock.now() }
      await assertPage(await grantsNothing(testServer, () => answer(shown[1])), 403)
      // Signing out here ends the form itself.
      testServer.signedIn.account = null
      const [user] = await server.db.query(sql<{ id: string }>`select id from users where subject = 'alice'`)
      await endSignedOut(server, { id: user!.id, sid: sidOf(signedIn) }, undefined)
      await assertPage(await grantsNothing(testServer, () => answer(shown[2])), 400)
    } finally {
      delete accounts.endedStatement
      testServer.signedIn.account = before
    }
  })

  test('RFC 8252 §8.6: nothing vouches for a public client on the own computer, whatever scheme and spelling', async () => {
    const testServer = await open()
    for (const uri of [
      'https://localhost/callback',
      'https://app.localhost:8443/callback',
      'https://127.0.0.1/callback',
      'https://127.1.2.3/callback',
      'https://[::1]/callback',
    ]) {
      const client = await testServer.createClient({ tokenEndpointAuthMethod: 'none', redirectUris: [uri] })
      await obtainCode(testServer, client)
      const silent = await grantsNothing(testServer, () =>
        authorize(testServer, authorizeParameters(client, makePkce(), { prompt: 'none' })),
      )
      assert.equal(
        new URL(silent.headers.get('location')!).searchParams.get('error'),
        'consent_required',
        uri,
      )
      assert.match(
        (await show(testServer, client, { prompt: undefined })).html,
        /on your (own )?computer|this computer|your computer/i,
      )
    }
    const served = await testServer.createClient({
      tokenEndpointAuthMethod: 'none',
      redirectUris: ['https://localhost.example/callback'],
    })
    await obtainCode(testServer, served)
    const silent = authorizeParameters(served, makePkce(), { prompt: 'none' })
    const remembered = await authorize(testServer, silent)
    assert.ok(new URL(remembered.headers.get('location')!).searchParams.get('code'))
  })

  test('RFC 6749 §4.1.2: codes that are still out end when the consent is withdrawn', async () => {
    const testServer = await open()
    const client = await testServer.createClient()
    const pkce = makePkce()
    const code = await obtainCode(testServer, client, pkce)
    const { withdrawConsent } = await import('../../../src/oauth/records/consents.ts')
    const { eventInput } = await import('../../../src/events/append.ts')
    const { db, now } = testServer.app.server
    const [consent] = await db.query(
      sql<{ user_id: string }>`select user_id from consents where client_id = ${client.client.id}`,
    )
    const who = { user_id: consent!.user_id, client_id: client.client.id }
    await db.write(withdrawConsent, { ...who, now: now(), ...eventInput(now(), 'consent_withdrawn', {}) })
    await assertJson(await redeem(testServer, client, code, pkce), 400, 'invalid_grant')
    assert.ok(await show(testServer, client, { prompt: undefined }), 'asked again')
  })
})
