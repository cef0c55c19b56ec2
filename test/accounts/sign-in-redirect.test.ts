import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { cookies, RETURN_TO, seconds, sentTo, sign, visit, whoIs } from './asking.ts'
import { accounts, claims, key } from './issuer.ts'

describe('nobody is signed in', () => {
  test('OIDC Core §3.1.2.1: prompt=none gets null', async () => {
    assert.equal(await whoIs(accounts().accounts, visit(), { prompt: ['none'] }), null)
  })

  test('RFC 9700 §4.12: the browser is sent to the sign-in page with 303 and the return address', async () => {
    const sent = await sentTo(accounts().accounts, visit(), { loginHint: 'ada@example.com' })
    assert.equal(sent?.status, 303)
    assert.equal(sent?.location.origin + sent!.location.pathname, 'https://app.example.com/sign-in')
    assert.deepEqual(Object.fromEntries(sent!.location.searchParams), {
      theme: 'dark',
      return_to: RETURN_TO,
      login_hint: 'ada@example.com',
    })
  })

  test('a path is taken on the issuer, and the return parameter is the one configured', async () => {
    const made = accounts({ signInUrl: '/login', returnParameter: 'next' }).accounts
    const sent = await sentTo(made, visit())
    assert.equal(sent?.location.origin, 'https://auth.example.com')
    assert.equal(sent?.location.pathname, '/login')
    assert.equal(sent?.location.searchParams.get('next'), RETURN_TO)
  })

  test('a browser that comes back signed out again and again is not sent round for ever', async () => {
    const made = accounts().accounts
    let cookie = ''
    let rounds = 0
    for (; rounds < 20; rounds++) {
      const sent = await sentTo(made, visit({ cookie }))
      if (!sent) break
      cookie = sent.cookie
    }
    assert.equal(rounds, 5)
    const elsewhere = await sentTo(made, visit({ cookie }), {
      returnTo: 'https://auth.example.com/authorize?x=2',
    })
    assert.ok(elsewhere, 'another authorization begins anew')
  })

  test('the cookie that counts the rounds is short-lived, host-only and Secure on https', async () => {
    const answer = await accounts().accounts.authenticate(visit(), {
      prompt: [],
      returnTo: RETURN_TO,
      interactive: true,
    })
    assert.ok(answer instanceof Response)
    assert.match(
      answer.headers.get('set-cookie') ?? '',
      /^__Host-gatehouse_sign_in=[\w-]{16}\.1; Path=\/; HttpOnly; SameSite=Lax; Secure; Max-Age=30$/,
    )
  })

  test('sign-out goes to the page configured, and is absent without one', async () => {
    const answer = await accounts({ signOutUrl: 'https://app.example.com/out' }).accounts.signOut?.(
      visit(),
      RETURN_TO,
    )
    assert.equal(answer?.status, 303)
    const location = new URL(answer?.headers.get('location') ?? '')
    assert.equal(location.searchParams.get('return_to'), RETURN_TO)
    assert.equal(accounts().accounts.signOut, undefined)
  })
})

describe('how old the sign-in may be', () => {
  const signedIn = (ago: number, changes = {}) => sign(key, claims({ auth_time: seconds(-ago), ...changes }))

  test('OIDC Core §3.1.2.1: max_age is judged by auth_time, not by the age of the token', async () => {
    const made = accounts().accounts
    const request = cookies({ id: await signedIn(100) })
    assert.ok(await whoIs(made, request, { maxAge: 200 }))
    assert.equal(await whoIs(made, request, { maxAge: 50 }), null)
    const sent = await sentTo(made, request, { maxAge: 50 })
    assert.equal(sent?.location.searchParams.get('prompt'), 'login')
  })

  test('OIDC Core §3.1.2.1: prompt=login accepts a sign-in of the same second, not one of a minute before', async () => {
    const made = accounts().accounts
    const begun = seconds() * 1000 + 999
    assert.ok(await whoIs(made, cookies({ id: await signedIn(0) }), { prompt: ['login'], notBefore: begun }))
    assert.equal(
      await whoIs(made, cookies({ id: await signedIn(60) }), { prompt: ['login'], notBefore: begun }),
      null,
    )
  })

  test('a provider that tells whole seconds is not behind by the rest of one; its clock may be five behind', async (t) => {
    t.mock.timers.enable({ apis: ['Date'], now: 1_800_000_000_999 })
    const counts = async (ago: number) =>
      (await whoIs(accounts().accounts, cookies({ id: await signedIn(ago) }), { notBefore: Date.now() })) !==
      null
    assert.equal(await counts(0), true)
    assert.equal(await counts(5), true)
    assert.equal(await counts(6), false)
  })

  test('the stricter of notBefore and max_age counts', async () => {
    const request = cookies({ id: await signedIn(100) })
    assert.equal(
      await whoIs(accounts().accounts, request, { notBefore: Date.now() - 500_000, maxAge: 10 }),
      null,
    )
    assert.equal(
      await whoIs(accounts().accounts, request, { notBefore: Date.now() - 10_000, maxAge: 500 }),
      null,
    )
  })

  test('a token that does not say when satisfies neither, and the browser is not sent in circles', async () => {
    const made = accounts().accounts
    const request = cookies({ id: await sign(key, claims()) })
    assert.ok(await whoIs(made, request))
    assert.equal(await whoIs(made, request, { maxAge: 1000 }), null)
    assert.equal(await sentTo(made, request, { notBefore: Date.now() - 1000 }), null)
  })

  test('the operator may name another claim, even iat', async () => {
    const token = await sign(key, claims({ 'https://api.example.com/auth_time': seconds(-5) }))
    const named = accounts({ authTimeClaim: 'https://api.example.com/auth_time' }).accounts
    assert.ok(await whoIs(named, cookies({ id: token }), { maxAge: 60 }))
    assert.ok(
      await whoIs(accounts({ authTimeClaim: 'iat' }).accounts, cookies({ id: token }), { maxAge: 60 }),
    )
  })
})
