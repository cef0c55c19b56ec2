import assert from 'node:assert/strict'
import { test } from 'node:test'
import { onBothDatabases } from '../support/gatehouse.ts'
import { connected } from './connected.ts'
import { ada, claimsOf } from './person.ts'

onBothDatabases('docs/connect/express-openid-connect.md', (dialect) => {
  const at = connected(dialect, { page: 'express-openid-connect', workspace: 'express-openid-connect' })

  test('a person signs in, is known by name and e-mail, is refreshed and signs out everywhere', async () => {
    const { app, issuer, newPerson } = at.current
    const person = newPerson()
    assert.deepEqual(claimsOf(await person.visit(`${app}/profile`)), ada.claims)
    assert.deepEqual(person.shown, ['sign-up', 'authorize'])
    assert.deepEqual(claimsOf(await person.visit(`${app}/refresh`)), ada.claims)
    const home = await person.visit(`${app}/logout`)
    assert.deepEqual([home.url, JSON.parse(home.text)], [`${app}/`, { signedIn: false }])
    assert.match((await person.browser.open(`${issuer}/account/apps`)).url, /\/sign-in\b/)
  })
})
