import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { SignJWT, UnsecuredJWT } from 'jose'
import type { JwtAccountsOptions } from '../../src/accounts/jwt.ts'
import { cookies, seconds, sign, testKey, visit, whoIs } from './asking.ts'
import { accounts, claims, ISSUER, key, refusal } from './issuer.ts'

const stranger = testKey('ES256', 'k1')

describe('a token of the issuer', () => {
  test('OIDC Core §2: its claims become the account', async () => {
    const token = await sign(
      key,
      claims({
        auth_time: seconds(-30),
        sid: 's1',
        name: 'Ada',
        email: 'ada@example.com',
        picture: 'https://p.example.com/a',
        role: 'x',
      }),
    )
    const account = await whoIs(accounts().accounts, cookies({ id: token }))
    assert.ok(account)
    const { claims: all, expiresAt, authTime, ...rest } = account
    assert.deepEqual(rest, {
      provider: 'jwt',
      issuer: ISSUER,
      subject: 'user-1',
      sessionId: 's1',
      name: 'Ada',
      email: 'ada@example.com',
      picture: 'https://p.example.com/a',
    })
    assert.equal(all?.['role'], 'x')
    assert.equal(expiresAt, Number(all?.['exp']) * 1000)
    assert.equal(authTime, Number(all?.['auth_time']) * 1000)
  })

  test('RFC 7519 §4.1.4: a token that has just ended still says whose it was, and nothing else does', async () => {
    const { accounts: adapter } = accounts()
    const before = async (changes: Record<string, unknown>, by = key) =>
      adapter.endedStatement!(
        cookies({ id: await sign(by, claims({ sid: 's1', ...changes })) }),
        Date.now() - 60_000,
      )
    const account = await before({ exp: seconds(-30) })
    assert.deepEqual([account?.subject, account?.sessionId], ['user-1', 's1'])
    assert.equal(await whoIs(adapter, cookies({ id: await sign(key, claims({ exp: seconds(-30) })) })), null)
    assert.equal(await before({ exp: seconds(-90) }), null, 'ended too long ago')
    assert.equal(await before({ exp: seconds(60) }), null, 'has not ended')
    assert.equal(await before({ exp: seconds(-30) }, stranger), null, 'signed by another')
    assert.equal(await before({ exp: seconds(-30), iss: 'https://evil.example.com/' }), null)
    assert.equal(await before({ exp: seconds(-30), aud: 'another' }), null)
    assert.equal(await adapter.endedStatement!(visit(), 0), null)
  })

  test('the same e-mail under another issuer or subject is another account', async () => {
    const other = 'https://other.example.com/'
    const here = await whoIs(
      accounts().accounts,
      cookies({ id: await sign(key, claims({ email: 'a@example.com' })) }),
    )
    const there = await whoIs(
      accounts({ issuer: other }).accounts,
      cookies({ id: await sign(key, claims({ iss: other, email: 'a@example.com', sub: 'user-2' })) }),
    )
    assert.equal(here?.email, there?.email)
    assert.notDeepEqual([here?.issuer, here?.subject], [there?.issuer, there?.subject])
  })

  const wrong: [string, Record<string, unknown>, string, Partial<JwtAccountsOptions>?][] = [
    ['RFC 7519 §4.1.4: expired beyond the tolerance', { exp: seconds(-10) }, 'expired'],
    ['RFC 7519 §4.1.4: without exp', { exp: undefined }, 'missing_claim'],
    ['RFC 7519 §4.1.4: with exp that is no number', { exp: String(seconds(60)) }, 'malformed'],
    ['RFC 7519 §4.1.5: not yet valid', { nbf: seconds(30) }, 'not_yet_valid'],
    ['RFC 7519 §4.1.6: issued in the future', { iat: seconds(30) }, 'not_yet_valid'],
    ['RFC 8725 §3.8: of another issuer', { iss: 'https://evil.example.com/' }, 'issuer'],
    ['RFC 8725 §3.8: whose issuer lacks the slash', { iss: 'https://id.example.com' }, 'issuer'],
    ['RFC 8725 §3.8: without an issuer', { iss: undefined }, 'missing_claim'],
    ['RFC 8725 §3.9: for another audience', { aud: 'other' }, 'audience'],
    ['RFC 8725 §3.9: without an audience', { aud: undefined }, 'missing_claim'],
    ['RFC 7519 §4.1.2: without a subject', { sub: undefined }, 'missing_claim'],
    ['RFC 7519 §4.1.2: with an empty subject', { sub: '' }, 'subject'],
    ['RFC 7519 §4.1.2: with a number as subject', { sub: 7 }, 'subject'],
    ['OIDC Core §2: with a subject of 256 characters', { sub: 'x'.repeat(256) }, 'subject'],
    ['RFC 8693 §4.1: in which somebody else acts', { act: { sub: 'admin' } }, 'impersonation'],
    [
      'OIDC Core §2: with a foreign azp',
      { azp: 'other' },
      'authorized_party',
      { authorizedParties: ['web'], audience: undefined },
    ],
    [
      'OIDC Core §2: without azp where one is demanded',
      {},
      'authorized_party',
      { authorizedParties: ['web'], audience: undefined },
    ],
  ]
  for (const [name, changes, reason, options] of wrong) {
    test(`${name} is refused`, async () => {
      assert.equal(await refusal(await sign(key, claims(changes)), options), reason)
    })
  }

  const right: [string, Record<string, unknown>, Partial<JwtAccountsOptions>?][] = [
    ['RFC 7519 §4.1.4: expired within the tolerance', { exp: seconds(-2) }],
    ['RFC 7519 §4.1.3: with several audiences, ours among them', { aud: ['other', 'app'] }],
    ['OIDC Core §2: with the azp demanded', { azp: 'web' }, { authorizedParties: ['web'] }],
    ['OIDC Core §2: with a subject of 255 characters', { sub: 'x'.repeat(255) }],
    [
      'RFC 8693 §4.1: in which an allowed actor acts',
      { act: { sub: 'admin' } },
      { allowImpersonation: true },
    ],
  ]
  for (const [name, changes, options] of right) {
    test(`${name} signs in`, async () => {
      assert.equal(await refusal(await sign(key, claims(changes)), options), 'signed in')
    })
  }

  test('RFC 8725 §3.11: a logout token is no sign-in; at+jwt and no type at all are', async () => {
    assert.equal(await refusal(await sign(key, claims(), { typ: 'logout+jwt' })), 'type')
    assert.equal(await refusal(await sign(key, claims(), { typ: 'application/at+jwt' })), 'signed in')
    assert.equal(await refusal(await sign(key, claims(), { typ: undefined })), 'signed in')
  })
})

