// What MCP's authorization (revision 2026-07-28) demands of the authorization server, item by item, on the wire.

import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { after, before, test } from 'node:test'
import { decodeJwt } from 'jose'
import { resolveConfig } from '../../../src/config.ts'
import { type Documents, openDocuments } from '../../support/documents.ts'
import { makePkce } from '../../support/flow.ts'
import { basic, onBothDatabases } from '../../support/gatehouse.ts'
import { Visitor } from '../visitor.ts'
import { type McpSite, openMcpSite } from './site.ts'

const redirectUri = 'http://127.0.0.1:3199/callback'

onBothDatabases('MCP authorization, the server', (dialect) => {
  let site: McpSite
  let tenant: McpSite
  let documents: Documents
  /** What names resolve to; everything else does not exist. */
  const addresses: Record<string, string[]> = { 'client.test': ['127.0.0.1'], 'inside.test': ['10.0.0.8'] }
  before(async () => {
    documents = await openDocuments('127.0.0.1', { names: ['client.test', 'inside.test'] })
    site = await openMcpSite(dialect, {
      config: { outbound: { ca: documents.ca } },
      resolve: async (host) => addresses[host] ?? [],
    })
    tenant = await openMcpSite(dialect, { base: '/tenant' })
  })
  after(async () => {
    await site.close()
    await tenant.close()
    await documents.close()
  })

  type Metadata = Record<string, unknown> & { issuer: string }
  const metadataOf = async (at: McpSite, path = '/.well-known/oauth-authorization-server') => {
    const answer = await fetch(at.origin + path)
    assert.equal(answer.status, 200, path)
    return (await answer.json()) as Metadata
  }

  interface Client {
    id: string
    secret?: string
    /** How it authenticates. Default: by Basic with a secret, by its id alone without. */
    by?: 'basic' | 'post'
  }

  const registerClient = async (metadata: Record<string, unknown> = {}): Promise<Client> => {
    const answer = await fetch(`${site.issuer}/oauth/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        client_name: 'Desk tool',
        redirect_uris: [redirectUri],
        token_endpoint_auth_method: 'none',
        ...metadata,
      }),
    })
    assert.equal(answer.status, 201)
    const { client_id, client_secret } = (await answer.json()) as {
      client_id: string
      client_secret?: string
    }
    return { id: client_id, ...(client_secret === undefined ? {} : { secret: client_secret }) }
  }

  const pkce = makePkce()
  function address(client: Client, more: Record<string, string | undefined> = {}, at = site): URL {
    const url = new URL(`${at.issuer}/oauth/authorize`)
    const parameters = {
      response_type: 'code',
      client_id: client.id,
      redirect_uri: redirectUri,
      scope: 'jobs:read',
      state: 'a state',
      resource: at.resource,
      code_challenge: pkce.challenge,
      code_challenge_method: 'S256',
      ...more,
    }
    for (const [name, value] of Object.entries(parameters))
      if (value !== undefined) url.searchParams.set(name, value)
    return url
  }

  /** The answer to the client. */
  async function authorize(client: Client, more: Record<string, string | undefined> = {}, at = site) {
    const back = await at.visitor.authorize(address(client, more, at))
    assert.ok(back instanceof URL, `sent back, not ${'html' in back ? back.html.slice(-1_500) : ''}`)
    return Object.fromEntries(back.searchParams)
  }

  async function token(client: Client, form: Record<string, string | undefined>, at = site) {
    const byPost = client.by === 'post' && client.secret !== undefined
    const given = {
      ...(client.secret === undefined || byPost ? { client_id: client.id } : {}),
      ...(byPost ? { client_secret: client.secret } : {}),
      ...form,
    }
    const answer = await fetch(`${at.issuer}/oauth/token`, {
      method: 'POST',
      headers:
        client.secret !== undefined && !byPost ? { authorization: basic(client.id, client.secret) } : {},
      body: new URLSearchParams(
        Object.entries(given).filter((pair): pair is [string, string] => pair[1] !== undefined),
      ),
    })
    const said = (await answer.json()) as Record<string, string>
    return { status: answer.status, headers: answer.headers, said }
  }

  const redeem = (client: Client, code: string, more: Record<string, string | undefined> = {}, at = site) =>
    token(
      client,
      {
        grant_type: 'authorization_code',
        code,
        redirect_uri: redirectUri,
        code_verifier: pkce.verifier,
        resource: at.resource,
        ...more,
      },
      at,
    )

  /** A page of ours that leads nowhere. */
  async function assertPage(url: URL, error?: RegExp): Promise<string> {
    const answer = await fetch(url, { redirect: 'manual' })
    const html = await answer.text()
    assert.equal(answer.status, 400, html)
    assert.equal(answer.headers.get('location'), null)
    assert.match(answer.headers.get('content-type')!, /^text\/html/)
    if (error) assert.match(html, error)
    return html
  }

  test('OAuth 2.1 §2.1: confidential and public clients get tokens by the code grant (A1)', async () => {
    const { client, secret } = await site.testServer.createClient({ redirectUris: [redirectUri] })
    const pub = await site.testServer.createClient({
      redirectUris: [redirectUri],
      tokenEndpointAuthMethod: 'none',
    })
    const kinds: Client[] = [
      { id: client.id, secret: secret! },
      { id: client.id, secret: secret!, by: 'post' },
      { id: pub.client.id },
    ]
    for (const kind of kinds) {
      const { code } = await authorize(kind)
      const tokens = await redeem(kind, code!)
      assert.equal(tokens.status, 200)
      assert.equal(tokens.said['token_type'], 'Bearer')
      assert.equal(tokens.headers.get('cache-control'), 'no-store')
    }
    const { code } = await authorize(kinds[0]!)
    assert.equal((await redeem({ id: client.id }, code!)).status, 401, 'without its secret')
  })

  test('RFC 8414 §3, OpenID Connect Discovery §4: both documents, in every form of an issuer with a path (A2)', async () => {
    const oauth = '/.well-known/oauth-authorization-server'
    const openid = '/.well-known/openid-configuration'
    const forms: [McpSite, string[]][] = [
      [site, [oauth, openid]],
      [tenant, [`${oauth}/tenant`, `${openid}/tenant`, `/tenant${openid}`, `/tenant${oauth}`]],
    ]
    for (const [at, paths] of forms) {
      for (const path of paths) {
        const metadata = await metadataOf(at, path)
        assert.equal(metadata.issuer, at.issuer, path)
        assert.deepEqual(metadata['code_challenge_methods_supported'], ['S256'], path)
        assert.equal(metadata['token_endpoint'], `${at.issuer}/oauth/token`, path)
      }
    }
    for (const path of [`${oauth}/other`, `${openid}/other`, `${oauth}/tenant/`]) {
      assert.equal((await fetch(tenant.origin + path)).status, 404, path)
    }
  })

  test('RFC 8414 §3.3: the issuer is one text everywhere, without a trailing slash (A3)', async () => {
    for (const at of [site, tenant]) {
      const { client } = await at.testServer.createClient({
        redirectUris: [redirectUri],
        tokenEndpointAuthMethod: 'none',
      })
      const asOpenid = { scope: 'openid jobs:read', nonce: 'n' }
      const { code, iss } = await authorize({ id: client.id }, asOpenid, at)
      const tokens = await redeem({ id: client.id }, code!, {}, at)
      const said = [iss, decodeJwt(tokens.said['access_token']!).iss, decodeJwt(tokens.said['id_token']!).iss]
      assert.deepEqual(said, [at.issuer, at.issuer, at.issuer])
      assert.ok(!at.issuer.endsWith('/'))
      const documents = await fetch(`${at.origin}/.well-known/oauth-protected-resource/mcp`)
      const { authorization_servers } = (await documents.json()) as { authorization_servers: string[] }
      assert.deepEqual(authorization_servers, [at.issuer])
    }
    const secret = 'a secret that is long enough for a test'
    for (const issuer of ['https://auth.example/', 'https://auth.example/tenant/', 'https://AUTH.example']) {
      assert.throws(() => resolveConfig({ issuer, secret }), /issuer/, issuer)
    }
  })

  /** Serves a client document; its id. */
  function document(path: string, metadata: Record<string, unknown> = {}, host = 'client.test'): string {
    const id = `https://${host}:${documents.port}${path}`
    documents.serve(path, {
      client_id: id,
      client_name: 'Desk tool',
      redirect_uris: [redirectUri],
      ...metadata,
    })
    return id
  }
  const fetched = (path: string) => documents.requests.filter(({ url }) => url === path).length

  test('CIMD §4: a client by the address of its document, which the metadata announces (A4)', async () => {
    assert.equal((await metadataOf(site))['client_id_metadata_document_supported'], true)
    const client = { id: document('/a4.json') }
    const { code } = await authorize(client)
    assert.equal((await redeem(client, code!)).status, 200)
  })

  test('RFC 7591 §3: a client that registers itself (A5)', async () => {
    assert.equal((await metadataOf(site))['registration_endpoint'], `${site.issuer}/oauth/register`)
    for (const token_endpoint_auth_method of ['none', 'client_secret_basic']) {
      const client = await registerClient({ token_endpoint_auth_method })
      assert.equal(client.secret === undefined, token_endpoint_auth_method === 'none')
      const { code } = await authorize(client)
      assert.equal((await redeem(client, code!)).status, 200)
    }
  })

  test('RFC 6749 §2: a client that was registered beforehand, under an id of its own choice (A6)', async () => {
    await site.testServer.createClient({
      id: 'desk-tool',
      redirectUris: [redirectUri],
      tokenEndpointAuthMethod: 'none',
    })
    const { code } = await authorize({ id: 'desk-tool' })
    assert.equal((await redeem({ id: 'desk-tool' }, code!)).status, 200)
  })

  test('CIMD §4.1, §5, §6: its id is its address, its members are there, and it is kept as its server says (A7)', async () => {
    const wrong: [string, Record<string, unknown>][] = [
      ['/a7-other-id.json', { client_id: `https://client.test:${documents.port}/other.json` }],
      [
        '/a7-other-spelling.json',
        { client_id: `https://CLIENT.test:${documents.port}/a7-other-spelling.json` },
      ],
      ['/a7-no-redirects.json', { redirect_uris: undefined }],
      ['/a7-no-id.json', { client_id: undefined }],
    ]
    for (const [path, metadata] of wrong) await assertPage(address({ id: document(path, metadata) }))
    const other = { id: document('/a7-redirect.json', { redirect_uris: ['https://client.test/callback'] }) }
    await assertPage(address(other))

    const path = '/a7.json'
    const id = document(path)
    documents.serve(path, (response: ServerResponse) =>
      response
        .writeHead(200, { 'content-type': 'application/json', 'cache-control': 'max-age=600' })
        .end(JSON.stringify({ client_id: id, client_name: 'Desk tool', redirect_uris: [redirectUri] })),
    )
    const shown = await site.visitor.open(address({ id }))
    assert.ok('html' in shown)
    assert.match(shown.html, /127\.0\.0\.1/, 'where the answer goes')
    assert.match(shown.html, /program on your own computer/, 'localhost is warned of')
    assert.match(shown.html, new RegExp(`client\\.test:${documents.port}`), 'who says so')
    await authorize({ id })
    assert.equal(fetched(path), 1)
    site.advance(11 * 60_000)
    await authorize({ id })
    assert.equal(fetched(path), 2)
  })

  test('CIMD §4, §4.1, §4.4, §6.5, §6.6: what a document and its address may not be (A8)', async () => {
    documents.serve('/a8-moved.json', (response: ServerResponse) =>
      response.writeHead(302, { location: document('/a8-target.json') }).end(),
    )
    documents.serve('/a8-status.json', (response: ServerResponse) =>
      response.writeHead(201, { 'content-type': 'application/json' }).end('{}'),
    )
    const large = { description: 'x'.repeat(70_000) }
    const refused = [
      document('/a8-large.json', large),
      document('/a8-secret.json', { token_endpoint_auth_method: 'client_secret_post' }),
      document('/a8-secret-inside.json', { client_secret: 'a secret' }),
      `https://client.test:${documents.port}/a8-moved.json`,
      `https://client.test:${documents.port}/a8-status.json`,
      `https://client.test:${documents.port}/a8-nowhere.json`,
      `http://client.test:${documents.port}/a8.json`,
      'https://169.254.169.254/latest.json',
    ]
    for (const id of refused) await assertPage(address({ id }))
    assert.equal(fetched('/a8-target.json'), 0)
    const { connections } = documents
    await assertPage(address({ id: document('/a8-inside.json', {}, 'inside.test') }))
    assert.equal(documents.connections, connections, 'nothing is sent to an address inside')
  })

  test('OAuth 2.1 §4.1.2.1, RFC 9700 §4.1.3: redirect URIs match exactly, and are https or loopback (A9, N11)', async () => {
    const { client } = await site.testServer.createClient({
      redirectUris: ['https://client.test/callback', redirectUri],
      tokenEndpointAuthMethod: 'none',
    })
    for (const uri of [
      'https://client.test/callback/',
      'https://client.test/callback?x=1',
      'https://client.test/Callback',
      'https://client.test:8443/callback',
      'https://client.test.evil.example/callback',
      'http://localhost:3199/callback',
      'http://127.0.0.1:3199/callback/x',
    ]) {
      await assertPage(address({ id: client.id }, { redirect_uri: uri }))
    }
    for (const uri of ['https://client.test/callback', 'http://127.0.0.1:52111/callback']) {
      assert.ok((await authorize({ id: client.id }, { redirect_uri: uri })).code, uri)
    }
    for (const uri of ['http://client.test/callback', 'http://192.168.0.1/callback', 'javascript:alert(1)']) {
      const answer = await fetch(`${site.issuer}/oauth/register`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ redirect_uris: [uri] }),
      })
      assert.equal(((await answer.json()) as { error: string }).error, 'invalid_redirect_uri', uri)
    }
    assert.throws(
      () =>
        resolveConfig({ issuer: 'http://auth.example', secret: 'a secret that is long enough for a test' }),
      /https/,
    )
  })

  test('RFC 7636 §4.3, §4.6, OAuth 2.1 §4.1.3: S256, and both halves or none (A10, N23, N24, N76, N77)', async () => {
    const client = await registerClient()
    const without = { code_challenge: undefined, code_challenge_method: undefined }
    for (const more of [without, { code_challenge_method: 'plain' }, { code_challenge_method: undefined }]) {
      await assertPage(address(client, more), /invalid_request/)
    }
    const { code } = await authorize(client)
    for (const code_verifier of [undefined, makePkce().verifier]) {
      const refused = await redeem(client, code!, { code_verifier })
      assert.deepEqual([refused.status, refused.said['error']], [400, 'invalid_grant'])
    }
    assert.equal((await redeem(client, code!)).status, 200, 'a refusal costs no code')
    const { client: gpt, secret } = await site.testServer.createClient({
      profile: 'gpt_action',
      redirectUris: ['https://client.test/callback'],
    })
    const lifted = { id: gpt.id, secret: secret! }
    const redirect = { redirect_uri: 'https://client.test/callback' }
    const plain = await authorize(lifted, { ...without, ...redirect })
    const refused = await redeem(lifted, plain['code']!, redirect)
    assert.equal(refused.said['error'], 'invalid_request', 'a verifier without a challenge')
  })

  test('RFC 9700 §4.11: nobody is sent to an address nobody vouched for (A11)', async () => {
    const evil = 'https://evil.example/callback'
    await assertPage(address({ id: 'nobody' }, { redirect_uri: evil }))
    await assertPage(address(await registerClient(), { redirect_uri: evil }))
    // A client that brought itself could lead people on by an error alone: they see where it would lead, and choose.
    const lured = await registerClient({ redirect_uris: [evil] })
    const html = await assertPage(
      address(lured, { redirect_uri: evil, scope: 'nobody:knows' }),
      /invalid_scope/,
    )
    assert.match(html, /evil\.example/)
  })

  test('OAuth 2.1 §4.3.1: access tokens are short, and refresh tokens rotate for every client (A12, N83)', async () => {
    const { client, secret } = await site.testServer.createClient({ redirectUris: [redirectUri] })
    for (const kind of [await registerClient(), { id: client.id, secret: secret! }]) {
      const { code } = await authorize(kind)
      const first = await redeem(kind, code!)
      assert.ok(Number(first.said['expires_in']) <= 900)
      const refresh = (refresh_token: string) => token(kind, { grant_type: 'refresh_token', refresh_token })
      const second = await refresh(first.said['refresh_token']!)
      assert.notEqual(second.said['refresh_token'], first.said['refresh_token'])
      const third = await refresh(second.said['refresh_token']!)
      site.advance(61_000)
      assert.equal((await refresh(first.said['refresh_token']!)).said['error'], 'invalid_grant')
      assert.equal(
        (await refresh(third.said['refresh_token']!)).said['error'],
        'invalid_grant',
        'the whole session ended',
      )
    }
  })

  test('RFC 9207 §2, §3: iss is announced, and on every answer, good or bad (A13)', async () => {
    assert.equal((await metadataOf(site))['authorization_response_iss_parameter_supported'], true)
    const { client } = await site.testServer.createClient({
      redirectUris: [redirectUri],
      tokenEndpointAuthMethod: 'none',
    })
    const good = await authorize({ id: client.id })
    const bad = await authorize({ id: client.id }, { scope: 'nobody:knows' })
    const silent = await authorize({ id: client.id }, { prompt: 'none', scope: 'applications:write' })
    assert.deepEqual([good.iss, bad.iss, silent.iss], [site.issuer, site.issuer, site.issuer])
    assert.deepEqual([bad.error, silent.error], ['invalid_scope', 'consent_required'])
  })

  test('RFC 8707 §2: resource at both endpoints, unknown ones refused, a default audience without it (A14)', async () => {
    const { client } = await site.testServer.createClient({
      redirectUris: [redirectUri],
      tokenEndpointAuthMethod: 'none',
    })
    const own = { id: client.id }
    for (const resource of ['https://elsewhere.example/mcp', `${site.resource}/`]) {
      assert.equal((await authorize(own, { resource })).error, 'invalid_target', resource)
    }
    const { code } = await authorize(own)
    assert.equal(
      (await redeem(own, code!, { resource: 'https://elsewhere.example/mcp' })).said['error'],
      'invalid_target',
    )
    const tokens = await redeem(own, code!)
    assert.equal(decodeJwt(tokens.said['access_token']!).aud, site.resource)
    const unsaid = await authorize(own, { resource: undefined })
    const standard = await redeem(own, unsaid.code!, { resource: undefined })
    assert.equal(decodeJwt(standard.said['access_token']!).aud, site.resource)
  })

  test('Model Context Protocol, Security Best Practices: consent is asked for each client, whatever was allowed to another (A15)', async () => {
    // One account of an upstream provider, one browser, two clients that look the same.
    const person = new Visitor(site.origin)
    const metadata = { redirect_uris: ['https://client.test/callback'] }
    const redirect = { redirect_uri: 'https://client.test/callback' }
    const clients = [await registerClient(metadata), await registerClient(metadata)]
    for (const [n, client] of clients.entries()) {
      const silent = await fetch(address(client, { ...redirect, prompt: 'none' }), { redirect: 'manual' })
      assert.ok(!(silent.headers.get('location') ?? '').includes('code='), 'never without asking')
      await silent.body?.cancel()
      const back = await person.authorize(address(client, redirect))
      assert.ok(back instanceof URL && back.searchParams.has('code'))
      assert.equal(person.consents.length, n + 1)
    }
  })
})
