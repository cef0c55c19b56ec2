import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { request as httpRequest } from 'node:http'
import { createServer, request as httpsRequest } from 'node:https'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import type { TLSSocket } from 'node:tls'
import type { ClientInput } from '../../../src/oauth/clients/client-input.ts'
import { assertion, clientKeys } from '../../support/assertions.ts'
import { type Authority, makeAuthority, makeSelfSigned } from '../../support/certificates.ts'
import { introspect, makePkce, obtainCode, readTokens, type Tokens } from '../../support/flow.ts'
import {
  basic,
  formText,
  issuer,
  onBothDatabases,
  openTestServer,
  type TestServer,
  testServerFor,
} from '../../support/gatehouse.ts'
import { assertJson, grantsNothing } from '../answers.ts'

type Created = Awaited<ReturnType<TestServer['createClient']>>

const noon = Date.UTC(2026, 0, 15, 12)
const proxy = '10.1.2.3'
const authority = makeAuthority('Clients of Example', noon)
const dn = [
  ['2.5.4.6', 'DE'],
  ['2.5.4.10', 'Example, Inc.'],
  ['2.5.4.3', 'client'],
] as const
const thumbprint = (cert: string) =>
  Buffer.from(new X509Certificate(cert).fingerprint256.replaceAll(':', ''), 'hex').toString('base64url')
const keysOf = (cert: string) => ({
  keys: [new X509Certificate(cert).publicKey.export({ format: 'jwk' })],
})

