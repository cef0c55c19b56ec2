import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ProtectedTool, type ProtectedToolsOptions, protectTools } from '../../src/api/mcp.ts'
import { ConfigError } from '../../src/config-error.ts'
import { obtainTokens } from '../support/flow.ts'
import { issuer, onBothDatabases, testServerFor } from '../support/gatehouse.ts'

const resource = `${issuer}/mcp`
const metadata = `${issuer}/.well-known/oauth-protected-resource/mcp`
const tools = {
  opening_hours: { securitySchemes: [{ type: 'noauth' }] },
  greet: { securitySchemes: [{ type: 'noauth' }, { type: 'oauth2', scopes: ['jobs:read'] }] },
  search: { securitySchemes: [{ type: 'oauth2', scopes: ['jobs:read'] }] },
  apply: { securitySchemes: [{ type: 'oauth2', scopes: ['applications:read', 'applications:write'] }] },
  withdraw: { securitySchemes: [{ type: 'oauth2', scopes: ['jobs:read'] }], maxAge: 60 },
} satisfies Record<string, ProtectedTool>
const { search, apply } = tools

const chatgpt = { 'user-agent': 'openai-mcp/1.0.0 (ChatGPT)' }
const call = (name: string) => ({ jsonrpc: '2.0', id: 7, method: 'tools/call', params: { name } })
const message = (method: string) => ({ jsonrpc: '2.0', id: 1, method })

function send(body: unknown, token?: string, headers: Record<string, string> = {}): Request {
  return new Request(resource, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...headers,
    },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
}

