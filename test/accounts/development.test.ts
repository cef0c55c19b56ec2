import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { developmentAccounts } from '../../src/accounts/development.ts'
import { openApp } from '../../src/app.ts'
import { ConfigError } from '../../src/config-error.ts'
import { authorizeParameters, makePkce, readTokens, redeem } from '../support/flow.ts'
import {
  freshDatabase,
  issuer,
  onBothDatabases,
  openTestServer,
  secret,
  testServerFor,
} from '../support/gatehouse.ts'
import { visit } from './visitor.ts'

const people = [
  { subject: 'dev-ann', name: 'Ann', email: 'ann@example.com' },
  { subject: 'dev-bob', name: 'Bob' },
]

onBothDatabases('development accounts', (dialect) => {
  const open = testServerFor(dialect, { accounts: developmentAccounts({ accounts: people }) })

  test('choosing an account signs in as it, through the whole flow; its subject is `sub`', async () => {
    const server = await open()
    const created = await server.createClient({ name: 'Job board' })
    const pkce = makePkce()
    const visitor = visit(server)
    const sent = await visitor.get(`/oauth/authorize?${authorizeParameters(created, pkce)}`)
    const choice = await visitor.get(sent.location!)
    assert.match(choice.html, /to continue to <bdi>Job board<\/bdi>/)
    assert.match(choice.html, /Development sign-in/)
    const back = await visitor.submit(choice, '/sign-in', { subject: 'dev-bob' })
    const consent = await visitor.get(back.location!)
    const answer = new URL((await visitor.submit(consent, '/oauth/consent', { decision: 'allow' })).location!)
    const tokens = await readTokens(await redeem(server, created, answer.searchParams.get('code')!, pkce))
    const claims = JSON.parse(Buffer.from(tokens.access_token.split('.')[1]!, 'base64url').toString())
    assert.equal(claims.sub, 'dev-bob')

    const account = await visitor.get('/account')
    assert.match(account.html, /Bob/)
    assert.doesNotMatch(account.html, /current_password/)
    assert.equal((await visitor.submit(account, '/sign-out')).location, `${issuer}/sign-out`)
    assert.equal((await visitor.get('/account')).status, 303)
  })

  test('nobody but the configured people can be chosen, and not without the form', async () => {
    const server = await open()
    const visitor = visit(server)
    const page = await visitor.get('/sign-in')
    assert.equal((await visitor.submit(page, '/sign-in', { subject: 'mallory' })).status, 422)
    assert.equal((await visitor.post('/sign-in', { subject: 'dev-ann' })).status, 403)
    assert.equal(visitor.cookies.has('gh_sign_in'), false)
    assert.equal((await visitor.submit(page, '/sign-in', { subject: 'dev-ann' })).status, 303)

    const { app } = await server.twin({ accounts: developmentAccounts({ accounts: [people[1]!] }) })
    const cookie = `gh_sign_in=${visitor.cookies.get('gh_sign_in')}`
    const request = new Request(`${issuer}/account/apps`, { headers: { cookie } })
    const ask = { prompt: [], returnTo: issuer, interactive: false }
    assert.equal((await server.app.accounts.authenticate(request, ask)) instanceof Response, false)
    assert.equal(await app.accounts.authenticate(request, ask), null, 'taken out of the configuration')
  })

  test('RFC 9470 §3, §4: an API asks for more, and the page lets one be as strong as is asked', async () => {
    const acrValues = ['urn:example:password', 'urn:example:second-factor']
    const server = await openTestServer(dialect, {
      accounts: developmentAccounts({ accounts: people }),
      authentication: { acrValues },
    })
    try {
      const created = await server.createClient()
      const visitor = visit(server)
      const obtain = async (more: Record<string, string>, choose?: string) => {
        const pkce = makePkce()
        let at = await visitor.get(`/oauth/authorize?${authorizeParameters(created, pkce, more)}`)
        if (at.location?.includes('/sign-in?')) {
          const page = await visitor.get(at.location)
          const chosen = /<option selected>([^<]+)</.exec(page.html)![1]!
          const subject = 'dev-ann'
          at = await visitor.submit(page, '/sign-in', { subject, acr: choose ?? chosen })
          at = await visitor.get(at.location!)
        }
        if (at.status === 200) at = await visitor.submit(at, '/oauth/consent', { decision: 'allow' })
        const code = new URL(at.location!).searchParams.get('code')!
        return (await readTokens(await redeem(server, created, code, pkce))).access_token
      }
      const call = (token: string) =>
        server.g.authenticate(
          new Request('https://api.example/', { headers: { authorization: `Bearer ${token}` } }),
          { acrValues: [acrValues[1]!] },
        )
      const weak = await call(await obtain({}))
      assert.ok(!weak.ok)
      const challenge = weak.response.headers.get('www-authenticate')!
      assert.match(challenge, /error="insufficient_user_authentication"/)
      const acr_values = /acr_values="([^"]+)"/.exec(challenge)![1]!
      const strong = await call(await obtain({ acr_values }))
      assert.ok(strong.ok)
      assert.equal(strong.acr, acrValues[1])

      server.clock.advance(1_000)
      const asked = authorizeParameters(created, makePkce(), { acr_values, prompt: 'login' })
      const page = await visitor.get((await visitor.get(`/oauth/authorize?${asked}`)).location!)
      const weaker = await visitor.submit(page, '/sign-in', { subject: 'dev-ann', acr: acrValues[0]! })
      const again = await visitor.get(weaker.location!)
      assert.ok(again.location!.startsWith(`${issuer}/sign-in?`), 'who chooses too little is asked again')
      assert.equal((await call(await obtain({}))).ok, false)
    } finally {
      await server.close()
    }
  })

  test('it answers this computer only: no name that was pointed here, no tunnel', async () => {
    const server = await open()
    const elsewhere: Record<string, string>[] = [
      { host: 'rebound.example:4400' },
      { host: 'localhost:4400', 'x-forwarded-for': '198.51.100.1' },
      { host: 'localhost:4400', forwarded: 'for=198.51.100.1' },
      { host: 'localhost.evil.example' },
    ]
    for (const headers of elsewhere) {
      assert.equal((await server.request('/sign-in', { headers })).status, 403, JSON.stringify(headers))
    }
    for (const host of ['localhost:4400', '127.0.0.1:4400', '[::1]:4400']) {
      assert.equal((await server.request('/sign-in', { headers: { host } })).status, 200, host)
    }
  })
})

