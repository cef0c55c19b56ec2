// docs/connect/msal-browser.md, run as it is printed.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { assertChecked, readConnectPage } from '../browser/page.ts'
import { appPage, openWorld, type Visit, type World } from '../browser/world.ts'

const guide = readConnectPage('msal-browser')
const imports = {
  '@azure/msal-browser': '/node_modules/@azure/msal-browser/dist/index.mjs',
  '@azure/msal-browser/redirect-bridge': '/node_modules/@azure/msal-browser/dist/redirect_bridge/index.mjs',
  '@azure/msal-common/browser': '/node_modules/@azure/msal-common/dist-browser/index-browser.mjs',
}

interface Account {
  name: string
  username: string
  idTokenClaims: { sub: string; name: string; email: string }
}

async function openApp(place: 'https' | 'loopback'): Promise<World> {
  const world = await openWorld(place)
  world.serveApp(guide.block('js'), imports)
  world.files.set('/redirect', appPage(imports, guide.block('html')))
  await world.shell(guide.block('sh'))
  return world
}

test('docs/connect/msal-browser.md is short and names the version that is tested', () => {
  assertChecked(guide, '@azure/msal-browser')
})

describe('MSAL.js in a browser', () => {
  let world: World
  let visit: Visit
  before(async () => {
    world = await openApp('https')
    // MSAL counts a token as expired five minutes before it is.
    await world.shell('npx gatehouse-auth clients change job-board --access-token-lifetime 299')
    visit = await world.open()
  })
  after(() => world?.close())
  let subject: string

  test('signs a person in by the fragment it asks for, and sees the claims', async () => {
    await visit.page.goto(world.app)
    await visit.shows('Not signed in')
    const asked = visit.page.waitForRequest((request) => request.url().includes('/oauth/authorize?'))
    await visit.page.click('#sign-in')
    assert.equal(new URL((await asked).url()).searchParams.get('response_mode'), 'fragment')
    const who = await visit.signUp()
    await visit.allow()
    await visit.shows(who.name)
    const account = await visit.inApp<Account>('app.auth.getActiveAccount()')
    assert.deepEqual([account.name, account.username], [who.name, who.email])
    assert.equal(account.idTokenClaims.email, who.email)
    subject = account.idTokenClaims.sub
  })

  test('refreshes silently, and calls an API', async () => {
    const first = await visit.inApp<string>('app.accessToken()')
    const next = await visit.inApp<string>('app.accessToken()')
    assert.notEqual(next, first)
    const jobs = await visit.page.evaluate(
      async (token) =>
        (await fetch('/api/jobs', { headers: { authorization: `Bearer ${token}` } })).json() as unknown,
      next,
    )
    assert.deepEqual(jobs, { jobs: ['Baker'], for: subject })
    assert.equal((await visit.inApp<Account>('app.auth.getActiveAccount()')).name, 'Ann Example')
  })

  test('signs in through a popup, whose opener the pages of Gatehouse leave it', async () => {
    const other = await world.open()
    await other.page.goto(world.app)
    await other.shows('Not signed in')
    const opened = other.context.waitForEvent('page')
    const done = other.inApp<{ account: Account }>(`app.auth.loginPopup({ scopes: ['email', 'jobs:read'] })`)
    const popup = await opened
    const who = await other.signUp(popup)
    await other.allow(popup)
    assert.equal((await done).account.idTokenClaims.email, who.email)
    assert.equal(other.page.url(), `${world.app}/`)
    assert.deepEqual(other.complaints, [])

    await other.inApp('void app.auth.logoutRedirect()')
    await other.page.waitForURL(`${world.issuer}/oauth/logout?**`)
    const alert = other.page.getByRole('heading', { level: 1 })
    assert.match(
      await alert.innerText(),
      /cannot be completed/,
      'it says neither whose sign-in ends nor who asks',
    )
  })

  test('signs in again in a hidden frame', async () => {
    const { account } = await visit.inApp<{ account: Account }>(
      `app.auth.ssoSilent({ scopes: ['jobs:read'] })`,
    )
    assert.equal(account.idTokenClaims.sub, subject)
  })

  test('signs the person out here, there, and comes back', async () => {
    await visit.page.reload()
    await visit.shows('Ann Example')
    await visit.page.click('#sign-out')
    await visit.shows('Not signed in')
    assert.equal(new URL(visit.page.url()).origin, world.app)
    await visit.page.goto(`${world.issuer}/account`)
    await visit.page.getByRole('heading', { level: 1, name: 'Sign in' }).waitFor()
    assert.deepEqual(visit.complaints, [])
  })
})

test('MSAL.js refuses an issuer that is not https', async () => {
  const world = await openApp('loopback')
  try {
    const visit = await world.open()
    await visit.page.goto(world.app)
    const refused = `app.auth.loginRedirect({ scopes: [] }).then(() => '', (error) => error.errorCode)`
    assert.equal(await visit.inApp(refused), 'authority_uri_insecure')
  } finally {
    await world.close()
  }
})
