import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { betterAuth } from 'better-auth'
import { memoryAdapter } from 'better-auth/adapters/memory'
import { admin } from 'better-auth/plugins'
import { betterAuthAccounts } from '../../../src/accounts/better-auth.ts'
import { RETURN_TO, sentTo, versionOf, visit, whoIs } from '../../accounts/asking.ts'

const origin = 'https://app.example.com'
const signInUrl = `${origin}/sign-in`

/** A better-auth instance on its memory adapter, and a browser's cookie jar for it. */
function instance(cookieCache = false) {
  const tables = {
    user: [] as Record<string, unknown>[],
    session: [] as Record<string, unknown>[],
    account: [] as Record<string, unknown>[],
    verification: [] as Record<string, unknown>[],
  }
  const auth = betterAuth({
    baseURL: origin,
    secret: 'a secret for this test only, 32 bytes and more',
    database: memoryAdapter(tables),
    emailAndPassword: { enabled: true },
    session: { cookieCache: { enabled: cookieCache, maxAge: 300 } },
    plugins: [admin()],
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
  })
  return { auth, tables, adapter: betterAuthAccounts({ auth, signInUrl }) }
}

async function post(
  { auth }: ReturnType<typeof instance>,
  path: string,
  body: Record<string, unknown>,
  cookie = '',
): Promise<string> {
  const answer = await auth.handler(
    new Request(`${origin}/api/auth${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin, cookie },
      body: JSON.stringify(body),
    }),
  )
  assert.equal(answer.status, 200, await answer.clone().text())
  return cookiesOf(answer)
}

const ada = { email: 'ada@example.com', password: 'correct horse battery', name: 'Ada' }
const signUp = (made: ReturnType<typeof instance>, user = ada) => post(made, '/sign-up/email', user)
const signIn = (made: ReturnType<typeof instance>, user = ada) => post(made, '/sign-in/email', user)

describe('a better-auth session', () => {
  test('prints its version', (t) => {
    t.diagnostic(`better-auth ${versionOf('better-auth', import.meta.url)}`)
  })

  test('of a user who signed up and in becomes an account', async () => {
    const made = instance()
    await signUp(made)
    const cookie = await signIn(made)
    const account = await whoIs(made.adapter, visit({ cookie }))
    const oracle = await made.auth.api.getSession({ headers: new Headers({ cookie }) })
    assert.ok(account && oracle)
    assert.equal(account.provider, 'better-auth')
    assert.equal(account.issuer, '')
    assert.equal(account.subject, oracle.user.id)
    assert.equal(account.sessionId, oracle.session.id)
    assert.equal(account.expiresAt, oracle.session.expiresAt.getTime())
    assert.equal(account.authTime, oracle.session.createdAt.getTime())
    assert.equal(account.name, 'Ada')
    assert.equal(account.email, 'ada@example.com')
    assert.equal(account.picture, undefined)
    assert.ok(!JSON.stringify(account).includes(oracle.session.token), 'the session token stays inside')
  })

  test('whose cookie was tampered with is nobody, not an exception', async () => {
    const made = instance()
    const cookie = await signUp(made)
    const [name, value] = cookie.split(/=(.*)/s) as [string, string]
    const [token, signature] = decodeURIComponent(value).split('.') as [string, string]
    const forgeries = {
      'another token': `${flip(token)}.${signature}`,
      'another signature': `${token}.${flip(signature)}`,
      'no signature': token,
      'an empty value': '',
      'broken encoding': '%E0%A4%A',
    }
    for (const [what, forged] of Object.entries(forgeries)) {
      const encoded = what === 'broken encoding' ? forged : encodeURIComponent(forged)
      assert.equal(await whoIs(made.adapter, visit({ cookie: `${name}=${encoded}` })), null, what)
    }
    assert.ok(await whoIs(made.adapter, visit({ cookie })), 'the cookie as it was')
  })

  test('signed with another instance’s secret is nobody', async () => {
    const made = instance()
    const cookie = await signUp(made)
    const other = betterAuth({
      baseURL: origin,
      secret: 'another secret for this test, 32 bytes and more',
      database: memoryAdapter(made.tables),
    })
    const adapter = betterAuthAccounts({ auth: other, signInUrl })
    assert.equal(await whoIs(adapter, visit({ cookie })), null)
  })

  test('that ended is nobody: signed out, expired, user deleted', async () => {
    const made = instance()
    const first = await signUp(made)
    await post(made, '/sign-out', {}, first)
    assert.equal(await whoIs(made.adapter, visit({ cookie: first })), null)

    const second = await signIn(made)
    assert.ok(await whoIs(made.adapter, visit({ cookie: second })))
    made.tables.session[0]!['expiresAt'] = new Date(Date.now() - 1000)
    assert.equal(await whoIs(made.adapter, visit({ cookie: second })), null)

    const third = await signIn(made)
    made.tables.user.length = 0
    assert.equal(await whoIs(made.adapter, visit({ cookie: third })), null)
  })

  test('revoked elsewhere is nobody although better-auth’s cookie cache still vouches for it', async () => {
    const made = instance(true)
    const cookie = await signUp(made)
    assert.ok(await whoIs(made.adapter, visit({ cookie })))
    made.tables.session.length = 0
    assert.ok(await made.auth.api.getSession({ headers: new Headers({ cookie }) }), 'the cache')
    assert.equal(await whoIs(made.adapter, visit({ cookie })), null)
  })

  test('kept in the cookie only, by processes without a database, counts in each of them', async () => {
    const stateless = () =>
      betterAuth({
        baseURL: origin,
        secret: 'a secret for this test only, 32 bytes and more',
        emailAndPassword: { enabled: true },
        session: { cookieCache: { enabled: true, maxAge: 300 } },
        rateLimit: { enabled: false },
        telemetry: { enabled: false },
      })
    const answer = await stateless().handler(
      new Request(`${origin}/api/auth/sign-up/email`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', origin },
        body: JSON.stringify(ada),
      }),
    )
    const elsewhere = betterAuthAccounts({ auth: stateless(), signInUrl })
    const account = await whoIs(elsewhere, visit({ cookie: cookiesOf(answer) }))
    assert.equal(account?.email, 'ada@example.com')
  })

  test('is not prolonged by being read', async () => {
    const made = instance()
    const cookie = await signUp(made)
    const row = made.tables.session[0]!
    const soon = new Date(Date.now() + 3_600_000)
    row['expiresAt'] = soon
    assert.equal((await whoIs(made.adapter, visit({ cookie })))?.expiresAt, soon.getTime())
    assert.equal(row['expiresAt'], soon)
  })

  test('of an impersonated user is nobody unless allowed, and then names the administrator', async () => {
    const made = instance()
    await signUp(made)
    await signUp(made, { ...ada, email: 'root@example.com', name: 'Root' })
    const [user, administrator] = made.tables.user
    administrator!['role'] = 'admin'
    const own = await signIn(made, { ...ada, email: 'root@example.com' })
    const cookie = await post(made, '/admin/impersonate-user', { userId: user!['id'] }, own)

    assert.equal(await whoIs(made.adapter, visit({ cookie })), null)
    const lenient = betterAuthAccounts({ auth: made.auth, signInUrl, allowImpersonation: true })
    const account = await whoIs(lenient, visit({ cookie }))
    assert.equal(account?.subject, user!['id'])
    assert.equal(account?.claims?.['impersonated_by'], administrator!['id'])
  })

  test('OIDC Core §3.1.2.1: max_age and prompt=login are judged by the session’s beginning', async () => {
    const made = instance()
    const cookie = await signUp(made)
    const begun = Date.now()
    made.tables.session[0]!['createdAt'] = new Date(begun - 100_000)
    const request = visit({ cookie })
    assert.ok(await whoIs(made.adapter, request, { maxAge: 200 }))
    assert.equal(await whoIs(made.adapter, request, { maxAge: 50 }), null)
    const sent = await sentTo(made.adapter, request, { prompt: ['login'], notBefore: begun })
    assert.equal(sent?.location.searchParams.get('prompt'), 'login')

    const again = await signIn(made)
    assert.ok(await whoIs(made.adapter, visit({ cookie: again }), { prompt: ['login'], notBefore: begun }))
  })

  test('missing: 303 to the sign-in page with the return address, or null when no page may be shown', async () => {
    const { adapter } = instance()
    const sent = await sentTo(adapter, visit())
    assert.equal(sent?.status, 303)
    assert.equal(sent?.location.searchParams.get('return_to'), RETURN_TO)
    assert.equal(await whoIs(adapter, visit()), null)
  })
})

/** As a browser keeps them: of several with one name, the last; none that are deleted. */
function cookiesOf(answer: Response): string {
  const jar = new Map<string, string>()
  for (const line of answer.headers.getSetCookie()) {
    const [name, value] = line.split(';')[0]!.split(/=(.*)/s) as [string, string]
    if (/max-age=0(;|$)/i.test(line)) jar.delete(name)
    else jar.set(name, value)
  }
  return [...jar].map(([name, value]) => `${name}=${value}`).join('; ')
}

function flip(text: string): string {
  return (text.startsWith('A') ? 'B' : 'A') + text.slice(1)
}