describe('development accounts', () => {
  const opening = async (issuerUrl: string) => {
    const database = await freshDatabase('sqlite')
    try {
      const accounts = developmentAccounts({ accounts: people })
      const app = await openApp({
        issuer: issuerUrl,
        secret,
        database: database.url,
        accounts,
        log: 'silent',
      })
      await app.close()
    } finally {
      await database.remove()
    }
  }

  test('refuse to exist where the issuer is not on loopback', async () => {
    await opening('http://127.0.0.1:4400')
    await assert.rejects(opening('https://auth.example.com'), (error: Error) => {
      assert.ok(error instanceof ConfigError)
      assert.match(error.message, /developmentAccounts with issuer https:\/\/auth\.example\.com/)
      return true
    })
  })

  test('refuse to exist in production', async () => {
    const before = process.env['NODE_ENV']
    process.env['NODE_ENV'] = 'production'
    try {
      await assert.rejects(opening('http://localhost:4400'), /NODE_ENV=production/)
    } finally {
      if (before === undefined) delete process.env['NODE_ENV']
      else process.env['NODE_ENV'] = before
    }
  })

  test('name every account that cannot work', () => {
    assert.throws(() => developmentAccounts({ accounts: [] }), /at least one account/)
    const twice = [{ subject: 'a b', name: '' }, people[0]!, people[0]!]
    assert.throws(
      () => developmentAccounts({ accounts: twice }),
      /accounts\[0\]\.subject[\s\S]*accounts\[0\]\.name[\s\S]*accounts\[2\]\.subject/,
    )
  })
})
