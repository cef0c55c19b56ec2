import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { decodeJwt } from 'jose'
import { sql } from '../../../src/db/sql.ts'
import type { ClientInput } from '../../../src/oauth/clients/client-input.ts'
import type { CreatedClient } from '../../../src/oauth/clients/client-operations.ts'
import { type Shown, type Visitor, visit } from '../../accounts/visitor.ts'
import {
  authorizeParameters,
  introspect,
  makePkce,
  obtainTokens,
  readTokens,
  redeem,
  type Tokens,
} from '../../support/flow.ts'
import {
  alice,
  formText,
  issuer,
  onBothDatabases,
  openTestServer,
  type TestServer,
} from '../../support/gatehouse.ts'
import { assertPage, eventsOf } from '../answers.ts'

type OpenidTokens = Tokens & { id_token: string }
const goodbye = 'https://client.example/goodbye'

onBothDatabases('RP-initiated logout', (dialect) => {
  let server: TestServer
  before(async () => {
    server = await openTestServer(dialect, { accounts: undefined })
  })
  after(() => server.close())

  let people = 0
  interface Party {
    visitor: Visitor
    client: CreatedClient
    tokens: OpenidTokens
  }

  async function connect(visitor: Visitor, client: CreatedClient, scope = 'openid jobs:read') {
    const pkce = makePkce()
    let page = await visitor.get(`/oauth/authorize?${authorizeParameters(client, pkce, { scope })}`)
    if (page.status === 200) page = await visitor.submit(page, '/oauth/consent', { decision: 'allow' })
    const code = new URL(page.location!).searchParams.get('code')!
    return (await readTokens(await redeem(server, client, code, pkce))) as OpenidTokens
  }

  /** A person who is signed in, and a client that knows them. */
  async function party(input: Partial<ClientInput> = {}): Promise<Party> {
    const visitor = visit(server)
    await visitor.signUp({ login: `person-${++people}@example.com` })
    const client = await server.createClient({ postLogoutRedirectUris: [goodbye], ...input })
    return { visitor, client, tokens: await connect(visitor, client) }
  }

  const ask = (visitor: Visitor, parameters: Record<string, string>) =>
    visitor.get(`/oauth/logout?${new URLSearchParams(parameters)}`)
  const isSignedIn = async (visitor: Visitor) => (await visitor.get('/account')).status === 200
  const isAlive = async ({ client, tokens }: Party) =>
    (await introspect(server, client, tokens.access_token)).active
  /** Follows redirects on our own origin. */
  async function follow(visitor: Visitor, page: Shown): Promise<Shown> {
    let at = page
    while (at.location?.startsWith(issuer)) at = await visitor.get(at.location)
    return at
  }
  const asResponse = ({ status, headers, html }: Shown) => new Response(html, { status, headers })

  /** The person was asked and nothing has happened. */
  async function assertAsked(one: Party, page: Shown): Promise<void> {
    await assertPage(asResponse(page), 200, { shows: ['Sign out?'] })
    assert.ok(await isSignedIn(one.visitor))
    assert.ok(await isAlive(one))
  }

  test('RP-Initiated Logout §2: with the ID token of its user a client signs them out, and gets them back', async () => {
    for (const [method, more] of [
      ['GET', { state: 'a state' }],
      ['POST', {}],
      ['GET', { client_id: '' }],
    ] as [string, Record<string, string>][]) {
      const one = await party()
      const { visitor, client, tokens } = one
      if ('client_id' in more) more.client_id = client.client.id
      server.clock.advance(86_400_000)
      const parameters = {
        id_token_hint: tokens.id_token,
        post_logout_redirect_uri: goodbye,
        logout_hint: 'anything',
        ...more,
      }
      const answer =
        method === 'GET' ? await ask(visitor, parameters) : await visitor.post('/oauth/logout', parameters)
      assert.equal(answer.status, 303)
      assert.ok(answer.location!.startsWith(`${issuer}/oauth/logout?`), 'the seam leads back here')
      const back = await follow(visitor, answer)
      assert.equal(back.location, goodbye + ('state' in more ? '?state=a+state' : ''))
      assert.equal(await isSignedIn(visitor), false)
      assert.equal(await isAlive(one), false, 'and what came from the sign-in')
      assert.equal((await eventsOf(server, client.client.id, 'logout')).length, 1)
    }
  })

  test('RP-Initiated Logout §2: without a place to return to the page says that it is done', async () => {
    const { visitor, tokens } = await party()
    const page = await follow(visitor, await ask(visitor, { id_token_hint: tokens.id_token }))
    await assertPage(asResponse(page), 200, { shows: ['You are signed out'] })
    assert.equal(await isSignedIn(visitor), false)
  })

  test('RP-Initiated Logout §3: nobody is sent to an address that is not registered, or for a client nobody knows (N123)', async () => {
    const one = await party()
    const other = await server.createClient({ postLogoutRedirectUris: ['https://other.example/'] })
    const hint = { id_token_hint: one.tokens.id_token }
    const own = { client_id: one.client.client.id }
    for (const parameters of [
      { ...hint, post_logout_redirect_uri: 'https://client.example/other' },
      { ...hint, post_logout_redirect_uri: `${goodbye}/` },
      { ...hint, post_logout_redirect_uri: `${goodbye}?x=1` },
      { ...hint, post_logout_redirect_uri: 'https://client.example/callback' },
      { ...own, post_logout_redirect_uri: 'https://other.example/' },
      { post_logout_redirect_uri: goodbye },
      { client_id: 'nobody', post_logout_redirect_uri: goodbye },
      { id_token_hint: 'nonsense', post_logout_redirect_uri: goodbye },
      { id_token_hint: one.tokens.access_token, post_logout_redirect_uri: goodbye },
      { ...hint, client_id: other.client.id, post_logout_redirect_uri: 'https://other.example/' },
      { ...hint, client_id: other.client.id },
    ] as Record<string, string>[]) {
      const page = await ask(one.visitor, parameters)
      await assertPage(asResponse(page), 400, { echoes: ['client.example/other'] })
      assert.ok(await isSignedIn(one.visitor), JSON.stringify(parameters))
      assert.ok(await isAlive(one))
    }
    const twice = await one.visitor.get(`/oauth/logout?state=1&state=2`)
    await assertPage(asResponse(twice), 400)
    const twin = await follow(
      one.visitor,
      await ask(one.visitor, { ...hint, post_logout_redirect_uri: goodbye }),
    )
    assert.equal(twin.location, goodbye)
  })

  test('RP-Initiated Logout §2: without the ID token of this user the person is asked, and nothing happens before (N124)', async () => {
    const one = await party({ name: 'Job board' })
    const stranger = await party()
    const own = { client_id: one.client.client.id, post_logout_redirect_uri: goodbye, state: 'x' }
    for (const parameters of [
      {},
      { client_id: one.client.client.id },
      own,
      { id_token_hint: stranger.tokens.id_token },
      { id_token_hint: 'nonsense' },
      { id_token_hint: 'nonsense', ...own },
    ] as Record<string, string>[]) {
      await assertAsked(one, await ask(one.visitor, parameters))
      await assertAsked(one, await one.visitor.post('/oauth/logout', parameters))
    }
    const page = await ask(one.visitor, own)
    assert.match(page.html, /Job board<\/bdi> wants to sign you out/)
    assert.match(page.html, /Ann Example/)
    assert.doesNotMatch(page.headers.get('content-security-policy')!, /form-action/)

    const others = await ask(stranger.visitor, own)
    for (const [what, answer] of Object.entries({
      'no form token': await one.visitor.post('/oauth/logout', { ...own, form_token: 'x' }),
      'the form of another browser': await one.visitor.submit(others, '/oauth/logout'),
      'another address than was shown': await one.visitor.submit(page, '/oauth/logout', { state: 'y' }),
    })) {
      await assertPage(asResponse(answer), 403)
      assert.ok(await isSignedIn(one.visitor), what)
      assert.ok(await isAlive(one))
    }
    const done = await follow(one.visitor, await one.visitor.submit(page, '/oauth/logout'))
    assert.equal(done.location, `${goodbye}?state=x`)
    assert.equal(await isSignedIn(one.visitor), false)
    assert.equal(await isAlive(one), false)
    assert.ok(await isSignedIn(stranger.visitor))
    assert.ok(await isAlive(stranger))
  })

  test('RP-Initiated Logout §3: who is signed out already is sent on by proof, and else finds a page with a link', async () => {
    const { visitor, client, tokens } = await party({ name: 'Job board' })
    await follow(visitor, await ask(visitor, { id_token_hint: tokens.id_token }))
    const there = { post_logout_redirect_uri: goodbye }
    assert.equal((await ask(visitor, { id_token_hint: tokens.id_token, ...there })).location, goodbye)
    const page = await ask(visitor, { client_id: client.client.id, ...there })
    await assertPage(asResponse(page), 200, { shows: ['You are signed out', 'Back to', goodbye] })
    await assertPage(asResponse(await visitor.get('/oauth/logout')), 200)
  })

  test('RFC 9700 §4.11.2: a client that came by itself sends nobody anywhere who is not its user', async () => {
    const { visitor, client, tokens } = await party()
    await server.app.server.db.query(sql`update clients set source = 'dcr' where id = ${client.client.id}`)
    server.clock.advance(2_000)
    const parameters = { id_token_hint: tokens.id_token, post_logout_redirect_uri: goodbye }
    const somebody = visit(server)
    await assertPage(asResponse(await ask(somebody, parameters)), 200, { shows: [goodbye] })
    const answer = await ask(visitor, parameters)
    const way = answer.location!
    await assertPage(asResponse(await somebody.get(way)), 200, { shows: [goodbye] })
    assert.equal((await follow(visitor, answer)).location, goodbye, 'its user it may')
  })

  test('RP-Initiated Logout §3: a client that was suspended or revoked gets nobody back, and signs nobody out', async () => {
    for (const end of ['suspend', 'revoke'] as const) {
      const { visitor, client, tokens } = await party()
      const hint = { id_token_hint: tokens.id_token }
      await server.g.clients[end](client.client.id, 'a test')
      const there = { ...hint, post_logout_redirect_uri: goodbye }
      await assertPage(asResponse(await ask(visitor, there)), 400)
      await assertPage(asResponse(await ask(visit(server), there)), 400)
      await assertPage(asResponse(await ask(visitor, hint)), 200, { shows: ['Sign out?'] })
      assert.ok(await isSignedIn(visitor))
    }
  })

  test('RP-Initiated Logout §2: a POST from the client’s own page, without the cookies of this site, signs out all the same', async () => {
    const one = await party()
    const there = {
      id_token_hint: one.tokens.id_token,
      post_logout_redirect_uri: goodbye,
      state: 'a state',
    }
    // A browser sends no SameSite=Lax cookie with a POST from elsewhere, and sends it with the GET that follows.
    const posted = await visit(server).post('/oauth/logout', there)
    assert.equal(posted.status, 303)
    assert.ok(posted.location!.startsWith(`${issuer}/oauth/logout?`))
    assert.equal((await follow(one.visitor, posted)).location, `${goodbye}?state=a+state`)
    assert.equal(await isSignedIn(one.visitor), false)
    assert.equal(await isAlive(one), false)
  })

  test('RP-Initiated Logout §3: the way on after the sign-out leads where it was said, and cannot be made up', async () => {
    const one = await party()
    const answer = await ask(one.visitor, {
      id_token_hint: one.tokens.id_token,
      post_logout_redirect_uri: goodbye,
    })
    const way = new URL(answer.location!)
    assert.equal(way.searchParams.get('id_token_hint'), null)
    const other = await party({ postLogoutRedirectUris: [goodbye, 'https://elsewhere.example/'] })
    for (const [name, value] of [
      ['post_logout_redirect_uri', 'https://elsewhere.example/'],
      ['client_id', other.client.client.id],
      ['state', 'x'],
    ] as const) {
      const changed = new URL(way)
      changed.searchParams.set(name, value)
      const page = await visit(server).get(changed.href)
      assert.equal(page.location, null, name)
    }
    assert.equal((await one.visitor.get(way.href)).location, goodbye)
  })

  test('RP-Initiated Logout §2: accounts that are kept elsewhere are signed out there, and what they began ends here', async () => {
    const away = await openTestServer(dialect, {
      accounts: {
        authenticate: () => away.signedIn.account,
        signOut(_request, returnTo) {
          away.signedIn.account = null
          return Response.redirect(
            `https://accounts.example/sign-out?back=${encodeURIComponent(returnTo)}`,
            303,
          )
        },
      },
    })
    try {
      const [client, other] = [
        await away.createClient({ postLogoutRedirectUris: [goodbye] }),
        await away.createClient(),
      ]
      for (const sessionId of ['session at the provider', undefined]) {
        away.signedIn.account = {
          ...alice,
          authTime: away.clock.now(),
          ...(sessionId === undefined ? {} : { sessionId }),
        }
        const tokens = (await obtainTokens(away, client, { scope: 'openid' })) as OpenidTokens
        const beside = await obtainTokens(away, other, { scope: 'openid' })
        const plain = await obtainTokens(away, client, { scope: 'jobs:read' })
        const kept = await obtainTokens(away, client, { scope: 'openid offline_access' })
        const query = new URLSearchParams({
          id_token_hint: tokens.id_token,
          post_logout_redirect_uri: goodbye,
        })
        const answer = await away.request(`/oauth/logout?${query}`)
        const left = new URL(answer.headers.get('location')!)
        assert.equal(left.origin, 'https://accounts.example')
        const cookie = answer.headers.get('set-cookie')!.split(';')[0]!
        const back = await away.request(left.searchParams.get('back')!, { cookie })
        assert.equal(back.headers.get('location'), goodbye)
        const active = async (created: CreatedClient, token: Tokens) =>
          (await introspect(away, created, token.access_token)).active
        assert.equal(await active(client, tokens), false)
        assert.equal(await active(client, plain), true)
        assert.equal(await active(client, kept), true)
        // Without a name for the sign-in nobody can say what else came from it.
        assert.equal(await active(other, beside), sessionId === undefined)
      }
    } finally {
      await away.close()
    }
  })

  test('RP-Initiated Logout §2.1: where the accounts have no sign-out there is no endpoint, and none is advertised', async () => {
    const without = await openTestServer(dialect)
    try {
      await assertPage(await without.request('/oauth/logout'), 404)
      const read = async (at: TestServer) =>
        (await (await at.request('/.well-known/openid-configuration')).json()) as Record<string, unknown>
      assert.equal((await read(without)).end_session_endpoint, undefined)
      assert.equal((await read(server)).end_session_endpoint, `${issuer}/oauth/logout`)
    } finally {
      await without.close()
    }
  })

  test('RP-Initiated Logout §2: bodies are forms, other methods are 405', async () => {
    const answer = await server.request('/oauth/logout', {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: formText({ x: 'x'.repeat(70_000) }),
    })
    await assertPage(answer, 413)
    assert.equal((await server.request('/oauth/logout', { method: 'DELETE' })).status, 405)
    const { tokens } = await party()
    assert.ok(decodeJwt(tokens.id_token).sid)
  })
})
