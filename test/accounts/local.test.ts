import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { localAccounts } from '../../src/accounts/local.ts'
import { raw, sql } from '../../src/db/sql.ts'
import { assertUnframed } from '../oauth/answers.ts'
import { authorizeParameters, makePkce, readTokens, redeem } from '../support/flow.ts'
import { issuer, onBothDatabases, type TestServer, testServerFor } from '../support/gatehouse.ts'
import { ann, visit } from './visitor.ts'

interface EventRow {
  id: string
  type: string
  user_id: string | null
  ip_address: string | null
  body: string
}
/** What happened since a list of events was taken, in order. */
const eventsSince = async (server: TestServer, known: Set<string>): Promise<EventRow[]> => {
  const rows = await server.app.server.db.query(
    sql<EventRow>`select id, type, user_id, ip_address, body from events order by created_at, id`,
  )
  return rows.filter((row) => !known.has(row.id))
}
const knownEvents = async (server: TestServer): Promise<Set<string>> =>
  new Set((await eventsSince(server, new Set())).map((row) => row.id))
/** Every text of the database that a password or a cookie could have slipped into. */
const everything = async (server: TestServer): Promise<string> => {
  const tables = ['users', 'identities', 'local_accounts', 'sign_ins', 'events', 'rate_limits']
  const rows = await Promise.all(
    tables.map((table) => server.app.server.db.query(sql`select * from ${raw(table)}`)),
  )
  return JSON.stringify(rows)
}
const fresh = (() => {
  let count = 0
  return () => ({ ...ann, login: `person${++count}@example.com` })
})()

