import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Gatehouse } from '../../src/gatehouse.ts'
import { parseScope } from '../../src/protocol/scope.ts'
import { assertRedirectError, grantsNothing, readAnswer } from '../oauth/answers.ts'
import {
  answerConsent,
  assertError,
  authorize,
  authorizeParameters,
  credentials,
  introspect,
  makePkce,
  obtainTokens,
  readConsent,
  readTokens,
  redeem,
  refresh,
} from '../support/flow.ts'
import { issuer, onBothDatabases, scopes, type TestServer, testServerFor } from '../support/gatehouse.ts'
import { asCreated, registered } from '../support/registration.ts'

onBothDatabases('scope', (dialect) => {
  const open = testServerFor(dialect)

  test('RFC 6749 §3.3: an unknown, forbidden or malformed scope is invalid_scope (N22)', async () => {
    const server = await open()
    const client = await server.createClient({ scope: ['jobs:read', 'resume:read'] })
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
      assertRedirectError(await grantsNothing(server, () => authorize(server, asked)), 'invalid_scope')
    }
    const asked = authorizeParameters(client, makePkce(), { scope: 'resume:read jobs:read jobs:read' })
    assert.ok(readAnswer(await authorize(server, asked)).get('code'))
    assert.equal(
      (await obtainTokens(server, client, { scope: 'resume:read jobs:read jobs:read' })).scope,
      'jobs:read resume:read',
    )
  })

  test('OpenID Connect Core §3.1.2.1: beside openid an unknown scope is dropped, and the answer says so (N22)', async () => {
    const server = await open()
    const client = await server.createClient({ scope: ['openid', 'jobs:read'] })
    for (const scope of ['openid unknown jobs:read', 'made:up openid jobs:read constructor']) {
      const tokens = await obtainTokens(server, client, { scope })
      assert.equal(tokens.scope, 'jobs:read openid')
      assert.equal((await introspect(server, client, tokens.access_token)).scope, 'jobs:read openid')
    }
    for (const scope of ['openid resume:read', 'openid email', 'jobs:read unknown', 'openid  jobs:read']) {
      const asked = authorizeParameters(client, makePkce(), { scope })
      assertRedirectError(await grantsNothing(server, () => authorize(server, asked)), 'invalid_scope')
    }
  })

  test('RFC 6749 §4.4: nobody can be asked about where there is no user', async () => {
    const server = await open()
    const client = await server.createClient({ redirectUris: [], grantTypes: ['client_credentials'] })
    const both = await server.createClient({ grantTypes: ['client_credentials', 'authorization_code'] })
    const ask = (scope?: string, as = client) => {
      const { headers, form } = credentials(as)
      const asked = { grant_type: 'client_credentials', ...form, ...(scope === undefined ? {} : { scope }) }
      return server.post('/oauth/token', asked, headers)
    }
    for (const scope of ['openid', 'jobs:read email', 'offline_access']) {
      await assertError(await ask(scope), 400, 'invalid_scope')
      // One that also acts for users may have these, but not here.
      await assertError(await ask(scope, both), 400, 'invalid_scope')
    }
    assert.equal((await readTokens(await ask('jobs:read'))).scope, 'jobs:read')
    const all = await readTokens(await ask())
    assert.deepEqual(all.scope.split(' ').sort(), Object.keys(scopes).sort())
  })

  test('RFC 6749 §3.3: without a scope the client gets all it may have, and the answer says so', async () => {
    const server = await open()
    const client = await server.createClient({ scope: ['resume:read', 'jobs:read'] })
    for (const scope of [undefined, '']) {
      const tokens = await obtainTokens(server, client, { scope })
      assert.equal(tokens.scope, 'jobs:read resume:read')
      assert.equal((await introspect(server, client, tokens.access_token)).scope, 'jobs:read resume:read')
    }
  })

  test('RFC 6749 §3.3: a scope that left the registry is granted to nobody by default', async () => {
    const server = await open()
    const client = await server.createClient({ scope: ['resume:read', 'jobs:read'] })
    const { app } = await server.twin({ scopes: { 'jobs:read': 'Search open jobs' } })
    const { requestedScope } = await import('../../src/protocol/scope.ts')
    const known = await app.server.clients.find(client.client.id)
    assert.deepEqual(requestedScope(undefined, app.settings, known!), ['jobs:read'])
  })

  test('RFC 6749 §5.1: a client without any scope gets a token without a scope member', async () => {
    const server = await open()
    const client = await server.createClient({ scope: [] })
    const tokens = await obtainTokens(server, client, { scope: undefined })
    assert.equal(Object.hasOwn(tokens, 'scope'), false)
    assert.equal((await introspect(server, client, tokens.access_token)).active, true)
  })

  test('RFC 6749 §6: a refresh may narrow the scope; the next one may have all of it again', async () => {
    const server = await open()
    const client = await server.createClient()
    const first = await obtainTokens(server, client, { scope: 'jobs:read resume:read' })
    const narrow = await readTokens(
      await refresh(server, client, first.refresh_token!, { scope: 'jobs:read' }),
    )
    assert.equal(narrow.scope, 'jobs:read')
    assert.equal((await introspect(server, client, narrow.access_token)).scope, 'jobs:read')
    const wide = await readTokens(await refresh(server, client, narrow.refresh_token!))
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

onBothDatabases('a scope that implies others', (dialect) => {
  const open = testServerFor(dialect, {
    scopes: {
      'jobs:read': 'Search open jobs',
      'applications:read': 'See your applications',
      'applications:write': { description: 'Send applications', implies: ['applications:read'] },
      admin: { description: 'Run the board', implies: ['applications:write', 'jobs:read'] },
    },
    registration: { policy: 'open' },
  })

  test('RFC 6749 §3.3: is granted with them, shown with them, and an API needs to know nothing of it (B7)', async () => {
    const server = await open()
    const client = await server.createClient({ scope: ['applications:write'] })
    const parameters = authorizeParameters(client, makePkce(), { scope: 'applications:write' })
    const { html } = await readConsent(await server.request(`/oauth/authorize?${parameters}`))
    assert.match(html, /Send applications/)
    assert.match(html, /See your applications/)
    const tokens = await obtainTokens(server, client, { scope: 'applications:write' })
    assert.equal(tokens.scope, 'applications:read applications:write')
    const call = (scope: string) =>
      server.g.authenticate(
        new Request(issuer, { headers: { authorization: `Bearer ${tokens.access_token}` } }),
        { scope },
      )
    assert.ok((await call('applications:read')).ok)
    const refused = await call('jobs:read')
    assert.equal(refused.ok ? 200 : refused.response.status, 403)
  })

  test('RFC 6749 §3.3: the smaller one is in the allowance and in the consent for the greater', async () => {
    const server = await open()
    const client = await server.createClient({ scope: ['admin'] })
    assert.equal(
      (await obtainTokens(server, client, { scope: undefined })).scope,
      'admin applications:read applications:write jobs:read',
    )
    const silent = await authorize(
      server,
      authorizeParameters(client, makePkce(), { scope: 'applications:read', prompt: 'none' }),
    )
    assert.ok(readAnswer(silent).get('code'), 'nothing is left to ask')
    const smaller = await server.createClient({ scope: ['applications:read'] })
    const asked = authorizeParameters(smaller, makePkce(), { scope: 'applications:write' })
    assertRedirectError(await grantsNothing(server, () => authorize(server, asked)), 'invalid_scope')
  })

  test('RFC 6749 §6: narrowing keeps what the narrower scope implies, on the consent page and at a refresh', async () => {
    const server = await open()
    const client = await server.createClient()
    const tokens = await obtainTokens(server, client, { scope: 'admin' })
    const narrowed = await readTokens(
      await refresh(server, client, tokens.refresh_token!, { scope: 'applications:write' }),
    )
    assert.equal(narrowed.scope, 'applications:read applications:write')
    const pkce = makePkce()
    const parameters = authorizeParameters(client, pkce, { scope: 'admin', prompt: 'consent' })
    const page = await readConsent(await server.request(`/oauth/authorize?${parameters}`))
    const answer = await answerConsent(server, page, { decision: 'allow', scope: 'applications:write' })
    const code = readAnswer(answer).get('code')!
    const chosen = await readTokens(await redeem(server, client, code, pkce))
    assert.equal(chosen.scope, 'applications:read applications:write')
  })

  test('RFC 7591 §2: a client that registered itself may later ask for more than it registered, within the policy', async () => {
    const server = await open()
    const client = asCreated(await registered(server, { scope: 'jobs:read' }))
    assert.equal((await obtainTokens(server, client, { scope: undefined })).scope, 'jobs:read')
    const more = await obtainTokens(server, client, { scope: 'jobs:read applications:write' })
    assert.equal(more.scope, 'applications:read applications:write jobs:read')
    const narrow = await server.twin({ selfRegisteredClients: { scope: ['jobs:read', 'applications:read'] } })
    const other = asCreated(await registered({ request: viaTwin(narrow.g) }, { scope: 'jobs:read' }))
    assert.equal(
      (await obtainTokens(server, other, { scope: 'applications:read' })).scope,
      'applications:read',
    )
    const parameters = authorizeParameters(other, makePkce(), { scope: 'applications:write' })
    // The user allowed its host before, so the client is told.
    assert.equal(
      readAnswer(await server.request(`/oauth/authorize?${parameters}`)).get('error'),
      'invalid_scope',
    )
  })
})

/** Requests as `TestServer.request` makes them, to another process. */
function viaTwin(g: Gatehouse): TestServer['request'] {
  return (path, { cookie: _, address = '203.0.113.7', ...init } = {}) =>
    g.fetch(new Request(new URL(path, issuer), { redirect: 'manual', ...init }), { address })
}