onBothDatabases('the tools of an MCP server', (dialect) => {
  const open = testServerFor(dialect, {
    resources: { [resource]: {}, [`${issuer}/other`]: {} },
    authentication: { acrValues: ['urn:example:password', 'urn:example:second-factor'] },
  })

  async function protectedBy(options: Partial<ProtectedToolsOptions> = {}) {
    const testServer = await open()
    const guard = protectTools(testServer.g, { tools, resource, ...options })
    const refusal = async (request: Parameters<typeof guard.authenticate>[0]) => {
      const access = await guard.authenticate(request)
      assert.ok(!access.ok, 'refused')
      const { response } = access
      return { status: response.status, challenge: response.headers.get('www-authenticate'), response }
    }
    const admission = async (request: Parameters<typeof guard.authenticate>[0]) => {
      const access = await guard.authenticate(request)
      assert.ok(access.ok, access.ok ? '' : `${access.response.status}`)
      return access
    }
    return { testServer, guard, refusal, admission }
  }

  async function tokenFor(scope: string, more: Record<string, string> = {}) {
    const testServer = await open()
    const client = await testServer.createClient()
    const tokens = await obtainTokens(testServer, client, { scope, resource, ...more })
    return tokens.access_token
  }

  test('RFC 6750 §3: a server without an open tool asks for a token from the first message on (N116)', async () => {
    const { refusal, admission } = await protectedBy({ tools: { search, apply }, scope: ['jobs:read'] })
    const expected = `Bearer scope="jobs:read", resource_metadata="${metadata}"`
    for (const request of [send(message('initialize')), send(message('tools/list')), new Request(resource)]) {
      const { status, challenge } = await refusal(request)
      assert.deepEqual([status, challenge], [401, expected])
    }
    const token = await tokenFor('jobs:read')
    const { access } = await admission(send(message('initialize'), token))
    assert.equal(access?.subject, 'alice')
  })

  test('Model Context Protocol, Authorization: beside an open tool a client may look around, and is asked at the call (N116)', async () => {
    const { refusal, admission } = await protectedBy()
    for (const method of [
      'initialize',
      'server/discover',
      'notifications/initialized',
      'tools/list',
      'resources/list',
    ]) {
      assert.equal((await admission(send(message(method)))).access, undefined, method)
    }
    for (const name of ['opening_hours', 'greet']) {
      assert.equal((await admission(send(call(name)))).access, undefined, name)
    }
    assert.equal((await admission(new Request(resource))).access, undefined)
    const { status, challenge } = await refusal(send(call('search')))
    assert.deepEqual([status, challenge], [401, `Bearer scope="jobs:read", resource_metadata="${metadata}"`])
    const token = await tokenFor('jobs:read')
    for (const name of ['search', 'greet', 'opening_hours']) {
      assert.equal((await admission(send(call(name), token))).access?.subject, 'alice', name)
    }
  })

  test('RFC 6750 §3: whatever is not known to be open needs a token', async () => {
    const { refusal, admission } = await protectedBy()
    const token = await tokenFor('jobs:read')
    for (const body of [
      call('not_declared'),
      call('toString'),
      { ...call('opening_hours'), params: undefined },
      { ...call('opening_hours'), params: { name: ['opening_hours'] } },
      message('resources/read'),
      message('prompts/get'),
      message('initialize '),
    ]) {
      const told = JSON.stringify(body).slice(0, 80)
      assert.equal((await refusal(send(body))).status, 401, told)
      assert.equal((await admission(send(body, token))).access?.subject, 'alice', told)
    }
  })

  test('RFC 6750 §3.1: a message that is not understood runs no tool, whoever sends it (N116, N120)', async () => {
    const { refusal, admission } = await protectedBy()
    const token = await tokenFor('jobs:read')
    const apply = JSON.stringify(call('apply'))
    const unread: [status: number, body: string][] = [
      [400, 'no json'],
      [400, ''],
      [400, `\ufeff\ufeff${apply}`],
      [413, `${apply.slice(0, -1)},"pad":"${'x'.repeat(4 * 1024 * 1024)}"}`],
    ]
    for (const [status, body] of unread) {
      const told = body.slice(0, 80)
      assert.equal((await refusal(send(body))).status, 401, told)
      const { response } = await refusal(send(body, token))
      assert.equal(response.status, status, told)
      assert.equal(((await response.json()) as { id: unknown }).id, null, told)
    }
    // A server behind reads on past the mark of the byte order, so what follows it is looked at.
    assert.equal((await refusal(send(`\ufeff${apply}`, token))).status, 403)
    await admission(send(`\ufeff${JSON.stringify(call('search'))}`, token))
    // Node's, where the body parser left the message to whoever reads the stream after it.
    const authorization = `Bearer ${token}`
    const node = { method: 'POST', url: '/mcp', headers: { authorization } }
    assert.equal((await refusal(node)).status, 400)
    for (const body of [apply, Buffer.from(apply)]) {
      assert.equal((await refusal({ ...node, body })).status, 403)
    }
    for (const method of ['GET', 'DELETE']) await admission({ ...node, method })
  })

  test('RFC 6750 §3.1: a token that does not hold is refused even where none is needed (N118)', async () => {
    const { refusal } = await protectedBy()
    const foreign = await tokenFor('jobs:read', { resource: `${issuer}/other` })
    for (const token of ['nonsense', foreign]) {
      for (const body of [message('initialize'), call('opening_hours'), call('search')]) {
        const { status, challenge } = await refusal(send(body, token))
        assert.equal(status, 401)
        assert.match(challenge!, /^Bearer error="invalid_token"/)
      }
    }
    const twice = send(call('opening_hours'), await tokenFor('jobs:read'))
    const { status } = await refusal(new Request(`${resource}?access_token=x`, twice))
    assert.equal(status, 400)
  })

  test('RFC 6750 §3.1: a scope that is lacking is 403 with all the tool needs (N120)', async () => {
    const { refusal, admission } = await protectedBy({ scope: ['jobs:read'] })
    const { status, challenge } = await refusal(send(call('apply'), await tokenFor('jobs:read')))
    assert.equal(status, 403)
    assert.equal(
      challenge,
      'Bearer error="insufficient_scope", error_description="The access token lacks a scope", ' +
        `scope="jobs:read applications:read applications:write", resource_metadata="${metadata}"`,
    )
    const token = await tokenFor('jobs:read applications:read applications:write')
    assert.ok((await admission(send(call('apply'), token))).access)
  })

  test('RFC 9470 §3: an authentication that is too old for the tool is 401 with max_age (N121)', async () => {
    const { testServer, refusal, admission } = await protectedBy()
    const authTime = testServer.clock.now()
    testServer.signedIn.account = { ...testServer.signedIn.account!, authTime }
    const token = await tokenFor('jobs:read')
    assert.ok((await admission(send(call('withdraw'), token))).access)
    testServer.clock.advance(61_000)
    const { status, challenge } = await refusal(send(call('withdraw'), token))
    assert.equal(status, 401)
    assert.match(challenge!, /^Bearer error="insufficient_user_authentication", .*max_age="60"/)
    assert.ok((await admission(send(call('search'), token))).access)
  })

  test('RFC 9470 §3: an authentication that is too weak for the tool is 401 with acr_values (N121)', async () => {
    const testServer = await open()
    const withdraw: ProtectedTool = {
      ...tools.withdraw,
      maxAge: 3_600,
      acrValues: ['urn:example:second-factor'],
    }
    const { refusal, admission } = await protectedBy({ tools: { withdraw } })
    const as = async (acr: string) => {
      testServer.signedIn.account = { ...testServer.signedIn.account!, acr, authTime: testServer.clock.now() }
      return send(call('withdraw'), await tokenFor('jobs:read'))
    }
    const { status, challenge } = await refusal(await as('urn:example:password'))
    assert.equal(status, 401)
    assert.match(
      challenge!,
      /^Bearer error="insufficient_user_authentication", .*acr_values="urn:example:second-factor"/,
    )
    assert.equal((await admission(await as('urn:example:second-factor'))).access?.subject, 'alice')
  })

  test('Apps SDK, Authentication: ChatGPT gets a refused call as a result that carries the challenge', async () => {
    const { testServer, refusal } = await protectedBy()
    const read = async (name: string, token?: string) => {
      const { status, challenge, response } = await refusal(send(call(name), token, chatgpt))
      assert.deepEqual([status, challenge], [200, null])
      assert.equal(response.headers.get('cache-control'), 'no-store')
      const body = (await response.json()) as { id: number; result: Record<string, unknown> }
      assert.equal(body.id, 7)
      assert.equal(body.result['isError'], true)
      const told = body.result['_meta'] as Record<string, string[]>
      assert.equal(told['mcp/www_authenticate']?.length, 1)
      return told['mcp/www_authenticate'][0]!
    }
    assert.equal(
      await read('search'),
      'Bearer error="invalid_token", error_description="Sign in to use this tool", ' +
        `scope="jobs:read", resource_metadata="${metadata}"`,
    )
    const token = await tokenFor('jobs:read')
    assert.match(
      await read('apply', token),
      /^Bearer error="insufficient_scope", .*scope="applications:read applications:write"/,
    )
    testServer.clock.advance(901_000)
    assert.match(await read('search', token), /^Bearer error="invalid_token", .*expired/)
  })

  test('Apps SDK, Authentication: only a call that signing in can mend is answered by a result', async () => {
    const { guard, refusal } = await protectedBy({ tools: { search } })
    assert.equal((await refusal(send(message('initialize'), undefined, chatgpt))).status, 401)
    assert.equal((await refusal(send({ ...call('search'), id: undefined }, undefined, chatgpt))).status, 401)
    const malformed = send(call('search'), 'x y', chatgpt)
    assert.equal((await refusal(malformed)).status, 400)
    const away = { ok: false, reason: 'unavailable' } as const
    const trouble = () => new Response(null, { status: 503, headers: { 'retry-after': '1' } })
    const other = protectTools(
      { authenticate: async () => ({ ...away, response: trouble() }) },
      { tools, resource },
    )
    const access = await other.authenticate(send(call('search'), 'x', chatgpt))
    assert.ok(!access.ok)
    assert.equal(access.response.status, 503)
    assert.ok((await guard.authenticate(send(call('search'), await tokenFor('jobs:read'), chatgpt))).ok)
  })

  test('Apps SDK, Authentication: the form of a refusal can be chosen', async () => {
    for (const refuseBy of ['result', () => 'result' as const] as const) {
      const { refusal } = await protectedBy({ refuseBy })
      assert.equal((await refusal(send(call('search')))).status, 200)
    }
    const { refusal } = await protectedBy({ refuseBy: 'status' })
    assert.equal((await refusal(send(call('search'), undefined, chatgpt))).status, 401)
  })

  test('Model Context Protocol, Transports: a batch is refused, so that one request is one decision', async () => {
    const { refusal } = await protectedBy()
    const { status, response } = await refusal(send([call('opening_hours'), call('search')]))
    assert.equal(status, 400)
    assert.equal(((await response.json()) as { error: { code: number } }).error.code, -32600)
  })

  test('Model Context Protocol, Transports: the message stays readable, and one that Express parsed is understood', async () => {
    const { admission, refusal } = await protectedBy()
    const token = await tokenFor('jobs:read')
    const request = send(call('search'), token)
    const { message: parsed } = await admission(request)
    assert.deepEqual(parsed, call('search'))
    assert.deepEqual(await request.json(), call('search'))
    const express = { method: 'POST', url: '/mcp', headers: {}, body: call('search') }
    assert.equal((await refusal(express)).status, 401)
    await admission({ ...express, headers: { authorization: `Bearer ${token}` } })
    await admission({ ...express, body: call('opening_hours') })
    assert.equal((await refusal({ ...express, body: undefined })).status, 401)
    const result = await refusal({ ...express, headers: chatgpt })
    assert.equal(result.status, 200)
  })

  test('Apps SDK, Authentication: a tool says in tools/list what it demands, twice', async () => {
    const { guard } = await protectedBy()
    const { securitySchemes } = tools.greet
    assert.deepEqual(guard.describe('greet'), { securitySchemes, _meta: { securitySchemes } })
    assert.throws(() => guard.describe('toString'), TypeError)
  })
})

test('a tool that is described wrongly is a ConfigError with every problem', () => {
  const wrong = {
    none: { securitySchemes: [] },
    twice: { securitySchemes: [{ type: 'oauth2' }, { type: 'oauth2', scopes: ['jobs:read'] }] },
    other: { securitySchemes: [{ type: 'apiKey' }] },
    scope: { securitySchemes: [{ type: 'oauth2', scopes: ['two words'] }] },
    missing: {},
  } as unknown as ProtectedToolsOptions['tools']
  assert.throws(
    () => protectTools({ authenticate: () => assert.fail() }, { tools: wrong }),
    (error) =>
      error instanceof ConfigError &&
      error.problems.map(({ path }) => path.split('.')[1]).join() === 'none,twice,other,scope,missing',
  )
})
