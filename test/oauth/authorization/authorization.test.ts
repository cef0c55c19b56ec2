import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from '../../../src/db/sql.ts'
import { authorize, authorizeParameters, makePkce, readConsent, readRedirect } from '../../support/flow.ts'
import { alice, issuer, onBothDatabases, openTestServer, testServerFor } from '../../support/gatehouse.ts'
import {
  assertPage,
  assertRedirectError,
  assertUnframed,
  countGrants,
  eventsOf,
  grantsNothing,
  readAnswer,
} from '../answers.ts'

onBothDatabases('authorization endpoint', (dialect) => {
  const open = testServerFor(dialect)

  test('RFC 6749 §4.1.2.1: a missing or unknown client_id gets a page (N1)', async () => {
    const server = await open()
    const client = await server.createClient()
    for (const client_id of [
      undefined,
      '',
      'cl_unknown',
      'echo-mark"><b>',
      'x'.repeat(20_000),
      'cl_unknown\0',
      `${client.client.id} `,
      client.client.id.toUpperCase(),
      "' or 1=1 --",
      '__proto__',
    ]) {
      const asked = authorizeParameters(client, makePkce(), { client_id })
      const answer = await grantsNothing(server, () => authorize(server, asked))
      await assertPage(answer, 400, { echoes: ['echo-mark', 'a state', 'client.example'] })
    }
    assert.ok(readAnswer(await authorize(server, authorizeParameters(client, makePkce()))).get('code'))
  })

  test('RFC 6749 §4.1.2.1: a suspended, revoked or deleted client gets a page (N2)', async () => {
    const server = await open()
    const { db } = server.app.server
    const ends: [string, (id: string) => Promise<unknown>][] = [
      ['suspended', (id) => server.g.clients.suspend(id, 'abuse')],
      ['revoked', (id) => server.g.clients.revoke(id, 'contract ended')],
      ['deleted', (id) => db.query(sql`delete from clients where id = ${id}`)],
    ]
    for (const [state, end] of ends) {
      const client = await server.createClient({ name: `Was ${state}` })
      const asked = authorizeParameters(client, makePkce())
      assert.ok(readAnswer(await authorize(server, asked)).get('code'), 'while it is active')
      await end(client.client.id)
      server.clock.advance(1_000)
      const answer = await grantsNothing(server, () => authorize(server, asked))
      const shows = state === 'deleted' ? [] : [`Was ${state}`]
      await assertPage(answer, 400, { shows, echoes: ['a state', 'abuse', 'contract'] })
    }
  })

  test('RFC 6749 §3.1: a client_id or redirect_uri that is sent twice gets a page (N12)', async () => {
    const server = await open()
    const client = await server.createClient()
    const other = await server.createClient()
    for (const overrides of [
      { client_id: [client.client.id, client.client.id] },
      { client_id: [client.client.id, other.client.id] },
      { redirect_uri: ['https://client.example/callback', 'https://client.example/callback'] },
      { redirect_uri: ['https://client.example/callback', 'https://evil.example/'] },
    ]) {
      const asked = authorizeParameters(client, makePkce(), overrides)
      await assertPage(await grantsNothing(server, () => authorize(server, asked)), 400, { echoes: ['evil'] })
    }
    const halfEmpty = authorizeParameters(client, makePkce(), { client_id: ['', client.client.id] })
    assert.ok(readAnswer(await authorize(server, halfEmpty)).get('code'), 'no value counts as absent')
  })

  test('RFC 6749 §3.1: a single-valued parameter that is sent twice is invalid_request (N18)', async () => {
    const server = await open()
    const client = await server.createClient()
    const pkce = makePkce()
    for (const overrides of [
      { scope: ['jobs:read', 'jobs:read'] },
      { nonce: ['one', 'two'] },
      { response_type: ['code', 'code'] },
      { code_challenge: [pkce.challenge, makePkce().challenge] },
      { code_challenge_method: ['S256', 'plain'] },
      { prompt: ['login', 'consent'] },
      { unknown: ['1', '2'] },
    ]) {
      const asked = authorizeParameters(client, pkce, overrides)
      const answer = await grantsNothing(server, () => authorize(server, asked))
      assertRedirectError(answer, 'invalid_request')
    }
    const doubled = authorizeParameters(client, pkce, { state: ['one', 'two'] })
    assertRedirectError(await authorize(server, doubled), 'invalid_request', { state: null })
    const repeatedResource = authorizeParameters(client, pkce, { resource: [issuer, issuer] })
    assert.ok(readAnswer(await authorize(server, repeatedResource)).get('code'))
  })

  test('RFC 6749 §3.1.1: a missing response_type is invalid_request (N19)', async () => {
    const server = await open()
    const client = await server.createClient()
    for (const response_type of [undefined, '']) {
      const asked = authorizeParameters(client, makePkce(), { response_type })
      assertRedirectError(await grantsNothing(server, () => authorize(server, asked)), 'invalid_request')
    }
    assert.ok(readAnswer(await authorize(server, authorizeParameters(client, makePkce()))).get('code'))
  })

  test('RFC 6749 §4.1.2.1: a response_type other than code is unsupported_response_type (N20)', async () => {
    const server = await open()
    const client = await server.createClient()
    for (const response_type of [
      'token',
      'id_token',
      'id_token token',
      'code token',
      'none',
      'CODE',
      'code ',
    ]) {
      const asked = authorizeParameters(client, makePkce(), { response_type })
      const answer = await grantsNothing(server, () => authorize(server, asked))
      const parameters = assertRedirectError(answer, 'unsupported_response_type')
      assert.equal(parameters.get('access_token'), null)
      assert.equal(new URL(answer.headers.get('location')!).hash, '')
    }
    assert.ok(readAnswer(await authorize(server, authorizeParameters(client, makePkce()))).get('code'))
  })

  test('RFC 6749 §4.1.2.1: a client without the code grant gets unauthorized_client (N21)', async () => {
    const server = await open()
    const client = await server.createClient({ grantTypes: ['client_credentials'] })
    const asked = authorizeParameters(client, makePkce())
    assertRedirectError(await grantsNothing(server, () => authorize(server, asked)), 'unauthorized_client')
    await server.g.clients.change(client.client.id, { grantTypes: ['authorization_code'] })
    assert.ok(readAnswer(await authorize(server, asked)).get('code'))
  })

  test('OpenID Connect Core §3.1.2.6: prompt=none is login_required or consent_required, without a page (N27)', async () => {
    const server = await open()
    const client = await server.createClient()
    const asked = authorizeParameters(client, makePkce(), { prompt: 'none' })
    const { account } = server.signedIn
    server.signedIn.account = null
    assertRedirectError(await grantsNothing(server, () => authorize(server, asked)), 'login_required')
    server.signedIn.account = account
    assertRedirectError(await grantsNothing(server, () => authorize(server, asked)), 'consent_required')
    readAnswer(await authorize(server, authorizeParameters(client, makePkce())))
    assert.ok(readAnswer(await authorize(server, asked)).get('code'), 'with a session and with consent')
    const wider = authorizeParameters(client, makePkce(), { prompt: 'none', scope: 'jobs:read resume:read' })
    assertRedirectError(await grantsNothing(server, () => authorize(server, wider)), 'consent_required')
  })

  test('OpenID Connect Core §3.1.2.1: prompt=none with another value, or an unknown prompt, is invalid_request (N28)', async () => {
    const server = await open()
    const client = await server.createClient()
    for (const prompt of ['none login', 'consent none', 'none none', 'None', 'surprise']) {
      const asked = authorizeParameters(client, makePkce(), { prompt })
      assertRedirectError(await grantsNothing(server, () => authorize(server, asked)), 'invalid_request')
    }
    for (const max_age of ['-1', '1.5', 'soon', '99999999999']) {
      const asked = authorizeParameters(client, makePkce(), { max_age })
      assertRedirectError(await grantsNothing(server, () => authorize(server, asked)), 'invalid_request')
    }
    readAnswer(await authorize(server, authorizeParameters(client, makePkce())))
    assert.ok(
      readAnswer(await authorize(server, authorizeParameters(client, makePkce(), { prompt: 'none' }))).get(
        'code',
      ),
    )
  })

  test('OpenID Connect Core §3.1.2.1: prompt=none with max_age exceeded is login_required (N29)', async () => {
    const server = await open()
    const client = await server.createClient()
    readAnswer(await authorize(server, authorizeParameters(client, makePkce())))
    server.signedIn.account = { ...alice, authTime: server.clock.now() }
    server.clock.advance(100_000)
    const within = authorizeParameters(client, makePkce(), { prompt: 'none', max_age: '101' })
    assert.ok(readAnswer(await authorize(server, within)).get('code'))
    for (const max_age of ['90', '0']) {
      const asked = authorizeParameters(client, makePkce(), { prompt: 'none', max_age })
      assertRedirectError(await grantsNothing(server, () => authorize(server, asked)), 'login_required')
    }
  })

  test('OpenID Connect Core §3.1.2.1: prompt=login never uses the old sign-in (N30)', async () => {
    const server = await open()
    const client = await server.createClient()
    server.signedIn.account = { ...alice, authTime: server.clock.now() }
    readAnswer(await authorize(server, authorizeParameters(client, makePkce())))
    server.clock.advance(60_000)

    for (const demand of [{ prompt: 'login' }, { prompt: 'select_account' }, { max_age: '0' }]) {
      const asked = authorizeParameters(client, makePkce(), demand)
      server.signedIn.account = { ...alice, authTime: server.clock.now() - 60_000 }
      const shown = await grantsNothing(server, () => authorize(server, asked))
      const signIn = new URL(shown.headers.get('location')!)
      assert.equal(signIn.pathname, '/test-sign-in')
      const back = new URL(signIn.searchParams.get('to')!)
      assert.match(back.searchParams.get('gatehouse_demanded') ?? '', /^\d+\.[\w-]{43}$/)

      server.clock.advance(10_000)
      const tampered = new URL(back)
      const at = Number(back.searchParams.get('gatehouse_demanded')!.split('.')[0])
      const mac = back.searchParams.get('gatehouse_demanded')!.split('.')[1]
      for (const marker of [
        `${at - 120_000}.${mac}`,
        `${at}.${'A'.repeat(43)}`,
        `${at}`,
        `.${mac}`,
        `1e3.${mac}`,
        mac!,
      ]) {
        tampered.searchParams.set('gatehouse_demanded', marker)
        const again = await grantsNothing(server, () => authorize(server, tampered.searchParams))
        assert.equal(new URL(again.headers.get('location')!).pathname, '/test-sign-in', marker)
      }
      const borrowed = new URL(back)
      borrowed.searchParams.set('state', 'another request')
      server.signedIn.account = { ...alice, authTime: at + 1_000 }
      server.clock.advance(60_000)
      const demandedAnew = await grantsNothing(server, () => authorize(server, borrowed.searchParams))
      assert.equal(new URL(demandedAnew.headers.get('location')!).pathname, '/test-sign-in')

      assert.ok(
        readAnswer(await authorize(server, back.searchParams)).get('code'),
        'signed in anew: one demand',
      )
    }

    const asked = authorizeParameters(client, makePkce(), { prompt: 'login' })
    server.clock.advance(60_000)
    const shown = await authorize(server, asked)
    const back = new URL(new URL(shown.headers.get('location')!).searchParams.get('to')!)
    server.clock.advance(31 * 60_000)
    server.signedIn.account = { ...alice, authTime: server.clock.now() - 60_000 }
    const late = await grantsNothing(server, () => authorize(server, back.searchParams))
    assert.equal(
      new URL(late.headers.get('location')!).pathname,
      '/test-sign-in',
      'a demand ends after half an hour',
    )
  })

  test('OpenID Connect Core §3.1.2.1: giving up the sign-in is access_denied, one that cannot be renewed login_required (N30)', async () => {
    const server = await open()
    const client = await server.createClient()
    readAnswer(await authorize(server, authorizeParameters(client, makePkce())))
    const asked = authorizeParameters(client, makePkce(), { prompt: 'login' })
    asked.set('gatehouse_cancelled', '1')
    assertRedirectError(await grantsNothing(server, () => authorize(server, asked)), 'access_denied')

    // A provider that does not say when the user signed in cannot show that it was just now.
    const { authTime: _, ...timeless } = alice
    const { accounts } = server.app
    const { authenticate } = accounts
    let cancelTo: string | undefined
    accounts.authenticate = (_request, ask) => {
      cancelTo = ask.cancelTo
      return timeless
    }
    try {
      asked.delete('gatehouse_cancelled')
      assertRedirectError(await grantsNothing(server, () => authorize(server, asked)), 'login_required')
      const cancelled = await server.request(cancelTo!)
      assertRedirectError(cancelled, 'access_denied')
      assert.ok(readAnswer(await authorize(server, authorizeParameters(client, makePkce()))).get('code'))
    } finally {
      accounts.authenticate = authenticate
    }
  })

  test('RFC 9101 §7: request, request_uri and registration are not supported where they are off, each by its name (N32)', async () => {
    const server = await openTestServer(dialect, { pushedRequests: { accepted: false } })
    try {
      // It has no keys, so it cannot sign a request object.
      const client = await server.createClient()
      for (const [name, error] of [
        ['request', 'request_not_supported'],
        ['request_uri', 'request_uri_not_supported'],
        ['registration', 'registration_not_supported'],
      ]) {
        const asked = authorizeParameters(client, makePkce(), { [name!]: 'x' })
        assertRedirectError(await grantsNothing(server, () => authorize(server, asked)), error!)
        const empty = authorizeParameters(client, makePkce(), { [name!]: '' })
        assert.ok(readAnswer(await authorize(server, empty)).get('code'))
      }
      const named = authorizeParameters(client, makePkce(), { request_uri: 'https://client.example/r' })
      const answer = await grantsNothing(server, () => authorize(server, named))
      assertRedirectError(answer, 'request_uri_not_supported')
    } finally {
      await server.close()
    }
  })

  test('RFC 9101 §5: request together with request_uri is invalid_request (N33)', async () => {
    const server = await open()
    const client = await server.createClient()
    const both = { request: 'x', request_uri: 'https://client.example/r' }
    const asked = authorizeParameters(client, makePkce(), both)
    assertRedirectError(await grantsNothing(server, () => authorize(server, asked)), 'invalid_request')
    const nowhere = authorizeParameters(client, makePkce(), { ...both, redirect_uri: undefined })
    await assertPage(await grantsNothing(server, () => authorize(server, nowhere)), 400, {
      shows: ['invalid_request', 'Job board'],
    })
    for (const name of ['request', 'request_uri']) {
      const twice = authorizeParameters(client, makePkce(), { [name]: ['x', 'x'] })
      assertRedirectError(await grantsNothing(server, () => authorize(server, twice)), 'invalid_request')
    }
    assert.ok(readAnswer(await authorize(server, authorizeParameters(client, makePkce()))).get('code'))
  })

  test('RFC 9101 §7: a request_uri that was not pushed is invalid_request_uri and causes no outgoing request (N37)', async (t) => {
    const server = await open()
    const client = await server.createClient()
    const sent = t.mock.method(globalThis, 'fetch', () => Promise.reject(new Error('not reached')))
    const fetched = t.mock.method(server.app.server.outbound, 'getJson', () => assert.fail('not reached'))
    for (const request_uri of [
      'http://169.254.169.254/latest/meta-data',
      'http://127.0.0.1:1/',
      'https://client.example/request.jwt',
      'urn:example:request',
      'echo-mark',
    ]) {
      const asked = authorizeParameters(client, makePkce(), { request_uri })
      const answer = await grantsNothing(server, () => authorize(server, asked))
      assertRedirectError(answer, 'invalid_request_uri')
      asked.delete('redirect_uri')
      const page = await grantsNothing(server, () => authorize(server, asked))
      await assertPage(page, 400, { shows: ['invalid_request_uri', 'Job board'], echoes: ['echo-mark'] })
      asked.set('redirect_uri', 'https://elsewhere.example/callback')
      await assertPage(await grantsNothing(server, () => authorize(server, asked)))
    }
    assert.equal(sent.mock.callCount() + fetched.mock.callCount(), 0)
    assert.ok(readAnswer(await authorize(server, authorizeParameters(client, makePkce()))).get('code'))
  })

  test('OpenID Connect Core §3.1.2.6: an unknown response_mode gets a page without error parameters', async () => {
    const server = await open()
    const client = await server.createClient()
    for (const response_mode of ['web_message', 'QUERY', ['query', 'form_post'], 'echo-mark']) {
      const asked = authorizeParameters(client, makePkce(), { response_mode })
      const answer = await grantsNothing(server, () => authorize(server, asked))
      const page = await assertPage(answer, 400, { shows: ['Job board'], echoes: ['a state'] })
      assert.doesNotMatch(page, /invalid_request|error_description/)
    }
    const program = await server.createClient({ redirectUris: ['com.example.app:/callback'] })
    for (const response_mode of ['form_post', 'form_post.jwt']) {
      const posted = authorizeParameters(program, makePkce(), { response_mode })
      await assertPage(await grantsNothing(server, () => authorize(server, posted)))
    }
    for (const response_mode of ['query', '', undefined]) {
      const asked = authorizeParameters(client, makePkce(), { response_mode })
      assert.ok(readAnswer(await authorize(server, asked)).get('code'))
    }
  })

  test('RFC 9207 §2: every authorization response carries iss, byte for byte the issuer (N125)', async () => {
    const server = await open()
    const client = await server.createClient()
    const metadata = (await (await server.request('/.well-known/oauth-authorization-server')).json()) as {
      issuer: string
      authorization_response_iss_parameter_supported: boolean
    }
    assert.equal(metadata.authorization_response_iss_parameter_supported, true)
    const granted = await authorize(server, authorizeParameters(client, makePkce()))
    const denied = await authorize(
      server,
      authorizeParameters(client, makePkce(), { prompt: 'consent' }),
      'deny',
    )
    const refused = await authorize(server, authorizeParameters(client, null))
    for (const answer of [granted, denied, refused]) {
      assert.equal(readRedirect(answer).parameters.iss, metadata.issuer)
      readAnswer(answer)
    }
    for (const pkce of [makePkce(), null]) {
      const asked = authorizeParameters(client, pkce, { response_mode: 'form_post' })
      const posted = await server.request(`/oauth/authorize?${asked}`)
      assert.equal(posted.status, 200)
      assertUnframed(posted)
      assert.equal(posted.headers.get('location'), null)
      const { html, fields } = await readConsent(posted)
      assert.match(html, /<form method="post" action="https:\/\/client\.example\/callback">/)
      assert.equal(fields.iss, metadata.issuer)
      assert.equal(fields.state, 'a state')
      assert.equal(Boolean(fields.code), pkce !== null)
      assert.equal(fields.error, pkce ? undefined : 'invalid_request')
    }
  })

  test('RFC 6749 §4.1.2.1: state comes back unchanged, whatever is in it', async () => {
    const server = await open()
    const client = await server.createClient()
    readAnswer(await authorize(server, authorizeParameters(client, makePkce())))
    for (const state of [
      'a+b c&d=e%20f#g',
      '"><script>',
      'ä€😀',
      '\r\nset-cookie: x',
      'x'.repeat(4_096),
      '0',
    ]) {
      for (const pkce of [makePkce(), null]) {
        const answer = await authorize(server, authorizeParameters(client, pkce, { state }))
        assert.equal(readAnswer(answer).get('state'), state)
      }
    }
    const without = await authorize(server, authorizeParameters(client, makePkce(), { state: undefined }))
    assert.equal(readAnswer(without).get('state'), null)
  })

  test('RFC 6749 §3.1: unknown parameters are ignored, overlong values are invalid_request', async () => {
    const server = await open()
    const client = await server.createClient()
    const unknown = authorizeParameters(client, makePkce(), {
      access_type: 'offline',
      audience: 'x',
      vtr: 'y',
    })
    assert.ok(readAnswer(await authorize(server, unknown)).get('code'))
    const long = authorizeParameters(client, makePkce(), { nonce: 'x'.repeat(4_097) })
    assertRedirectError(await grantsNothing(server, () => authorize(server, long)), 'invalid_request')
  })

  test('RFC 6749 §3.1: GET and POST are spoken, everything else is 405 with Allow', async () => {
    const server = await open()
    const client = await server.createClient()
    const asked = authorizeParameters(client, makePkce())
    readAnswer(await authorize(server, asked))
    assert.ok(readAnswer(await server.request(`/oauth/authorize?${asked}`)).get('code'))
    assert.ok(readAnswer(await server.post('/oauth/authorize', Object.fromEntries(asked))).get('code'))
    for (const method of ['HEAD', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
      const answer = await grantsNothing(server, () =>
        server.request(`/oauth/authorize?${asked}`, { method }),
      )
      await assertPage(answer, 405)
      assert.equal(answer.headers.get('allow'), 'GET, POST')
      assert.equal(answer.headers.get('access-control-allow-origin'), null)
    }
    await assertPage(await server.request('/oauth/authorize?client_id=%zz'))
    await assertPage(
      await server.request('/oauth/authorize', { method: 'POST', body: 'x='.padEnd(70_000, 'y') }),
      413,
    )
  })

  test('RFC 6749 §4.1.2.1: trouble of our own goes back as temporarily_unavailable or server_error', async () => {
    const server = await open()
    const client = await server.createClient()
    const asked = authorizeParameters(client, makePkce())
    readAnswer(await authorize(server, asked))
    const { accounts } = server.app
    const { authenticate } = accounts
    const { AccountsUnavailable } = await import('../../../src/accounts/account.ts')
    try {
      for (const [error, code] of [
        [new AccountsUnavailable('echo-mark'), 'temporarily_unavailable'],
        [new TypeError('echo-mark'), 'server_error'],
      ] as const) {
        accounts.authenticate = () => Promise.reject(error)
        const answer = await grantsNothing(server, () => authorize(server, asked))
        assertRedirectError(answer, code)
        assert.doesNotMatch(answer.headers.get('location')!, /echo-mark/)
      }
    } finally {
      accounts.authenticate = authenticate
    }
    assert.ok(readAnswer(await authorize(server, asked)).get('code'))
  })

  test('RFC 6749 §4.1.2.1: a disabled user is access_denied', async () => {
    const server = await open()
    const client = await server.createClient()
    const { db, now } = server.app.server
    server.signedIn.account = { ...alice, subject: `disabled-${dialect}` }
    const asked = authorizeParameters(client, makePkce())
    assert.ok(readAnswer(await authorize(server, asked)).get('code'))
    await db.query(sql`update users set disabled_at = ${now()} where subject = ${`disabled-${dialect}`}`)
    assertRedirectError(await grantsNothing(server, () => authorize(server, asked)), 'access_denied')
    server.signedIn.account = { ...alice, authTime: now() }
  })

  test('RFC 6749 §4.1.2: a granted request leaves one code and one event, with address and user agent', async () => {
    const server = await open()
    const client = await server.createClient()
    const before = await countGrants(server)
    const asked = authorizeParameters(client, makePkce())
    readAnswer(await authorize(server, asked))
    const repeated = await server.request(`/oauth/authorize?${asked}`, {
      headers: { 'user-agent': 'Test/1' },
    })
    readAnswer(repeated)
    const after = await countGrants(server)
    assert.deepEqual(after, { ...before, codes: before.codes! + 2, consents: before.consents! + 1 })
    const events = await eventsOf(server, client.client.id, 'authorize')
    assert.equal(events.length, 2)
    const told = events.filter((event) => event.user_agent === 'Test/1')
    assert.deepEqual(
      told.map((event) => event.ip_address),
      ['203.0.113.7'],
    )
  })
})
