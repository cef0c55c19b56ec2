import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { openidAccounts } from '../../src/accounts/openid.ts'
import { ConfigError } from '../../src/config-error.ts'
import { sql } from '../../src/db/sql.ts'
import { authorizeParameters, makePkce, readTokens, redeem } from '../support/flow.ts'
import { issuer, onBothDatabases, openTestServer, type TestServer } from '../support/gatehouse.ts'
import { type OpenidIssuer, openidIssuer } from './openid-issuer.ts'
import { type Shown, type Visitor, visit } from './visitor.ts'

onBothDatabases('accounts of an OpenID provider', (dialect) => {
  async function opened(
    work: (server: TestServer, upstream: OpenidIssuer, visitor: Visitor) => Promise<void>,
  ) {
    const upstream = await openidIssuer()
    const server = await openTestServer(dialect, {
      accounts: openidAccounts({ issuer: upstream.issuer, clientId: 'gatehouse', clientSecret: 'a secret' }),
    })
    try {
      await work(server, upstream, visit(server))
    } finally {
      await server.close()
    }
  }

  /** To the provider and back, from wherever the browser was sent to sign in. */
  async function throughProvider(upstream: OpenidIssuer, visitor: Visitor, signIn: string): Promise<Shown> {
    const sent = await visitor.get(signIn)
    assert.equal(sent.status, 303, sent.html)
    return visitor.get(await upstream.signIn(sent.location!))
  }

  const path = (address: string) => address.slice(issuer.length)

  test('OpenID Connect Core §3.1.2: sign-in at the provider, then consent here, then a token for the same subject', () =>
    opened(async (server, upstream, visitor) => {
      const created = await server.createClient()
      const pkce = makePkce()
      const sent = await visitor.get(`/oauth/authorize?${authorizeParameters(created, pkce)}`)
      const back = await throughProvider(upstream, visitor, path(sent.location!))
      assert.equal(upstream.asked.get('redirect_uri'), `${issuer}/sign-in/callback`)
      assert.equal(upstream.asked.get('code_challenge_method'), 'S256')
      assert.ok(upstream.asked.get('nonce') && upstream.asked.get('max_age'))
      const consent = await visitor.get(path(back.location!))
      assert.match(consent.html, /Ulla Upstream/)
      const answer = new URL(
        (await visitor.submit(consent, '/oauth/consent', { decision: 'allow' })).location!,
      )
      const tokens = await readTokens(await redeem(server, created, answer.searchParams.get('code')!, pkce))
      const claims = JSON.parse(Buffer.from(tokens.access_token.split('.')[1]!, 'base64url').toString())
      assert.equal(claims.sub, 'upstream-user')
      assert.equal(claims.acr, 'urn:example:mfa')
      assert.deepEqual(claims.amr, ['pwd', 'otp'])
      const [identity] = await server.app.server.db.query<{
        provider: string
        issuer: string
        subject: string
      }>(sql`select provider, issuer, subject from identities`)
      assert.deepEqual(
        { ...identity },
        { provider: 'openid', issuer: upstream.issuer, subject: 'upstream-user' },
      )
      assert.equal(
        [...visitor.cookies.keys()].some((name) => name.startsWith('gh_openid_')),
        false,
      )
    }))

  test('OpenID Connect Core §3.1.3.7: an answer that does not hold signs nobody in', () =>
    opened(async (server, upstream, visitor) => {
      const dayAgo = Math.floor(server.clock.now() / 1_000) - 90_000
      const past = Math.floor(Date.now() / 1_000) - 3_600
      const wrong: [string, () => void][] = [
        ['another nonce', () => (upstream.claims = { nonce: 'another' })],
        ['another audience', () => (upstream.claims = { aud: 'another' })],
        [
          'several audiences, another authorized party',
          () => (upstream.claims = { aud: ['gatehouse', 'b'], azp: 'b' }),
        ],
        ['another issuer', () => (upstream.claims = { iss: 'https://evil.example' })],
        ['expired', () => (upstream.claims = { exp: past })],
        ['authenticated too long ago', () => (upstream.claims = { auth_time: dayAgo })],
        ['a key it does not publish', () => (upstream.forged = true)],
        ['a refused code', () => (upstream.status = 400)],
      ]
      for (const [name, set] of wrong) {
        Object.assign(upstream, { claims: {}, forged: false, status: undefined })
        set()
        const back = await throughProvider(upstream, visitor, '/sign-in')
        assert.equal(back.status, 400, name)
        assert.equal(visitor.cookies.has('gh_sign_in'), false, name)
      }
      Object.assign(upstream, { claims: {}, forged: false, status: undefined })
      assert.equal((await throughProvider(upstream, visitor, '/sign-in')).location, `${issuer}/account`)
      assert.equal(visitor.cookies.has('gh_sign_in'), true)
    }))

  test('RFC 6749 §10.12: an answer counts only in the browser that asked, and only once', () =>
    opened(async (server, upstream, visitor) => {
      const stranger = visit(server)
      const sent = await visitor.get('/sign-in')
      const callback = await upstream.signIn(sent.location!)
      assert.equal((await stranger.get(callback)).status, 400)
      assert.equal(stranger.cookies.has('gh_sign_in'), false)
      assert.equal((await visitor.get(callback.replace(/state=[^&]+/, 'state=x'))).status, 400)
      assert.equal((await visitor.get(callback)).status, 303)
      const late = await visitor.get(callback)
      assert.equal(late.status, 400)
      assert.match(late.html, /<a [^>]*href="\/sign-in">Start again/)
    }))

  test('RFC 6265 §6.1: sign-ins that were begun and left do not fill the browser, and the newest still work', () =>
    opened(async (_house, upstream, visitor) => {
      const begun: string[] = []
      for (let n = 0; n < 40; n++) begun.push((await visitor.get('/sign-in')).location!)
      const kept = [...visitor.cookies.keys()].filter((name) => name.startsWith('gh_openid_'))
      assert.equal(kept.length, 8)
      assert.equal((await visitor.get(await upstream.signIn(begun.at(-8)!))).status, 303)
      assert.equal((await visitor.get(await upstream.signIn(begun.at(-1)!))).status, 303)
    }))

  test('OpenID Connect Core §3.1.2.1: prompt=login and acr_values reach the provider', () =>
    opened(async (server, upstream, visitor) => {
      await throughProvider(upstream, visitor, '/sign-in')
      assert.equal(upstream.asked.get('prompt'), null)
      server.clock.advance(Date.now() - server.clock.now() + 60_000)
      const created = await server.createClient()
      const parameters = authorizeParameters(created, makePkce(), { prompt: 'login' })
      const sent = await visitor.get(`/oauth/authorize?${parameters}`)
      await visitor.get(path(sent.location!))
      assert.match(sent.location!, /again=1/)
      const asked = await visitor.get(path(sent.location!))
      assert.equal(new URL(asked.location!).searchParams.get('prompt'), 'login')
    }))

  test('OpenID Connect Core §3.1.2.1: a provider that does not say when signs users in, and satisfies no demand', () =>
    opened(async (server, upstream, visitor) => {
      upstream.claims = { auth_time: undefined }
      const created = await server.createClient()
      const plain = authorizeParameters(created, makePkce())
      const sent = await visitor.get(`/oauth/authorize?${plain}`)
      const back = await throughProvider(upstream, visitor, path(sent.location!))
      assert.equal((await visitor.get(path(back.location!))).status, 200)
      const demanding = authorizeParameters(created, makePkce(), { prompt: 'login' })
      const answer = new URL((await visitor.get(`/oauth/authorize?${demanding}`)).location!)
      assert.equal(answer.searchParams.get('error'), 'login_required')
    }))

  test('RFC 6749 §4.1.2.1: who gives up there goes back to the client with access_denied', () =>
    opened(async (server, upstream, visitor) => {
      const created = await server.createClient()
      const sent = await visitor.get(`/oauth/authorize?${authorizeParameters(created, makePkce())}`)
      upstream.refuses = 'access_denied'
      const back = await throughProvider(upstream, visitor, path(sent.location!))
      const answer = new URL((await visitor.get(path(back.location!))).location!)
      assert.equal(answer.searchParams.get('error'), 'access_denied')
      upstream.refuses = undefined
      const again = await throughProvider(upstream, visitor, path(sent.location!))
      assert.equal((await visitor.get(path(again.location!))).status, 200)
    }))

  test('a provider that cannot be asked, or calls itself otherwise, is 503 and loses nothing', () =>
    opened(async (_house, upstream, visitor) => {
      upstream.name = 'https://evil.example'
      assert.equal((await visitor.get('/sign-in')).status, 503)
      upstream.name = undefined
      upstream.status = 500
      assert.equal((await throughProvider(upstream, visitor, '/sign-in')).status, 503)
      upstream.status = undefined
      assert.equal((await throughProvider(upstream, visitor, '/sign-in')).status, 303)
    }))

  test('OpenID Connect Discovery §4: metadata is read once for all, and outlives an outage for an hour', () =>
    opened(async (server, upstream, visitor) => {
      const begin = async (count: number, status: number) => {
        const shown = await Promise.all(Array.from({ length: count }, () => visitor.get('/sign-in')))
        assert.deepEqual(new Set(shown.map((one) => one.status)), new Set([status]))
      }
      await begin(5, 303)
      assert.equal(upstream.discoveries, 1)
      upstream.metadataStatus = 502
      server.clock.advance(11 * 60_000)
      await begin(5, 303)
      await begin(5, 303)
      assert.equal(upstream.discoveries, 2, 'one attempt for a while')
      server.clock.advance(3_600_000)
      await begin(1, 503)
      upstream.metadataStatus = undefined
      await begin(5, 303)
      upstream.name = 'https://evil.example'
      server.clock.advance(11 * 60_000)
      await begin(1, 503)
    }))
})

describe('openidAccounts', () => {
  test('names every problem of its options at once, and never the secret', () => {
    const options = {
      issuer: 'http://provider.example',
      clientId: '',
      clientSecret: '',
      scope: 'profile',
      provider: 'Not a word',
      signInLifetime: 1,
    }
    assert.throws(
      () => openidAccounts(options),
      (error: unknown) => error instanceof ConfigError && error.problems.length === 6,
    )
  })
})
