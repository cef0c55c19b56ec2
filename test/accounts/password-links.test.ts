// Links behind which a person sets a password: made by an administrator, good once, and saying nothing to anybody else.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { localAccounts } from '../../src/accounts/local.ts'
import { setPassword } from '../../src/accounts/records/password-links.ts'
import { disableUser } from '../../src/accounts/user-operations.ts'
import type { Config } from '../../src/config.ts'
import { ConfigError } from '../../src/config-error.ts'
import { readToken } from '../../src/crypto/tokens.ts'
import { raw, sql } from '../../src/db/sql.ts'
import { eventInput } from '../../src/events/append.ts'
import { embed } from '../../src/gatehouse.ts'
import type { Log } from '../../src/log.ts'
import { authorizeParameters, introspect, makePkce, readTokens, redeem, refresh } from '../support/flow.ts'
import { issuer, onBothDatabases, type TestServer, testServerFor } from '../support/gatehouse.ts'
import { ann, visit } from './visitor.ts'

const words = 'seven quiet harbours at noon'
const lines: string[] = []
const note = (level: string) => (message: string, facts?: object) =>
  void lines.push(JSON.stringify({ level, message, ...facts }))
const log: Log = { info: note('info'), warn: note('warn'), error: note('error') }
const pathOf = (link: string) => link.slice(issuer.length)
const tokenOf = (link: string) => new URL(link).searchParams.get('token')!
const fresh = (() => {
  let count = 0
  return () => ({ ...ann, login: `forgetful${++count}@example.com` })
})()

async function eventsOf(server: TestServer, userId: string): Promise<{ type: string; body: string }[]> {
  return server.app.server.db.query(
    sql<{
      type: string
      body: string
    }>`select type, body from events where user_id = ${userId} order by created_at, id`,
  )
}

async function setBehind(server: TestServer, link: string, password = words, address = '203.0.113.7') {
  const visitor = visit(server, address)
  const page = await visitor.get(pathOf(link))
  return { visitor, page, done: await visitor.submit(page, '/set-password', { new_password: password }) }
}

