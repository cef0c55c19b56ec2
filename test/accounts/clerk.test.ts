import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import { type ClerkAccountsOptions, clerkAccounts } from '../../src/accounts/clerk.ts'
import { ConfigError } from '../../src/config-error.ts'
import { cookies, RETURN_TO, seconds, sentTo, sign, testKey, visit, whoIs } from './asking.ts'

const ISSUER = 'https://clerk.example.com'
const PUBLISHABLE = `pk_live_${Buffer.from('clerk.example.com$').toString('base64')}`
const key = testKey('RS256', 'ins_1')

function accounts(changes: Partial<ClerkAccountsOptions> = {}) {
  return clerkAccounts({
    publishableKey: PUBLISHABLE,
    jwtKey: key.pem,
    authorizedParties: ['https://app.example.com'],
    signInUrl: 'https://app.example.com/sign-in',
    ...changes,
  })
}

function session(changes: Record<string, unknown> = {}) {
  return sign(key, {
    iss: ISSUER,
    azp: 'https://app.example.com',
    sub: 'user_2abc',
    sid: 'sess_1',
    iat: seconds(),
    nbf: seconds(-10),
    exp: seconds(60),
    fva: [2, -1],
    v: 2,
    ...changes,
  })
}

describe('a Clerk session token', () => {
  test('becomes an account that lasts as long as the token', async () => {
    const account = await whoIs(
      accounts(),
      cookies({ __session: await session({ email: 'ada@example.com' }) }),
    )
    assert.ok(account)
    const { claims, expiresAt, authTime, ...rest } = account
    assert.deepEqual(rest, {
      provider: 'clerk',
      issuer: ISSUER,
      subject: 'user_2abc',
      sessionId: 'sess_1',
      name: undefined,
      email: 'ada@example.com',
      picture: undefined,
    })
    assert.equal(expiresAt, Number(claims?.['exp']) * 1000)
    assert.equal(authTime, (Number(claims?.['iat']) - 120) * 1000)
  })

  test('RFC 6750 §2.1: comes as Bearer too', async () => {
    assert.ok(await whoIs(accounts(), visit({ authorization: `Bearer ${await session()}` })))
  })

  test('comes in the cookie named after the instance, which goes first', async () => {
    const suffix = createHash('sha1')
      .update(PUBLISHABLE)
      .digest('base64')
      .replaceAll('+', '-')
      .replaceAll('/', '_')
      .slice(0, 8)
    const mine = await session({ sub: 'user_mine' })
    const other = await session({ sub: 'user_other' })
    const both = cookies({ __session: other, [`__session_${suffix}`]: mine })
    assert.equal((await whoIs(accounts(), both))?.subject, 'user_mine')
  })

  const refusals: [string, Record<string, unknown>, string][] = [
    ['of a pending session', { sts: 'pending' }, 'not_a_session'],
    ['of an unknown session status', { sts: 'revoked' }, 'not_a_session'],
    ['from a JWT template (no sid)', { sid: undefined }, 'not_a_session'],
    [
      'of an impersonated user',
      { act: { iss: 'https://dashboard.clerk.com', sub: 'user_admin' } },
      'impersonation',
    ],
    ['RFC 8725 §3.8: of a foreign issuer', { iss: 'https://clerk.evil.com' }, 'issuer'],
    ['OIDC Core §2: with a foreign azp', { azp: 'https://evil.example.com' }, 'authorized_party'],
    ['OIDC Core §2: without azp', { azp: undefined }, 'authorized_party'],
    ['RFC 7519 §4.1.4: expired', { exp: seconds(-30) }, 'expired'],
  ]
  for (const [name, changes, reason] of refusals) {
    test(`${name} is refused`, async () => {
      const reasons: string[] = []
      const made = accounts({ onRefused: (why) => void reasons.push(why) })
      assert.equal(await whoIs(made, cookies({ __session: await session(changes) })), null)
      assert.deepEqual(reasons, [reason])
    })
  }

  test('RFC 8725 §3.11: an access token of Clerk’s own OAuth server is no session', async () => {
    const reasons: string[] = []
    const token = await sign(
      key,
      { iss: ISSUER, azp: 'https://app.example.com', sub: 'user_2abc', sid: 's', exp: seconds(60) },
      { typ: 'at+jwt' },
    )
    const made = accounts({ onRefused: (why) => void reasons.push(why) })
    assert.equal(await whoIs(made, cookies({ __session: token })), null)
    assert.deepEqual(reasons, ['type'])
  })

  test('an active session status signs in, and allowed impersonation shows the actor', async () => {
    assert.ok(await whoIs(accounts(), cookies({ __session: await session({ sts: 'active' }) })))
    const act = { iss: 'https://dashboard.clerk.com', sub: 'user_admin' }
    const made = accounts({ allowImpersonation: true })
    const account = await whoIs(made, cookies({ __session: await session({ act }) }))
    assert.deepEqual(account?.claims?.['act'], act)
  })
})

