import assert from 'node:assert/strict'
import { test } from 'node:test'
import { onBothDatabases } from '../support/gatehouse.ts'
import { connected } from './connected.ts'
import { ada, claimsOf } from './person.ts'

for (const page of ['openid-client-6', 'openid-client-5']) {
  onBothDatabases(`docs/connect/${page}.md`, (dialect) => {
    const at = connected(dialect, { page, workspace: page })

    test('a person signs in, is known by name and e-mail, is refreshed and signs out everywhere', async () => {
      const { app, issuer, newPerson } = at.current
      const person = newPerson()
      const profile = await person.visit(`${app}/login`)
      assert.equal(profile.url, `${app}/profile`)
      assert.deepEqual(claimsOf(profile), ada.claims)
      assert.deepEqual(person.shown, ['sign-up', 'authorize'])
      for (let times = 0; times < 2; times++)
        assert.deepEqual(claimsOf(await person.visit(`${app}/refresh`)), ada.claims)
      const after = await person.visit(`${app}/logout`)
      assert.deepEqual([after.url, after.text], [`${app}/profile`, 'null'])
      assert.match((await person.browser.open(`${issuer}/account/apps`)).url, /\/sign-in\b/)
    })
  })
}
