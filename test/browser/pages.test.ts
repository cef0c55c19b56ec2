// Every page, walked by a person in a real Chromium, on a desktop and on a phone, with scripts and without.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { PageOptions } from '../support/browser.ts'
import { makePkce } from '../support/flow.ts'
import { openSite, redeemAt, type Site, type Tab } from './site.ts'

let site: Site
before(async () => {
  site = await openSite()
})
after(() => site?.close())

const password = 'correct horse battery staple'
let people = 0
const person = () => ({ name: 'Ann Example', login: `ann${++people}@example.com`, password })
type Person = ReturnType<typeof person>

const click = (tab: Tab, name: string) => tab.page.getByRole('button', { name, exact: true }).click()
const heading = async (tab: Tab, name: string | RegExp) => {
  await tab.page.getByRole('heading', { level: 1, name }).waitFor()
  await tab.fits()
}

async function signUp(tab: Tab, who: Person): Promise<void> {
  await tab.page.goto(`${site.issuer}/sign-up`)
  await fillSignUp(tab, who)
  await heading(tab, 'Your account')
}

async function fillSignUp(tab: Tab, who: Person): Promise<void> {
  await heading(tab, 'Create your account')
  await tab.page.getByLabel('Your name').fill(who.name)
  await tab.page.getByLabel('Email or username').fill(who.login)
  await tab.page.getByLabel('Password').fill(who.password)
  await click(tab, 'Create account')
}

async function fillSignIn(tab: Tab, who: Pick<Person, 'login' | 'password'>): Promise<void> {
  await heading(tab, 'Sign in')
  await tab.page.getByLabel('Email or username').fill(who.login)
  await tab.page.getByLabel('Password').fill(who.password)
  await click(tab, 'Sign in')
}

const settings: [string, PageOptions][] = [
  ['a desktop', { screen: 'desktop', scheme: 'light' }],
  ['a phone without scripts', { screen: 'phone', scheme: 'dark', javaScript: false }],
]