describe('signatures and keys', () => {
  const rsa = testKey('RS256', 'r1')

  test('RFC 8725 §3.1: HS256 with the public key as the secret is refused, with PEM and with a JWKS', async () => {
    const forged = await new SignJWT(claims())
      .setProtectedHeader({ alg: 'HS256', kid: 'r1' })
      .sign(Buffer.from(rsa.pem))
    assert.equal(await refusal(forged, { jwks: undefined, publicKey: rsa.pem }), 'algorithm')
    assert.equal(await refusal(forged, { jwks: { keys: [rsa.jwk] } as never }), 'algorithm')
    assert.equal(
      await refusal(await sign(rsa, claims()), { jwks: undefined, publicKey: rsa.pem }),
      'signed in',
    )
  })

  test('RFC 8725 §3.2: alg none is refused', async () => {
    const unsigned = new UnsecuredJWT(claims()).encode()
    assert.equal(await refusal(unsigned), 'algorithm')
    assert.equal(await refusal(`${unsigned}AA`), 'algorithm')
  })

  test('RFC 8725 §3.1: an algorithm outside the list is refused although the key fits', async () => {
    const token = await sign(rsa, claims(), { alg: 'RS512' })
    const options = { jwks: undefined, publicKey: rsa.pem }
    assert.equal(await refusal(token, options), 'algorithm')
    assert.equal(await refusal(token, { ...options, algorithms: ['RS512'] }), 'signed in')
  })

  test('RFC 8725 §3.2: a token signed by another key under the same kid is refused', async () => {
    assert.equal(await refusal(await sign(stranger, claims())), 'signature')
    assert.equal(await refusal(await sign(key, claims(), { kid: 'k9' })), 'unknown_key')
  })

  test('RFC 7515 §5.2: changed claims under an old signature are refused', async () => {
    const [header, , signature] = (await sign(key, claims())).split('.')
    const payload = Buffer.from(JSON.stringify(claims({ sub: 'admin' }))).toString('base64url')
    assert.equal(await refusal(`${header}.${payload}.${signature}`), 'signature')
  })

  test('RFC 7517 §4.5: without kid every fitting key of the set is tried', async () => {
    const jwks = { keys: [stranger.jwk, { ...key.jwk, kid: 'k2' }] } as JwtAccountsOptions['jwks']
    const token = await sign(key, claims(), { kid: undefined })
    assert.equal(await refusal(token, { jwks }), 'signed in')
    const outsider = testKey('ES256', 'k3')
    assert.equal(await refusal(await sign(outsider, claims(), { kid: undefined }), { jwks }), 'signature')
    assert.equal(
      await refusal(await sign(key, claims({ aud: 'other' }), { kid: undefined }), { jwks }),
      'audience',
    )
  })

  test('RFC 8037 §3.1: Ed25519, and a PEM whose line breaks were lost in an environment variable', async () => {
    const ed = testKey('EdDSA', 'e1')
    const token = await sign(ed, claims())
    for (const publicKey of [
      ed.pem,
      ed.pem.trim().replaceAll('\n', '\\n'),
      ed.pem.trim().replaceAll('\n', ' '),
    ]) {
      assert.equal(await refusal(token, { jwks: undefined, publicKey }), 'signed in')
    }
  })

  test('opaque and broken tokens are malformed, not exceptions', async () => {
    for (const token of ['opaque', 'a.b.c', '..', `${await sign(key, claims())}.x`, '%F0', 'e30.W10.e30']) {
      assert.equal(await refusal(token), 'malformed', token)
    }
  })
})