onBothDatabases('local accounts', (dialect) => {
  const open = testServerFor(dialect, {
    accounts: localAccounts(),
    limits: { signInFailuresPerAccount: 3, failuresPerNetwork: 8 },
  })

  test('signing up makes a user, signs in, and stores neither password nor cookie', async () => {
    const server = await open()
    const person = fresh()
    const before = await knownEvents(server)
    const visitor = visit(server, '198.51.100.1')
    const done = await visitor.signUp({ ...person, login: ` ${person.login.toUpperCase()} ` })
    assert.equal(done.status, 303)
    assert.equal(done.location, `${issuer}/account`)
    const [cookie] = done.headers.getSetCookie()
    assert.match(cookie!, /^gh_sign_in=gh_si_\S+; Path=\/; HttpOnly; SameSite=Lax; Max-Age=2592000$/)
    const page = await visitor.get('/account')
    assert.ok(page.html.includes(person.name) && page.html.includes(person.login))
    const [event, ...more] = await eventsSince(server, before)
    assert.deepEqual([event!.type, event!.ip_address, more.length], ['sign_up', '198.51.100.1', 0])
    const stored = await everything(server)
    assert.ok(!stored.includes(person.password) && !stored.includes(visitor.cookies.get('gh_sign_in')!))
    assert.match(stored, /\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
  })

  test('NIST SP 800-63B-4 §3.1.1.2: a password is long and not guessable, and the page keeps what was entered', async () => {
    const server = await open()
    const visitor = visit(server, '198.51.100.2')
    const person = fresh()
    const refused: [Partial<typeof ann>, RegExp][] = [
      [{ password: 'fourteen chars' }, /at least 15 characters/],
      [{ password: 'aaaaaaaaaaaaaaaaaa' }, /easy to guess/],
      [{ password: '1234567890123456789' }, /easy to guess/],
      [{ password: 'passwordpassword!!' }, /easy to guess/],
      [{ password: person.login.toUpperCase() }, /easy to guess/],
      [{ password: 'Ann Example example' }, /easy to guess/],
      [{ password: 'x1'.repeat(501) }, /at most 1000 characters/],
      [{ name: ' \u202e ' }, /Enter your name/],
      [{ login: 'ann@' }, /Enter an email address/],
      [{ login: 'a b' }, /Enter an email address/],
    ]
    for (const [fields, message] of refused) {
      const page = await visitor.signUp({ ...person, ...fields })
      assert.equal(page.status, 422, JSON.stringify(fields))
      assert.match(page.html, message)
      assert.ok(!page.html.includes('type="password" value'))
      assert.equal(visitor.cookies.has('gh_sign_in'), false)
    }
    assert.equal((await visitor.signUp({ ...person, password: 'ﬁfteen-åäö-😀😀😀' })).status, 303)
    // However the keyboard composes it, it is the same password.
    const other = visit(server, '198.51.100.2')
    const again = await other.signIn({ login: person.login, password: 'fifteen-a\u030aäo\u0308-😀😀😀' })
    assert.equal(again.status, 303)
  })

  test('a login exists once, in any spelling, also when two take it at the same moment', async () => {
    const server = await open()
    const person = fresh()
    const visitors = Array.from({ length: 4 }, (_, n) => visit(server, `198.51.100.${30 + n}`))
    const own = (n: number) => ({ ...person, password: `${person.password} of person ${n}` })
    const done = await Promise.all(visitors.map((one, n) => one.signUp(own(n))))
    assert.deepEqual(done.map((one) => one.status).sort(), [303, 422, 422, 422])
    const late = await visit(server, '198.51.100.40').signUp({ ...own(5), login: person.login.toUpperCase() })
    assert.equal(late.status, 422)
    assert.match(late.html, /already/)
  })

  test('every sign-in has a token of its own and ends the one before in this browser (fixation)', async () => {
    const server = await open()
    const person = fresh()
    const visitor = visit(server, '198.51.100.3')
    await visitor.signUp(person)
    const first = visitor.cookies.get('gh_sign_in')!
    const before = await knownEvents(server)
    assert.equal((await visitor.signIn(person, `${issuer}/account`)).status, 303)
    const second = visitor.cookies.get('gh_sign_in')!
    assert.notEqual(first, second)
    assert.deepEqual(
      (await eventsSince(server, before)).map((one) => one.type),
      ['sign_in'],
    )
    visitor.cookies.set('gh_sign_in', first)
    assert.equal((await visitor.get('/account')).status, 303)

    // A token somebody else planted in the browser is not taken over.
    visitor.cookies.set('gh_sign_in', `gh_si_${'0'.repeat(26)}${'A'.repeat(43)}`)
    await visitor.signIn(person)
    assert.ok(!visitor.cookies.get('gh_sign_in')!.includes('0'.repeat(26)))
  })

  test('an unknown login and a wrong password get the same answer', async () => {
    const server = await open()
    const person = fresh()
    await visit(server, '198.51.100.4').signUp(person)
    const before = await knownEvents(server)
    const visitor = visit(server, '198.51.100.5')
    const strip = (html: string) => html.replace(/value="[^"]*"/g, '')
    const unknown = await visitor.signIn({ login: 'nobody@example.com', password: 'wrong wrong wrong' })
    server.clock.advance(1)
    const wrong = await visitor.signIn({ login: person.login, password: 'wrong wrong wrong' })
    assert.deepEqual([unknown.status, wrong.status], [422, 422])
    assert.equal(strip(unknown.html), strip(wrong.html))
    const failures = await eventsSince(server, before)
    assert.deepEqual(
      failures.map((one) => [one.type, one.user_id === null, JSON.parse(one.body).data.reason]),
      [
        ['sign_in_failed', true, 'login_unknown'],
        ['sign_in_failed', false, 'password_wrong'],
      ],
    )
    assert.ok(
      !(await everything(server)).includes('nobody@example.com'),
      'a login may be a mistyped password',
    )
  })

  test('failures are limited per account, whoever tries and however many at once', async () => {
    const server = await open()
    const person = fresh()
    await visit(server, '198.51.100.6').signUp(person)
    const tries = await Promise.all(
      Array.from({ length: 9 }, (_, n) =>
        visit(server, `192.0.2.${n + 1}`).signIn({
          login: person.login,
          password: `wrong number ${n} of these`,
        }),
      ),
    )
    assert.equal(tries.filter((one) => one.status === 422).length, 3)
    assert.equal(tries.filter((one) => one.status === 429).length, 6)
    const blocked = await visit(server, '192.0.2.20').signIn(person)
    assert.equal(blocked.status, 429)
    const wait = Number(blocked.headers.get('retry-after'))
    assert.ok(wait > 0 && wait <= 900, `${wait}`)
    assert.match(blocked.html, /too many attempts/i)
    server.clock.advance(wait * 1_000)
    assert.equal((await visit(server, '192.0.2.20').signIn(person)).status, 303)
  })

  test('failures are limited per network, an IPv6 one by its /64', async () => {
    const server = await open()
    server.clock.advance(16 * 60_000)
    const person = fresh()
    await visit(server, '198.51.100.7').signUp(person)
    for (let n = 0; n < 8; n++) {
      const visitor = visit(server, `2001:db8:0:7::${n + 1}`)
      assert.equal((await visitor.signIn({ login: `x${n}@example.com`, password: 'wrong' })).status, 422)
    }
    assert.equal((await visit(server, '2001:db8:0:7:ffff::1').signIn(person)).status, 429)
    assert.equal((await visit(server, '2001:db8:0:8::1').signIn(person)).status, 303)
  })

  test('changing the password ends every other sign-in and needs the old one', async () => {
    const server = await open()
    server.clock.advance(16 * 60_000)
    const person = fresh()
    const here = visit(server, '198.51.100.8')
    const there = visit(server, '198.51.100.9')
    await here.signUp(person)
    await there.signIn(person)
    const change = async (current_password: string, new_password: string) =>
      here.submit(await here.get('/account'), '/account/password', { current_password, new_password })
    const next = 'another horse, other battery'
    const wrong = await change('not the password at all', next)
    assert.equal(wrong.status, 422)
    assert.match(wrong.html, /Incorrect current password/)
    assert.equal((await change(person.password, 'short')).status, 422)

    const former = here.cookies.get('gh_sign_in')
    const before = await knownEvents(server)
    const done = await change(person.password, next)
    assert.equal(done.status, 303)
    const page = await here.get(done.location!)
    assert.match(page.html, /Your password has been changed/)
    assert.notEqual(here.cookies.get('gh_sign_in'), former)
    assert.equal((await there.get('/account')).status, 303, 'signed out elsewhere')
    assert.deepEqual(
      (await eventsSince(server, before)).map((one) => one.type),
      ['password_changed'],
    )
    assert.equal((await there.signIn(person)).status, 422)
    assert.equal((await there.signIn({ login: person.login, password: next })).status, 303)
    assert.doesNotMatch((await here.get('/account?changed=1')).html, /Your password has been changed/)
  })

  test('signing out ends the sign-in, is a form of this browser, and is an event', async () => {
    const server = await open()
    const person = fresh()
    const visitor = visit(server, '198.51.100.10')
    await visitor.signUp(person)
    const page = await visitor.get('/account')
    const kept = visitor.cookies.get('gh_sign_in')!
    assert.equal((await visitor.post('/sign-out', {})).status, 403)
    assert.equal((await visitor.get('/sign-out')).location, `${issuer}/account`, 'a link signs nobody out')
    const before = await knownEvents(server)
    const done = await visitor.submit(page, '/sign-out')
    assert.equal(done.location, `${issuer}/sign-out`)
    assert.match((await visitor.get('/sign-out')).html, /You are signed out/)
    visitor.cookies.set('gh_sign_in', kept)
    assert.equal((await visitor.get('/account')).status, 303)
    assert.deepEqual(
      (await eventsSince(server, before)).map((one) => one.type),
      ['sign_out'],
    )
  })

  test('a sign-in ends after its time, and is marked as seen at most once a minute', async () => {
    const server = await open()
    const person = fresh()
    const visitor = visit(server, '198.51.100.11')
    await visitor.signUp(person)
    const seen = async () => {
      const [row] = await server.app.server.db.query(
        sql<{ seen: number; id: string }>`select max(last_seen_at) as seen from sign_ins`,
      )
      return row!.seen
    }
    const at = server.clock.now()
    server.clock.advance(59_000)
    await visitor.get('/account')
    assert.equal(await seen(), at)
    server.clock.advance(2_000)
    await visitor.get('/account')
    // Written behind the answer; a write of our own waits for it.
    await visit(server, '198.51.100.11').signIn({ login: 'none@example.com', password: 'x' })
    assert.equal(await seen(), at + 61_000)
    server.clock.advance(30 * 86_400_000)
    assert.equal((await visitor.get('/account')).status, 303)
  })

  test('RFC 6749 §10.12: no form works without its token, or with that of another form or browser', async () => {
    const server = await open()
    const person = fresh()
    const visitor = visit(server, '198.51.100.12')
    await visitor.signUp(person)
    const stranger = visit(server, '198.51.100.13')
    const foreign = /name="form_token" value="([^"]+)"/.exec((await stranger.get('/sign-in')).html)![1]!
    const passwords = { current_password: person.password, new_password: 'another horse, other battery' }
    const posts: [string, Record<string, string>][] = [
      ['/sign-in', { login: person.login, password: person.password }],
      ['/sign-up', { ...person, login: 'new@example.com' }],
      ['/account/password', passwords],
      ['/sign-out', {}],
    ]
    for (const [path, fields] of posts) {
      for (const form_token of [undefined, 'x', foreign]) {
        const cookie = visitor.cookies.get('gh_sign_in')
        const answer = await visitor.post(path, { ...fields, ...(form_token ? { form_token } : {}) })
        assert.equal(answer.status, 403, `${path} ${form_token}`)
        assert.equal(visitor.cookies.get('gh_sign_in'), cookie)
      }
    }
    // The token of a sign-in that returns somewhere is not good for one that returns elsewhere.
    const page = await visitor.get(`/sign-in?return_to=${encodeURIComponent(`${issuer}/account`)}`)
    const moved = await visitor.submit(page, '/sign-in', { ...person, return_to: `${issuer}/account/apps` })
    assert.equal(moved.status, 403)
  })

  test('RFC 9700 §4.11: no page sends the browser anywhere but below the issuer', async () => {
    const server = await open()
    const person = fresh()
    const visitor = visit(server, '198.51.100.14')
    await visitor.signUp(person)
    const tricks = [
      '//evil.example',
      '///evil.example',
      '/\\evil.example',
      '\\\\evil.example',
      '/\t/evil.example',
      '/\n//evil.example',
      'https://evil.example/',
      'http://localhost:4400@evil.example/',
      'http://evil.example#http://localhost:4400/',
      'http://localhost:4400.evil.example/',
      'http://localhost:44000/',
      'HTTP://LOCALHOST:4400/account',
      'http://user:pass@localhost:4400/account',
      'javascript:alert(1)',
      'data:text/html,x',
      ' /account',
      '/account\u0000',
      '/%0d%0aset-cookie:x',
      '/..//evil.example',
      '/./\\evil.example',
      '/%2f%2fevil.example',
      '/%5cevil.example',
      'evil.example',
      '?x',
      '',
    ]
    for (const trick of tricks) {
      visitor.cookies.delete('gh_sign_in')
      const done = await visitor.signIn(person, trick)
      assert.equal(done.status, 303, trick)
      const target = new URL(done.location!)
      assert.equal(target.origin, issuer, trick)
      assert.ok(done.location!.startsWith(`${issuer}/`), `${trick} → ${done.location}`)
      assert.doesNotMatch(done.location!, /[\r\n\\]/)
    }
    const kept = await visitor.signIn(person, '/account?x=1#y')
    assert.equal(kept.location, `${issuer}/account?x=1#y`)
  })

  test('an authorization request waits behind sign-in and sign-up, whose pages name the client', async () => {
    const server = await open()
    const created = await server.createClient({ name: 'Job board' })
    const pkce = makePkce()
    const visitor = visit(server, '198.51.100.15')
    const asked = authorizeParameters(created, pkce, { login_hint: 'hint@example.com', state: 'a&b=%20"' })
    const sent = await visitor.get(`/oauth/authorize?${asked}`)
    assert.equal(sent.status, 303)
    const signIn = await visitor.get(sent.location!)
    assert.match(signIn.html, /to continue to <bdi>Job board<\/bdi>/)
    assert.match(signIn.html, /value="hint@example.com"/)
    assert.doesNotMatch(signIn.headers.get('content-security-policy')!, /form-action/)
    const signUpUrl = /href="(\/sign-up\?[^"]+)"/.exec(signIn.html)![1]!.replaceAll('&amp;', '&')
    const signUp = await visitor.get(signUpUrl)
    assert.match(signUp.html, /to continue to <bdi>Job board<\/bdi>/)
    const back = await visitor.submit(signUp, '/sign-up', fresh())
    assert.ok(back.location!.startsWith(`${issuer}/oauth/authorize?`))
    const consent = await visitor.get(back.location!)
    assert.match(consent.html, /Switch account/)
    const answer = new URL((await visitor.submit(consent, '/oauth/consent', { decision: 'allow' })).location!)
    assert.equal(answer.searchParams.get('state'), 'a&b=%20"')
    const tokens = await readTokens(await redeem(server, created, answer.searchParams.get('code')!, pkce))
    assert.ok(tokens.refresh_token)
  })

  test('OpenID Connect Core §3.1.2.6: who gives up at the sign-in page goes back to the client with access_denied', async () => {
    const server = await open()
    const created = await server.createClient({ name: 'Job board' })
    const visitor = visit(server, '198.51.100.18')
    const sent = await visitor.get(`/oauth/authorize?${authorizeParameters(created, makePkce())}`)
    const page = await visitor.get(sent.location!)
    const link = /href="([^"]+)">Cancel and go back to <bdi>Job board/.exec(page.html)
    assert.ok(link, 'a way out')
    const answer = new URL((await visitor.get(link[1]!.replaceAll('&amp;', '&'))).location!)
    assert.equal(answer.origin + answer.pathname, 'https://client.example/callback')
    assert.equal(answer.searchParams.get('error'), 'access_denied')
    assert.equal(answer.searchParams.get('state'), 'a state')
    assert.doesNotMatch((await visitor.get('/sign-in')).html, /Cancel/)
  })

  test('a return address that is no valid authorization request names no client', async () => {
    const server = await open()
    const created = await server.createClient({ name: 'Job board' })
    const visitor = visit(server, '198.51.100.16')
    const asked = (overrides: Record<string, string>) =>
      `/sign-in?${new URLSearchParams({
        return_to: `${issuer}/oauth/authorize?${authorizeParameters(created, null, overrides)}`,
      })}`
    assert.match((await visitor.get(asked({}))).html, /Job board/)
    const wrong: Record<string, string>[] = [
      { client_id: 'nobody' },
      { redirect_uri: 'https://evil.example/' },
    ]
    for (const overrides of wrong) {
      const page = await visitor.get(asked(overrides))
      assert.doesNotMatch(page.html, /Job board/)
    }
  })

  test('a sign-up that is sent again by a slow network or a second click signs the person in', async () => {
    const server = await open()
    const who = { ...ann, login: 'twice@example.com' }
    const returnTo = `${issuer}/account/apps`
    const visitor = visit(server, '198.51.100.17')
    const page = await visitor.get(`/sign-up?${new URLSearchParams({ return_to: returnTo })}`)
    const both = await Promise.all([
      visitor.submit(page, '/sign-up', who),
      visitor.submit(page, '/sign-up', who),
    ])
    for (const answer of [...both, await visitor.submit(page, '/sign-up', who)]) {
      assert.equal(answer.status, 303, answer.html)
      assert.equal(answer.location, returnTo)
    }
    const taken = await visitor.submit(page, '/sign-up', { ...who, password: 'a quite different passphrase' })
    assert.equal(taken.status, 422)
    assert.match(taken.html, /An account with this email or username already exists/)
  })

  test('OpenID Connect Core §3.1.2.1: prompt=login asks again, once, and prompt=none never shows a page', async () => {
    const server = await open()
    const created = await server.createClient()
    const person = fresh()
    const visitor = visit(server, '198.51.100.17')
    const silent = authorizeParameters(created, makePkce(), { prompt: 'none' })
    const nobody = await visitor.get(`/oauth/authorize?${silent}`)
    assert.match(nobody.location!, /^https:\/\/client\.example\/callback\?error=login_required/)
    await visitor.signUp(person)
    // However recent the sign-in is.
    server.clock.advance(1)
    const asked = authorizeParameters(created, makePkce(), { prompt: 'login' })
    const sent = await visitor.get(`/oauth/authorize?${asked}`)
    assert.ok(sent.location!.startsWith(`${issuer}/sign-in?`))
    const page = await visitor.get(sent.location!)
    assert.equal(page.status, 200)
    assert.ok(page.html.includes(`value="${person.login}"`), 'the signed-in login is filled in')
    const back = await visitor.submit(page, '/sign-in', { login: person.login, password: person.password })
    assert.equal((await visitor.get(back.location!)).status, 200, 'the consent page')
    // The same address later, and the bare request again, both ask for another sign-in.
    server.clock.advance(60_000)
    assert.ok((await visitor.get(`/oauth/authorize?${asked}`)).location!.startsWith(`${issuer}/sign-in?`))
  })

  test('consent lets the user switch to another account and come back to the same request', async () => {
    const server = await open()
    const created = await server.createClient()
    const [one, two] = [fresh(), fresh()]
    await visit(server, '198.51.100.18').signUp({ ...two, name: 'Second Person' })
    const visitor = visit(server, '198.51.100.18')
    await visitor.signUp({ ...one, name: 'First Person' })
    const asked = authorizeParameters(created, makePkce())
    const consent = await visitor.get(`/oauth/authorize?${asked}`)
    assert.match(consent.html, /First Person/)
    const url = /href="([^"]+)"[^>]*>Switch account/.exec(consent.html)![1]!.replaceAll('&amp;', '&')
    const signIn = await visitor.get(url)
    const back = await visitor.submit(signIn, '/sign-in', { login: two.login, password: two.password })
    assert.match((await visitor.get(back.location!)).html, /Second Person/)
    // The form that was shown to the first ended with their sign-in.
    assert.equal((await visitor.submit(consent, '/oauth/consent', { decision: 'allow' })).status, 400)
  })

  test('whoever is not signed in is sent to sign in and comes back', async () => {
    const server = await open()
    const person = fresh()
    const visitor = visit(server, '198.51.100.19')
    await visit(server, '198.51.100.19').signUp(person)
    for (const path of ['/account', '/account/apps']) {
      const sent = await visitor.get(path)
      assert.equal(sent.status, 303)
      const back = await visitor.submit(await visitor.get(sent.location!), '/sign-in', person)
      assert.equal(back.location, issuer + path)
      assert.equal((await visitor.get(path)).status, 200)
      visitor.cookies.delete('gh_sign_in')
    }
    const home = await visitor.get('/')
    assert.equal(home.status, 200)
    assert.match(home.html, /href="\/account"/)
    assert.match(home.html, /href="\/account\/apps"/)
  })

  test('RFC 9700 §4.12, §4.2.4: a posted password is answered with 303, and no page tells where it was (N46, N48)', async () => {
    const server = await open()
    const visitor = visit(server, '198.51.100.21')
    const done = [
      await visitor.signUp(fresh()),
      await visitor.submit(await visitor.get('/account'), '/account/password', {
        current_password: ann.password,
        new_password: 'another horse, other battery',
      }),
    ]
    const pages = [await visitor.get('/account'), await visitor.get('/account/apps'), await visitor.get('/')]
    done.push(await visitor.submit(pages[0]!, '/sign-out'))
    pages.push(await visitor.get('/sign-out'), await visitor.get('/sign-in'), await visitor.get('/sign-up'))
    pages.push(await visitor.signIn({ login: 'nobody@example.com' }), await visitor.post('/sign-in', {}))
    for (const one of done) {
      assert.equal(one.status, 303)
      assert.equal(one.headers.get('referrer-policy'), 'no-referrer')
      assert.equal(one.headers.get('cache-control'), 'no-store')
    }
    for (const page of pages) assertUnframed(page)
  })

  test('damaged, oversized and misdirected posts are pages, never faults', async () => {
    const server = await open()
    const visitor = visit(server, '198.51.100.20')
    const raw = (body: string, path = '/sign-in', method = 'POST') =>
      server.request(path, {
        method,
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        ...(method === 'GET' || method === 'HEAD' ? {} : { body }),
      })
    assert.equal((await raw('%zz')).status, 400)
    assert.equal((await raw('login=a&login=b')).status, 400)
    assert.equal((await raw('x'.repeat(70_000))).status, 413)
    assert.equal((await raw('', '/sign-in', 'PUT')).status, 405)
    assert.equal((await raw('', '/account', 'POST')).headers.get('allow'), 'GET, HEAD')
    assert.equal((await visitor.get('/sign-in?return_to=%zz')).status, 200)
    assert.equal((await visitor.get(`/sign-in?login_hint=${'x'.repeat(2_000)}`)).status, 200)
  })
})

