// What one address, or one who knows no password, can do to the sign-ins of others.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { signInAttempts } from '../../src/accounts/local/attempts.ts'
import { localAccounts } from '../../src/accounts/local.ts'
import { openSignIns } from '../../src/accounts/sign-ins.ts'
import type { Config } from '../../src/config.ts'
import { sql } from '../../src/db/sql.ts'
import type { Incoming } from '../../src/http/message.ts'
import { onBothDatabases, openTestServer, type TestServer } from '../support/gatehouse.ts'
import { ann, type Visitor, visit } from './visitor.ts'

const wrong = 'not the password at all'
const few: Partial<Config> = { limits: { signInFailuresPerAccount: 3, failuresPerNetwork: 12 } }

onBothDatabases('limits of sign-ins', (dialect) => {
  async function withTestServer(
    work: (testServer: TestServer) => Promise<void>,
    more: Partial<Config> = {},
  ): Promise<void> {
    const testServer = await openTestServer(dialect, { accounts: localAccounts(), ...more })
    try {
      await work(testServer)
    } finally {
      await testServer.close()
    }
  }

  async function signUp(testServer: TestServer, login: string, address: string): Promise<Visitor> {
    const visitor = visit(testServer, address)
    assert.equal((await visitor.signUp({ ...ann, login })).status, 303)
    return visitor
  }

  /** Signs in with what the browser has, but for the sign-in itself. */
  function signInAnew(visitor: Visitor, fields?: Parameters<Visitor['signIn']>[0]) {
    visitor.cookies.delete('gh_sign_in')
    return visitor.signIn(fields)
  }

  /** A browser with the sign-in page open, which then posts. */
  async function ready(testServer: TestServer, login: string, address: string) {
    const visitor = visit(testServer, address)
    const page = await visitor.get('/sign-in')
    return () => visitor.submit(page, '/sign-in', { login, password: ann.password })
  }

  test('NIST SP 800-63B-4 §3.2.2: 78 correct sign-ins at once from one address leave room for everybody else', () =>
    withTestServer(async (testServer) => {
      const crowd = Array.from({ length: 12 }, (_, n) => `crowd${n}@example.com`)
      const others = Array.from({ length: 20 }, (_, n) => `other${n}@example.com`)
      for (const [n, login] of [...crowd, ...others].entries())
        await signUp(testServer, login, `198.18.${n}.1`)
      const flood = await Promise.all(
        Array.from({ length: 78 }, (_, n) => ready(testServer, crowd[n % crowd.length]!, '192.0.2.1')),
      )
      const rest = await Promise.all(others.map((login, n) => ready(testServer, login, `198.51.100.${n}`)))
      const flooding = flood.map((post) => post())
      const answers = await Promise.all(rest.map((post) => post()))
      assert.deepEqual(
        answers.map(({ status }) => status),
        Array(20).fill(303),
      )
      for (const { status, headers } of await Promise.all(flooding)) {
        assert.ok(status === 303 || status === 503, String(status))
        if (status === 503) assert.ok(Number(headers.get('retry-after')) > 0)
      }
    }))

  test('NIST SP 800-63B-4 §3.2.2: correct sign-ins of one account are limited, too', () =>
    withTestServer(async (testServer) => {
      const attempts = signInAttempts(testServer.app.server)
      const request = { address: '192.0.2.1' } as Incoming
      const signIn = () => attempts.check(request, { login: 'ann', device: undefined }, async () => true)
      const passed = await Promise.all(Array.from({ length: 6 }, signIn))
      assert.deepEqual(passed, Array(6).fill(true))
      for (let n = 6; n < 60; n++) assert.equal(await signIn(), true)
      assert.equal(typeof (await signIn()), 'object')
      testServer.clock.advance(15 * 60_000)
      assert.equal(await signIn(), true)
    }))

  test('OWASP ASVS 3.3: a user has a bounded number of living sign-ins, and the one idle for longest ends', () =>
    withTestServer(async (testServer) => {
      const { server } = testServer.app
      const first = await signUp(testServer, ann.login, '198.51.100.1')
      const second = visit(testServer, '198.51.100.2')
      await second.signIn()
      const [user] = await server.db.query(sql<{ id: string }>`select id from users`)
      const signIns = openSignIns({ ...server, waitingFor: async () => undefined }, 'local', 86_400_000)
      const browser = { address: '192.0.2.1', header: () => undefined } as unknown as Incoming
      for (let n = 0; n < 49; n++) {
        testServer.clock.advance(61_000)
        if (n % 10 === 0) assert.equal((await first.get('/account')).status, 200)
        await signIns.begin(browser, user!.id)
      }
      const [row] = await server.db.query(sql<{ count: number }>`select count(*) as count from sign_ins`)
      assert.equal(Number(row!.count), 50)
      assert.equal((await second.get('/account')).status, 303, 'idle since its beginning')
      assert.equal((await first.get('/account')).status, 200, 'the oldest of all, and in use')
    }))

  test('OWASP device cookies: wrong passwords from anywhere do not lock out a browser that has signed in before', () =>
    withTestServer(async (testServer) => {
      const known = await signUp(testServer, ann.login, '198.51.100.1')
      for (let n = 0; n < 3; n++) {
        const stranger = visit(testServer, `192.0.2.${n}`)
        assert.equal((await stranger.signIn({ password: wrong })).status, 422)
      }
      assert.equal((await visit(testServer, '192.0.2.99').signIn()).status, 429, 'a browser nobody knows')
      assert.equal((await signInAnew(known)).status, 303)
      // The network's failures do not lock it out, either.
      for (let n = 0; n < 12; n++) {
        await visit(testServer, '198.51.100.1').signIn({ login: `x${n}@example.com`, password: wrong })
      }
      assert.equal((await visit(testServer, '198.51.100.1').signIn({ login: 'y@example.com' })).status, 429)
      assert.equal((await signInAnew(known)).status, 303)
    }, few))

  test('OWASP device cookies: a stolen one locks itself, and nobody else', () =>
    withTestServer(async (testServer) => {
      const known = await signUp(testServer, ann.login, '198.51.100.1')
      await signInAnew(known)
      const thief = visit(testServer, '192.0.2.1')
      thief.cookies.set('gh_device', known.cookies.get('gh_device')!)
      for (let n = 0; n < 3; n++) assert.equal((await signInAnew(thief, { password: wrong })).status, 422)
      assert.equal((await signInAnew(thief)).status, 429)
      assert.equal((await visit(testServer, '192.0.2.1').signIn()).status, 303, 'the account is not locked')
      testServer.clock.advance(15 * 60_000)
      assert.equal((await signInAnew(thief)).status, 303)
    }, few))

  test('OWASP device cookies: bound to one account and its password, five accounts a browser, for scripts unreadable', () =>
    withTestServer(async (testServer) => {
      const shared = await signUp(testServer, 'one@example.com', '198.51.100.1')
      for (const login of ['two', 'three', 'four', 'five'])
        await shared.signUp({ ...ann, login: `${login}@example.com` })
      const lock = async (login: string) => {
        for (let n = 0; n < 3; n++) await visit(testServer, `192.0.2.${n}`).signIn({ login, password: wrong })
        assert.equal((await visit(testServer, '192.0.2.99').signIn({ login })).status, 429)
      }
      await signUp(testServer, 'other@example.com', '198.51.100.7')
      await lock('other@example.com')
      assert.equal((await signInAnew(shared, { login: 'other@example.com' })).status, 429, 'not its account')
      await lock('one@example.com')
      const done = await signInAnew(shared, { login: 'one@example.com' })
      assert.equal(done.status, 303)
      const cookie = done.headers.getSetCookie().find((one) => one.startsWith('gh_device='))
      assert.match(
        cookie!,
        /^gh_device=[A-Za-z0-9_.-]{260,400}; Path=\/; HttpOnly; SameSite=Lax; Max-Age=34560000$/,
      )
      await shared.signUp({ ...ann, login: 'six@example.com' })
      await lock('two@example.com')
      assert.equal(
        (await signInAnew(shared, { login: 'two@example.com' })).status,
        429,
        'the sixth account back',
      )

      const former = new Map(shared.cookies)
      const fields = { current_password: ann.password, new_password: 'another horse, other battery' }
      assert.equal((await signInAnew(shared, { login: 'one@example.com' })).status, 303)
      const changed = await shared.submit(await shared.get('/account'), '/account/password', fields)
      assert.equal(changed.status, 303)
      testServer.clock.advance(15 * 60_000)
      await lock('one@example.com')
      const mine = { login: 'one@example.com', password: fields.new_password }
      const stale = visit(testServer, '198.51.100.1')
      for (const [name, value] of former) stale.cookies.set(name, value)
      assert.equal((await signInAnew(stale, mine)).status, 429, 'made before the password changed')
      assert.equal((await signInAnew(shared, mine)).status, 303)
    }, few))

  test('RFC 6265bis §4.1.3.2: behind https the device cookie is bound to this very host', () =>
    withTestServer(
      async (testServer) => {
        const visitor = visit(testServer)
        const page = await visitor.get('/sign-up')
        const done = await visitor.submit(page, '/sign-up', { ...ann })
        const cookie = done.headers.getSetCookie().find((one) => one.includes('gh_device='))
        assert.match(
          cookie!,
          /^__Host-gh_device=\S+; Path=\/; HttpOnly; SameSite=Lax; Secure; Max-Age=34560000$/,
        )
      },
      { issuer: 'https://auth.example.com' },
    ))

  test('a signed-in browser changes its password whatever strangers try', () =>
    withTestServer(async (testServer) => {
      const known = await signUp(testServer, ann.login, '198.51.100.1')
      for (let n = 0; n < 10; n++) await visit(testServer, `192.0.2.${n}`).signIn({ password: wrong })
      known.cookies.delete('gh_device')
      const fields = { current_password: ann.password, new_password: 'another horse, other battery' }
      const page = await known.get('/account')
      assert.equal((await known.submit(page, '/account/password', fields)).status, 303)
    }))

  test('without addresses, or behind an unknown proxy, wrong passwords leave the right one a way in', () =>
    withTestServer(
      async (testServer) => {
        await signUp(testServer, ann.login, '198.51.100.1')
        for (const address of ['', '10.0.0.1']) {
          const statuses: number[] = []
          for (let n = 0; n < 11; n++) {
            const login = `x${n}@example.com`
            statuses.push((await visit(testServer, address).signIn({ login, password: wrong })).status)
          }
          assert.deepEqual(statuses, Array(11).fill(422))
          assert.equal((await visit(testServer, address).signIn()).status, 303)
          // Each account has three tries left, where it would have ten.
          for (let n = 0; n < 3; n++) {
            assert.equal(
              (await visit(testServer, address).signIn({ login: 'z@x.yz', password: wrong })).status,
              422,
            )
          }
          assert.equal((await visit(testServer, address).signIn({ login: 'z@x.yz' })).status, 429)
          testServer.clock.advance(15 * 60_000)
        }
        // A client's own address is its own.
        for (let n = 0; n < 1; n++) {
          await visit(testServer, '192.0.2.1').signIn({ login: `x${n}@example.com`, password: wrong })
        }
        assert.equal((await visit(testServer, '192.0.2.1').signIn()).status, 429)
      },
      { limits: { failuresPerNetwork: 1 } },
    ))

  test('wrong client secrets of a network do not stop its people from signing in', () =>
    withTestServer(
      async (testServer) => {
        await signUp(testServer, ann.login, '198.51.100.1')
        const { client } = await testServer.createClient()
        for (let n = 0; n < 6; n++) {
          await testServer.post('/oauth/revoke', { client_id: client.id, client_secret: 'wrong', token: 'x' })
        }
        assert.equal((await visit(testServer, '203.0.113.7').signIn()).status, 303)
      },
      { limits: { failuresPerNetwork: 4 } },
    ))
})