describe('where the token stands', () => {
  test('RFC 6750 §2.1: a Bearer header goes before the cookie', async () => {
    const made = accounts().accounts
    const bearer = await sign(key, claims({ sub: 'by-header' }))
    const cookie = await sign(key, claims({ sub: 'by-cookie' }))
    const both = visit({ authorization: `Bearer ${bearer}`, cookie: `id=${cookie}` })
    assert.equal((await whoIs(made, both))?.subject, 'by-header')
    assert.equal((await whoIs(made, cookies({ id: cookie })))?.subject, 'by-cookie')
    assert.equal(await whoIs(made, visit({ authorization: `Basic ${bearer}` })), null)
  })

  test('by default cookies are not read', async () => {
    const made = accounts({ token: undefined }).accounts
    const token = await sign(key, claims())
    assert.equal(await whoIs(made, cookies({ id: token })), null)
    assert.ok(await whoIs(made, visit({ authorization: `bearer ${token}` })))
  })

  test('a function reads any header', async () => {
    const made = accounts({ token: (request) => request.headers.get('x-assertion') }).accounts
    assert.ok(await whoIs(made, visit({ 'x-assertion': await sign(key, claims()) })))
    assert.equal(await whoIs(made, visit()), null)
  })

  test('RFC 6265 §5.4: of two cookies of one name the valid one counts; two users are nobody', async () => {
    const made = accounts()
    const stale = await sign(key, claims({ exp: seconds(-100) }))
    const good = await sign(key, claims())
    const other = await sign(key, claims({ sub: 'attacker' }))
    const visitWith = (...tokens: string[]) =>
      whoIs(made.accounts, visit({ cookie: tokens.map((token) => `id=${token}`).join('; ') }))
    assert.equal((await visitWith(stale, good))?.subject, 'user-1')
    assert.equal((await visitWith(good, stale))?.subject, 'user-1')
    assert.equal(await visitWith(good, other), null)
    assert.equal(made.refusals.at(-1), 'ambiguous')
  })
})
