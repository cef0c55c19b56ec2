import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  assertError,
  authorize,
  authorizeParameters,
  introspect,
  makePkce,
  obtainCode,
  obtainTokens,
  readRedirect,
  readTokens,
  redeem,
  refresh,
} from '../support/flow.ts'
import { basic, issuer, onBothDatabases, testServerFor } from '../support/gatehouse.ts'

onBothDatabases('token endpoint', (dialect) => {
  const open = testServerFor(dialect)

  test('RFC 6749 §4.1: code, token, refresh, introspection, revocation', async () => {
    const server = await open()
    const client = await server.createClient()
    const pkce = makePkce()
    const answer = readRedirect(await authorize(server, authorizeParameters(client, pkce)))
    assert.equal(answer.parameters.state, 'a state')
    assert.equal(answer.parameters.iss, issuer)
    const tokens = await readTokens(await redeem(server, client, answer.parameters.code!, pkce))
    assert.equal(tokens.token_type, 'Bearer')
    assert.equal(tokens.expires_in, 900)
    assert.equal(tokens.scope, 'jobs:read')
    assert.equal((await introspect(server, client, tokens.access_token)).active, true)

    const next = await readTokens(await refresh(server, client, tokens.refresh_token!))
    assert.notEqual(next.refresh_token, tokens.refresh_token)
    const retried = await readTokens(await refresh(server, client, tokens.refresh_token!))
    assert.equal(retried.refresh_token, next.refresh_token, 'the very same successor')
    assert.notEqual(retried.access_token, next.access_token)
    const third = await readTokens(await refresh(server, client, next.refresh_token!))

    await assertError(await refresh(server, client, tokens.refresh_token!), 400, 'invalid_grant')
    await assertError(await refresh(server, client, third.refresh_token!), 400, 'invalid_grant')
    assert.deepEqual(await introspect(server, client, third.access_token), { active: false })
  })

  test('RFC 6749 §4.4: client credentials give an access token and no refresh token', async () => {
    const server = await open()
    const { client, secret } = await server.createClient({
      redirectUris: [],
      grantTypes: ['client_credentials'],
    })
    const tokens = await readTokens(
      await server.post(
        '/oauth/token',
        { grant_type: 'client_credentials' },
        { authorization: basic(client.id, secret!) },
      ),
    )
    assert.equal(tokens.refresh_token, undefined)
  })

  test('RFC 6749 §4.1.2: a code redeemed twice ends the session it began', async () => {
    const server = await open()
    const client = await server.createClient()
    const pkce = makePkce()
    const code = await obtainCode(server, client, pkce)
    const tokens = await readTokens(await redeem(server, client, code, pkce))
    await assertError(await redeem(server, client, code, pkce), 400, 'invalid_grant')
    await assertError(await refresh(server, client, tokens.refresh_token!), 400, 'invalid_grant')
  })

  test('RFC 9700 §4.14.2: parallel refreshes all get the one successor', async () => {
    const server = await open()
    const client = await server.createClient()
    const tokens = await obtainTokens(server, client)
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => refresh(server, client, tokens.refresh_token!)),
    )
    const all = await Promise.all(answers.map(readTokens))
    assert.equal(new Set(all.map((one) => one.refresh_token)).size, 1)
  })
})
