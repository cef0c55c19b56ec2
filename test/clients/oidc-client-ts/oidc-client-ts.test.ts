// docs/connect/oidc-client-ts.md, run as it is printed.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Config } from '../../../src/config.ts'
import { assertChecked, readConnectPage } from '../browser/page.ts'
import { openWorld, type Place, type Visit, type World } from '../browser/world.ts'

const guide = readConnectPage('oidc-client-ts')
const imports = {
  'oidc-client-ts': '/node_modules/oidc-client-ts/dist/esm/oidc-client-ts.js',
  'jwt-decode': '/node_modules/jwt-decode/build/esm/index.js',
}

interface User {
  access_token: string
  refresh_token?: string
  profile: { sub: string; name: string; email: string }
}

/** What the library is told where it renews. */
const renewalError = 'app.auth.signinSilent().then(() => undefined, (error) => error.error)'

async function openApp(place: Place, config: Partial<Config> = {}): Promise<World> {
  const world = await openWorld(place, config)
  world.serveApp(guide.block('js'), imports, '/callback')
  await world.shell(guide.block('sh'))
  return world
}

async function signIn(world: World, visit: Visit) {
  await visit.page.goto(world.app)
  await visit.shows('Not signed in')
  await visit.page.click('#sign-in')
  const who = await visit.signUp()
  await visit.allow()
  await visit.shows(who.name)
  return who
}

test('docs/connect/oidc-client-ts.md is short and names the version that is tested', () => {
  assertChecked(guide, 'oidc-client-ts')
})

describe('oidc-client-ts in a browser', () => {
  let world: World
  before(async () => {
    world = await openApp('https')
  })
  after(() => world?.close())
  let visit: Visit

  test('signs a person in, sees the claims, and calls an API', async () => {
    visit = await world.open()
    const who = await signIn(world, visit)
    const { profile, access_token } = await visit.inApp<User>('app.auth.getUser()')
    assert.deepEqual([profile.name, profile.email], [who.name, who.email])
    const jobs = await visit.page.evaluate(
      async (token) =>
        (await fetch('/api/jobs', { headers: { authorization: `Bearer ${token}` } })).json() as unknown,
      access_token,
    )
    assert.deepEqual(jobs, { jobs: ['Baker'], for: profile.sub })
  })

  test('renews an access token by itself before it expires, with the refresh token', async () => {
    await world.shell('npx gatehouse-auth clients change job-board --access-token-lifetime 62')
    const first = await visit.inApp<User>('app.auth.signinSilent()')
    const next = await visit.inApp<User>(
      'new Promise((resolve) => app.auth.events.addUserLoaded((user) => resolve(user)))',
    )
    assert.notEqual(next.access_token, first.access_token)
    assert.notEqual(next.refresh_token, first.refresh_token)
    assert.equal(next.profile.name, 'Ann Example')
    await world.shell('npx gatehouse-auth clients change job-board --access-token-lifetime 900')
  })

  test('signs the person out here, there, and comes back', async () => {
    await visit.page.click('#sign-out')
    await visit.shows('Not signed in')
    assert.equal(new URL(visit.page.url()).origin, world.app)
    await visit.page.goto(`${world.issuer}/account`)
    await visit.page.getByRole('heading', { level: 1, name: 'Sign in' }).waitFor()
    assert.deepEqual(visit.complaints, [])
  })

  test('renews in a hidden frame where the client has no refresh tokens, until the person has signed out', async () => {
    await world.shell('npx gatehouse-auth clients change job-board --grant-type authorization_code')
    const other = await world.open()
    await signIn(world, other)
    const first = await other.inApp<User>('app.auth.getUser()')
    assert.equal(first.refresh_token, undefined)
    const next = await other.inApp<User>('app.auth.signinSilent()')
    assert.notEqual(next.access_token, first.access_token)
    assert.deepEqual([next.profile.sub, next.profile.name], [first.profile.sub, 'Ann Example'])

    const account = await other.context.newPage()
    await account.goto(`${world.issuer}/account`)
    await account.getByRole('button', { name: 'Sign out', exact: true }).click()
    await account.getByRole('heading', { name: 'You are signed out' }).waitFor()
    assert.equal(await other.inApp(renewalError), 'login_required')
  })
})

test('oidc-client-ts on loopback renews with the refresh token; a hidden frame is told consent_required', async () => {
  const world = await openApp('loopback')
  try {
    const visit = await world.open()
    await signIn(world, visit)
    const first = await visit.inApp<User>('app.auth.getUser()')
    const next = await visit.inApp<User>('app.auth.signinSilent()')
    assert.notEqual(next.access_token, first.access_token)
    await world.shell('npx gatehouse-auth clients change job-board --grant-type authorization_code')
    const other = await world.open()
    await signIn(world, other)
    assert.equal(await other.inApp(renewalError), 'consent_required')
  } finally {
    await world.close()
  }
})

test('oidc-client-ts on another site, the only one that cors names, renews with the refresh token; a hidden frame is told login_required', async () => {
  const world = await openApp('elsewhere', { cors: ['https://app.example.net'] })
  try {
    const visit = await world.open()
    await signIn(world, visit)
    const first = await visit.inApp<User>('app.auth.getUser()')
    const next = await visit.inApp<User>('app.auth.signinSilent()')
    assert.notEqual(next.access_token, first.access_token)
    await world.shell('npx gatehouse-auth clients change job-board --grant-type authorization_code')
    await visit.inApp('app.auth.removeUser()')
    assert.equal(await visit.inApp(renewalError), 'login_required')
  } finally {
    await world.close()
  }
})
