// docs/connect/okta-auth-js.md, run as it is printed.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { assertChecked, readConnectPage } from '../browser/page.ts'
import { openWorld, type Visit, type World } from '../browser/world.ts'

const guide = readConnectPage('okta-auth-js')
/** The package's own build for browsers, which is no module. */
const wrapper = `import '/node_modules/@okta/okta-auth-js/umd/default.js'
export const { OktaAuth } = globalThis.OktaAuth
`

interface Tokens {
  accessToken: { accessToken: string }
  refreshToken: { refreshToken: string }
  idToken: { claims: { sub: string; name: string; email: string } }
}

test('docs/connect/okta-auth-js.md is short and names the version that is tested', () => {
  assertChecked(guide, '@okta/okta-auth-js')
})

describe('okta-auth-js in a browser', () => {
  let world: World
  let visit: Visit
  before(async () => {
    world = await openWorld('https')
    world.files.set('/okta-auth-js.js', wrapper)
    world.serveApp(guide.block('js'), { '@okta/okta-auth-js': '/okta-auth-js.js' }, '/callback')
    await world.shell(guide.block('sh'))
    visit = await world.open()
  })
  after(() => world?.close())
  let tokens: Tokens
  const jobs = () =>
    visit.page.evaluate(
      `import('/app.js').then((app) => fetch('/api/jobs', { headers: { authorization: 'Bearer ' + app.auth.getAccessToken() } })).then((answer) => answer.json())`,
    )

  test('signs a person in, sees the claims, and calls an API', async () => {
    await visit.page.goto(world.app)
    await visit.shows('Not signed in')
    await visit.page.click('#sign-in')
    const who = await visit.signUp()
    await visit.allow()
    await visit.shows(who.name)
    tokens = await visit.inApp('app.auth.tokenManager.getTokens()')
    const { claims } = tokens.idToken
    assert.deepEqual([claims.name, claims.email], [who.name, who.email])
    assert.deepEqual(await jobs(), { jobs: ['Baker'], for: claims.sub })
    const { email } = await visit.inApp<{ email: string }>('app.auth.token.getUserInfo()')
    assert.equal(email, who.email)
  })

  // It waits for half a minute: the shortest life is 60 seconds, and the library renews 30 seconds before the end.
  test('renews by itself before the access token expires, with the refresh token', async () => {
    await world.shell('npx gatehouse-auth clients change job-board --access-token-lifetime 60')
    const first = await visit.inApp<Tokens>(
      'app.auth.token.renewTokens().then((tokens) => (app.auth.tokenManager.setTokens(tokens), tokens))',
    )
    assert.notEqual(first.refreshToken.refreshToken, tokens.refreshToken.refreshToken)
    const next = await visit.inApp<string>(
      `new Promise((resolve) => app.auth.tokenManager.on('renewed', (key, { accessToken }) => key === 'accessToken' && resolve(accessToken)))`,
    )
    assert.notEqual(next, first.accessToken.accessToken)
    tokens = await visit.inApp<Tokens>('app.auth.tokenManager.getTokens()')
    assert.equal(tokens.idToken.claims.name, 'Ann Example')
  })

  test('signs the person out: tokens revoked, signed out here and there, and back', async () => {
    await visit.page.click('#sign-out')
    await visit.shows('Not signed in')
    assert.equal(new URL(visit.page.url()).origin, world.app)
    const headers = { authorization: `Bearer ${tokens.accessToken.accessToken}` }
    assert.equal((await world.g.authenticate({ headers })).ok, false)
    await visit.page.goto(`${world.issuer}/account`)
    await visit.page.getByRole('heading', { level: 1, name: 'Sign in' }).waitFor()
    assert.deepEqual(visit.complaints, [])
  })
})