onBothDatabases('mutual TLS', (dialect) => {
  const config = {
    trustedProxies: ['10.0.0.0/8', '127.0.0.1'],
    mutualTls: { certificateHeader: 'x-client-cert', authorities: authority.cert },
    limits: { failuresPerNetwork: 100_000, clientAuthenticationFailures: 100_000 },
  }
  const open = testServerFor(dialect, config)

  /** A form from a client whose connection has this certificate, as a peer hands it over. */
  function post(
    testServer: TestServer,
    path: string,
    form: Record<string, string>,
    cert?: string,
    { peer = proxy, ...headers }: { peer?: string; authorization?: string } = {},
  ): Promise<Response> {
    return testServer.request(path, {
      method: 'POST',
      address: peer,
      body: formText(form),
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        'x-forwarded-for': '203.0.113.9',
        ...headers,
        ...(cert === undefined ? {} : { 'x-client-cert': encodeURIComponent(cert) }),
      },
    })
  }

  /** Whether this certificate authenticates the client; a refusal is 401 invalid_client at every endpoint. */
  async function authenticates(
    testServer: TestServer,
    { client }: Created,
    cert: string | undefined,
  ): Promise<boolean> {
    const good = await post(testServer, '/oauth/revoke', { token: 'x', client_id: client.id }, cert)
    if (good.status === 200) return true
    await assertJson(good, 401, 'invalid_client')
    const form = { grant_type: 'client_credentials', client_id: client.id }
    await assertJson(await post(testServer, '/oauth/token', form, cert), 401, 'invalid_client')
    const asked = { token: 'x', client_id: client.id }
    await assertJson(await post(testServer, '/oauth/introspect', asked, cert), 401, 'invalid_client')
    return false
  }

  const pkiClient = (testServer: TestServer, metadata: Partial<ClientInput>) =>
    testServer.createClient({ tokenEndpointAuthMethod: 'tls_client_auth', ...metadata })

  test('RFC 8705 §2.1.2: a client is who its certificate names: by subject, DNS name, URI, address or mail', async () => {
    const testServer = await open()
    const cases: [Partial<ClientInput>, Parameters<Authority['issue']>, Parameters<Authority['issue']>[]][] =
      [
        [
          { tlsClientAuthSubjectDn: 'CN=client,O=Example\\, Inc.,C=DE' },
          [['other.example'], dn],
          [
            [['client'], 'client'],
            [[], [...dn].reverse()],
            [[], [...dn, ['2.5.4.3', 'client']]],
            [[], [dn[0], dn[2]]],
            [[], [dn[0], dn[1], ['2.5.4.3', 'Client']]],
            [[], 'CN=client,O=Example\\, Inc.,C=DE'],
          ],
        ],
        [
          { tlsClientAuthSanDns: 'client.example' },
          [['a.example', 'Client.Example'], 'x'],
          [
            [['*.example'], 'client.example'],
            [['client.example.evil'], 'x'],
            [['https://client.example', 'x@client.example'], 'client.example'],
            [['a.example, DNS:client.example'], 'x'],
            [[], 'client.example'],
          ],
        ],
        [
          { tlsClientAuthSanUri: 'https://client.example/id' },
          [['https://client.example/id'], 'x'],
          [
            [['https://client.example/'], 'x'],
            [['https://client.example/ID'], 'x'],
          ],
        ],
        [
          { tlsClientAuthSanIp: '2001:db8::7' },
          [['192.0.2.7', '2001:db8:0:0::7'], 'x'],
          [
            [['2001:db8::8'], 'x'],
            [['192.0.2.7'], '2001:db8::7'],
          ],
        ],
        [
          { tlsClientAuthSanEmail: 'ops@client.example' },
          [['ops@client.example'], 'x'],
          [[['OPS@client.example'], 'x']],
        ],
      ]
    for (const [metadata, good, wrong] of cases) {
      const created = await pkiClient(testServer, metadata)
      for (const one of wrong) {
        const { cert } = authority.issue(...one)
        assert.equal(await authenticates(testServer, created, cert), false, JSON.stringify([metadata, one]))
      }
      const { cert } = authority.issue(...good)
      assert.equal(await authenticates(testServer, created, cert), true, JSON.stringify(metadata))
    }
  })

  test('RFC 8705 §2.1.2: a client is registered with exactly one name, and one that a certificate can hold', async () => {
    const testServer = await open()
    for (const metadata of [
      {},
      { tlsClientAuthSanDns: 'client.example', tlsClientAuthSanIp: '192.0.2.7' },
      { tlsClientAuthSubjectDn: 'client' },
      { tlsClientAuthSubjectDn: 'CN=client,' },
      { tlsClientAuthSanIp: 'client.example' },
      { tlsClientAuthSanIp: '192.0.2.0/24' },
    ]) {
      await assert.rejects(pkiClient(testServer, metadata), /tlsClientAuth/, JSON.stringify(metadata))
    }
  })

  test('RFC 8705 §2.1: the certificate must come from a known authority, for clients, and be valid now', async () => {
    const testServer = await openTestServer(dialect, config)
    try {
      const created = await pkiClient(testServer, { tlsClientAuthSanDns: 'client.example' })
      const names = ['client.example']
      const good = authority.issue(names).cert
      for (const [what, cert] of Object.entries({
        'another authority of the same name': makeAuthority('Clients of Example', noon).issue(names).cert,
        'another authority': makeAuthority('Others', noon).issue(names).cert,
        'its own': makeSelfSigned('client.example', noon).cert,
        'for servers alone': authority.issue(names, 'x', '1.3.6.1.5.5.7.3.1').cert,
        'nothing of the kind': 'x',
      })) {
        assert.equal(await authenticates(testServer, created, cert), false, what)
      }
      assert.equal(
        await authenticates(testServer, created, authority.issue(names, 'x', '1.3.6.1.5.5.7.3.2').cert),
        true,
      )
      assert.equal(await authenticates(testServer, created, good), true)
      testServer.clock.advance(10 * 86_400_000)
      assert.equal(await authenticates(testServer, created, good), false, 'it has ended')
    } finally {
      await testServer.close()
    }
  })

  test('RFC 8705 §2.2: a certificate that vouches for itself is known by the key that is registered', async () => {
    const testServer = await openTestServer(dialect, config)
    try {
      const own = makeSelfSigned('client', noon)
      const created = await testServer.createClient({
        tokenEndpointAuthMethod: 'self_signed_tls_client_auth',
        jwks: keysOf(own.cert),
      })
      assert.equal(await authenticates(testServer, created, makeSelfSigned('client', noon).cert), false)
      assert.equal(await authenticates(testServer, created, authority.issue([], 'client').cert), false)
      assert.equal(await authenticates(testServer, created, undefined), false)
      // A key of a kind that nobody knows.
      const bytes = Buffer.from(own.cert.replace(/-----.*-----/g, ''), 'base64')
      bytes[bytes.indexOf(Buffer.from('06072a8648ce3d0201', 'hex')) + 8] = 0x7f
      const strange = `-----BEGIN CERTIFICATE-----\n${bytes.toString('base64')}\n-----END CERTIFICATE-----`
      assert.equal(await authenticates(testServer, created, strange), false)
      assert.equal(await authenticates(testServer, created, own.cert), true)
      testServer.clock.advance(10 * 86_400_000)
      assert.equal(await authenticates(testServer, created, own.cert), false)
    } finally {
      await testServer.close()
    }
  })

  test('RFC 8705 §6.3: the header counts from a trusted proxy alone, whatever else a request says', async () => {
    const testServer = await open()
    const own = makeSelfSigned('client', noon)
    const created = await testServer.createClient({
      tokenEndpointAuthMethod: 'self_signed_tls_client_auth',
      jwks: keysOf(own.cert),
    })
    const form = { token: 'x', client_id: created.client.id }
    for (const peer of ['203.0.113.7', '', '::1', '11.1.2.3', 'localhost']) {
      await assertJson(
        await post(testServer, '/oauth/revoke', form, own.cert, { peer }),
        401,
        'invalid_client',
      )
    }
    assert.equal(
      (await post(testServer, '/oauth/revoke', form, own.cert, { peer: '::ffff:10.9.9.9' })).status,
      200,
    )
    assert.equal((await post(testServer, '/oauth/revoke', form, own.cert)).status, 200)
    const twice = encodeURIComponent(makeSelfSigned('x', noon).cert)
    const joined = await testServer.request('/oauth/revoke', {
      method: 'POST',
      address: proxy,
      body: formText(form),
      headers: [
        ['content-type', 'application/x-www-form-urlencoded'],
        ['x-client-cert', encodeURIComponent(own.cert)],
        ['x-client-cert', twice],
      ] as never,
    })
    await assertJson(joined, 401, 'invalid_client')
    const unreadable = await post(testServer, '/oauth/revoke', form, 'no certificate at all')
    assert.match(await unreadable.text(), /The client certificate could not be read/)
  })

  test('RFC 6749 §2.3: a certificate client uses no other method, and without one spends nothing (N59, N62)', async () => {
    const testServer = await open()
    const own = makeSelfSigned('client', noon)
    const created = await testServer.createClient({
      tokenEndpointAuthMethod: 'self_signed_tls_client_auth',
      jwks: { keys: [...keysOf(own.cert).keys, clientKeys.ES256.publicJwk] },
    })
    const { id } = created.client
    const form = { token: 'x' }
    const sign = assertion(created, clientKeys.ES256, testServer.clock)
    for (const [more, headers] of [
      [{ client_id: id, client_secret: 'x' }, {}],
      [sign, {}],
      [{}, { authorization: basic(id, 'x') }],
    ] as [Record<string, string>, { authorization?: string }][]) {
      const answer = await post(testServer, '/oauth/revoke', { ...form, ...more }, own.cert, headers)
      await assertJson(answer, 401, 'invalid_client')
    }
    const pkce = makePkce()
    const code = await obtainCode(testServer, created, pkce)
    const redeem = (cert?: string) =>
      post(testServer, '/oauth/token', { ...codeForm(created, code, pkce.verifier) }, cert)
    await grantsNothing(testServer, async () => {
      await assertJson(await redeem(), 401, 'invalid_client')
    })
    const tokens = await readTokens(await redeem(own.cert))
    const refreshForm = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token!, client_id: id }
    await grantsNothing(testServer, async () => {
      await assertJson(await post(testServer, '/oauth/token', refreshForm), 401, 'invalid_client')
    })
    await readTokens(await post(testServer, '/oauth/token', refreshForm, own.cert))
  })

  function codeForm({ client }: Created, code: string, verifier: string): Record<string, string> {
    const [redirect_uri = ''] = client.redirectUris
    return {
      grant_type: 'authorization_code',
      code,
      redirect_uri,
      code_verifier: verifier,
      client_id: client.id,
    }
  }

  const confirmation = async (testServer: TestServer, reader: Created, tokens: Tokens) =>
    (await introspect(testServer, reader, tokens.access_token)).cnf

  test('RFC 8705 §3: tokens are bound to the certificate of the connection where the client wants it', async () => {
    const testServer = await open()
    const own = makeSelfSigned('client', noon)
    const reader = await testServer.createClient({ resourceServerFor: [issuer] })
    for (const tokenEndpointAuthMethod of ['client_secret_post', 'none'] as const) {
      const created = await testServer.createClient({
        tokenEndpointAuthMethod,
        tlsClientCertificateBoundAccessTokens: true,
      })
      const secret: Record<string, string> =
        created.secret === undefined ? {} : { client_secret: created.secret }
      const pkce = makePkce()
      const code = await obtainCode(testServer, created, pkce)
      const form = { ...codeForm(created, code, pkce.verifier), ...secret }
      await grantsNothing(testServer, async () => {
        await assertJson(await post(testServer, '/oauth/token', form), 400, 'invalid_request')
        const spoofed = await post(testServer, '/oauth/token', form, own.cert, { peer: '203.0.113.7' })
        await assertJson(spoofed, 400, 'invalid_request')
      })
      const tokens = await readTokens(await post(testServer, '/oauth/token', form, own.cert))
      assert.equal(tokens.token_type, 'Bearer')
      const claims = JSON.parse(Buffer.from(tokens.access_token.split('.')[1]!, 'base64url').toString())
      assert.deepEqual(claims.cnf, { 'x5t#S256': thumbprint(own.cert) })
      assert.deepEqual(await confirmation(testServer, reader, tokens), claims.cnf)

      const refresh = {
        grant_type: 'refresh_token',
        refresh_token: tokens.refresh_token!,
        client_id: created.client.id,
        ...secret,
      }
      const other = makeSelfSigned('client', noon)
      if (tokenEndpointAuthMethod === 'none') {
        await assertJson(await post(testServer, '/oauth/token', refresh, other.cert), 400, 'invalid_grant')
      }
      const next = await readTokens(await post(testServer, '/oauth/token', refresh, own.cert))
      assert.deepEqual(await confirmation(testServer, reader, next), claims.cnf)
    }
    const plain = await testServer.createClient({
      redirectUris: [],
      tokenEndpointAuthMethod: 'client_secret_post',
    })
    const form = {
      grant_type: 'client_credentials',
      client_id: plain.client.id,
      client_secret: plain.secret!,
    }
    const tokens = await readTokens(await post(testServer, '/oauth/token', form, own.cert))
    assert.equal(await confirmation(testServer, reader, tokens), undefined, 'who does not ask is not bound')
  })

  test('RFC 8705 §3: under the profile fapi2 the certificate that authenticates also binds', async () => {
    const testServer = await open()
    const own = makeSelfSigned('client', noon)
    const reader = await testServer.createClient({ resourceServerFor: [issuer] })
    const created = await testServer.createClient({
      profile: 'fapi2',
      tokenEndpointAuthMethod: 'self_signed_tls_client_auth',
      jwks: keysOf(own.cert),
      redirectUris: [],
    })
    const form = { grant_type: 'client_credentials', client_id: created.client.id }
    const tokens = await readTokens(await post(testServer, '/oauth/token', form, own.cert))
    assert.deepEqual(await confirmation(testServer, reader, tokens), { 'x5t#S256': thumbprint(own.cert) })
  })

  test('RFC 8705 §3.3, §5: metadata says what is on, and where clients with a certificate go', async () => {
    const metadataOf = async (testServer: TestServer) =>
      (await (await testServer.request('/.well-known/oauth-authorization-server')).json()) as Record<
        string,
        unknown
      >
    const methods = (metadata: Record<string, unknown>) =>
      (metadata.token_endpoint_auth_methods_supported as string[]).filter((one) => one.includes('tls'))
    const both = await metadataOf(await open())
    assert.deepEqual(methods(both), ['tls_client_auth', 'self_signed_tls_client_auth'])
    assert.equal(both.tls_client_certificate_bound_access_tokens, true)
    assert.equal(both.mtls_endpoint_aliases, undefined)
    const testServer = await openTestServer(dialect, {
      ...config,
      mutualTls: { certificateHeader: 'x-client-cert', origin: 'https://mtls.example' },
    })
    const off = await openTestServer(dialect, {})
    try {
      const metadata = await metadataOf(testServer)
      assert.deepEqual(methods(metadata), ['self_signed_tls_client_auth'], 'no authority is known')
      const aliases = metadata.mtls_endpoint_aliases as Record<string, string>
      assert.equal(aliases.token_endpoint, 'https://mtls.example/oauth/token')
      for (const [name, url] of Object.entries(aliases)) {
        assert.equal(url.replace('https://mtls.example', issuer), metadata[name], name)
      }
      const nothing = await metadataOf(off)
      assert.deepEqual(methods(nothing), [])
      assert.equal(nothing.tls_client_certificate_bound_access_tokens, undefined)
      for (const [open_, method] of [
        [off, 'tls_client_auth'],
        [off, 'self_signed_tls_client_auth'],
        [testServer, 'tls_client_auth'],
      ] as const) {
        await assert.rejects(
          open_.createClient({
            tokenEndpointAuthMethod: method,
            jwks: keysOf(makeSelfSigned('x').cert),
            ...(method === 'tls_client_auth' ? { tlsClientAuthSanDns: 'client.example' } : {}),
          }),
          /tokenEndpointAuthMethod/,
        )
      }
    } finally {
      await testServer.close()
      await off.close()
    }
  })

  test('RFC 8705 §2: over TLS, through a proxy that asks for the certificate', async () => {
    const testServer = await open()
    const listening = await testServer.g.listen({ port: 0 })
    const front = await openProxy(listening.url)
    try {
      const mine = authority.issue(['client.example'])
      const created = await pkiClient(testServer, { tlsClientAuthSanDns: 'client.example' })
      const send = (certificate: { cert?: string; key?: string }, headers: Record<string, string> = {}) =>
        new Promise<number>((resolve, reject) => {
          const body = formText({ token: 'x', client_id: created.client.id })
          httpsRequest(
            `${front.url}/oauth/revoke`,
            {
              ...certificate,
              method: 'POST',
              agent: false,
              ca: front.ca,
              headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
            },
            (response) => {
              response.resume()
              response.on('end', () => resolve(response.statusCode ?? 0))
            },
          )
            .on('error', reject)
            .end(body)
        })
      assert.equal(await send(mine), 200)
      assert.equal(await send({}), 401)
      assert.equal(
        await send({}, { 'x-client-cert': encodeURIComponent(mine.cert) }),
        401,
        'the proxy removes it',
      )
      assert.equal(await send(makeAuthority('Clients of Example', noon).issue(['client.example'])), 401)
    } finally {
      await front.close()
      await listening.close()
    }
  })
})

/** A proxy that ends TLS, asks for a certificate, passes on what it gets without verifying it, and removes what it did not set. */
async function openProxy(to: string): Promise<{ url: string; ca: string; close(): Promise<void> }> {
  const front = makeAuthority('Front')
  const { cert, key } = front.issue(['localhost', '127.0.0.1'])
  const server = createServer(
    { cert, key, requestCert: true, rejectUnauthorized: false },
    (request, response) => {
      const peer = (request.socket as TLSSocket).getPeerX509Certificate()
      const { 'x-client-cert': _removed, ...headers } = request.headers
      const onwards = httpRequest(
        to + request.url,
        {
          method: request.method,
          headers: { ...headers, ...(peer ? { 'x-client-cert': encodeURIComponent(peer.toString()) } : {}) },
        },
        (answer) => {
          response.writeHead(answer.statusCode ?? 502, answer.headers)
          answer.pipe(response)
        },
      )
      request.pipe(onwards)
    },
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `https://127.0.0.1:${port}`,
    ca: front.cert,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
