import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { SignJWT } from 'jose'
import {
  type JwtAccountsOptions,
  type SupabaseAccountsOptions,
  supabaseAccounts,
} from '../../src/accounts/jwt.ts'
import { ConfigError } from '../../src/config-error.ts'
import { cookies, seconds, sentTo, sign, testKey, visit, whoIs } from './asking.ts'

const PROJECT = 'https://abcdefghijklmnopqrst.supabase.co'
const key = testKey('ES256', 's1')
const rsa = testKey('RS256', 's2')
const jwks = { keys: [key.jwk, rsa.jwk] } as JwtAccountsOptions['jwks']

function accounts(changes: Partial<SupabaseAccountsOptions> = {}) {
  return supabaseAccounts({
    projectUrl: PROJECT,
    signInUrl: 'https://app.example.com/sign-in',
    jwks,
    ...changes,
  })
}

function claims(changes: Record<string, unknown> = {}) {
  return {
    iss: `${PROJECT}/auth/v1`,
    aud: 'authenticated',
    sub: '8d0fd2b3-9ca7-4d9e-a95f-9e13dded323e',
    iat: seconds(),
    exp: seconds(3600),
    role: 'authenticated',
    aal: 'aal1',
    session_id: '5c0e9a6e',
    email: 'ada@example.com',
    is_anonymous: false,
    amr: [{ method: 'password', timestamp: seconds(-40) }],
    user_metadata: { full_name: 'Ada Lovelace', avatar_url: 'https://p.example.com/a' },
    ...changes,
  }
}

const bearer = (token: string) => visit({ authorization: `Bearer ${token}` })

describe('a Supabase access token', () => {
  test('of the local key set signs in, with ES256 and with RS256', async () => {
    for (const by of [key, rsa]) {
      const account = await whoIs(accounts(), bearer(await sign(by, claims())))
      assert.ok(account)
      const { claims: all, expiresAt, authTime, ...rest } = account
      assert.deepEqual(rest, {
        provider: 'supabase',
        issuer: `${PROJECT}/auth/v1`,
        subject: '8d0fd2b3-9ca7-4d9e-a95f-9e13dded323e',
        sessionId: '5c0e9a6e',
        name: 'Ada Lovelace',
        email: 'ada@example.com',
        picture: 'https://p.example.com/a',
      })
      assert.equal(expiresAt, Number(all?.['exp']) * 1000)
      assert.ok(authTime && authTime < Date.now() - 30_000)
    }
  })

  const wrong: [string, Record<string, unknown>][] = [
    ['RFC 8725 §3.8: of another project', { iss: 'https://zzzzzzzzzzzzzzzzzzzz.supabase.co/auth/v1' }],
    ['RFC 8725 §3.8: whose issuer ends in a slash', { iss: `${PROJECT}/auth/v1/` }],
    ['RFC 8725 §3.9: for the audience anon', { aud: 'anon' }],
    ['RFC 7519 §4.1.4: expired', { exp: seconds(-60) }],
    ['issued to an OAuth client', { client_id: '9a8b7c6d' }],
    ['of an anonymous user', { is_anonymous: true }],
  ]
  for (const [name, changes] of wrong) {
    test(`${name} is nobody`, async () => {
      assert.equal(await whoIs(accounts(), bearer(await sign(key, claims(changes)))), null)
    })
  }

  test('anonymous users may be let in', async () => {
    const token = await sign(key, claims({ is_anonymous: true }))
    assert.ok(await whoIs(accounts({ allowAnonymous: true }), bearer(token)))
  })

  test('a second factor may be demanded', async () => {
    const made = accounts({ requireSecondFactor: true })
    assert.equal(await whoIs(made, bearer(await sign(key, claims()))), null)
    assert.ok(await whoIs(made, bearer(await sign(key, claims({ aal: 'aal2' })))))
  })

  test('OIDC Core §3.1.2.1: max_age is judged by the newest step in amr; a refresh is none', async () => {
    const amr = [
      { method: 'token_refresh', timestamp: seconds(-1) },
      { method: 'totp', timestamp: seconds(-100) },
      { method: 'password', timestamp: seconds(-120) },
    ]
    const request = bearer(await sign(key, claims({ amr })))
    assert.ok(await whoIs(accounts(), request, { maxAge: 110 }))
    assert.equal(await whoIs(accounts(), request, { maxAge: 50 }), null)
  })

  test('RFC 8176 §1: amr without times cannot satisfy max_age, and nobody is sent in circles', async () => {
    const request = bearer(await sign(key, claims({ amr: ['pwd'] })))
    assert.ok(await whoIs(accounts(), request))
    assert.equal(await sentTo(accounts(), request, { maxAge: 10_000 }), null)
  })
})

describe('the shared secret of older projects', () => {
  const secret = 'super-secret-jwt-token-with-at-least-32-characters'
  const hs256 = (by: string) =>
    new SignJWT(claims()).setProtectedHeader({ alg: 'HS256', typ: 'JWT' }).sign(Buffer.from(by))

  test('RFC 8725 §3.1: HS256 counts with a secret alone, never beside a key set', async () => {
    assert.ok(await whoIs(accounts({ jwks: undefined, secret }), bearer(await hs256(secret))))
    assert.equal(await whoIs(accounts(), bearer(await hs256(secret))), null)
    assert.throws(() => accounts({ secret }), ConfigError)
  })

  test('RFC 8725 §3.1: HS256 with a public key as its secret, and ES256 beside the secret, are nobody', async () => {
    assert.equal(await whoIs(accounts(), bearer(await hs256(key.pem))), null)
    const made = accounts({ jwks: undefined, secret })
    assert.equal(await whoIs(made, bearer(await sign(key, claims()))), null)
    assert.equal(await whoIs(made, bearer(await hs256(`${secret}x`))), null)
  })
})

describe('the session cookie of @supabase/ssr', () => {
  const name = 'sb-abcdefghijklmnopqrst-auth-token'
  const session = async () =>
    JSON.stringify({ access_token: await sign(key, claims()), refresh_token: 'r', user: { name: 'Zoë' } })
  const base64 = async () => `base64-${Buffer.from(await session()).toString('base64url')}`

  test('in one cookie, base64url or percent-encoded', async () => {
    assert.ok(await whoIs(accounts(), cookies({ [name]: await base64() })))
    assert.ok(await whoIs(accounts(), cookies({ [name]: encodeURIComponent(await session()) })))
  })

  test('in chunks', async () => {
    const text = await base64()
    const chunks = { [`${name}.0`]: text.slice(0, 300), [`${name}.1`]: text.slice(300) }
    assert.ok(await whoIs(accounts(), cookies(chunks)))
    assert.equal(await whoIs(accounts(), cookies({ [`${name}.0`]: text.slice(0, 300) })), null)
  })

  test('of another project, torn or foreign cookies are nobody', async () => {
    assert.equal(await whoIs(accounts(), cookies({ 'sb-other-auth-token': await base64() })), null)
    for (const value of ['base64-', 'base64-e30', '%', 'null', '""', 'x']) {
      assert.equal(await whoIs(accounts(), cookies({ [name]: value })), null, value)
    }
  })
})

test('the keys are looked for below the issuer, and a wrong project URL is named', () => {
  assert.ok(accounts({ jwks: undefined }))
  for (const projectUrl of ['abcdefghijklmnopqrst', `${PROJECT}/auth/v1`, 'http://abc.supabase.co']) {
    assert.throws(() => accounts({ projectUrl }), /supabaseAccounts\.projectUrl: .* was given; allowed: /)
  }
})
