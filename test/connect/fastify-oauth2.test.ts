import assert from 'node:assert/strict'
import { test } from 'node:test'
import { onBothDatabases } from '../support/gatehouse.ts'
import { connected } from './connected.ts'
import { ada, claimsOf } from './person.ts'

onBothDatabases('docs/connect/fastify-oauth2.md', (dialect) => {
  const at = connected(dialect, { page: 'fastify-oauth2', workspace: 'fastify-oauth2' })

  test('a person signs in with PKCE, is known by name and e-mail, is refreshed, and the tokens are revoked', async () => {
    const { app, newPerson } = at.current
    const person = newPerson()
    const profile = await person.visit(`${app}/login`)
    assert.equal(profile.url, `${app}/profile`)
    assert.deepEqual(claimsOf(profile), ada.claims)
    assert.deepEqual(claimsOf(await person.visit(`${app}/refresh`)), ada.claims)
    const out = await person.visit(`${app}/logout`)
    assert.deepEqual(JSON.parse(out.text), { signedIn: false }, out.text)
  })
})