for (const [name, options] of settings) {
  describe(`on ${name}`, () => {
    let tab: Tab
    before(async () => {
      tab = await site.open(options)
    })
    after(() => tab?.close())
    const who = person()
    let tokens: Awaited<ReturnType<typeof redeemAt>>

    test('a stranger makes an account, allows the client, and it gets tokens', async () => {
      const pkce = makePkce()
      await tab.page.goto(site.authorizeUrl(pkce))
      await heading(tab, 'Sign in')
      assert.match(await tab.page.locator('main').innerText(), /to continue to Job board/)
      await tab.page.getByRole('link', { name: 'Create an account' }).click()
      await fillSignUp(tab, { ...who, password: 'aaaaaaaaaaaaaaaaaaaa' })
      assert.match(await tab.page.getByRole('alert').innerText(), /easy to guess/)
      await fillSignUp(tab, who)
      await heading(tab, /Job board wants access to your Gatehouse account/)
      const text = await tab.page.locator('main').innerText()
      for (const shown of [
        who.name,
        'Search open jobs',
        'Send applications',
        'program on your own computer',
      ]) {
        assert.ok(text.includes(shown), shown)
      }
      await click(tab, 'Allow')
      tokens = await redeemAt(site, await tab.calledBack(), pkce)
      assert.equal(await site.letsIn(tokens.access_token), true)
    })

    test('what was allowed is not asked again; a client that asks for consent can be denied', async () => {
      await tab.page.goto(site.authorizeUrl(makePkce()))
      assert.ok((await tab.calledBack()).get('code'))
      await tab.page.goto(
        site.authorizeUrl(makePkce(), { scope: 'jobs:read resume:read', prompt: 'consent' }),
      )
      await heading(tab, /Job board wants access/)
      assert.match(await tab.page.locator('main').innerText(), /New: this also allows Job board/)
      await click(tab, 'Deny')
      const answer = await tab.calledBack()
      assert.deepEqual([answer.get('error'), answer.get('code')], ['access_denied', null])
    })

    test('Form Post Response Mode §2: the answer comes in the body of a post', async () => {
      await tab.page.goto(site.authorizeUrl(makePkce(), { response_mode: 'form_post' }), {
        waitUntil: 'commit',
      })
      if (options.javaScript === false) {
        await heading(tab, 'Taking you back')
        await click(tab, 'Continue')
      }
      const answer = await tab.calledBack()
      assert.deepEqual([answer.method, answer.get('state')], ['POST', 'a state & more'])
      assert.ok(answer.get('code'))
    })

    test('signing out, a wrong password, the right one, and on to the client', async () => {
      await tab.page.goto(`${site.issuer}/account`)
      await click(tab, 'Sign out')
      await heading(tab, 'You are signed out')
      await tab.page.goto(site.authorizeUrl(makePkce(), { login_hint: who.login }))
      await heading(tab, 'Sign in')
      assert.equal(await tab.page.getByLabel('Email or username').inputValue(), who.login)
      await fillSignIn(tab, { ...who, password: 'not the right password' })
      assert.match(await tab.page.getByRole('alert').innerText(), /Incorrect email or password/)
      assert.match(await tab.page.title(), /^Error: /)
      assert.equal(await tab.page.getByLabel('Password').inputValue(), '')
      await fillSignIn(tab, who)
      assert.ok((await tab.calledBack()).get('code'))
    })

    test('Disconnect ends what the client holds, at once', async () => {
      await tab.page.goto(site.issuer)
      await heading(tab, 'Gatehouse account')
      await tab.page.getByRole('link', { name: 'Connected apps' }).click()
      await heading(tab, 'Connected apps')
      const card = tab.page.getByRole('article', { name: 'Job board' })
      assert.match(await card.innerText(), /Send applications in your name/)
      await card.getByRole('button', { name: 'Disconnect Job board' }).click()
      await heading(tab, 'Connected apps')
      assert.match(await tab.page.getByRole('status').innerText(), /Job board is disconnected/)
      assert.match(await tab.page.locator('main').innerText(), /No apps are connected/)
      assert.equal(await site.letsIn(tokens.access_token), false)
      const again = await site.token({ grant_type: 'refresh_token', refresh_token: tokens.refresh_token! })
      assert.deepEqual(
        [again.status, ((await again.json()) as { error: string }).error],
        [400, 'invalid_grant'],
      )
    })

    test('the account page changes the password, shows where one is signed in, and signs out', async () => {
      const elsewhere = await site.open({ ...options })
      await elsewhere.page.goto(`${site.issuer}/sign-in`)
      await fillSignIn(elsewhere, who)
      await heading(elsewhere, 'Your account')

      await tab.page.getByRole('navigation').getByRole('link', { name: 'Your account' }).click()
      await heading(tab, 'Your account')
      const list = tab.page.getByRole('region', { name: 'Where you are signed in' })
      assert.equal(await list.getByRole('listitem').count(), 2)
      assert.equal(await list.getByText('This browser').count(), 1)

      const change = async (current: string, next: string) => {
        await tab.page.getByLabel('Current password').fill(current)
        await tab.page.getByLabel('New password').fill(next)
        await click(tab, 'Change password')
        await heading(tab, 'Your account')
      }
      const next = 'another horse, another battery'
      await change('not the right password', next)
      assert.match(await tab.page.getByRole('alert').innerText(), /Incorrect current password/)
      await change(who.password, next)
      assert.match(await tab.page.getByRole('status').innerText(), /Your password has been changed/)
      assert.equal(await list.getByRole('listitem').count(), 1)

      await elsewhere.page.goto(`${site.issuer}/account`)
      await heading(elsewhere, 'Sign in')
      assert.deepEqual(elsewhere.complaints, [])
      await elsewhere.close()

      await click(tab, 'Sign out')
      await heading(tab, 'You are signed out')
      await tab.page.getByRole('link', { name: 'Sign in again' }).click()
      await fillSignIn(tab, { login: who.login, password: next })
      await heading(tab, 'Your account')
    })

    test('what cannot be done is said on a page', async () => {
      await tab.page.goto(`${site.issuer}/oauth/authorize?client_id=nobody`)
      await heading(tab, 'This request cannot be completed')
      assert.match(await tab.page.locator('main').innerText(), /not known here/)
      await tab.page.goto(`${site.issuer}/nowhere`)
      await heading(tab, 'Page not found')
    })

    test('and no page broke its policy, an expectation of the browser, or the edge of the screen', () => {
      assert.deepEqual(tab.complaints, [])
    })
  })
}

test('a person without a mouse signs in and allows', async () => {
  const who = person()
  const tab = await site.open()
  await signUp(tab, who)
  await tab.page.context().clearCookies()
  await tab.page.goto(site.authorizeUrl(makePkce(), { prompt: 'consent' }))
  await heading(tab, 'Sign in')
  const { keyboard } = tab.page
  const focused = () =>
    tab.page.evaluate(() => {
      const element = document.activeElement as HTMLElement
      return {
        name: element.id || element.textContent?.trim() || '',
        visible: getComputedStyle(element).outlineStyle !== 'none',
      }
    })
  assert.equal((await focused()).name, 'login', 'the first field is ready')
  await keyboard.type(who.login)
  await keyboard.press('Tab')
  assert.deepEqual(await focused(), { name: 'password', visible: true })
  await keyboard.type(who.password)
  await keyboard.press('Tab')
  assert.deepEqual(await focused(), { name: 'Sign in', visible: true })
  await keyboard.press('Enter')

  await heading(tab, /Job board wants access/)
  await keyboard.press('Tab')
  assert.equal((await focused()).name, 'Skip to content')
  const passed: string[] = []
  for (let n = 0; n < 12; n++) {
    const { name, visible } = await focused()
    passed.push(name)
    assert.ok(visible, `${name} shows that it is in focus`)
    if (name === 'Allow') break
    await keyboard.press('Tab')
  }
  assert.equal(passed.at(-1), 'Allow')
  assert.ok(passed.includes('Switch account'))
  assert.ok(passed.includes('Deny'), 'Deny comes no later than Allow')
  await keyboard.press('Enter')
  assert.ok((await tab.calledBack()).get('code'))
  assert.deepEqual(tab.complaints, [])
  await tab.close()
})

