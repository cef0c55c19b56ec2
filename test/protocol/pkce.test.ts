import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertJson, assertRedirectError, grantsNothing, readAnswer } from '../oauth/answers.ts'
import { authorize, authorizeParameters, makePkce, obtainCode, readTokens, redeem } from '../support/flow.ts'
import { houseFor, onBothDatabases } from '../support/gatehouse.ts'

onBothDatabases('PKCE', (dialect) => {
  const open = houseFor(dialect)

  test('RFC 7636 §4.4.1: no code_challenge is invalid_request, except where an administrator lifted PKCE (N23)', async () => {
    const house = await open()
    const confidential = await house.createClient()
    const publicClient = await house.createClient({ tokenEndpointAuthMethod: 'none' })
    for (const client of [confidential, publicClient]) {
      for (const overrides of [
        {},
        { code_challenge: '' },
        { code_challenge_method: 'S256' },
        { code_challenge: '', code_challenge_method: 'S256' },
      ]) {
        const asked = authorizeParameters(client, null, overrides)
        assertRedirectError(await grantsNothing(house, () => authorize(house, asked)), 'invalid_request')
      }
      assert.ok(readAnswer(await authorize(house, authorizeParameters(client, makePkce()))).get('code'))
    }
    const lifted = [
      await house.createClient({ requirePkce: false }),
      await house.createClient({ profile: 'gpt_action' }),
    ]
    for (const client of lifted) {
      assert.ok(readAnswer(await authorize(house, authorizeParameters(client, null))).get('code'))
      const half = authorizeParameters(client, null, { code_challenge_method: 'S256' })
      assertRedirectError(await authorize(house, half), 'invalid_request')
    }
    for (const input of [{ requirePkce: false }, { profile: 'gpt_action' as const }]) {
      await assert.rejects(house.createClient({ ...input, tokenEndpointAuthMethod: 'none' }), {
        name: 'ConfigError',
      })
    }
  })

  test('RFC 7636 §4.3: the method plain, named or meant by leaving it out, is invalid_request (N24)', async () => {
    const house = await open()
    for (const client of [await house.createClient(), await house.createClient({ requirePkce: false })]) {
      for (const code_challenge_method of ['plain', undefined, '']) {
        const asked = authorizeParameters(client, makePkce(), { code_challenge_method })
        assertRedirectError(await grantsNothing(house, () => authorize(house, asked)), 'invalid_request')
      }
      assert.ok(readAnswer(await authorize(house, authorizeParameters(client, makePkce()))).get('code'))
    }
  })

  test('RFC 7636 §4.4.1: an unknown code_challenge_method is invalid_request and never plain (N25)', async () => {
    const house = await open()
    for (const client of [await house.createClient(), await house.createClient({ requirePkce: false })]) {
      for (const code_challenge_method of ['S512', 's256', 'S256 ', 'PLAIN', 'none']) {
        const asked = authorizeParameters(client, makePkce(), { code_challenge_method })
        assertRedirectError(await grantsNothing(house, () => authorize(house, asked)), 'invalid_request')
      }
      assert.ok(readAnswer(await authorize(house, authorizeParameters(client, makePkce()))).get('code'))
    }
  })

  test('RFC 7636 §4.2: a challenge that is not 43 base64url characters is invalid_request (N26)', async () => {
    const house = await open()
    const client = await house.createClient()
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
      assertRedirectError(await grantsNothing(house, () => authorize(house, asked)), 'invalid_request')
    }
    assert.ok(readAnswer(await authorize(house, authorizeParameters(client, makePkce()))).get('code'))
  })

  test('RFC 7636 §4.1: a wrong, missing or malformed code_verifier is invalid_grant and spends nothing (N76)', async () => {
    const house = await open()
    for (const client of [
      await house.createClient(),
      await house.createClient({ tokenEndpointAuthMethod: 'none' }),
      await house.createClient({ requirePkce: false }),
    ]) {
      const pkce = makePkce()
      const code = await obtainCode(house, client, pkce)
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
        const answer = await grantsNothing(house, () => redeem(house, client, code, pkce, { code_verifier }))
        await assertJson(answer, 400, 'invalid_grant')
      }
      await assertJson(await redeem(house, client, code, null), 400, 'invalid_grant')
      await readTokens(await redeem(house, client, code, pkce))
    }
    // The longest and the shortest verifier, and every kind of character.
    const client = await house.createClient()
    const { sha256 } = await import('../../src/crypto/tokens.ts')
    for (const verifier of ['A'.repeat(43), 'A'.repeat(128), `${'a'.repeat(40)}-._~0`]) {
      const pkce = { verifier, challenge: sha256(verifier) }
      await readTokens(await redeem(house, client, await obtainCode(house, client, pkce), pkce))
    }
  })

  test('OAuth 2.1 §3.2.4: a code_verifier without a challenge is invalid_request and spends nothing (N77)', async () => {
    const house = await open()
    const client = await house.createClient({ requirePkce: false })
    const code = await obtainCode(house, client, null)
    const answer = await grantsNothing(house, () => redeem(house, client, code, makePkce()))
    await assertJson(answer, 400, 'invalid_request')
    await readTokens(await redeem(house, client, code, null))
  })
})
