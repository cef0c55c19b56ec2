import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertJson, assertRedirectError, grantsNothing, readAnswer } from '../oauth/answers.ts'
import { authorize, authorizeParameters, makePkce, obtainCode, readTokens, redeem } from '../support/flow.ts'
import { onBothDatabases, testServerFor } from '../support/gatehouse.ts'

onBothDatabases('PKCE', (dialect) => {
  const open = testServerFor(dialect)

  test('RFC 7636 §4.4.1: no code_challenge is invalid_request, except where an administrator lifted PKCE (N23)', async () => {
    const server = await open()
    const confidential = await server.createClient()
    const publicClient = await server.createClient({ tokenEndpointAuthMethod: 'none' })
    for (const client of [confidential, publicClient]) {
      for (const overrides of [
        {},
        { code_challenge: '' },
        { code_challenge_method: 'S256' },
        { code_challenge: '', code_challenge_method: 'S256' },
      ]) {
        const asked = authorizeParameters(client, null, overrides)
        assertRedirectError(await grantsNothing(server, () => authorize(server, asked)), 'invalid_request')
      }
      assert.ok(readAnswer(await authorize(server, authorizeParameters(client, makePkce()))).get('code'))
    }
    const lifted = [
      await server.createClient({ requirePkce: false }),
      await server.createClient({ profile: 'gpt_action' }),
    ]
    for (const client of lifted) {
      assert.ok(readAnswer(await authorize(server, authorizeParameters(client, null))).get('code'))
      const half = authorizeParameters(client, null, { code_challenge_method: 'S256' })
      assertRedirectError(await authorize(server, half), 'invalid_request')
    }
    for (const input of [{ requirePkce: false }, { profile: 'gpt_action' as const }]) {
      await assert.rejects(server.createClient({ ...input, tokenEndpointAuthMethod: 'none' }), {
        name: 'ConfigError',
      })
    }
  })

  test('RFC 7636 §4.3: the method plain, named or meant by leaving it out, is invalid_request (N24)', async () => {
    const server = await open()
    for (const client of [await server.createClient(), await server.createClient({ requirePkce: false })]) {
      for (const code_challenge_method of ['plain', undefined, '']) {
        const asked = authorizeParameters(client, makePkce(), { code_challenge_method })
        assertRedirectError(await grantsNothing(server, () => authorize(server, asked)), 'invalid_request')
      }
      assert.ok(readAnswer(await authorize(server, authorizeParameters(client, makePkce()))).get('code'))
    }
  })

  test('RFC 7636 §4.4.1: an unknown code_challenge_method is invalid_request and never plain (N25)', async () => {
    const server = await open()
    for (const client of [await server.createClient(), await server.createClient({ requirePkce: false })]) {
      for (const code_challenge_method of ['S512', 's256', 'S256 ', 'PLAIN', 'none']) {
        const asked = authorizeParameters(client, makePkce(), { code_challenge_method })
        assertRedirectError(await grantsNothing(server, () => authorize(server, asked)), 'invalid_request')
      }
      assert.ok(readAnswer(await authorize(server, authorizeParameters(client, makePkce()))).get('code'))
    }
  })

  test('RFC 7636 §4.2: a challenge that is not 43 base64url characters is invalid_request (N26)', async () => {
    const server = await open()
    const client = await server.createClient()
    const { challenge } = makePkce()
    for (const code_challenge of [
      challenge.slice(1),
      `${challenge}A`,
      `${challenge}=`,
      `${challenge.slice(1)}=`,
      `${challenge.slice(1)}+`,
      `${challenge.slice(1)}/`,
      `${challenge.slice(1)}.`,
      `${challenge.slice(1)}\n`,
      `${challenge}\n`,
      'x',
    ]) {
      const asked = authorizeParameters(client, makePkce(), { code_challenge })
      assertRedirectError(await grantsNothing(server, () => authorize(server, asked)), 'invalid_request')
    }
    assert.ok(readAnswer(await authorize(server, authorizeParameters(client, makePkce()))).get('code'))
  })

  test('RFC 7636 §4.1: a wrong, missing or malformed code_verifier is invalid_grant and spends nothing (N76)', async () => {
    const server = await open()
    for (const client of [
      await server.createClient(),
      await server.createClient({ tokenEndpointAuthMethod: 'none' }),
      await server.createClient({ requirePkce: false }),
    ]) {
      const pkce = makePkce()
      const code = await obtainCode(server, client, pkce)
      for (const code_verifier of [
        makePkce().verifier,
        '',
        pkce.challenge,
        pkce.verifier.slice(1),
        `${pkce.verifier}A`,
        pkce.verifier.toUpperCase(),
        'A'.repeat(42),
        'A'.repeat(129),
        `${'A'.repeat(43)}\u00e4`,
        `${'A'.repeat(43)} `,
        `${'A'.repeat(43)}=`,
      ]) {
        const answer = await grantsNothing(server, () =>
          redeem(server, client, code, pkce, { code_verifier }),
        )
        await assertJson(answer, 400, 'invalid_grant')
      }
      await assertJson(await redeem(server, client, code, null), 400, 'invalid_grant')
      await readTokens(await redeem(server, client, code, pkce))
    }
    // The longest and the shortest verifier, and every kind of character.
    const client = await server.createClient()
    const { sha256 } = await import('../../src/crypto/tokens.ts')
    for (const verifier of ['A'.repeat(43), 'A'.repeat(128), `${'a'.repeat(40)}-._~0`]) {
      const pkce = { verifier, challenge: sha256(verifier) }
      await readTokens(await redeem(server, client, await obtainCode(server, client, pkce), pkce))
    }
  })

  test('OAuth 2.1 §3.2.4: a code_verifier without a challenge is invalid_request and spends nothing (N77)', async () => {
    const server = await open()
    const client = await server.createClient({ requirePkce: false })
    const code = await obtainCode(server, client, null)
    const answer = await grantsNothing(server, () => redeem(server, client, code, makePkce()))
    await assertJson(answer, 400, 'invalid_request')
    await readTokens(await redeem(server, client, code, null))
  })
})
