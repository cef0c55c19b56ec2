import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { onBothDatabases } from '../support/gatehouse.ts'
import { type Connected, connected } from './connected.ts'
import { nextDev } from './next.ts'
import { ada, claimsOf } from './person.ts'

async function signsInAndOut({ app, newPerson }: Connected, base: string, profile: string): Promise<void> {
  const person = newPerson()
  const asked = await person.visit(`${app}${base}/signin?callbackUrl=${encodeURIComponent(app + profile)}`)
  const signedIn = await person.press(asked, '/signin/gatehouse')
  assert.equal(signedIn.url, app + profile, signedIn.text)
  assert.deepEqual(claimsOf(signedIn, 'user'), ada.claims)
  assert.deepEqual(person.shown, ['sign-up', 'authorize'])
  const leaving = await person.visit(`${app}${base}/signout?callbackUrl=${encodeURIComponent(app + profile)}`)
  const out = await person.press(leaving, '/signout')
  assert.match(out.text, /^(null|\{\})$/)
}

onBothDatabases('docs/connect/auth-js.md', (dialect) => {
  const at = connected(dialect, { page: 'auth-js', workspace: 'auth-js' })

  test('a person signs in, is known by name and e-mail, and signs out of the app', () =>
    signsInAndOut(at.current, '/auth', '/profile'))
})

// In Next.js, which takes its time to compile: on one database.
describe('docs/connect/next-auth-5.md', () => {
  const at = connected('sqlite', { page: 'next-auth-5', workspace: 'auth-js', start: nextDev })

  test('a person signs in, is known by name and e-mail, and signs out of the app', () =>
    signsInAndOut(at.current, '/api/auth', '/profile'))
})

describe('docs/connect/next-auth-4.md', () => {
  const at = connected('sqlite', {
    page: 'next-auth-4',
    workspace: 'next-auth-4',
    start: nextDev,
    path: '/auth',
  })

  test('a person signs in, is known by name and e-mail, and signs out of the app', () =>
    signsInAndOut(at.current, '/api/auth', '/api/auth/session'))
})
