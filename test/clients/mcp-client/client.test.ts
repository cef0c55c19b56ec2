// The strict MCP client, `@modelcontextprotocol/client` 2.x, against the example's MCP server.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { auth, DpopSession, IssuerMismatchError, UnauthorizedError } from '@modelcontextprotocol/client'
import { type Documents, openDocuments } from '../../support/documents.ts'
import { onBothDatabases } from '../../support/gatehouse.ts'
import { MemoryProvider } from '../mcp/provider.ts'
import { formOf, type McpSite, openMcpSite } from '../mcp/site.ts'
import { allow, callTool, connect, signIn } from '../mcp/walk.ts'

onBothDatabases('@modelcontextprotocol/client 2.x', (dialect) => {
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

  const serverUrl = (at = site) => ({ serverUrl: at.resource })

  test('RFC 7591 §2: it registers with grant types and application type, and gets a refresh token (A5)', async () => {
    const provider = new MemoryProvider()
    site.steps()
    await signIn(site, provider)
    const [registration] = site.seen('/oauth/register')
    const said = JSON.parse(registration!.body)
    assert.deepEqual(said.grant_types, ['authorization_code', 'refresh_token'])
    assert.equal(said.application_type, 'native')
    assert.equal(JSON.parse(registration!.answer).application_type, 'native')
    assert.equal(provider.sentTo!.searchParams.get('scope'), 'jobs:read applications:write')
    const [redeemed] = site.seen('/oauth/token')
    assert.equal(formOf(redeemed!)['resource'], site.resource)
    assert.ok(provider.tokensHeld!.refresh_token)

    const web = new MemoryProvider({ redirect_uris: ['https://desk.example/callback'] })
    site.steps()
    assert.equal(await auth(web, serverUrl()), 'REDIRECT')
    assert.equal(JSON.parse(site.seen('/oauth/register')[0]!.body).application_type, 'web')
  })

  test('OpenID Connect Core §11: it asks for offline_access since the server names it, and only then (H5, B8)', async () => {
    const grant_types = ['authorization_code', 'refresh_token']
    const provider = new MemoryProvider({ grant_types })
    await signIn(site, provider)
    const asked = provider.sentTo!.searchParams
    assert.equal(asked.get('scope'), 'jobs:read applications:write offline_access')
    assert.equal(asked.get('prompt'), 'consent')
    assert.ok(provider.tokensHeld!.scope!.split(' ').includes('offline_access'))
    assert.ok(provider.tokensHeld!.refresh_token)
    const silent: typeof fetch = async (input, init) => {
      const answer = await fetch(input, init)
      if (!String(input).includes('/oauth-authorization-server')) return answer
      const metadata = (await answer.json()) as { scopes_supported: string[] }
      const scopes_supported = metadata.scopes_supported.filter((scope) => scope !== 'offline_access')
      return Response.json({ ...metadata, scopes_supported })
    }
    const other = new MemoryProvider({ grant_types })
    assert.equal(await auth(other, { ...serverUrl(), fetchFn: silent }), 'REDIRECT')
    assert.equal(other.sentTo!.searchParams.get('scope'), 'jobs:read applications:write')
  })

  test('RFC 6749 §4.1: signed in, it lists and calls tools', async () => {
    const provider = new MemoryProvider()
    await signIn(site, provider)
    const { client, call } = await connect(site, provider)
    const { tools } = await client.listTools()
    assert.deepEqual(tools.map(({ name }) => name).sort(), [
      'apply',
      'opening_hours',
      'search_jobs',
      'withdraw',
    ])
    assert.equal(await call('search_jobs'), 'For alice: Baker, Carpenter')
    assert.equal(await call('apply'), 'alice applied as Baker')
    await client.close()
  })

  test('RFC 6749 §2.2: a client registered beforehand is taken as it is (A6)', async () => {
    const provider = new MemoryProvider()
    const { client, secret } = await site.testServer.createClient({ redirectUris: [provider.redirectUrl] })
    const { issuer } = site
    provider.saveClientInformation({ client_id: client.id, client_secret: secret, issuer }, { issuer })
    site.steps()
    await signIn(site, provider)
    const [redeemed] = site.seen('/oauth/token')
    assert.match(redeemed!.authorization!, /^Basic /)
    assert.ok(!site.steps().includes('POST /oauth/register'))
  })

  test('CIMD §3: with a document of its own it registers nowhere (A4, A7)', async () => {
    const provider = new MemoryProvider()
    provider.clientMetadataUrl = `${documents.origin}/desk-tool.json`
    documents.serve('/desk-tool.json', {
      ...provider.clientMetadata,
      client_id: provider.clientMetadataUrl,
    })
    site.steps()
    await signIn(site, provider)
    assert.ok(!site.steps().includes('POST /oauth/register'))
    assert.equal(provider.client?.client_id, provider.clientMetadataUrl)
    const { client, call } = await connect(site, provider)
    assert.equal(await call('search_jobs'), 'For alice: Baker, Carpenter')
    await client.close()
  })

  test('RFC 9207 §2.4: an answer of another issuer, or of none, costs no code: no token request is made (A13)', async () => {
    const provider = new MemoryProvider()
    assert.equal(await auth(provider, serverUrl()), 'REDIRECT')
    const back = await allow(site, provider)
    assert.equal(back.get('iss'), site.issuer)
    const authorizationCode = back.get('code')!
    site.steps()
    for (const iss of ['https://evil.example', `${site.issuer}/`, undefined]) {
      await assert.rejects(
        auth(provider, { ...serverUrl(), authorizationCode, ...(iss === undefined ? {} : { iss }) }),
        IssuerMismatchError,
      )
    }
    assert.deepEqual(site.seen('/oauth/token'), [])
    const answer = { authorizationCode, iss: back.get('iss')! }
    assert.equal(await auth(provider, { ...serverUrl(), ...answer }), 'AUTHORIZED')
  })

  test('RFC 8414 §3.3: metadata of another issuer are not believed (A3)', async () => {
    const provider = new MemoryProvider()
    site.steps()
    for (const issuer of [`${site.issuer}/`, 'https://evil.example', site.issuer.toUpperCase()]) {
      const fetchFn: typeof fetch = async (input, init) => {
        const answer = await fetch(input, init)
        if (!String(input).includes('/oauth-authorization-server')) return answer
        return Response.json({ ...((await answer.json()) as object), issuer })
      }
      await assert.rejects(auth(provider, { ...serverUrl(), fetchFn }), IssuerMismatchError, issuer)
    }
    assert.ok(!site.steps().some((step) => step.startsWith('POST')))
  })

  test('Model Context Protocol, Authorization: what one server gave is kept from another', async () => {
    const other = await openMcpSite(dialect)
    try {
      const provider = new MemoryProvider()
      await signIn(site, provider)
      provider.invalidateCredentials('discovery')
      await signIn(other, provider)
      assert.deepEqual([...provider.clients.keys()].sort(), [site.issuer, other.issuer].sort())
      const [mine, theirs] = [site, other].map(({ issuer }) => provider.held.get(issuer)!)
      assert.notEqual(mine!.access_token, theirs!.access_token)
      const sent = other.exchanges.map(({ authorization, body }) => `${authorization} ${body}`).join()
      for (const secret of [mine!.access_token, mine!.refresh_token!]) assert.ok(!sent.includes(secret))
    } finally {
      await other.close()
    }
  })

  test('RFC 6749 §6: it refreshes by itself once the access token has expired (A12, N85)', async () => {
    const provider = new MemoryProvider()
    await signIn(site, provider)
    const { client, call } = await connect(site, provider)
    const before = provider.tokensHeld!
    site.advance(16 * 60_000)
    site.steps()
    assert.equal(await call('search_jobs'), 'For alice: Baker, Carpenter')
    const refreshed = site.seen('/oauth/token').map(({ answer }) => JSON.parse(answer).refresh_token)
    assert.equal(new Set(refreshed).size, 1)
    assert.equal(provider.tokensHeld!.refresh_token, refreshed[0])
    assert.notEqual(refreshed[0], before.refresh_token)
    await client.close()
  })

  test('RFC 9700 §4.14.2: an answer to a refresh that got lost is given again, with the same successor (N84)', async () => {
    const provider = new MemoryProvider()
    await signIn(site, provider)
    site.steps()
    let lost = 0
    const fetchFn: typeof fetch = async (input, init) => {
      const answer = await fetch(input, init)
      if (!String(input).endsWith('/oauth/token') || lost++ > 0) return answer
      await answer.arrayBuffer()
      throw new TypeError('the connection broke off')
    }
    assert.equal(await auth(provider, { ...serverUrl(), fetchFn }), 'REDIRECT')
    assert.equal(await auth(provider, { ...serverUrl(), fetchFn }), 'AUTHORIZED')
    const answers = site.seen('/oauth/token').map(({ answer }) => JSON.parse(answer))
    assert.equal(answers.length, 2)
    assert.equal(answers[0].refresh_token, answers[1].refresh_token)
    assert.deepEqual(provider.invalidated, [])
    assert.equal(await auth(provider, serverUrl()), 'AUTHORIZED')
  })

  test('RFC 6749 §5.2: a client that was deleted is told so, and registers anew (N61, CL6)', async () => {
    const provider = new MemoryProvider()
    await signIn(site, provider)
    const former = provider.client!.client_id
    await site.testServer.g.clients.revoke(former, 'a test')
    site.steps()
    assert.equal(await auth(provider, serverUrl()), 'REDIRECT')
    const [refused] = site.seen('/oauth/token')
    assert.equal(refused!.status, 401)
    assert.equal(JSON.parse(refused!.answer).error, 'invalid_client')
    assert.deepEqual(provider.invalidated, ['client', 'tokens'])
    assert.ok(site.steps().includes('POST /oauth/register'))
    assert.notEqual(provider.client!.client_id, former)
    await allow(site, provider)
  })

  test('RFC 6749 §5.2: a session that was ended in mid-flight costs the tokens alone (CL6)', async () => {
    const provider = new MemoryProvider()
    await signIn(site, provider)
    const { client, call } = await connect(site, provider)
    assert.equal(await call('search_jobs'), 'For alice: Baker, Carpenter')
    const { client_id } = provider.client!
    await fetch(`${site.issuer}/oauth/revoke`, {
      method: 'POST',
      body: new URLSearchParams({ client_id, token: provider.tokensHeld!.refresh_token! }),
    })
    site.steps()
    await assert.rejects(call('search_jobs'), UnauthorizedError)
    const [refused] = site.seen('/oauth/token')
    assert.equal(refused!.status, 400)
    assert.equal(JSON.parse(refused!.answer).error, 'invalid_grant')
    assert.deepEqual(provider.invalidated, ['tokens'])
    assert.ok(!site.steps().includes('POST /oauth/register'))
    await client.close()
  })

  test('RFC 6750 §3.1: for a tool that needs more it asks once, for the union, by a new authorization (B3, B6, B7)', async () => {
    const provider = new MemoryProvider({ grant_types: ['authorization_code', 'refresh_token'] })
    const { client, transport, call } = await connect(site, provider)
    assert.equal(await call('opening_hours'), 'Monday to Friday, nine to five')
    await assert.rejects(call('search_jobs'), UnauthorizedError)
    assert.equal(provider.sentTo!.searchParams.get('scope'), 'jobs:read offline_access')
    await transport.finishAuth(await allow(site, provider))
    assert.equal(await call('search_jobs'), 'For alice: Baker, Carpenter')
    site.steps()
    await assert.rejects(call('apply'), UnauthorizedError)
    assert.equal(site.seen('/mcp').at(-1)!.status, 403)
    assert.deepEqual(site.seen('/oauth/token'), [], 'no refresh')
    assert.deepEqual(
      new Set(provider.sentTo!.searchParams.get('scope')!.split(' ')),
      new Set(['jobs:read', 'offline_access', 'applications:write']),
    )
    await transport.finishAuth(await allow(site, provider))
    site.steps()
    assert.equal(await call('apply'), 'alice applied as Baker')
    assert.deepEqual(site.steps(), ['POST /mcp'], 'one round trip')
    assert.equal(await call('search_jobs'), 'For alice: Baker, Carpenter')
    await client.close()
  })

  test('RFC 9449 §5, §7, §8, §9: with a key of its own everything carries proofs, nonce retries included (N100, N102, N103)', async () => {
    // A proof is made by the client's clock, so this site's is not moved.
    const own = await openMcpSite(dialect)
    try {
      const session = await DpopSession.create()
      const provider = Object.assign(new MemoryProvider(), { dpop: () => session })
      await signIn(own, provider)
      const requests = own.seen('/oauth/token')
      assert.ok(requests.every(({ proof }) => proof !== null))
      assert.deepEqual(
        requests.map(({ status }) => status),
        [400, 200],
      )
      assert.equal(JSON.parse(requests[0]!.answer).error, 'use_dpop_nonce')
      assert.equal(provider.tokensHeld!.token_type, 'DPoP')
      const { client, call } = await connect(own, provider)
      own.steps()
      assert.equal(await call('search_jobs'), 'For alice: Baker, Carpenter')
      const calls = own.seen('/mcp')
      assert.ok(calls.every(({ authorization, proof }) => authorization!.startsWith('DPoP ') && proof))
      const { access_token } = provider.tokensHeld!
      assert.equal(await auth(provider, serverUrl(own)), 'AUTHORIZED')
      assert.equal(provider.tokensHeld!.token_type, 'DPoP')
      assert.notEqual(provider.tokensHeld!.access_token, access_token)
      assert.equal(await call('apply'), 'alice applied as Baker')
      const authorization = `Bearer ${provider.tokensHeld!.access_token}`
      const stolen = await callTool(own, 'search_jobs', { authorization })
      assert.equal(stolen.status, 401)
      assert.match(stolen.headers.get('www-authenticate')!, /error="invalid_token"/)
      await client.close()
    } finally {
      await own.close()
    }
  })
})
