import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJwt } from 'jose'
import type { Account, Ask } from '../../../src/accounts/account.ts'
import { ConfigError } from '../../../src/config-error.ts'
import {
  authorize,
  authorizeParameters,
  introspect,
  makePkce,
  obtainTokens,
  readTokens,
  redeem,
  type Tokens,
} from '../../support/flow.ts'
import { alice, bob, onBothDatabases, type TestServer, testServerFor } from '../../support/gatehouse.ts'
import { assertRedirectError, grantsNothing, readAnswer } from '../answers.ts'

const acrValues = ['urn:low', 'urn:middle', 'urn:high']
const hour = 3_600_000

/** Where the browser must come back to after the sign-in it was sent to; undefined where it was sent to none. */
function wayBack(response: Response): string | undefined {
  const to = new URL(response.headers.get('location') ?? 'about:blank')
  return to.pathname === '/test-sign-in' ? to.searchParams.get('to')! : undefined
}

async function idTokenOf(
  server: TestServer,
  account: Account,
  client: Awaited<ReturnType<TestServer['createClient']>>,
) {
  server.signedIn.account = { ...account, authTime: server.clock.now() }
  const tokens = (await obtainTokens(server, client, { scope: 'openid' })) as Tokens & { id_token: string }
  return tokens.id_token
}