describe('signing in and again', () => {
  test('nobody: 303 to the sign-in page, redirect_url takes the return address', async () => {
    const sent = await sentTo(accounts(), visit())
    assert.equal(sent?.status, 303)
    assert.equal(sent?.location.searchParams.get('redirect_url'), RETURN_TO)
    assert.equal(await whoIs(accounts(), visit()), null)
  })

  test('OIDC Core §3.1.2.1: max_age is judged by fva, not by the age of the token', async () => {
    const request = cookies({ __session: await session({ fva: [10, -1] }) })
    assert.ok(await whoIs(accounts(), request, { maxAge: 11 * 60 }))
    assert.equal(await whoIs(accounts(), request, { maxAge: 9 * 60 }), null)
    const sent = await sentTo(accounts(), request, { maxAge: 9 * 60 })
    assert.equal(sent?.location.searchParams.get('prompt'), 'login')
  })

  test('OIDC Core §3.1.2.1: prompt=login is satisfied by a sign-in after the request arrived', async () => {
    const begun = { prompt: ['login'], notBefore: Date.now() - 20_000 }
    const before = cookies({ __session: await session({ fva: [5, -1] }) })
    const after = cookies({ __session: await session({ fva: [0, -1] }) })
    assert.equal(await whoIs(accounts(), before, begun), null)
    assert.ok(await whoIs(accounts(), after, begun))
  })

  test('a token without the age of the first factor satisfies neither, and nobody is sent in circles', async () => {
    for (const fva of [undefined, [-1, -1], 'x', [null, 1]]) {
      const request = cookies({ __session: await session({ fva }) })
      assert.ok(await whoIs(accounts(), request))
      assert.equal(await sentTo(accounts(), request, { maxAge: 10_000 }), null)
    }
  })

  test('a sign-in page that only bounces back ends in no page at all', async () => {
    const token = await session({ fva: [5, -1] })
    const demand = { prompt: ['login'], notBefore: Date.now() }
    let cookie = ''
    let rounds = 0
    for (; rounds < 20; rounds++) {
      const sent = await sentTo(accounts(), visit({ cookie: `__session=${token}; ${cookie}` }), demand)
      if (!sent) break
      cookie = sent.cookie
    }
    assert.equal(rounds, 5)
  })
})

describe('configuration', () => {
  const wrong: [string, Partial<ClerkAccountsOptions>, RegExp][] = [
    ['no issuer at all', { publishableKey: undefined }, /clerkAccounts\.issuer: nothing was given/],
    ['an issuer with a slash', { issuer: `${ISSUER}/` }, /clerkAccounts\.issuer.*trailing slash/],
    [
      'a secret key in place of the publishable one',
      { publishableKey: 'pk_live_xyz' },
      /clerkAccounts\.publishableKey/,
    ],
    ['no authorised parties', { authorizedParties: [] }, /clerkAccounts\.authorizedParties: \[\] was given/],
    [
      'an authorised party with a slash',
      { authorizedParties: ['https://app.example.com', 'https://b.example.com/'] },
      /clerkAccounts\.authorizedParties\[1\]: "https:\/\/b\.example\.com\/" was given/,
    ],
    ['a host without scheme', { authorizedParties: ['app.example.com'] }, /authorizedParties\[0\]/],
    ['a key that is no PEM', { jwtKey: 'MIIB' }, /clerkAccounts\.jwtKey: allowed/],
    ['an EC key', { jwtKey: testKey('ES256', 'x').pem }, /clerkAccounts\.jwtKey.*RSA/],
    [
      'both key and key set',
      { jwksUrl: 'https://clerk.example.com/jwks' },
      /clerkAccounts\.jwksUrl.*not both/,
    ],
    [
      'a plain http key set',
      { jwtKey: undefined, jwksUrl: 'http://clerk.example.com/j' },
      /clerkAccounts\.jwksUrl/,
    ],
    ['an empty webhook secret', { webhookSecret: '' }, /clerkAccounts\.webhookSecret/],
    ['a webhook secret without a key', { webhookSecret: ['whsec_'] }, /clerkAccounts\.webhookSecret/],
  ]
  for (const [name, changes, message] of wrong) {
    test(`${name} is refused`, () => {
      assert.throws(
        () => accounts(changes),
        (error) => error instanceof ConfigError && message.test(error.message),
      )
    })
  }

  test('a webhook secret is never shown', () => {
    assert.throws(
      () => accounts({ webhookSecret: 'whsec_tooshort' }),
      (error) => error instanceof ConfigError && !error.message.includes('tooshort'),
    )
  })

  test('either the publishable key or the issuer names the instance', () => {
    assert.ok(accounts())
    assert.ok(accounts({ publishableKey: undefined, issuer: ISSUER }))
    assert.ok(accounts({ jwtKey: undefined }))
  })
})
