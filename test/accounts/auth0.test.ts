import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { auth0Accounts, type JwtAccountsOptions } from '../../src/accounts/jwt.ts'
import { ConfigError } from '../../src/config-error.ts'
import { cookies, sign, testKey, whoIs } from './asking.ts'
import { claims } from './issuer.ts'

describe('Auth0', () => {
  const rsa = testKey('RS256', 'a1')
  const options = {
    domain: 'tenant.eu.auth0.com',
    audience: 'https://api.example.com',
    signInUrl: '/login',
    token: { cookie: 'id' },
    jwks: { keys: [rsa.jwk] } as JwtAccountsOptions['jwks'],
  }
  const token = (iss: string) =>
    sign(rsa, { ...claims(), iss, aud: ['https://api.example.com', 'https://tenant.eu.auth0.com/userinfo'] })

  test('RFC 8725 §3.8: the issuer with its slash signs in, without it is refused', async () => {
    for (const domain of [
      'tenant.eu.auth0.com',
      'https://tenant.eu.auth0.com',
      'https://tenant.eu.auth0.com/',
    ]) {
      const made = auth0Accounts({ ...options, domain })
      const account = await whoIs(made, cookies({ id: await token('https://tenant.eu.auth0.com/') }))
      assert.equal(account?.provider, 'auth0')
      assert.equal(account?.issuer, 'https://tenant.eu.auth0.com/')
      assert.equal(await whoIs(made, cookies({ id: await token('https://tenant.eu.auth0.com') })), null)
    }
  })

  test('without an audience the operator is told why the token would be opaque', () => {
    assert.throws(
      () => auth0Accounts({ ...options, audience: '' }),
      (error) =>
        error instanceof ConfigError &&
        /auth0Accounts\.audience/.test(error.message) &&
        /opaque/.test(error.message),
    )
  })

  test('an opaque token is nobody, and the reason says malformed', async () => {
    const refusals: string[] = []
    const made = auth0Accounts({ ...options, onRefused: (reason) => void refusals.push(reason) })
    assert.equal(await whoIs(made, cookies({ id: 'K7gNU3sdo-OL0wNhqoVWhr3g6s1xYv72' })), null)
    assert.deepEqual(refusals, ['malformed'])
  })
})
