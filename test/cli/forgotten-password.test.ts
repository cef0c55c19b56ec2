// gatehouse-auth users create and users reset: a link, behind which a person sets a password, beside a running server.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openBrowser } from '../../src/cli/demo/browser.ts'
import { onBothDatabases } from '../support/gatehouse.ts'
import { besideServer } from './beside.ts'

interface Made {
  id: string
  login: string
  link: string
  expires: string
}

const words = 'seven quiet harbours at noon'

onBothDatabases('users create and reset', (dialect) => {
  const { server, gatehouse, json } = besideServer(dialect, '')

  /** A browser at the server, for a link that the command printed. */
  const browser = () => openBrowser(fetch, 'http://nowhere.example')

  async function setPassword(link: string, password: string) {
    const pages = browser()
    return pages.submit(await pages.open(link), { new_password: password })
  }

  async function signIn(login: string, password: string) {
    const pages = browser()
    return pages.submit(await pages.open(`${server().issuer}/sign-in`), { login, password })
  }

  test('users create: makes a user, who sets a password behind the link and signs in with it', async () => {
    const [made] = await json<Made>('users', 'create', 'Ann@example.com', '--name', 'Ann Example')
    assert.ok(made!.link.startsWith(`${server().issuer}/`))
    assert.equal(made!.login, 'ann@example.com')
    assert.ok(Date.parse(made!.expires) > Date.now())
    const [user] = await json<{ id: string; name: string }>('users', 'show', 'ann@example.com')
    assert.deepEqual([user!.id, user!.name], [made!.id, 'Ann Example'])

    assert.equal((await signIn('ann@example.com', words)).status, 422)
    const page = await setPassword(made!.link, words)
    assert.equal(page.status, 200)
    assert.match(page.html, /Your password is set/)
    const account = await signIn('ann@example.com', words)
    assert.equal(account.status, 200)
    assert.match(account.html, /Ann Example/)

    const twice = await gatehouse('users', 'create', 'ANN@example.com')
    assert.equal(twice.code, 1)
    assert.match(twice.stderr, /ann@example\.com/)
  })

  test('users reset: the next link ends the one before, and the new password replaces the forgotten one', async () => {
    await json('users', 'create', 'bob')
    const [first] = await json<Made>('users', 'reset', 'bob')
    const [second] = await json<Made>('users', 'reset', 'bob')
    assert.match((await browser().open(first!.link)).html, /expired/)
    assert.match((await setPassword(second!.link, words)).html, /Your password is set/)
    assert.match((await signIn('bob', words)).html, /Where you are signed in/)
    assert.match((await browser().open(second!.link)).html, /expired/)
    assert.match((await gatehouse('users', 'reset', 'nobody')).stderr, /there is no user nobody/)
  })

  test('users reset: says why there is no link for a disabled user', async () => {
    const [made] = await json<Made>('users', 'create', 'carl')
    await json('users', 'disable', 'carl')
    const refused = await gatehouse('users', 'reset', 'carl')
    assert.equal(refused.code, 1)
    assert.match(refused.stderr, /disabled/)
    assert.match((await browser().open(made!.link)).html, /expired/)
    await json('users', 'enable', 'carl')
    assert.match((await browser().open(made!.link)).html, /expired/, 'what ended stays ended')
  })

  test('users create and reset: print what is needed, without --json too', async () => {
    const made = await gatehouse('users', 'create', 'dora')
    assert.equal(made.code, 0, made.stderr)
    assert.match(made.stdout, /^link +http\S+$/m)
    assert.match(made.stdout, /^expires +\d{4}-/m)
    const refused = await gatehouse('users', 'create', 'no')
    assert.equal(refused.code, 1)
    assert.match(refused.stderr, /3 to 64/)
  })
})
