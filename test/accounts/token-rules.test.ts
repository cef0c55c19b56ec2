import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { describe, test } from 'node:test'
import { type JwtAccountsOptions, jwtAccounts } from '../../src/accounts/jwt.ts'
import { ConfigError } from '../../src/config-error.ts'
import { testKey } from './asking.ts'
import { ISSUER } from './issuer.ts'

describe('configuration', () => {
  const good = {
    issuer: ISSUER,
    audience: 'app',
    jwksUri: 'https://id.example.com/jwks',
    signInUrl: '/login',
  }
  const privatePem = testKey('ES256', 'x').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()

  const shortPem = generateKeyPairSync('rsa', { modulusLength: 1024 })
    .publicKey.export({ type: 'spki', format: 'pem' })
    .toString()

  const wrong: [string, Partial<JwtAccountsOptions>, RegExp][] = [
    ['no keys', { jwksUri: undefined }, /jwtAccounts\.jwksUri: nothing was given; allowed: exactly one of/],
    ['two kinds of keys', { publicKey: testKey('ES256', 'x').pem }, /exactly one of/],
    ['HS256 beside a key set', { algorithms: ['RS256', 'HS256'] }, /jwtAccounts\.algorithms: .*HS256.*never/],
    ['a secret beside a key set', { secret: 'x'.repeat(32) }, /exactly one of/],
    ['alg none', { algorithms: ['none'] }, /jwtAccounts\.algorithms/],
    ['an empty algorithm list', { algorithms: [] }, /jwtAccounts\.algorithms/],
    ['a short secret', { jwksUri: undefined, secret: 'short' }, /jwtAccounts\.secret: allowed/],
    ['a private PEM key', { jwksUri: undefined, publicKey: privatePem }, /jwtAccounts\.publicKey: allowed/],
    [
      'a private key in the set',
      {
        jwksUri: undefined,
        jwks: { keys: [{ kty: 'EC', crv: 'P-256', x: 'x', y: 'y', d: 'private-part' }] },
      },
      /jwtAccounts\.jwks: allowed/,
    ],
    [
      'a symmetric key in the set',
      { jwksUri: undefined, jwks: { keys: [{ kty: 'oct', k: 'private-part' }] } },
      /jwtAccounts\.jwks/,
    ],
    [
      'an algorithm that does not fit the key',
      { jwksUri: undefined, publicKey: testKey('ES256', 'x').pem, algorithms: ['RS256'] },
      /jwtAccounts\.algorithms/,
    ],
    ['an RSA key of 1024 bits', { jwksUri: undefined, publicKey: shortPem }, /jwtAccounts\.publicKey.*2048/],
    ['a password in a URL', { signInUrl: 'https://u:p@app.example.com/' }, /jwtAccounts\.signInUrl/],
    ['plain http keys', { jwksUri: 'http://id.example.com/jwks' }, /jwtAccounts\.jwksUri.*https/],
    [
      'an issuer that is no URL',
      { issuer: 'id.example.com' },
      /jwtAccounts\.issuer: "id\.example\.com" was given/,
    ],
    ['neither audience nor authorised party', { audience: undefined }, /jwtAccounts\.audience/],
    ['an empty list of parties', { authorizedParties: [] }, /jwtAccounts\.authorizedParties/],
    ['a sign-in page on another scheme', { signInUrl: 'javascript:alert(1)' }, /jwtAccounts\.signInUrl/],
    ['a sign-in page without a scheme', { signInUrl: '//evil.example.com' }, /jwtAccounts\.signInUrl/],
    ['a minute-long unit mistake', { clockTolerance: 60_000 }, /jwtAccounts\.clockTolerance/],
    ['a built-in provider name', { provider: 'local' }, /jwtAccounts\.provider/],
    ['a cookie name with a space', { token: { cookie: 'a b' } }, /jwtAccounts\.token/],
  ]
  for (const [name, changes, message] of wrong) {
    test(`${name} is refused`, () => {
      assert.throws(
        () => jwtAccounts({ ...good, ...changes }),
        (error) => {
          assert.ok(error instanceof ConfigError)
          assert.match(error.message, message)
          assert.doesNotMatch(error.message, /private-part|PRIVATE KEY/)
          return true
        },
      )
    })
  }

  test('all problems are named at once', () => {
    assert.throws(
      () => jwtAccounts({ issuer: 'x', signInUrl: 'y' }),
      (error) => {
        assert.ok(error instanceof ConfigError)
        assert.deepEqual(error.problems.map((problem) => problem.path).sort(), [
          'jwtAccounts.audience',
          'jwtAccounts.issuer',
          'jwtAccounts.jwksUri',
          'jwtAccounts.signInUrl',
        ])
        return true
      },
    )
  })

  test('the configuration these cases start from is right', () => {
    assert.ok(jwtAccounts(good))
  })
})
