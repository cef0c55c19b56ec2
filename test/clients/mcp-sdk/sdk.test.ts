// The MCP client most hosts still use, `@modelcontextprotocol/sdk` 1.x, against the example's MCP server.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { auth, UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { type Documents, openDocuments } from '../../support/documents.ts'
import { onBothDatabases } from '../../support/gatehouse.ts'
import { MemoryProvider } from '../mcp/provider.ts'
import { formOf, type McpSite, openMcpSite } from '../mcp/site.ts'

onBothDatabases('@modelcontextprotocol/sdk 1.x', (dialect) => {
  let site: McpSite
  let documents: Documents
  before(async () => {
    documents = await openDocuments('localhost')
    site = await openMcpSite(dialect, { config: { outbound: { ca: documents.ca } } })
  })
  after(async () => {
    await site.close()
    await documents.close()
  })

  const url = () => ({ serverUrl: site.resource })

  /** The person allows what the client asked for; answers what came back. */
  async function allow(provider: MemoryProvider): Promise<URLSearchParams> {
    const back = await site.visitor.authorize(provider.sentTo!)
    assert.ok(back instanceof URL, 'the browser is sent back to the client')
    assert.equal(back.origin + back.pathname, provider.redirectUrl)
    assert.equal(back.searchParams.get('state'), provider.lastState)
    assert.equal(back.searchParams.get('iss'), site.issuer)
    return back.searchParams
  }

  async function signIn(provider: MemoryProvider, more: { scope?: string } = {}): Promise<void> {
    assert.equal(await auth(provider, { ...url(), ...more }), 'REDIRECT')
    const authorizationCode = (await allow(provider)).get('code')!
    assert.equal(await auth(provider, { ...url(), authorizationCode }), 'AUTHORIZED')
  }

  /** A connected MCP client. */
  async function connect(provider: MemoryProvider) {
    const transport = new StreamableHTTPClientTransport(new URL(site.resource), { authProvider: provider })
    const client = new Client({ name: 'desk-tool', version: '1.0.0' })
    await client.connect(transport)
    const call = async (name: string): Promise<string> => {
      const { content } = await client.callTool({ name })
      return (content as { text: string }[])[0]!.text
    }
    return { client, transport, call }
  }

  const callApi = (token: string) =>
    fetch(site.resource, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'search_jobs' } }),
    })

  test('RFC 9728 §3, RFC 8414 §3, RFC 7591 §3: it discovers, registers and asks, in that order (A5, B2)', async () => {
    const provider = new MemoryProvider()
    site.steps()
    assert.equal(await auth(provider, url()), 'REDIRECT')
    const [registration] = site.seen('/oauth/register')
    assert.deepEqual(site.steps(), [
      'GET /.well-known/oauth-protected-resource/mcp',
      'GET /.well-known/oauth-authorization-server',
      'POST /oauth/register',
    ])
    assert.equal(JSON.parse(registration!.body).scope, 'jobs:read applications:write')
    assert.equal(registration!.status, 201)
    assert.equal(provider.client?.token_endpoint_auth_method, 'none')
    assert.equal(provider.client?.client_secret, undefined)
    const asked = provider.sentTo!.searchParams
    assert.equal(asked.get('code_challenge_method'), 'S256')
    assert.equal(asked.get('state'), provider.lastState)
    assert.equal(asked.get('resource'), site.resource)
    assert.equal(asked.get('scope'), 'jobs:read applications:write')
  })

  test('RFC 6749 §4.1, RFC 8707 §2.2: it redeems with the method it registered, and calls a tool (A1, A14)', async () => {
    const methods = ['none', 'client_secret_basic', 'client_secret_post']
    for (const token_endpoint_auth_method of methods) {
      const provider = new MemoryProvider({ token_endpoint_auth_method })
      site.steps()
      await signIn(provider)
      const [redeemed] = site.seen('/oauth/token')
      const form = formOf(redeemed!)
      assert.equal(form['resource'], site.resource)
      assert.equal(
        redeemed!.authorization?.startsWith('Basic '),
        token_endpoint_auth_method === 'client_secret_basic' || undefined,
      )
      assert.equal('client_secret' in form, token_endpoint_auth_method === 'client_secret_post')
      assert.equal('client_id' in form, token_endpoint_auth_method !== 'client_secret_basic')
      const { client, call } = await connect(provider)
      assert.equal(await call('search_jobs'), 'For alice: Baker, Carpenter')
      const { tools } = await client.listTools()
      assert.deepEqual(tools.find(({ name }) => name === 'search_jobs')?._meta, {
        securitySchemes: [{ type: 'oauth2', scopes: ['jobs:read'] }],
      })
      await client.close()
    }
  })

  test('RFC 6749 §2.2: a client registered beforehand is taken as it is (A6)', async () => {
    for (const tokenEndpointAuthMethod of ['none', 'client_secret_basic'] as const) {
      const provider = new MemoryProvider()
      const { client, secret } = await site.testServer.createClient({
        redirectUris: [provider.redirectUrl],
        tokenEndpointAuthMethod,
      })
      provider.saveClientInformation({ client_id: client.id, client_secret: secret, issuer: site.issuer })
      site.steps()
      await signIn(provider)
      assert.ok(!site.steps().includes('POST /oauth/register'))
      const { client: connected, call } = await connect(provider)
      assert.equal(await call('apply'), 'alice applied as Baker')
      await connected.close()
    }
  })

  test('CIMD §3: with a document of its own it registers nowhere (A4, A7)', async () => {
    const provider = new MemoryProvider()
    provider.clientMetadataUrl = `${documents.origin}/desk-tool.json`
    documents.serve('/desk-tool.json', {
      ...provider.clientMetadata,
      client_id: provider.clientMetadataUrl,
    })
    site.steps()
    await signIn(provider)
    assert.ok(!site.steps().includes('POST /oauth/register'))
    assert.equal(provider.client?.client_id, provider.clientMetadataUrl)
    const { client, call } = await connect(provider)
    assert.equal(await call('search_jobs'), 'For alice: Baker, Carpenter')
    await client.close()
  })

  test('RFC 6749 §6: it refreshes by itself once the access token has expired (A12, N85)', async () => {
    const provider = new MemoryProvider()
    await signIn(provider)
    const { client, call } = await connect(provider)
    const before = provider.tokensHeld!
    site.advance(16 * 60_000)
    site.steps()
    assert.equal(await call('search_jobs'), 'For alice: Baker, Carpenter')
    // Its stream of events may meet the same 401 and refresh at the same moment (N85).
    const refreshed = site.seen('/oauth/token').map(({ answer }) => JSON.parse(answer).refresh_token)
    assert.equal(new Set(refreshed).size, 1)
    assert.equal(provider.tokensHeld!.refresh_token, refreshed[0])
    assert.notEqual(provider.tokensHeld!.refresh_token, before.refresh_token)
    assert.notEqual(provider.tokensHeld!.access_token, before.access_token)
    await client.close()
  })

  test('RFC 9700 §4.14.2: an answer to a refresh that got lost is given again, with the same successor (N84)', async () => {
    const provider = new MemoryProvider()
    await signIn(provider)
    site.steps()
    let lost = 0
    const losing: typeof fetch = async (input, init) => {
      const answer = await fetch(input, init)
      if (!String(input).endsWith('/oauth/token') || lost++ > 0) return answer
      await answer.arrayBuffer()
      throw new TypeError('the connection broke off')
    }
    // The library goes on to a new authorization; its host asks once more, with what it still holds.
    assert.equal(await auth(provider, { ...url(), fetchFn: losing }), 'REDIRECT')
    assert.equal(await auth(provider, { ...url(), fetchFn: losing }), 'AUTHORIZED')
    const answers = site.seen('/oauth/token').map(({ answer }) => JSON.parse(answer))
    assert.equal(answers.length, 2)
    assert.equal(answers[0].refresh_token, answers[1].refresh_token)
    assert.equal(provider.tokensHeld!.refresh_token, answers[0].refresh_token)
    assert.deepEqual(provider.invalidated, [])
    assert.equal(await auth(provider, url()), 'AUTHORIZED')
  })

  test('RFC 6749 §5.2: a client that was deleted is told so, throws everything away and registers anew (N61, CL6)', async () => {
    const provider = new MemoryProvider()
    await signIn(provider)
    const former = provider.client!.client_id
    await site.testServer.g.clients.revoke(former, 'a test')
    site.steps()
    assert.equal(await auth(provider, url()), 'REDIRECT')
    const [refused] = site.seen('/oauth/token')
    assert.equal(refused!.status, 401)
    assert.equal(JSON.parse(refused!.answer).error, 'invalid_client')
    assert.deepEqual(provider.invalidated, ['all'])
    assert.ok(site.steps().includes('POST /oauth/register'))
    assert.notEqual(provider.client!.client_id, former)
    const authorizationCode = (await allow(provider)).get('code')!
    assert.equal(await auth(provider, { ...url(), authorizationCode }), 'AUTHORIZED')
  })

  test('RFC 6749 §5.2: a session that was ended in mid-flight is gone at once, and only its tokens are thrown away (CL6)', async () => {
    const provider = new MemoryProvider()
    await signIn(provider)
    const { client, call } = await connect(provider)
    assert.equal(await call('search_jobs'), 'For alice: Baker, Carpenter')
    const { client_id } = provider.client!
    const { access_token, refresh_token } = provider.tokensHeld!
    const revoked = await fetch(`${site.issuer}/oauth/revoke`, {
      method: 'POST',
      body: new URLSearchParams({ client_id, token: refresh_token! }),
    })
    assert.equal(revoked.status, 200)
    assert.equal((await callApi(access_token)).status, 401)
    site.steps()
    await assert.rejects(call('search_jobs'), UnauthorizedError)
    const [refused] = site.seen('/oauth/token')
    assert.equal(refused!.status, 400)
    assert.equal(JSON.parse(refused!.answer).error, 'invalid_grant')
    assert.deepEqual(provider.invalidated, ['tokens'])
    assert.equal(provider.client!.client_id, client_id)
    assert.ok(!site.steps().includes('POST /oauth/register'))
    await client.close()
  })

  test('RFC 6750 §3.1: a tool that needs more says so, and a new authorization gives it (B3, B6, B7)', async () => {
    const provider = new MemoryProvider()
    const { client, transport, call } = await connect(provider)
    assert.equal(await call('opening_hours'), 'Monday to Friday, nine to five')
    await assert.rejects(call('search_jobs'), UnauthorizedError)
    assert.equal(provider.sentTo!.searchParams.get('scope'), 'jobs:read')
    await transport.finishAuth((await allow(provider)).get('code')!)
    assert.equal(await call('search_jobs'), 'For alice: Baker, Carpenter')
    site.steps()
    // This generation refreshes first, which gives no more than was granted; it leaves the rest to its host.
    await assert.rejects(call('apply'), /403/)
    const [refused] = site.seen('/mcp')
    assert.equal(refused!.status, 403)
    assert.equal(
      refused!.challenge,
      'Bearer error="insufficient_scope", error_description="The access token lacks a scope", ' +
        `scope="applications:write", resource_metadata="${site.origin}/.well-known/oauth-protected-resource/mcp"`,
    )
    provider.held.clear()
    assert.equal(await auth(provider, { ...url(), scope: 'applications:write' }), 'REDIRECT')
    await transport.finishAuth((await allow(provider)).get('code')!)
    assert.equal(await call('apply'), 'alice applied as Baker')
    assert.equal(provider.tokensHeld!.scope, 'applications:write jobs:read')
    assert.equal(await call('search_jobs'), 'For alice: Baker, Carpenter')
    await client.close()
  })

  test('RFC 9470 §4: a tool that needs a recent authentication says how recent, and max_age gives it', async () => {
    const provider = new MemoryProvider()
    site.signInAgain()
    await signIn(provider)
    const { client, call, transport } = await connect(provider)
    assert.equal(await call('withdraw'), 'alice withdrew the application')
    site.advance(6 * 60_000)
    site.steps()
    await assert.rejects(call('withdraw'), /401/)
    const refused = site.seen('/mcp').at(-1)!
    assert.equal(refused.status, 401)
    assert.match(refused.challenge!, /^Bearer error="insufficient_user_authentication", .*max_age="300"/)
    provider.held.clear()
    assert.equal(await auth(provider, url()), 'REDIRECT')
    provider.sentTo!.searchParams.set('max_age', '300')
    site.signInAgain()
    await transport.finishAuth((await allow(provider)).get('code')!)
    assert.equal(await call('withdraw'), 'alice withdrew the application')
    await client.close()
  })

  test('OpenID Connect Core §11: offline_access brings prompt=consent, which is taken, and a refresh token', async () => {
    const provider = new MemoryProvider()
    for (let time = 0; time < 2; time++) {
      const shown = site.visitor.consents.length
      await signIn(provider, { scope: 'jobs:read offline_access' })
      assert.equal(provider.sentTo!.searchParams.get('prompt'), 'consent')
      assert.equal(site.visitor.consents.length, shown + 1)
      assert.ok(provider.tokensHeld!.refresh_token)
      provider.held.clear()
    }
  })
})