describe('local accounts', () => {
  test('options that cannot work are named all at once', () => {
    assert.throws(
      () => localAccounts({ signInLifetime: 1, minimumPasswordLength: 4, signUp: 'no' as never }),
      /localAccounts\.signInLifetime.*300 to 7776000[\s\S]*minimumPasswordLength.*8 to 64[\s\S]*signUp/,
    )
  })

  const closed = testServerFor('sqlite', { accounts: localAccounts({ signUp: false }) })
  test('without sign-up there is neither page nor link', async () => {
    const server = await closed()
    const visitor = visit(server)
    assert.equal((await visitor.get('/sign-up')).status, 404)
    assert.doesNotMatch((await visitor.get('/sign-in')).html, /sign-up/)
  })

  const secure = testServerFor('sqlite', { issuer: 'https://example.com/auth', accounts: localAccounts() })
  test('RFC 6265bis §4.1.3.2: behind https every cookie is bound to this very host; pages stay below the issuer’s path', async () => {
    const server = await secure()
    const visitor = visit(server, '203.0.113.7', '/auth')
    const done = await visitor.signUp({}, '/auth/account/apps')
    assert.equal(done.location, 'https://example.com/auth/account/apps')
    assert.match(
      done.headers.getSetCookie()[0]!,
      /^__Host-auth\.gh_sign_in=gh_si_.*; Path=\/; HttpOnly; SameSite=Lax; Secure/,
    )
    assert.equal((await visitor.get('/auth/account')).status, 200)
    for (const outside of [
      '/other',
      '/authors',
      '/auth/../other',
      '/auth/%2e%2e/other',
      'https://example.com/',
    ]) {
      visitor.cookies.delete('__Host-auth.gh_sign_in')
      assert.equal((await visitor.signIn({}, outside)).location, 'https://example.com/auth/account', outside)
    }
  })
})