onBothDatabases('user authentication', (dialect) => {
  const asks: Ask[] = []
  const here: { server?: TestServer } = {}
  const opened = testServerFor(dialect, {
    authentication: { acrValues },
    accounts: {
      authenticate(_request, ask) {
        asks.push({ ...ask })
        const { account } = here.server!.signedIn
        if (account && (account.authTime ?? 0) >= (ask.notBefore ?? 0)) return account
        if (!ask.interactive) return null
        return Response.redirect(
          `http://localhost:4400/test-sign-in?to=${encodeURIComponent(ask.returnTo)}`,
          303,
        )
      },
    },
  })
  async function open(account: Partial<Account> = {}): Promise<TestServer> {
    const server = (here.server = await opened())
    server.signedIn.account = { ...alice, authTime: server.clock.now() - hour, ...account }
    asks.length = 0
    return server
  }

  test('OpenID Connect Core §3.1.2.1: with id_token_hint of another user prompt=none is login_required (N29)', async () => {
    const server = await open()
    const client = await server.createClient()
    const id_token_hint = await idTokenOf(server, alice, client)
    const asked = authorizeParameters(client, makePkce(), { scope: 'openid', prompt: 'none', id_token_hint })
    assert.ok(readAnswer(await authorize(server, asked)).get('code'))
    await idTokenOf(server, bob, client)
    assertRedirectError(await grantsNothing(server, () => authorize(server, asked)), 'login_required')
    asked.delete('id_token_hint')
    assert.ok(
      readAnswer(await authorize(server, asked)).get('code'),
      'Bob would have got one without the hint',
    )
  })

  test('OpenID Connect Core §3.1.2.2: the hinted user may sign in, and nobody else gets a code', async () => {
    const server = await open()
    const client = await server.createClient()
    const id_token_hint = await idTokenOf(server, alice, client)
    await idTokenOf(server, bob, client)
    const asked = authorizeParameters(client, makePkce(), { scope: 'openid', id_token_hint })
    asks.length = 0
    const sent = await grantsNothing(server, () => server.request(`/oauth/authorize?${asked}`))
    const back = wayBack(sent)
    assert.ok(back, 'another sign-in is asked for')
    assert.deepEqual(asks.at(-1)!.prompt, ['select_account'])
    assertRedirectError(await grantsNothing(server, () => server.request(back)), 'login_required')
    server.signedIn.account = { ...alice, authTime: server.clock.now() }
    assert.ok(readAnswer(await server.request(back)).get('code'))
    server.signedIn.account = null
    assert.ok(wayBack(await server.request(`/oauth/authorize?${asked}`)), 'nobody is signed in')
  })

  test('OpenID Connect Core §5.5.1: a sub asked for with a value is the only user that gets a code', async () => {
    const server = await open()
    const client = await server.createClient()
    await idTokenOf(server, alice, client)
    await idTokenOf(server, bob, client)
    for (const claims of [
      { id_token: { sub: { value: 'alice' } } },
      { userinfo: { sub: { values: ['alice', 'carol'] } } },
    ]) {
      const asked = authorizeParameters(client, makePkce(), {
        scope: 'openid',
        prompt: 'none',
        claims: JSON.stringify(claims),
      })
      server.signedIn.account = { ...bob, authTime: server.clock.now() }
      assertRedirectError(await grantsNothing(server, () => authorize(server, asked)), 'login_required')
      server.signedIn.account = { ...alice, authTime: server.clock.now() }
      assert.ok(readAnswer(await authorize(server, asked)).get('code'))
    }
  })

  test('OpenID Connect Core §3.1.2.1: acr_values that are not known here are a wish that is not met', async () => {
    const server = await open()
    const client = await server.createClient()
    server.signedIn.account = { ...alice, authTime: server.clock.now(), acr: 'urn:low' }
    for (const acr_values of ['urn:unknown', 'urn:unknown urn:other', '1 2']) {
      for (const more of [{}, { prompt: 'none' }]) {
        const tokens = (await obtainTokens(server, client, {
          scope: 'openid',
          acr_values,
          ...more,
        })) as Tokens & {
          id_token: string
        }
        assert.equal(decodeJwt(tokens.id_token).acr, 'urn:low', acr_values)
      }
    }
  })

  test('RFC 9470 §5: an essential class of authentication that is not known here is unmet_authentication_requirements (N31)', async () => {
    const server = await open()
    const client = await server.createClient()
    for (const more of [
      { scope: 'openid', claims: '{"id_token":{"acr":{"essential":true,"value":"urn:unknown"}}}' },
      {
        scope: 'openid',
        prompt: 'none',
        claims: '{"id_token":{"acr":{"essential":true,"values":["urn:unknown","urn:other"]}}}',
      },
    ]) {
      asks.length = 0
      const asked = authorizeParameters(client, makePkce(), more)
      assertRedirectError(
        await grantsNothing(server, () => authorize(server, asked)),
        'unmet_authentication_requirements',
      )
      assert.equal(asks.length, 0, 'nobody is sent to sign in for what cannot be had')
    }
    server.signedIn.account = { ...alice, acr: 'urn:low' }
    for (const more of [
      { acr_values: 'urn:unknown urn:low' },
      { scope: 'openid', claims: '{"id_token":{"acr":{"value":"urn:unknown"}}}' },
    ]) {
      const asked = authorizeParameters(client, makePkce(), more)
      assert.ok(readAnswer(await authorize(server, asked)).get('code'), JSON.stringify(more))
    }
  })

  test('RFC 9470 §5: a sign-in that stays too weak is unmet_authentication_requirements, a stronger one does (N31)', async () => {
    for (const more of [
      { acr_values: 'urn:middle' },
      { scope: 'openid', claims: '{"id_token":{"acr":{"essential":true,"values":["urn:middle"]}}}' },
    ]) {
      for (const acr of ['urn:low', undefined]) {
        const server = await open(acr === undefined ? {} : { acr })
        const client = await server.createClient()
        const asked = authorizeParameters(client, makePkce(), more)
        const sent = await grantsNothing(server, () => server.request(`/oauth/authorize?${asked}`))
        const back = wayBack(sent)
        assert.ok(back, 'another sign-in is asked for, once')
        assert.deepEqual(asks.at(-1)!.acrValues, ['urn:middle', 'urn:high'])
        const weak = await grantsNothing(server, () => server.request(back))
        assertRedirectError(weak, 'unmet_authentication_requirements')
        server.signedIn.account = { ...alice, authTime: server.clock.now(), acr: 'urn:middle' }
        assert.ok(readAnswer(await authorize(server, new URL(back).searchParams)).get('code'))
      }
    }
  })

  test('OpenID Connect Core §3.1.2.6: where nobody may be asked, a sign-in that is too weak is login_required (N31)', async () => {
    const server = await open({ acr: 'urn:low' })
    const client = await server.createClient()
    await authorize(server, authorizeParameters(client, makePkce()))
    const asked = authorizeParameters(client, makePkce(), { prompt: 'none', acr_values: 'urn:high' })
    assertRedirectError(await grantsNothing(server, () => authorize(server, asked)), 'login_required')
    server.signedIn.account = { ...alice, acr: 'urn:high' }
    assert.ok(readAnswer(await authorize(server, asked)).get('code'))
  })

  test('OpenID Connect Core §5.5.1.1: the class that is told is one that was asked for', async () => {
    const cases: [acr: string, asked: string | undefined, told: string][] = [
      ['urn:high', undefined, 'urn:high'],
      ['urn:high', 'urn:low', 'urn:low'],
      ['urn:high', 'urn:low urn:middle', 'urn:middle'],
      ['urn:high', 'urn:middle urn:high urn:low', 'urn:high'],
      ['urn:middle', 'urn:high urn:middle', 'urn:middle'],
    ]
    for (const [acr, acr_values, told] of cases) {
      const server = await open({ acr })
      const client = await server.createClient()
      const tokens = (await obtainTokens(server, client, { scope: 'openid', acr_values })) as Tokens & {
        id_token: string
      }
      assert.equal(decodeJwt(tokens.id_token).acr, told, acr_values)
      assert.equal(decodeJwt(tokens.access_token).acr, told)
      assert.equal((await introspect(server, client, tokens.access_token)).acr, told)
    }
  })

  test('OpenID Connect Registration §2: what a client asks of every sign-in is asked where its request says nothing else', async () => {
    const server = await open({ acr: 'urn:low' })
    const client = await server.createClient({ defaultAcrValues: ['urn:high'], defaultMaxAge: 600 })
    assert.ok(wayBack(await server.request(`/oauth/authorize?${authorizeParameters(client, makePkce())}`)))
    server.signedIn.account = { ...alice, acr: 'urn:high', authTime: server.clock.now() - 500_000 }
    const pkce = makePkce()
    const code = readAnswer(await authorize(server, authorizeParameters(client, pkce))).get('code')!
    const tokens = await readTokens(await redeem(server, client, code, pkce))
    assert.equal(decodeJwt(tokens.access_token).acr, 'urn:high')
    server.signedIn.account = { ...alice, acr: 'urn:low', authTime: server.clock.now() - hour }
    const own = authorizeParameters(client, makePkce(), { acr_values: 'urn:low', max_age: '7200' })
    assert.ok(readAnswer(await authorize(server, own)).get('code'))
    await assert.rejects(server.createClient({ defaultAcrValues: ['urn:unknown'] }), (error: ConfigError) => {
      assert.ok(error instanceof ConfigError)
      assert.equal(error.problems[0]!.path, 'defaultAcrValues')
      return true
    })
  })

  test('OpenID Connect Core §3.1.2.1: the accounts hear what the client wishes', async () => {
    const server = await open()
    const client = await server.createClient()
    const asked = authorizeParameters(client, makePkce(), {
      scope: 'openid',
      max_age: '60',
      login_hint: 'alice@example.com',
      ui_locales: 'fr-CA fr en',
      acr_values: 'urn:high urn:low',
    })
    const back = wayBack(await server.request(`/oauth/authorize?${asked}`))
    const [{ returnTo, cancelTo, notBefore, ...ask }] = asks as [Ask]
    assert.deepEqual(ask, {
      prompt: [],
      maxAge: 60,
      acrValues: ['urn:high', 'urn:low', 'urn:middle'],
      uiLocales: ['fr-CA', 'fr', 'en'],
      loginHint: 'alice@example.com',
      interactive: true,
    })
    assert.equal(notBefore, server.clock.now() - 60_000)
    assert.equal(returnTo, back)
    assert.equal(cancelTo, `${back}&gatehouse_cancelled=1`)
    assertRedirectError(await grantsNothing(server, () => server.request(cancelTo!)), 'access_denied')
  })
})
