import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from '../../../src/db/sql.ts'
import { hiddenFields, visit } from '../../accounts/visitor.ts'
import {
  assertError,
  authorizeParameters,
  introspect,
  makePkce,
  obtainCode,
  obtainTokens,
  redeem,
  refresh,
} from '../../support/flow.ts'
import {
  alice,
  bob,
  issuer,
  onBothDatabases,
  type TestServer,
  testServerFor,
} from '../../support/gatehouse.ts'
import { assertPage } from '../answers.ts'

const signIn = (server: TestServer, account: typeof alice | null) => {
  server.signedIn.account = account && { ...account, authTime: server.clock.now() }
}
/** The card of one app on the page. */
const cardOf = (html: string, name: string) =>
  html
    .split('<article')
    .slice(1)
    .find((one) => one.includes(name)) ?? ''
/** Presses Disconnect on the card of one app. */
const disconnect = async (server: TestServer, name: string) => {
  const visitor = visit(server)
  const page = await visitor.get('/account/apps')
  const fields = hiddenFields(cardOf(page.html, name), '/account/apps')
  return { visitor, page, fields, done: await visitor.post('/account/apps', fields) }
}

onBothDatabases('connected apps', (dialect) => {
  const open = testServerFor(dialect)

  test('say what was allowed, since when, when last and how often it was used, at this very moment', async () => {
    const server = await open()
    signIn(server, alice)
    const started = server.clock.now()
    const often = await server.createClient({ name: 'Often <b>used</b>', accessTokenLifetime: 2_400 })
    const never = await server.createClient({ name: 'Never used' })
    const tokens = await obtainTokens(server, often, { scope: 'jobs:read resume:read' })
    await obtainTokens(server, often)
    await obtainCode(server, never)
    server.clock.advance(3 * 86_400_000)
    const used = await refresh(server, often, tokens.refresh_token!)
    assert.equal(used.status, 200)
    const { access_token } = (await used.json()) as { access_token: string }
    for (let n = 0; n < 3; n++) await introspect(server, often, access_token)
    signIn(server, alice)
    const html = await assertPage(await server.request('/account/apps'), 200)
    const card = cardOf(html, 'Often &lt;b&gt;used&lt;/b&gt;')
    assert.match(card, /Search open jobs/)
    assert.match(card, /Read your résumé/)
    assert.ok(card.includes(new Date(started).toISOString()), 'since')
    assert.ok(card.includes(new Date(server.clock.now()).toISOString()), 'last used')
    assert.match(card, /4 times/)
    assert.match(card, /2 connections/)
    assert.match(cardOf(html, 'Never used'), /0 times/)
    assert.match(html, /at most 40 minutes/, 'the longest life of a token of these apps')
  })

  test('RFC 9700 §4.14.2: Disconnect ends consent, access, refresh and codes of that app at once, and of no other', async () => {
    const server = await open()
    signIn(server, bob)
    const ended = await server.createClient({ name: 'Ended app' })
    const kept = await server.createClient({ name: 'Kept app' })
    const [first, second, others] = [
      await obtainTokens(server, ended),
      await obtainTokens(server, ended),
      await obtainTokens(server, kept),
    ]
    const pkce = makePkce()
    const code = await obtainCode(server, ended, pkce)
    signIn(server, alice)
    const foreign = await obtainTokens(server, ended)
    signIn(server, bob)

    const { visitor, done } = await disconnect(server, 'Ended app')
    assert.equal(done.status, 303)
    for (const tokens of [first, second]) {
      assert.deepEqual(await introspect(server, ended, tokens.access_token), { active: false })
      await assertError(await refresh(server, ended, tokens.refresh_token!), 400, 'invalid_grant')
    }
    await assertError(await redeem(server, ended, code, pkce), 400, 'invalid_grant')
    assert.equal((await introspect(server, kept, others.access_token)).active, true)
    assert.equal((await introspect(server, ended, foreign.access_token)).active, true, 'another user’s')

    const after = await visitor.get(done.location!)
    assert.match(after.html, /Ended app<\/bdi> is disconnected|Ended app.{0,20} is disconnected/)
    assert.equal(cardOf(after.html, 'Ended app'), '')
    assert.ok(cardOf(after.html, 'Kept app'))
    // The next request asks again, although the scope was allowed before.
    const again = await server.request(`/oauth/authorize?${authorizeParameters(ended, makePkce())}`)
    assert.equal(again.status, 200)
    const [event, ...more] = await server.app.server.db.query(
      sql<{ client_id: string; user_id: string }>`select client_id, user_id from events
        where type = 'consent_withdrawn' and client_id = ${ended.client.id}`,
    )
    assert.ok(event!.user_id)
    assert.equal(more.length, 0)
  })

  test('RFC 6749 §10.12: the form belongs to a browser, a user and an app', async () => {
    const server = await open()
    signIn(server, { ...alice, subject: 'careful' })
    const one = await server.createClient({ name: 'First app' })
    const two = await server.createClient({ name: 'Second app' })
    const tokens = await obtainTokens(server, one)
    await obtainTokens(server, two)
    const visitor = visit(server)
    const page = await visitor.get('/account/apps')
    const fields = hiddenFields(cardOf(page.html, 'First app'), '/account/apps')
    const refusals: [Record<string, string>, number][] = [
      [{ client: fields.client! }, 403],
      [{ ...fields, client: two.client.id }, 403],
      [{ ...fields, form_token: 'x' }, 403],
      [{ form_token: fields.form_token! }, 400],
    ]
    for (const [form, status] of refusals)
      assert.equal((await visitor.post('/account/apps', form)).status, status)
    assert.equal((await visit(server).post('/account/apps', fields)).status, 403, 'another browser')
    signIn(server, { ...bob, subject: 'other' })
    assert.equal((await visitor.post('/account/apps', fields)).status, 403, 'another user')
    signIn(server, null)
    const sent = await visitor.post('/account/apps', fields)
    assert.equal(sent.status, 303)
    assert.ok(sent.location!.startsWith(`${issuer}/test-sign-in?`))
    assert.equal((await introspect(server, one, tokens.access_token)).active, true)
  })

  test('a link cannot claim that an app was disconnected', async () => {
    const server = await open()
    signIn(server, { ...alice, subject: 'cautious' })
    const { client } = await server.createClient({ name: 'Still here' })
    const page = await visit(server).get(`/account/apps?disconnected=${client.id}&proof=x`)
    assert.doesNotMatch(page.html, /is disconnected/)
  })

  test('RFC 6749 §4.1.2: no session outlives a disconnect, however it races with the code that begins one', async () => {
    const server = await open()
    signIn(server, { ...alice, subject: 'racer' })
    const created = await server.createClient({ name: 'Racing app' })
    const other = await server.twin()
    for (let round = 0; round < 10; round++) {
      const pkce = makePkce()
      const code = await obtainCode(server, created, pkce)
      const visitor = visit(server)
      const page = await visitor.get('/account/apps')
      const fields = hiddenFields(cardOf(page.html, 'Racing app'), '/account/apps')
      const racing = {
        ...server,
        request: (path: string, init = {}) => other.g.fetch(new Request(issuer + path, init)),
      }
      racing.post = (path, form, headers = {}) =>
        racing.request(path, {
          method: 'POST',
          headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
          body: new URLSearchParams(form as Record<string, string>).toString(),
        })
      const [redeemed] = await Promise.all([
        redeem(racing, created, code, pkce),
        visitor.post('/account/apps', fields),
      ])
      assert.ok([200, 400].includes(redeemed.status))
    }
    const living = await server.app.server.db.query(
      sql`select id from sessions where client_id = ${created.client.id} and revoked_at is null`,
    )
    assert.deepEqual(living, [])
  })

  test('whoever is nobody signs in first, wherever that is', async () => {
    const server = await open()
    signIn(server, null)
    const sent = await visit(server).get('/account/apps')
    assert.equal(sent.location, `${issuer}/test-sign-in?to=${encodeURIComponent(`${issuer}/account/apps`)}`)
  })
})
