import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseScope } from '../../src/oauth/scope.ts'
import {
  authorize,
  authorizeParameters,
  introspect,
  makePkce,
  obtainTokens,
  readTokens,
  refresh,
} from '../support/flow.ts'
import { houseFor, onBothDatabases } from '../support/house.ts'
import { assertRedirectError, grantsNothing, readAnswer } from './answers.ts'

onBothDatabases('scope', (dialect) => {
  const open = houseFor(dialect)

  test('RFC 6749 §3.3: an unknown, forbidden or malformed scope is invalid_scope (N22)', async () => {
    const house = await open()
    const client = await house.createClient({ scope: ['jobs:read', 'resume:read'] })
    for (const scope of [
      'applications:write',
      'jobs:read applications:write',
      'jobs:read unknown',
      'JOBS:READ',
      'openid',
      '__proto__',
      'constructor',
      'jobs:read  resume:read',
      ' jobs:read',
      'jobs:read ',
      'jobs:read\tresume:read',
      'jobs:read\nresume:read',
      'jobs:read,resume:read',
      'jobs:"read"',
      'jobs\\read',
      'jöbs',
      'x'.repeat(4_000),
    ]) {
      const asked = authorizeParameters(client, makePkce(), { scope })
      assertRedirectError(await grantsNothing(house, () => authorize(house, asked)), 'invalid_scope')
    }
    const asked = authorizeParameters(client, makePkce(), { scope: 'resume:read jobs:read jobs:read' })
    assert.ok(readAnswer(await authorize(house, asked)).get('code'))
    assert.equal(
      (await obtainTokens(house, client, { scope: 'resume:read jobs:read jobs:read' })).scope,
      'jobs:read resume:read',
    )
  })

  test('RFC 6749 §3.3: without a scope the client gets all it may have, and the answer says so', async () => {
    const house = await open()
    const client = await house.createClient({ scope: ['resume:read', 'jobs:read'] })
    for (const scope of [undefined, '']) {
      const tokens = await obtainTokens(house, client, { scope })
      assert.equal(tokens.scope, 'jobs:read resume:read')
      assert.equal((await introspect(house, client, tokens.access_token)).scope, 'jobs:read resume:read')
    }
  })

  test('RFC 6749 §3.3: a scope that left the registry is granted to nobody by default', async () => {
    const house = await open()
    const client = await house.createClient({ scope: ['resume:read', 'jobs:read'] })
    const { app } = await house.twin({ scopes: { 'jobs:read': 'Search open jobs' } })
    const { requestedScope } = await import('../../src/oauth/scope.ts')
    const known = await app.server.clients.find(client.client.id)
    assert.deepEqual(requestedScope(undefined, app.settings.scopes, known!.scope), ['jobs:read'])
  })

  test('RFC 6749 §5.1: a client without any scope gets a token without a scope member', async () => {
    const house = await open()
    const client = await house.createClient({ scope: [] })
    const tokens = await obtainTokens(house, client, { scope: undefined })
    assert.equal(Object.hasOwn(tokens, 'scope'), false)
    assert.equal((await introspect(house, client, tokens.access_token)).active, true)
  })

  test('RFC 6749 §6: a refresh may narrow the scope; the next one may have all of it again', async () => {
    const house = await open()
    const client = await house.createClient()
    const first = await obtainTokens(house, client, { scope: 'jobs:read resume:read' })
    const narrow = await readTokens(
      await refresh(house, client, first.refresh_token!, { scope: 'jobs:read' }),
    )
    assert.equal(narrow.scope, 'jobs:read')
    assert.equal((await introspect(house, client, narrow.access_token)).scope, 'jobs:read')
    const wide = await readTokens(await refresh(house, client, narrow.refresh_token!))
    assert.equal(wide.scope, 'jobs:read resume:read')
  })
})

describe('scope', () => {
  test('RFC 6749 §3.3: the grammar, character by character', () => {
    for (let code = 0; code < 0x180; code++) {
      const character = String.fromCharCode(code)
      const allowed = code >= 0x21 && code <= 0x7e && character !== '"' && character !== '\\'
      assert.equal(
        Array.isArray(parseScope(`a${character}b`)),
        allowed || character === ' ',
        `U+${code.toString(16)}`,
      )
    }
  })
})