test('RFC 6749 §10.13: no page can be held in a frame (N46)', async () => {
  const tab = await site.open()
  await signUp(tab, person())
  const paths = ['/sign-in?return_to=x', '/account', '/account/apps', '/', '/nowhere', '/oauth/authorize']
  const consent = site.authorizeUrl(makePkce()).slice(site.issuer.length)
  const framed = [...paths, consent].map(encodeURIComponent).join('&')
  await tab.page.goto(`${site.clientOrigin}/framed?${framed}`)
  await tab.page.waitForLoadState('load')
  const frames = tab.page.frames().slice(1)
  assert.equal(frames.length, paths.length + 1)
  for (const frame of frames) assert.equal(frame.url(), 'chrome-error://chromewebdata/')
  assert.ok(tab.complaints.every((one) => /frame/i.test(one)))
  await tab.close()
})

test('two tabs at the sign-in page do not spoil each other', async () => {
  const who = person()
  const tab = await site.open()
  await signUp(tab, who)
  await click(tab, 'Sign out')
  await tab.page.goto(site.authorizeUrl(makePkce()))
  const second = await tab.page.context().newPage()
  await second.goto(`${site.issuer}/account/apps`)
  await fillSignIn(tab, who)
  await heading(tab, /Job board wants access/)
  await second.getByLabel('Email or username').fill(who.login)
  await second.getByLabel('Password').fill(who.password)
  await second.getByRole('button', { name: 'Sign in' }).click()
  await second.getByRole('heading', { level: 1, name: 'Connected apps' }).waitFor()
  await click(tab, 'Allow')
  assert.ok((await tab.calledBack()).get('code'), 'the same user, signed in anew, may still decide')
  assert.deepEqual(tab.complaints, [])
  await tab.close()
})

test('three tabs loaded at once in a new browser: the form of each is good', async () => {
  const who = person()
  const tab = await site.open()
  await signUp(tab, who)
  await tab.page.context().clearCookies()
  const tabs = [tab.page, await tab.page.context().newPage(), await tab.page.context().newPage()]
  // No answer leaves before all three have been asked for, so that no tab knows what another was given.
  const { answer } = site.app
  const { promise: all, resolve } = Promise.withResolvers<void>()
  let asked = 0
  site.app.answer = async (request) => {
    const given = await answer(request)
    if (request.path === '/sign-in' && ++asked === tabs.length) resolve()
    if (request.path === '/sign-in') await all
    return given
  }
  await Promise.all(tabs.map((page) => page.goto(site.authorizeUrl(makePkce(), { prompt: 'consent' }))))
  site.app.answer = answer
  for (const page of tabs) {
    await page.getByLabel('Email or username').fill(who.login)
    await page.getByLabel('Password').fill(who.password)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('heading', { level: 1, name: /Job board wants access/ }).waitFor()
  }
  for (const page of tabs) {
    await page.getByRole('button', { name: 'Allow' }).click()
    await page.waitForURL(/\/callback\?code=/)
  }
  assert.deepEqual(tab.complaints, [])
  await tab.close()
})

describe('signing out for a client', () => {
  let tab: Tab
  before(async () => {
    tab = await site.open()
  })
  after(() => tab?.close())

  test('RP-Initiated Logout §2: the person is asked, may stay, and goes back to the client once signed out (N124)', async () => {
    const back = `${site.clientOrigin}/callback`
    await site.g.clients.change(site.client.client.id, { postLogoutRedirectUris: [back] })
    const who = person()
    await signUp(tab, who)
    const query = new URLSearchParams({
      client_id: site.client.client.id,
      post_logout_redirect_uri: back,
      state: 'bye & thanks',
    })
    await tab.page.goto(`${site.issuer}/oauth/logout?${query}`)
    await heading(tab, 'Sign out?')
    assert.match(await tab.page.locator('main').innerText(), /Job board wants to sign you out/)
    await tab.page.getByRole('link', { name: 'Stay signed in' }).click()
    await tab.page.goto(`${site.issuer}/account`)
    await heading(tab, 'Your account')

    await tab.page.goto(`${site.issuer}/oauth/logout?${query}`)
    await click(tab, 'Sign out')
    assert.equal((await tab.calledBack()).get('state'), 'bye & thanks')
    await tab.page.goto(`${site.issuer}/account`)
    await heading(tab, 'Sign in')
    await tab.page.goto(`${site.issuer}/oauth/logout`)
    await heading(tab, 'You are signed out')
    assert.deepEqual(tab.complaints, [])
  })
})
