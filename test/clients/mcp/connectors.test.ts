// ChatGPT's connector, Claude and Claude Code, as their vendors describe them: three client documents under test names, served
// on loopback, and the strict MCP library in their place.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { auth, createPrivateKeyJwtAuth } from '@modelcontextprotocol/client'
import { decodeJwt, exportJWK, generateKeyPair, type JWK } from 'jose'
import { type Documents, openDocuments } from '../../support/documents.ts'
import { onBothDatabases } from '../../support/gatehouse.ts'
import { MemoryProvider } from './provider.ts'
import { formOf, type McpSite, openMcpSite } from './site.ts'
import { allow, callTool, connect, signIn } from './walk.ts'

const chatgpt = { host: 'chatgpt.test', path: '/oauth/client.json' }
const claude = { host: 'claude.test', path: '/oauth/mcp-oauth-client-metadata' }
const claudeCode = { host: 'claude.test', path: '/oauth/claude-code-client-metadata' }

onBothDatabases('connectors', (dialect) => {
  let site: McpSite
  let documents: Documents
  before(async () => {
    documents = await openDocuments('127.0.0.1', { names: [chatgpt.host, claude.host] })
    site = await openMcpSite(dialect, {
      config: { outbound: { ca: documents.ca }, trustedProxies: ['127.0.0.1', '::1'] },
      resolve: async (host) => (host.endsWith('.test') ? ['127.0.0.1'] : []),
    })
  })
  after(async () => {
    await site.close()
    await documents.close()
  })

  const at = ({ host, path }: { host: string; path: string }) => `https://${host}:${documents.port}${path}`
  const bearer = (provider: MemoryProvider) => ({
    authorization: `Bearer ${provider.tokensHeld!.access_token}`,
  })

  /** A client whose document is served; every member can be replaced. */
  function documented(of: { host: string; path: string }, metadata: Record<string, unknown>): MemoryProvider {
    const provider = new MemoryProvider({ token_endpoint_auth_method: 'none', ...metadata })
    provider.clientMetadataUrl = at(of)
    documents.serve(of.path, (response: import('node:http').ServerResponse) =>
      response
        .writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' })
        .end(JSON.stringify({ client_id: at(of), ...provider.clientMetadata })),
    )
    return provider
  }

  const redirect = 'https://chatgpt.test/connector_platform_oauth_redirect'
  const openChatgpt = (metadata: Record<string, unknown> = {}, path = chatgpt.path) =>
    documented(
      { ...chatgpt, path },
      {
        client_name: 'ChatGPT',
        redirect_uris: [redirect],
        grant_types: ['authorization_code', 'refresh_token'],
        ...metadata,
      },
    )

  /** ChatGPT with a key of its own, published where its document says. */
  async function openChatgptWithKey(alg: 'RS256' | 'ES256') {
    const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true })
    const kid = `${alg} key`
    documents.serve('/oauth/jwks.json', { keys: [{ ...(await exportJWK(publicKey)), kid, alg, use: 'sig' }] })
    const jwks_uri = at({ host: chatgpt.host, path: '/oauth/jwks.json' })
    const provider = openChatgpt(
      { token_endpoint_auth_method: 'private_key_jwt', jwks_uri },
      `/oauth/with-${alg}-key.json`,
    )
    const client = provider.clientMetadataUrl!
    const signer = createPrivateKeyJwtAuth({
      issuer: client,
      subject: client,
      privateKey: (await exportJWK(privateKey)) as JWK & Record<string, unknown>,
      alg,
    })
    return Object.assign(provider, { addClientAuthentication: signer })
  }

  test('Apps SDK, Authentication: a 401 leads to the resource’s metadata, at both addresses (H1)', async () => {
    const refused = await callTool(site, 'search_jobs')
    assert.equal(refused.status, 401)
    const metadata = /resource_metadata="([^"]+)"/.exec(refused.headers.get('www-authenticate')!)![1]!
    for (const address of [metadata, `${site.origin}/.well-known/oauth-protected-resource`]) {
      const document = (await (await fetch(address)).json()) as Record<string, unknown>
      assert.equal(document['resource'], site.resource)
      assert.deepEqual(document['authorization_servers'], [site.issuer])
    }
  })

  test('Apps SDK, Authentication: tools say what they need, and a refused call carries the challenge (H2)', async () => {
    const listed = await fetch(site.resource, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
      body: '{"jsonrpc":"2.0","id":1,"method":"tools/list"}',
    })
    const { result } = JSON.parse(/^data: (.*)$/m.exec(await listed.text())![1]!)
    for (const { name, securitySchemes, _meta } of result.tools) {
      const expected =
        name === 'opening_hours'
          ? [{ type: 'noauth' }]
          : [{ type: 'oauth2', scopes: [name === 'search_jobs' ? 'jobs:read' : 'applications:write'] }]
      assert.deepEqual([securitySchemes, _meta.securitySchemes], [expected, expected], name)
    }
    const agent = { 'user-agent': 'openai-mcp/1.0.0 (ChatGPT)' }
    const challengeOf = async (answer: Response) => {
      assert.equal(answer.status, 200)
      const { result } = (await answer.json()) as {
        result: { isError: boolean; _meta: Record<string, string[]> }
      }
      assert.equal(result.isError, true)
      return result._meta['mcp/www_authenticate']![0]!
    }
    const missing = await challengeOf(await callTool(site, 'search_jobs', agent))
    assert.match(
      missing,
      /^Bearer error="invalid_token", error_description="[^"]+", scope="jobs:read", resource_metadata="/,
    )
    const provider = openChatgpt()
    await signIn(site, provider, { scope: 'jobs:read' })
    const lacking = await challengeOf(await callTool(site, 'apply', { ...agent, ...bearer(provider) }))
    assert.match(lacking, /^Bearer error="insufficient_scope", .*scope="applications:write"/)
    const answered = await callTool(site, 'search_jobs', { ...agent, ...bearer(provider) })
    assert.match(await answered.text(), /For alice/)
  })

  test('Apps SDK, Authentication: the server says S256, how to authenticate, documents and registration (H3, CL2)', async () => {
    const answer = await fetch(`${site.issuer}/.well-known/oauth-authorization-server`)
    const metadata = (await answer.json()) as Record<string, string[]>
    assert.deepEqual(metadata['code_challenge_methods_supported'], ['S256'])
    const methods = metadata['token_endpoint_auth_methods_supported']!
    for (const method of ['none', 'client_secret_post', 'private_key_jwt'])
      assert.ok(methods.includes(method))
    assert.equal(metadata['client_id_metadata_document_supported'], true)
    assert.equal(metadata['registration_endpoint'], `${site.issuer}/oauth/register`)
  })

  test('Apps SDK, Authentication: the resource that was asked for comes back as aud (H4)', async () => {
    const provider = openChatgpt()
    site.steps()
    await signIn(site, provider)
    assert.equal(provider.sentTo!.searchParams.get('resource'), site.resource)
    assert.equal(formOf(site.seen('/oauth/token')[0]!)['resource'], site.resource)
    assert.equal(decodeJwt(provider.tokensHeld!.access_token).aud, site.resource)
    const { call, client } = await connect(site, provider)
    assert.equal(await call('search_jobs'), 'For alice: Baker, Carpenter')
    await client.close()
  })

  test('Apps SDK, Authentication: offline_access is a scope of the server, and brings a refresh token (H5, B8)', async () => {
    const scopesAt = async (address: string) =>
      ((await (await fetch(address)).json()) as { scopes_supported: string[] }).scopes_supported
    assert.ok(
      (await scopesAt(`${site.issuer}/.well-known/oauth-authorization-server`)).includes('offline_access'),
    )
    const resource = await scopesAt(`${site.origin}/.well-known/oauth-protected-resource/mcp`)
    assert.ok(!resource.includes('offline_access'))
    const provider = openChatgpt()
    await signIn(site, provider)
    assert.ok(provider.sentTo!.searchParams.get('scope')!.split(' ').includes('offline_access'))
    assert.equal(await auth(provider, { serverUrl: site.resource }), 'AUTHORIZED')
  })

  test('Apps SDK, Authentication: it gets along without client credentials and API keys, and has neither (H6)', async () => {
    const provider = openChatgpt()
    site.steps()
    await signIn(site, provider)
    assert.equal(await auth(provider, { serverUrl: site.resource }), 'AUTHORIZED')
    const grants = site.seen('/oauth/token').map((one) => formOf(one)['grant_type'])
    assert.deepEqual(grants, ['authorization_code', 'refresh_token'])
    const refused = await fetch(`${site.issuer}/oauth/token`, {
      method: 'POST',
      body: new URLSearchParams({ grant_type: 'client_credentials', client_id: provider.clientMetadataUrl! }),
    })
    assert.equal(((await refused.json()) as { error: string }).error, 'unauthorized_client')
    assert.equal(
      (await callTool(site, 'search_jobs', { 'x-api-key': 'k', authorization: 'Basic a2V5Og==' })).status,
      401,
    )
  })

  test('RFC 9207 §2: iss is announced and on every answer, so the stable redirect URI serves (H7, A13)', async () => {
    const answer = await fetch(`${site.issuer}/.well-known/oauth-authorization-server`)
    const metadata = (await answer.json()) as Record<string, unknown>
    assert.equal(metadata['authorization_response_iss_parameter_supported'], true)
    const provider = openChatgpt()
    await signIn(site, provider)
    assert.equal(provider.sentTo!.searchParams.get('client_id'), at(chatgpt))
    assert.equal(provider.sentTo!.searchParams.get('redirect_uri'), redirect)
    // A refusal says whose it is, too.
    provider.held.clear()
    assert.equal(await auth(provider, { serverUrl: site.resource }), 'REDIRECT')
    const page = await site.visitor.open(provider.sentTo!)
    assert.ok('html' in page)
    const denied = await site.visitor.submit(page, { decision: 'deny' })
    assert.ok('to' in denied)
    const { error, iss, state } = Object.fromEntries(denied.to.searchParams)
    assert.deepEqual([error, iss, state], ['access_denied', site.issuer, provider.lastState])
  })

  test('RFC 7523 §2.2: it signs its assertions with RS256 or ES256, or authenticates not at all (H8)', async () => {
    for (const alg of ['RS256', 'ES256'] as const) {
      const provider = await openChatgptWithKey(alg)
      const own = await openMcpSite(dialect, {
        config: { outbound: { ca: documents.ca } },
        resolve: async () => ['127.0.0.1'],
      })
      try {
        await signIn(own, provider)
        const form = formOf(own.seen('/oauth/token')[0]!)
        assert.equal(JSON.parse(atob(form['client_assertion']!.split('.')[0]!)).alg, alg)
        assert.equal('client_secret' in form, false)
        assert.equal(await auth(provider, { serverUrl: own.resource }), 'AUTHORIZED', 'refreshed')
      } finally {
        await own.close()
      }
    }
    await signIn(site, openChatgpt({ token_endpoint_auth_method: 'none' }))
  })

  const openClaude = (redirectUri: string) =>
    documented(claude, {
      client_name: 'Claude',
      grant_types: ['authorization_code', 'refresh_token'],
      redirect_uris: [
        redirectUri,
        ...[
          'https://claude.test/api/mcp/auth_callback',
          'https://claude-com.test/api/mcp/auth_callback',
        ].filter((one) => one !== redirectUri),
      ],
    })

  test('Claude, Connectors: both its redirect URIs are good, by its document and by registration (CL1, CL2)', async () => {
    for (const uri of [
      'https://claude.test/api/mcp/auth_callback',
      'https://claude-com.test/api/mcp/auth_callback',
    ]) {
      const provider = openClaude(uri)
      site.steps()
      await signIn(site, provider)
      assert.equal(provider.sentTo!.searchParams.get('redirect_uri'), uri)
      assert.ok(!site.steps().includes('POST /oauth/register'))
      assert.match(site.visitor.consents.at(-1)!, /Claude/)

      const registered = new MemoryProvider(provider.clientMetadata)
      await signIn(site, registered)
      assert.equal(registered.sentTo!.searchParams.get('redirect_uri'), uri)
    }
  })

  test('RFC 7591 §3: without a document each fresh connection registers a client of its own (CL3)', async () => {
    const ids = new Set<string>()
    for (let connection = 0; connection < 3; connection++) {
      const provider = new MemoryProvider({
        client_name: 'Claude',
        redirect_uris: ['https://claude.test/api/mcp/auth_callback'],
      })
      await signIn(site, provider)
      ids.add(provider.client!.client_id)
    }
    assert.equal(ids.size, 3)
  })

  test('RFC 8707 §2: S256, a real 401, the first authorization server, and the resource as the user typed it (CL4)', async () => {
    const provider = openClaude('https://claude.test/api/mcp/auth_callback')
    await signIn(site, provider)
    const asked = provider.sentTo!
    assert.equal(asked.origin, site.issuer)
    assert.equal(asked.searchParams.get('code_challenge_method'), 'S256')
    assert.equal((await callTool(site, 'search_jobs')).status, 401)
    for (const typed of [`${site.resource}/`, site.resource.toUpperCase(), `${site.origin}/other`]) {
      const address = new URL(asked)
      address.searchParams.set('resource', typed)
      const answer = await site.visitor.open(address)
      const told = 'html' in answer ? answer.html : [...answer.to.searchParams.values()].join(' ')
      assert.match(told, /invalid_target/, typed)
      // The near miss is told what was meant.
      assert.equal(told.includes(`did you mean ${site.resource}`), typed === `${site.resource}/`, typed)
    }
  })

  test('Claude, Connectors: discovery, registration and tokens within its ten seconds, whatever hangs (CL5)', async () => {
    const deadlines: typeof fetch = (input, init) => {
      const refreshes = String(init?.body ?? '').includes('grant_type=refresh_token')
      return fetch(input, { ...init, signal: AbortSignal.timeout(refreshes ? 30_000 : 10_000) })
    }
    const registered = new MemoryProvider({ redirect_uris: ['https://claude.test/api/mcp/auth_callback'] })
    await signIn(site, registered, { fetchFn: deadlines })
    assert.equal(await auth(registered, { serverUrl: site.resource, fetchFn: deadlines }), 'AUTHORIZED')

    // Keys that never come: the answer does.
    const provider = await openChatgptWithKey('RS256')
    assert.equal(await auth(provider, { serverUrl: site.resource, fetchFn: deadlines }), 'REDIRECT')
    const back = await allow(site, provider)
    let asked = 0
    documents.serve('/oauth/jwks.json', () => void asked++)
    site.steps()
    const answer = { authorizationCode: back.get('code')!, iss: back.get('iss')! }
    await assert.rejects(auth(provider, { serverUrl: site.resource, fetchFn: deadlines, ...answer }))
    assert.ok(asked > 0)
    assert.ok(
      site.seen('/oauth/token').every(({ status }) => status === 503),
      'trouble, not the end of a connection',
    )
  })

  test('RFC 6749 §5.2: the end of a session is invalid_grant, the end of the client is invalid_client (CL6)', async () => {
    const provider = new MemoryProvider({ redirect_uris: ['https://claude.test/api/mcp/auth_callback'] })
    await signIn(site, provider)
    const { client_id } = provider.client!
    const refresh = async () => {
      const form = {
        grant_type: 'refresh_token',
        client_id,
        refresh_token: provider.tokensHeld!.refresh_token!,
      }
      const answer = await fetch(`${site.issuer}/oauth/token`, {
        method: 'POST',
        body: new URLSearchParams(form),
      })
      return [answer.status, ((await answer.json()) as { error?: string }).error]
    }
    assert.deepEqual(await refresh(), [200, undefined])
    await fetch(`${site.issuer}/oauth/revoke`, {
      method: 'POST',
      body: new URLSearchParams({ client_id, token: provider.tokensHeld!.refresh_token! }),
    })
    assert.deepEqual(await refresh(), [400, 'invalid_grant'])
    await site.testServer.g.clients.revoke(client_id, 'a test')
    assert.deepEqual(await refresh(), [401, 'invalid_client'])
  })

  test('RFC 9700 §4.14.2: two of its machines refresh at the same moment and get the same successor (CL7, N84, N85)', async () => {
    const provider = openClaude('https://claude.test/api/mcp/auth_callback')
    await signIn(site, provider)
    site.steps()
    const from =
      (address: string): typeof fetch =>
      (input, init) => {
        const headers = new Headers(init?.headers)
        headers.set('x-forwarded-for', address)
        return fetch(input, { ...init, headers })
      }
    const machines = ['160.79.104.10', '160.79.106.35'].map((address) => {
      const machine = new MemoryProvider(provider.clientMetadata)
      machine.saveClientInformation(provider.client!)
      machine.saveTokens(provider.tokensHeld!)
      return { machine, fetchFn: from(address) }
    })
    const results = await Promise.all(
      machines.map(({ machine, fetchFn }) => auth(machine, { serverUrl: site.resource, fetchFn })),
    )
    assert.deepEqual(results, ['AUTHORIZED', 'AUTHORIZED'])
    const [one, other] = machines.map(({ machine }) => machine.tokensHeld!)
    assert.equal(one!.refresh_token, other!.refresh_token)
    for (const { machine } of machines)
      assert.equal((await callTool(site, 'search_jobs', bearer(machine))).status, 200)
  })

  test('RFC 8252 §7.3: Claude Code comes back on any port, though its document names none (CC1, CC2)', async () => {
    for (const host of ['localhost', '127.0.0.1']) {
      const redirect_uris = ['http://localhost/callback', 'http://127.0.0.1/callback']
      for (const port of [3118, 52_111]) {
        const provider = documented(claudeCode, { client_name: 'Claude Code', redirect_uris })
        Object.assign(provider, { redirectUrl: `http://${host}:${port}/callback` })
        site.steps()
        await signIn(site, provider)
        assert.equal(provider.sentTo!.searchParams.get('client_id'), at(claudeCode))
        assert.ok(!site.steps().includes('POST /oauth/register'))
      }
    }
    // Registered with one port, or none, it comes back with another as well.
    for (const uri of ['http://localhost:3118/callback', 'http://127.0.0.1/callback']) {
      const provider = new MemoryProvider({ redirect_uris: [uri] })
      const floated = new URL(uri)
      floated.port = '52111'
      Object.assign(provider, { redirectUrl: floated.href })
      await signIn(site, provider)
    }
  })

  test('CIMD §6.4: the consent page shows where the answer goes, and warns of a program on the own computer (CC3, A7)', async () => {
    const provider = documented(claudeCode, {
      client_name: 'Claude Code',
      redirect_uris: ['http://localhost/callback', 'http://127.0.0.1/callback'],
    })
    Object.assign(provider, { redirectUrl: 'http://localhost:3118/callback' })
    await signIn(site, provider)
    const code = site.visitor.consents.at(-1)!
    assert.match(code, /The answer goes to a program on your own computer/)
    assert.match(code, /return to your own computer, .*localhost/)
    await signIn(site, openClaude('https://claude.test/api/mcp/auth_callback'))
    const web = site.visitor.consents.at(-1)!
    assert.match(web, /claude\.test/)
    assert.doesNotMatch(web, /The answer goes to a program on your own computer/)
  })
})