onBothDatabases('password links', (dialect) => {
  const open = testServerFor(dialect, {
    accounts: localAccounts({ signUp: false }),
    log,
    limits: { failuresPerNetwork: 5 },
  })

  test('opening a link, by a person or a scanner, does not spend it; its form does', async () => {
    const server = await open()
    const { id, login, link } = await server.g.users.create({ login: fresh().login, name: 'Ann' })
    for (const method of ['HEAD', 'GET', 'GET'])
      assert.equal((await server.request(pathOf(link), { method })).status, 200)
    const { page, done, visitor } = await setBehind(server, link)
    assert.match(page.html, new RegExp(login.replace('.', '\\.')))
    assert.equal(page.headers.get('referrer-policy'), 'no-referrer')
    assert.equal(page.headers.get('cache-control'), 'no-store')
    assert.equal(done.status, 303)
    assert.equal(done.headers.get('referrer-policy'), 'no-referrer')
    assert.ok(!done.location!.includes('gh_pl_'))
    assert.match((await visitor.get(pathOf(done.location!))).html, /Your password is set/)
    // The notice is for the browser that did it.
    assert.equal((await visit(server).get(pathOf(done.location!))).status, 410)
    assert.equal((await visitor.get(pathOf(link))).status, 410)
    assert.equal((await visit(server).signIn({ login, password: words })).status, 303)
    assert.deepEqual((await eventsOf(server, id)).map((one) => one.type).sort(), [
      'password_set',
      'sign_in',
      'user_created',
    ])
  })

  test('links that never were, ran out, were used or replaced, and those of disabled users get one answer', async () => {
    const server = await open()
    const seen: { status: number; html: string }[] = []
    const look = async (link: string, address: string) => {
      const { status, html } = await visit(server, address).get(pathOf(link))
      seen.push({ status, html })
    }
    const made = async () => server.g.users.create({ login: fresh().login })
    await look(`${issuer}/set-password?token=gh_pl_${'0'.repeat(26)}${'A'.repeat(43)}`, '192.0.2.1')
    await look(`${issuer}/set-password?token=ann`, '192.0.2.2')
    await look(`${issuer}/set-password`, '192.0.2.3')
    const wrong = await made()
    await look(`${wrong.link.slice(0, -1)}${wrong.link.endsWith('A') ? 'B' : 'A'}`, '192.0.2.4')
    const used = await made()
    await setBehind(server, used.link)
    await look(used.link, '192.0.2.5')
    const replaced = await made()
    server.clock.advance(1)
    assert.ok(await server.g.users.reset(replaced.login))
    await look(replaced.link, '192.0.2.6')
    const disabled = await made()
    await disableUser(server.app.server, disabled.id, 'left')
    await look(disabled.link, '192.0.2.7')
    const old = await made()
    server.clock.advance(30 * 60_000 - 1)
    assert.equal((await visit(server, '192.0.2.8').get(pathOf(old.link))).status, 200)
    server.clock.advance(1)
    await look(old.link, '192.0.2.8')
    assert.equal(seen.length, 8)
    for (const one of seen) assert.deepEqual(one, seen[0])
    assert.equal(seen[0]!.status, 410)
    assert.match(seen[0]!.html, /This link has expired/)
    const [, onward] = /<a class="button plain" href="([^"]+)">Sign in<\/a>/.exec(seen[0]!.html) ?? []
    assert.ok(onward, 'the page links to sign-in')
    const signIn = await visit(server, '192.0.2.8').get(onward.replaceAll('&amp;', '&'))
    assert.equal(signIn.status, 200)
    assert.match(signIn.html, /Forgot your password\?/)
    assert.equal(await server.g.users.reset(disabled.id), undefined)
    assert.equal(await server.g.users.reset('never@example.com'), undefined)
  })

  test('a new password ends every session, sign-in and code of the user, and of nobody else', async () => {
    const server = await open()
    const made = await server.g.users.create({ login: fresh().login })
    const other = await server.g.users.create({ login: fresh().login })
    const client = await server.createClient()
    const signedIn = async (link: string, login: string) => {
      await setBehind(server, link)
      const visitor = visit(server)
      await visitor.signIn({ login, password: words })
      return visitor
    }
    const code = async (visitor: Awaited<ReturnType<typeof signedIn>>) => {
      const pkce = makePkce()
      const parameters = authorizeParameters(client, pkce, { scope: 'jobs:read offline_access' })
      const page = await visitor.get(`/oauth/authorize?${parameters}`)
      const answer =
        page.status === 303 ? page : await visitor.submit(page, '/oauth/consent', { decision: 'allow' })
      return { pkce, code: new URL(answer.location!).searchParams.get('code')! }
    }
    const tokensOf = async (visitor: Awaited<ReturnType<typeof signedIn>>) => {
      const got = await code(visitor)
      return readTokens(await redeem(server, client, got.code, got.pkce))
    }
    const visitor = await signedIn(made.link, made.login)
    const bystander = await signedIn(other.link, other.login)
    const tokens = await tokensOf(visitor)
    const others = await tokensOf(bystander)
    const waiting = await code(visitor)

    const link = (await server.g.users.reset(made.login))!
    await setBehind(server, link.link, 'an entirely different phrase')
    assert.equal((await introspect(server, client, tokens.access_token)).active, false)
    assert.equal((await refresh(server, client, tokens.refresh_token!)).status, 400)
    assert.equal((await redeem(server, client, waiting.code, waiting.pkce)).status, 400)
    assert.equal((await visitor.get('/account')).status, 303)
    assert.equal((await introspect(server, client, others.access_token)).active, true)
    assert.equal((await bystander.get('/account')).status, 200)
    assert.equal((await visit(server).signIn({ login: made.login, password: words })).status, 422)
    assert.deepEqual(
      (await eventsOf(server, made.id))
        .map((one) => one.type)
        .filter((one) => one.startsWith('password'))
        .sort(),
      ['password_link_created', 'password_set', 'password_set'],
    )
  })

  test('RFC 6749 §10.12: a form that another browser was shown, or that breaks the rules of sign-up, spends nothing', async () => {
    const server = await open()
    const { login, link } = await server.g.users.create({ login: fresh().login, name: 'Ann Example' })
    const forged = await visit(server).post('/set-password', { token: tokenOf(link), new_password: words })
    assert.equal(forged.status, 403)
    for (const [password, message] of [
      ['short', /at least 15 characters/],
      ['aaaaaaaaaaaaaaaaaa', /easy to guess/],
      [login, /easy to guess/],
      ['x1'.repeat(501), /at most 1000 characters/],
    ] as const) {
      const { done } = await setBehind(server, link, password)
      assert.equal(done.status, 422)
      assert.match(done.html, message)
      assert.ok(!done.html.includes('type="password" value'))
    }
    assert.equal((await setBehind(server, link)).done.status, 303)
  })

  test('of racers in two processes with one link, one sets its password', async () => {
    const server = await open()
    const { login, link } = await server.g.users.create({ login: fresh().login })
    const twin = await server.twin()
    const second: TestServer = { ...server, g: twin.g, app: twin.app }
    const racers = await Promise.all(
      Array.from({ length: 4 }, async (_, n) => {
        const visitor = visit(n % 2 ? second : server)
        return { visitor, page: await visitor.get(pathOf(link)), password: `${words} number ${n}` }
      }),
    )
    const done = await Promise.all(
      racers.map(({ visitor, page, password }) =>
        visitor.submit(page, '/set-password', { new_password: password }),
      ),
    )
    assert.deepEqual(done.map((one) => one.status).sort(), [303, 410, 410, 410])
    const winner = racers[done.findIndex((one) => one.status === 303)]!
    const signed = await Promise.all(
      racers.map(({ password }) => visit(server, '192.0.2.40').signIn({ login, password })),
    )
    for (const [n, one] of signed.entries()) assert.equal(one.status === 303, racers[n] === winner)
  })

  test('a link that is replaced or whose user is disabled while its form is under way sets nothing', async () => {
    const server = await open()
    const { db, now } = server.app.server
    const spend = ({ id, link }: { id: string; link: string }) => {
      const stored = readToken('gh_pl', tokenOf(link))!
      const event = eventInput(now(), 'password_set', { userId: id })
      // The look-up came before; what happened since is decided by the write alone.
      return db.write(setPassword, {
        id,
        link_id: stored.id,
        link_hash: stored.hash,
        new_hash: 'x',
        now: now(),
        ...event,
      })
    }
    const replaced = await server.g.users.create({ login: fresh().login })
    server.clock.advance(1)
    const later = (await server.g.users.reset(replaced.id))!
    assert.deepEqual(await spend(replaced), [])
    assert.equal((await spend(later)).length, 1)
    const disabled = await server.g.users.create({ login: fresh().login })
    await disableUser(server.app.server, disabled.id, 'left')
    assert.deepEqual(await spend(disabled), [])
  })

  test('changing the password in the account page ends a link that was made before', async () => {
    const server = await open()
    const { login, link } = await server.g.users.create({ login: fresh().login })
    await setBehind(server, link)
    const visitor = visit(server)
    await visitor.signIn({ login, password: words })
    const made = (await server.g.users.reset(login))!
    const changed = await visitor.submit(await visitor.get('/account'), '/account/password', {
      current_password: words,
      new_password: 'an entirely different phrase',
    })
    assert.equal(changed.status, 303)
    assert.equal((await visit(server, '192.0.2.50').get(pathOf(made.link))).status, 410)
  })

  test('whoever tries links is stopped, and whoever has one elsewhere is not', async () => {
    const server = await open()
    const { link } = await server.g.users.create({ login: fresh().login })
    const guess = (n: number) =>
      visit(server, '198.51.100.90').get(
        `/set-password?token=gh_pl_${String(n).padStart(26, '0')}${'A'.repeat(43)}`,
      )
    for (let n = 0; n < 5; n++) assert.equal((await guess(n)).status, 410)
    const stopped = await guess(5)
    assert.equal(stopped.status, 429)
    assert.match(stopped.html, /<a class="button plain" href="[^"]*\/sign-in[^"]*">Sign in</)
    assert.ok(Number(stopped.headers.get('retry-after')) > 0)
    assert.equal((await visit(server, '198.51.100.91').get(pathOf(link))).status, 200)
  })

  test('the token stands in no log, no event and no column', async () => {
    const server = await open()
    const { id, link } = await server.g.users.create({ login: fresh().login })
    const before = lines.length
    await setBehind(server, link)
    const requests = lines.slice(before)
    assert.ok(requests.some((line) => line.includes('"path":"/set-password"')))
    const stored = await eventsOf(server, id)
    const again = (await server.g.users.reset(id))!
    const rows = await server.app.server.db.query(sql`select * from ${raw('password_links')}`)
    const text = JSON.stringify([requests, stored, rows])
    for (const one of [link, again.link]) {
      assert.ok(!text.includes(tokenOf(one)) && !text.includes(tokenOf(one).slice(-43)))
    }
  })

  test('auth.users.create: an unfit or taken login is a ConfigError that says what is allowed', async () => {
    const server = await open()
    const { login } = await server.g.users.create({ login: fresh().login })
    await assert.rejects(server.g.users.create({ login: login.toUpperCase() }), /no account has/)
    await assert.rejects(server.g.users.create({ login: 'a b' }), ConfigError)
    const many = await Promise.allSettled(
      Array.from({ length: 3 }, () => server.g.users.create({ login: 'same@example.com' })),
    )
    assert.deepEqual(many.map((one) => one.status).sort(), ['fulfilled', 'rejected', 'rejected'])
  })

  test('auth.users: says that passwords are kept elsewhere where they are', async () => {
    const server = await open()
    const twin = await server.twin({ accounts: { authenticate: () => null } } as Partial<Config>)
    await assert.rejects(embed(twin.app).users.create({ login: fresh().login }), /localAccounts/)
    await assert.rejects(embed(twin.app).users.reset('ann'), /localAccounts/)
  })
})

