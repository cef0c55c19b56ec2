import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { developmentAccounts } from '../../src/accounts/development.ts'
import { openApp } from '../../src/app.ts'
import { ConfigError } from '../../src/config-error.ts'
import { authorizeParameters, makePkce, readTokens, redeem } from '../support/flow.ts'
import { freshDatabase, houseFor, issuer, onBothDatabases, secret } from '../support/house.ts'
import { visit } from './visitor.ts'

const people = [
  { subject: 'dev-ann', name: 'Ann', email: 'ann@example.com' },
  { subject: 'dev-bob', name: 'Bob' },
]

onBothDatabases('development accounts', (dialect) => {
  const open = houseFor(dialect, { accounts: developmentAccounts({ accounts: people }) })

  test('choosing an account signs in as it, through the whole flow; its subject is `sub`', async () => {
    const house = await open()
    const created = await house.createClient({ name: 'Job board' })
    const pkce = makePkce()
    const visitor = visit(house)
    const sent = await visitor.get(`/oauth/authorize?${authorizeParameters(created, pkce)}`)
    const choice = await visitor.get(sent.location!)
    assert.match(choice.html, /to continue to <bdi>Job board<\/bdi>/)
    assert.match(choice.html, /Development sign-in/)
    const back = await visitor.submit(choice, '/sign-in', { subject: 'dev-bob' })
    const consent = await visitor.get(back.location!)
    const answer = new URL((await visitor.submit(consent, '/oauth/consent', { decision: 'allow' })).location!)
    const tokens = await readTokens(await redeem(house, created, answer.searchParams.get('code')!, pkce))
    const claims = JSON.parse(Buffer.from(tokens.access_token.split('.')[1]!, 'base64url').toString())
    assert.equal(claims.sub, 'dev-bob')

    const account = await visitor.get('/account')
    assert.match(account.html, /Bob/)
    assert.doesNotMatch(account.html, /current_password/)
    assert.equal((await visitor.submit(account, '/sign-out')).location, `${issuer}/sign-out`)
    assert.equal((await visitor.get('/account')).status, 303)
  })

  test('nobody but the configured people can be chosen, and not without the form', async () => {
    const house = await open()
    const visitor = visit(house)
    const page = await visitor.get('/sign-in')
    assert.equal((await visitor.submit(page, '/sign-in', { subject: 'mallory' })).status, 422)
    assert.equal((await visitor.post('/sign-in', { subject: 'dev-ann' })).status, 403)
    assert.equal(visitor.cookies.has('gh_sign_in'), false)
    assert.equal((await visitor.submit(page, '/sign-in', { subject: 'dev-ann' })).status, 303)

    const { app } = await house.twin({ accounts: developmentAccounts({ accounts: [people[1]!] }) })
    const cookie = `gh_sign_in=${visitor.cookies.get('gh_sign_in')}`
    const request = new Request(`${issuer}/account/apps`, { headers: { cookie } })
    const ask = { prompt: [], returnTo: issuer, interactive: false }
    assert.equal((await house.app.accounts.authenticate(request, ask)) instanceof Response, false)
    assert.equal(await app.accounts.authenticate(request, ask), null, 'taken out of the configuration')
  })

  test('it answers this computer only: no name that was pointed here, no tunnel', async () => {
    const house = await open()
    const elsewhere: Record<string, string>[] = [
      { host: 'rebound.example:4400' },
      { host: 'localhost:4400', 'x-forwarded-for': '198.51.100.1' },
      { host: 'localhost:4400', forwarded: 'for=198.51.100.1' },
      { host: 'localhost.evil.example' },
    ]
    for (const headers of elsewhere) {
      assert.equal((await house.request('/sign-in', { headers })).status, 403, JSON.stringify(headers))
    }
    for (const host of ['localhost:4400', '127.0.0.1:4400', '[::1]:4400']) {
      assert.equal((await house.request('/sign-in', { headers: { host } })).status, 200, host)
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
