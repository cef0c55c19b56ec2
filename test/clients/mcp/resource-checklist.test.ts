// What MCP's authorization (revision 2026-07-28) demands of the protected server, item by item, on the wire. The MCP server is
// the example's, beside Gatehouse and apart from it.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { mcpEndpoint, scopes } from '../../../examples/mcp/tools.ts'
import { protectTools } from '../../../src/api/mcp.ts'
import { resourceServer } from '../../../src/api/standalone/resource-server.ts'
import { resolveConfig } from '../../../src/config.ts'
import { toNodeHandler } from '../../../src/http/mount.ts'
import { onBothDatabases } from '../../support/gatehouse.ts'
import { MemoryProvider } from './provider.ts'
import { type McpSite, openMcpSite } from './site.ts'
import { signIn } from './walk.ts'

interface Api {
  name: string
  origin: string
  resource: string
}

onBothDatabases('MCP authorization, the protected server', (dialect) => {
  let site: McpSite
  let apis: Api[]
  const closing: (() => Promise<unknown>)[] = []
  before(async () => {
    let answer = async (_: Request) => new Response(null, { status: 503 })
    const server = createServer((request, response) => handler(request, response))
    server.listen(0, 'localhost')
    await once(server, 'listening')
    const origin = `http://localhost:${(server.address() as AddressInfo).port}`
    const handler = toNodeHandler({ issuer: origin, fetch: (request) => answer(request) })
    const resource = `${origin}/mcp`
    closing.push(async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    })
    site = await openMcpSite(dialect, { elsewhere: [resource] })
    closing.unshift(() => site.close())

    const { client, secret } = await site.testServer.createClient({ resourceServerFor: [resource] })
    const introspection = { clientId: client.id, clientSecret: secret!, cacheFor: 0 }
    const now = () => site.testServer.clock.now()
    const own = resourceServer(
      { issuer: site.issuer, resource, scopes: Object.keys(scopes), introspection },
      { now },
    )
    const mcp = mcpEndpoint(own, resource)
    answer = async (request) => {
      const { pathname } = new URL(request.url)
      if (pathname === '/mcp') return mcp(request)
      const isMetadata = pathname === own.metadataPath || pathname === '/.well-known/oauth-protected-resource'
      return isMetadata ? own.metadata() : new Response(null, { status: 404 })
    }
    apis = [
      { name: 'beside', origin: site.origin, resource: site.resource },
      { name: 'apart', origin, resource },
    ]
  })
  after(async () => {
    for (const close of closing) await close()
  })

  const call = (
    api: Api,
    tool: string,
    init: { token?: string; headers?: Record<string, string>; query?: string } = {},
  ) =>
    fetch(api.resource + (init.query ?? ''), {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...(init.token === undefined ? {} : { authorization: `Bearer ${init.token}` }),
        ...init.headers,
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: tool } }),
    })

  /** Tokens for an API, as the strict library gets them. */
  async function tokensFor(api: Api, scope: string): Promise<MemoryProvider> {
    const provider = new MemoryProvider()
    await signIn({ ...site, resource: api.resource }, provider, { scope })
    return provider
  }
  const tokenFor = async (api: Api, scope = 'jobs:read') =>
    (await tokensFor(api, scope)).tokensHeld!.access_token

  const challengeOf = (answer: Response) => answer.headers.get('www-authenticate')!
  const metadataAt = async (address: string) =>
    (await (await fetch(address)).json()) as Record<string, string[]>

  test('RFC 9728 §2, §3: its metadata name the authorization server (B1)', async () => {
    for (const { origin, resource } of apis) {
      const metadata = await metadataAt(`${origin}/.well-known/oauth-protected-resource/mcp`)
      assert.equal(metadata['resource'], resource)
      assert.deepEqual(metadata['authorization_servers'], [site.issuer])
      assert.deepEqual(metadata['bearer_methods_supported'], ['header'])
    }
  })

  test('RFC 9728 §3.1, §5.1: they are found through the challenge, in path form and at the root (B2)', async () => {
    for (const api of apis) {
      const told = /resource_metadata="([^"]+)"/.exec(challengeOf(await call(api, 'search_jobs')))![1]!
      const well = `${api.origin}/.well-known/oauth-protected-resource`
      assert.equal(told, `${well}/mcp`)
      for (const address of [told, well]) assert.equal((await metadataAt(address))['resource'], api.resource)
    }
  })

  test('RFC 6750 §3: the challenge says which scope the tool needs (B3)', async () => {
    for (const api of apis) {
      assert.match(challengeOf(await call(api, 'search_jobs')), /^Bearer scope="jobs:read", /)
      assert.match(challengeOf(await call(api, 'apply')), /^Bearer scope="applications:write", /)
    }
  })

  test('RFC 9068 §4: a token for this server is taken, every other refused, and none is handed on (B4, N118)', async () => {
    for (const [n, api] of apis.entries()) {
      const provider = await tokensFor(api, 'jobs:read openid')
      const token = provider.tokensHeld!.access_token
      const good = await call(api, 'search_jobs', { token })
      assert.equal(good.status, 200)
      assert.match(await good.text(), /For alice/)

      const { id_token, refresh_token } = provider.tokensHeld as { id_token?: string; refresh_token?: string }
      assert.ok(id_token && refresh_token)
      const [header, claims, signature] = token.split('.') as [string, string, string]
      const forged = JSON.stringify({
        ...JSON.parse(Buffer.from(claims, 'base64url').toString()),
        aud: api.resource,
        sub: 'bob',
      })
      const others = {
        'of the other server': await tokenFor(apis[1 - n]!),
        'an ID token': id_token,
        'a refresh token': refresh_token,
        'of another subject': `${header}.${Buffer.from(forged).toString('base64url')}.${signature}`,
        'without a signature': `${Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url')}.${claims}.`,
        nothing: 'x',
      }
      for (const [what, token] of Object.entries(others)) {
        for (const tool of ['search_jobs', 'opening_hours']) {
          const answer = await call(api, tool, { token })
          assert.equal(answer.status, 401, `${what}, ${tool}`)
          assert.match(challengeOf(answer), /^Bearer error="invalid_token"/, what)
        }
      }
      site.advance(901_000)
      assert.equal((await call(api, 'search_jobs', { token })).status, 401, 'expired')

      const fresh = await tokenFor(api)
      const guard = protectTools(
        n === 0
          ? site.testServer.g
          : resourceServer(
              { issuer: site.issuer, resource: api.resource },
              { now: () => site.testServer.clock.now() },
            ),
        { tools: {}, resource: api.resource },
      )
      const admitted = await guard.authenticate(
        new Request(api.resource, { headers: { authorization: `Bearer ${fresh}` } }),
      )
      assert.ok(admitted.ok)
      assert.ok(!JSON.stringify(admitted).includes(fresh.split('.')[2]!), 'a tool never sees the token')
    }
  })

  test('RFC 6750 §2: the token is taken from the header alone, and at every request (B5, N117)', async () => {
    for (const api of apis) {
      const token = await tokenFor(api)
      const query = `?access_token=${token}`
      for (const answer of [
        await call(api, 'search_jobs', { query }),
        await call(api, 'search_jobs', { token, query }),
      ]) {
        assert.equal(answer.status, 400)
        assert.equal(((await answer.json()) as { error: string }).error, 'invalid_request')
      }
      const form = await fetch(api.resource, {
        method: 'POST',
        body: new URLSearchParams({ access_token: token }),
      })
      assert.equal(form.status, 400)
      assert.equal(
        (await call(api, 'search_jobs', { headers: { cookie: `access_token=${token}` } })).status,
        401,
      )
      assert.equal((await call(api, 'search_jobs', { token })).status, 200)
      // Nothing is remembered from one request to the next.
      assert.equal((await call(api, 'search_jobs')).status, 401)
    }
  })

  test('RFC 6750 §3.1: 401 without or with a bad token, 403 without the scope, 400 for what is malformed (B6, N116, N117, N120)', async () => {
    for (const api of apis) {
      const missing = await call(api, 'search_jobs')
      assert.equal(missing.status, 401)
      assert.doesNotMatch(challengeOf(missing), /error=/)
      const invalid = await call(api, 'search_jobs', { token: 'x' })
      assert.deepEqual([invalid.status, / error="invalid_token"/.test(challengeOf(invalid))], [401, true])
      const lacking = await call(api, 'apply', { token: await tokenFor(api) })
      assert.deepEqual(
        [lacking.status, / error="insufficient_scope"/.test(challengeOf(lacking))],
        [403, true],
      )
      const malformed = await call(api, 'search_jobs', { headers: { authorization: 'Bearer a b' } })
      assert.deepEqual(
        [malformed.status, / error="invalid_request"/.test(challengeOf(malformed))],
        [400, true],
      )
      for (const answer of [missing, invalid, lacking, malformed]) {
        assert.equal(answer.headers.get('cache-control'), 'no-store')
        assert.match(challengeOf(answer), /resource_metadata="/)
      }
    }
  })

  test('RFC 6750 §3.1: insufficient_scope names all the tool needs, and a scope that implies it is enough (B7, N120)', async () => {
    for (const [n, api] of apis.entries()) {
      const auth =
        n === 0 ? site.testServer.g : resourceServer({ issuer: site.issuer, resource: api.resource })
      const guard = protectTools(auth, {
        tools: {
          both: { securitySchemes: [{ type: 'oauth2', scopes: ['jobs:read', 'applications:write'] }] },
        },
        resource: api.resource,
      })
      const ask = async (scope: string) =>
        guard.authenticate(
          new Request(api.resource, {
            method: 'POST',
            headers: { authorization: `Bearer ${await tokenFor(api, scope)}` },
            body: '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"both"}}',
          }),
        )
      const lacking = await ask('jobs:read')
      assert.ok(!lacking.ok)
      assert.equal(lacking.response.status, 403)
      assert.equal(
        challengeOf(lacking.response),
        'Bearer error="insufficient_scope", error_description="The access token lacks a scope", ' +
          `scope="jobs:read applications:write", resource_metadata="${api.origin}/.well-known/oauth-protected-resource/mcp"`,
      )
      // applications:write implies jobs:read, here and apart, although only the server knows of it.
      assert.ok((await ask('applications:write')).ok)
      const token = await tokenFor(api, 'applications:write')
      for (const tool of ['search_jobs', 'apply'])
        assert.equal((await call(api, tool, { token })).status, 200, tool)
    }
  })

  test('OpenID Connect Core §11: offline_access is the server’s, and in nothing the API says (B8)', async () => {
    const server = await metadataAt(`${site.issuer}/.well-known/oauth-authorization-server`)
    assert.ok(server['scopes_supported']!.includes('offline_access'))
    for (const [n, api] of apis.entries()) {
      const { scopes_supported } = await metadataAt(`${api.origin}/.well-known/oauth-protected-resource/mcp`)
      assert.deepEqual(scopes_supported, ['jobs:read', 'applications:write'])
      const auth =
        n === 0 ? site.testServer.g : resourceServer({ issuer: site.issuer, resource: api.resource })
      const scope = ['offline_access', 'jobs:read']
      const refused = await auth.authenticate(new Request(api.resource), { scope, resource: api.resource })
      assert.ok(!refused.ok)
      assert.match(challengeOf(refused.response), /^Bearer scope="jobs:read", /)
    }
  })

  test('RFC 8707 §2: its URI is one text, without fragment or trailing slash (B9)', async () => {
    for (const { origin, resource } of apis) {
      const metadata = await metadataAt(`${origin}/.well-known/oauth-protected-resource/mcp`)
      assert.equal(metadata['resource'], resource)
      assert.ok(!resource.endsWith('/') && !resource.includes('#'))
      assert.equal((await fetch(`${origin}/.well-known/oauth-protected-resource/mcp/`)).status, 404)
    }
    const options = { issuer: 'https://auth.example', secret: 'a secret that is long enough for a test' }
    for (const resource of ['https://api.example/mcp#x', '/mcp', 'api.example/mcp']) {
      assert.throws(() => resolveConfig({ ...options, resources: { [resource]: {} } }), /fragment/, resource)
      assert.throws(() => resourceServer({ issuer: options.issuer, resource }), /fragment/, resource)
    }
  })
})