describe('localAccounts.help', () => {
  const shown: [string | undefined, RegExp][] = [
    [undefined, /Forgot your password\? Contact the administrator of <bdi>Gatehouse<\/bdi>\./],
    ['Ask Kim at the desk.', /Forgot your password\? Ask Kim at the desk\./],
    [
      'mailto:help@example.com?subject=Password',
      /<a href="mailto:help@example\.com\?subject=Password"><bdi>help@example\.com<\/bdi>/,
    ],
    ['tel:+44-20-7946-0000', /<a href="tel:\+44-20-7946-0000"><bdi>\+44-20-7946-0000<\/bdi>/],
    ['https://example.com/help?a=1&b=2', /<a href="https:\/\/example\.com\/help\?a=1&amp;b=2">Get help</],
    ['/help', /<a href="\/help">Get help</],
    ['<b>Kim</b>', /&lt;b&gt;Kim&lt;\/b&gt;/],
  ]
  for (const [help, expected] of shown) {
    const open = testServerFor('sqlite', { accounts: localAccounts(help === undefined ? {} : { help }) })
    test(`the sign-in page says whom to ask: ${help ?? 'nothing configured'}`, async () => {
      assert.match((await visit(await open()).get('/sign-in')).html, expected)
    })
  }

  test('what is neither a link nor a sentence is refused at start', () => {
    for (const help of [
      '',
      ' ',
      'javascript:alert(1)',
      'http://example.com',
      'https://a:b@example.com',
      'mailto:',
      'tel:abc',
      '//example.com',
      'x'.repeat(301),
      'a\nb',
      7 as unknown as string,
    ]) {
      assert.throws(() => localAccounts({ help }), /localAccounts\.help/, String(help))
    }
  })
})
