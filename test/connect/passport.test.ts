import assert from 'node:assert/strict'
import { test } from 'node:test'
import { onBothDatabases } from '../support/gatehouse.ts'
import { connected } from './connected.ts'
import { ada, claimsOf } from './person.ts'

onBothDatabases('docs/connect/passport-openidconnect.md', (dialect) => {
  const at = connected(dialect, { page: 'passport-openidconnect', workspace: 'passport' })

  test('a person signs in without PKCE, and is known by name and e-mail', async () => {
    const { app, newPerson } = at.current
    const person = newPerson()
    const profile = await person.visit(`${app}/login`)
    assert.equal(profile.url, `${app}/profile`)
    const { displayName, emails } = JSON.parse(profile.text)
    assert.deepEqual({ name: displayName, email: emails[0].value }, ada.claims)
    assert.deepEqual(person.shown, ['sign-up', 'authorize'])
    assert.equal((await newPerson().browser.open(`${app}/profile`)).text, 'null')
  })
})

onBothDatabases('docs/connect/passport-oauth2.md', (dialect) => {
  const at = connected(dialect, { page: 'passport-oauth2', workspace: 'passport' })

  test('a person signs in with PKCE, and is known by name and e-mail', async () => {
    const { app, newPerson } = at.current
    const person = newPerson()
    const profile = await person.visit(`${app}/login`)
    assert.equal(profile.url, `${app}/profile`)
    assert.deepEqual(claimsOf(profile), ada.claims)
    const { accessToken, refreshToken } = JSON.parse(profile.text)
    assert.ok(accessToken && refreshToken)
  })
})
