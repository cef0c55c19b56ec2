import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { createServer, request as httpRequest, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import type { Access, AccessNeeds, BearerRequest } from '../../src/api/bearer.ts'
import { type ApiDpopOptions, rememberProofs } from '../../src/api/standalone/proofs.ts'
import { type ResourceServerOptions, resourceServer } from '../../src/api/standalone/resource-server.ts'
import { rootSecrets } from '../../src/crypto/secrets.ts'
import { toNodeHandler } from '../../src/http/mount.ts'
import { nonceByTime } from '../../src/protocol/dpop-nonce.ts'
import { makeSelfSigned } from '../support/certificates.ts'
import { makeProof, makeProofKey, type ProofKey, type ProofOptions, proofFor } from '../support/dpop.ts'
import { credentials, makePkce, obtainCode, readTokens } from '../support/flow.ts'
import { openTestServer, type TestServer } from '../support/gatehouse.ts'

const resource = 'https://api.example.com/jobs'
const url = `${resource}/search`
const secret = 'what all processes of the API share'
const key = await makeProofKey()
const certificate = makeSelfSigned('client', Date.UTC(2026, 0, 15, 12))
const otherCertificate = makeSelfSigned('client', Date.UTC(2026, 0, 15, 12))

let testServer: TestServer
let issuer: string
let end: () => Promise<void>

before(async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise<void>((resolve) => server.once('listening', resolve))
  issuer = `http://localhost:${(server.address() as AddressInfo).port}`
  testServer = await openTestServer('sqlite', {
    issuer,
    resources: { [resource]: {} },
    trustedProxies: ['10.0.0.0/8'],
    mutualTls: { certificateHeader: 'x-client-cert' },
  })
  server.on('request', toNodeHandler(testServer.g))
  end = () =>
    new Promise((resolve) => {
      server.closeAllConnections()
      server.close(() => resolve())
    })
})
after(async () => {
  await end()
  await testServer.close()
})

const machine = { redirectUris: [], grantTypes: ['client_credentials'] }
const form = { grant_type: 'client_credentials', resource }

async function boundTo(by: ProofKey | null): Promise<string> {
  const client = await testServer.createClient(machine)
  const headers = {
    ...credentials(client).headers,
    ...(by && { dpop: await proofFor(testServer, by, { url: `${issuer}/oauth/token` }) }),
  }
  return (await readTokens(await testServer.post('/oauth/token', form, headers))).access_token
}

type Api = ReturnType<typeof resourceServer>

function openApi(dpop: ApiDpopOptions = {}, more: Partial<ResourceServerOptions> = {}): Api {
  return resourceServer({ issuer, resource, dpop, log: 'silent', ...more }, { now: testServer.clock.now })
}

function request(token: string, proof?: string, scheme = 'DPoP'): Request {
  const headers = { authorization: `${scheme} ${token}`, ...(proof === undefined ? {} : { dpop: proof }) }
  return new Request(url, { headers })
}

const proofOf = (accessToken: string, more: ProofOptions = {}, by = key) =>
  makeProof(by, { method: 'GET', url, accessToken, now: testServer.clock.now(), ...more })

function told(access: Access): string {
  if (access.ok) return 'ok'
  const challenge = access.response.headers.get('www-authenticate') ?? ''
  return `${access.response.status} ${challenge.split(' ')[0]} ${/ error="([^"]+)"/.exec(challenge)?.[1]}`
}

const introspection = async () => {
  const { client, secret: clientSecret } = await testServer.createClient({
    ...machine,
    resourceServerFor: [resource],
  })
  return { introspection: { clientId: client.id, clientSecret: clientSecret! } }
}

describe('tokens bound to a key, at an API apart', () => {
  test('RFC 9449 §7.1: a token is good with a proof of its key and not otherwise, by keys and by introspection (N96, N97, N102, N103)', async () => {
    for (const more of [{}, await introspection()]) {
      const api = openApi({}, more)
      const token = await boundTo(key)
      const bearer = await boundTo(null)
      const ask = async (...all: Parameters<typeof request>) => told(await api.authenticate(request(...all)))
      assert.equal(await ask(token, await proofOf(token)), 'ok')
      assert.equal(await ask(bearer, undefined, 'Bearer'), 'ok')
      const proofs: Record<string, string> = {
        'another type': await proofOf(token, { header: { typ: 'jwt' } }),
        'another method': await proofOf(token, { method: 'POST' }),
        'another URL': await proofOf(token, { url: resource }),
        'another token': await proofOf(bearer),
        'a time long ago': await proofOf(token, { now: testServer.clock.now() - 300_000 }),
      }
      for (const [name, proof] of Object.entries(proofs)) {
        assert.equal(await ask(token, proof), '401 DPoP invalid_dpop_proof', name)
      }
      assert.equal(await ask(token), '401 DPoP invalid_dpop_proof')
      assert.equal(await ask(token, undefined, 'Bearer'), '401 DPoP invalid_token')
      assert.equal(await ask(bearer, await proofOf(bearer)), '401 DPoP invalid_token')
      assert.equal(await ask(token, await proofOf(token, {}, await makeProofKey())), '401 DPoP invalid_token')
    }
  })

  test('RFC 9449 §11.1: a proof is good once in a process, and once in all of them where they share a store (N99)', async () => {
    const token = await boundTo(key)
    const alone = openApi()
    const proof = await proofOf(token)
    const all = await Promise.all([1, 2, 3, 4].map(() => alone.authenticate(request(token, proof))))
    assert.deepEqual(all.map(told).sort(), [...Array(3).fill('401 DPoP invalid_dpop_proof'), 'ok'])
    testServer.clock.advance(299_000)
    assert.equal(told(await alone.authenticate(request(token, proof))), '401 DPoP invalid_dpop_proof')
    testServer.clock.advance(62_000)
    assert.equal(told(await alone.authenticate(request(token, proof))), '401 DPoP invalid_dpop_proof')
    assert.equal(told(await alone.authenticate(request(token, await proofOf(token)))), 'ok')

    const store = new Map<string, number>()
    const spendJti = async (id: string, expiresAt: number) => {
      if (store.has(id)) return false
      store.set(id, expiresAt)
      return true
    }
    const several = [openApi({ spendJti }), openApi({ spendJti })]
    const shared = await proofOf(token)
    const answers = await Promise.all(
      [...several, ...several].map((api) => api.authenticate(request(token, shared))),
    )
    assert.equal(answers.filter((access) => access.ok).length, 1)
    assert.deepEqual([...store.values()], [Math.floor(testServer.clock.now() / 1_000) * 1_000 + 300_000])
    // A store of whole numbers must take what a client with a finer clock makes of it (RFC 7519 §2).
    const iat = testServer.clock.now() / 1_000 - 1.00025
    const finer = request(token, await proofOf(token, { claims: { iat } }))
    assert.equal(told(await several[0]!.authenticate(finer)), 'ok')
    assert.ok([...store.values()].every(Number.isInteger))
  })

  test('RFC 9449 §11.1: a store that fails is 503, and the proof is good later', async () => {
    const token = await boundTo(key)
    let works = false
    const api = openApi({
      async spendJti() {
        if (!works) throw new Error('gone')
        return true
      },
    })
    const asked = request(token, await proofOf(token))
    const access = await api.authenticate(asked)
    assert.ok(!access.ok)
    assert.deepEqual([access.response.status, access.response.headers.get('retry-after')], [503, '1'])
    works = true
    assert.equal(told(await api.authenticate(asked)), 'ok')
  })

  test('RFC 9449 §9: with a secret nonces are demanded, and every process knows those of the others (N100)', async () => {
    const token = await boundTo(key)
    const api = openApi({ secret })
    const nonceFrom = async (of: Api, nonce?: string) => {
      const access = await of.authenticate(request(token, await proofOf(token, { nonce })))
      assert.equal(told(access), '401 DPoP use_dpop_nonce')
      return access.ok ? undefined : access.response.headers.get('dpop-nonce')!
    }
    const nonce = await nonceFrom(api)
    assert.equal(await nonceFrom(api, 'made up'), nonce)
    for (const one of [
      api,
      openApi({ secret }),
      openApi({ secret: ['a newer secret than the other one', secret] }),
    ]) {
      assert.equal(told(await one.authenticate(request(token, await proofOf(token, { nonce })))), 'ok')
    }
    await nonceFrom(openApi({ secret: 'the secret of another API altogether' }), nonce)

    testServer.clock.advance(150_000)
    const late = await api.authenticate(request(token, await proofOf(token, { nonce })))
    assert.ok(late.ok)
    assert.equal(late.dpopNonce, await nonceFrom(api))
    testServer.clock.advance(150_000)
    assert.notEqual(await nonceFrom(api, nonce), nonce)

    const lenient = openApi({ secret, nonces: 'optional' })
    assert.equal(told(await lenient.authenticate(request(token, await proofOf(token)))), 'ok')
    await nonceFrom(lenient, 'made up')
    const own = nonceByTime(rootSecrets([secret]), { required: true }).current(testServer.clock.now())
    assert.equal(told(await lenient.authenticate(request(token, await proofOf(token, { nonce: own })))), 'ok')
  })

  test('RFC 9728 §2, RFC 9449 §7.1: an API may take bound tokens alone, and says so', async () => {
    const api = openApi({ required: true })
    const metadata = (await api.metadata().json()) as Record<string, unknown>
    assert.equal(metadata.dpop_bound_access_tokens_required, true)
    const bearer = await boundTo(null)
    assert.equal(told(await api.authenticate(request(bearer, undefined, 'Bearer'))), '401 DPoP invalid_token')
    const token = await boundTo(key)
    assert.equal(told(await api.authenticate(request(token, await proofOf(token)))), 'ok')
    const without = await api.authenticate(new Request(url))
    assert.ok(!without.ok)
    assert.match(
      without.response.headers.get('www-authenticate')!,
      /^DPoP algs="ES256 [^"]+", resource_metadata="/,
    )
  })

  test('RFC 9449 §11.1: more proofs than can be remembered are told to the operator, once', async () => {
    const lines: string[] = []
    const spend = rememberProofs(testServer.clock.now, { warn: (text) => void lines.push(text) }, 2)
    for (const id of ['a', 'b', 'c', 'd']) assert.equal(await spend(id), true)
    assert.equal(await spend('d'), false)
    assert.equal(lines.length, 1)
  })
})

describe('tokens bound to a certificate', () => {
  const proxy = '10.1.2.3'
  const header = (cert: string) => ({ 'x-client-cert': encodeURIComponent(cert) })
  const mutualTls = { certificateHeader: 'x-client-cert', trustedProxies: ['10.0.0.0/8'] }

  async function certified(): Promise<string> {
    const client = await testServer.createClient({ ...machine, tlsClientCertificateBoundAccessTokens: true })
    const answer = await testServer.request('/oauth/token', {
      method: 'POST',
      address: proxy,
      body: new URLSearchParams(form).toString(),
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        ...credentials(client).headers,
        ...header(certificate.cert),
      },
    })
    const tokens = await readTokens(answer)
    assert.equal(tokens.token_type, 'Bearer')
    return tokens.access_token
  }

  /** As Node's own request comes to an API, from this peer. */
  const fromNode = (token: string, peer: string, cert?: string): BearerRequest => ({
    method: 'GET',
    url: '/jobs/search',
    headers: { authorization: `Bearer ${token}`, ...(cert === undefined ? {} : header(cert)) },
    socket: { remoteAddress: peer },
  })

  const guards = async (): Promise<
    Record<string, (request: BearerRequest, needs?: AccessNeeds) => Promise<Access>>
  > => ({
    'beside the server': (request, needs) => testServer.g.authenticate(request, { ...needs, resource }),
    'beside it, offline': (request, needs) =>
      testServer.g.authenticate(request, { ...needs, resource, check: 'offline' }),
    'by published keys': openApi({}, { mutualTls }).authenticate,
    'by introspection': openApi({}, { mutualTls, ...(await introspection()) }).authenticate,
  })

  test('RFC 8705 §3: a token is good over a connection with its certificate, handed over by a trusted proxy', async () => {
    const token = await certified()
    for (const [name, ask] of Object.entries(await guards())) {
      assert.equal(told(await ask(fromNode(token, proxy, certificate.cert))), 'ok', name)
      const refused = '401 Bearer invalid_token'
      assert.equal(told(await ask(fromNode(token, proxy, otherCertificate.cert))), refused, name)
      assert.equal(told(await ask(fromNode(token, proxy))), refused, name)
      assert.equal(told(await ask(fromNode(token, proxy, 'no certificate'))), refused, name)
      assert.equal(
        told(await ask(fromNode(token, '203.0.113.7', certificate.cert))),
        refused,
        `${name}, spoofed`,
      )
      const proof = await proofOf(token, {
        nonce: testServer.app.server.nonces.current(testServer.clock.now()),
      })
      assert.equal(told(await ask(request(token, proof))), '401 DPoP invalid_token', name)
    }
  })

  test('RFC 8705 §3: where TLS ends elsewhere the API says the certificate itself, and its word counts', async () => {
    const token = await certified()
    const forms = [
      certificate.cert,
      encodeURIComponent(certificate.cert),
      new X509Certificate(certificate.cert).raw,
    ]
    for (const [name, ask] of Object.entries(await guards())) {
      const asked = request(token, undefined, 'Bearer')
      for (const form of forms) assert.equal(told(await ask(asked, { certificate: form })), 'ok', name)
      for (const form of [otherCertificate.cert, 'nonsense', new Uint8Array(3)]) {
        assert.equal(told(await ask(asked, { certificate: form })), '401 Bearer invalid_token', name)
      }
      const other = fromNode(token, proxy, certificate.cert)
      assert.equal(
        told(await ask(other, { certificate: otherCertificate.cert })),
        '401 Bearer invalid_token',
        name,
      )
    }
    const bare = openApi()
    assert.equal(
      told(await bare.authenticate(fromNode(token, proxy, certificate.cert))),
      '401 Bearer invalid_token',
    )
  })

  test('RFC 8705 §3, OpenID Connect Core §5.3.1: userinfo answers over a connection with the certificate alone', async () => {
    const client = await testServer.createClient({ tlsClientCertificateBoundAccessTokens: true })
    const pkce = makePkce()
    const code = await obtainCode(testServer, client, pkce, { scope: 'openid' })
    const over = (path: string, cert: string, init: RequestInit, address = proxy) =>
      testServer.request(path, {
        ...init,
        address,
        headers: { ...(init.headers as Record<string, string>), ...header(cert) },
      })
    const redeemed = await over('/oauth/token', certificate.cert, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...credentials(client).headers },
      body: new URLSearchParams({
        grant_type: 'authorization_code',
        code,
        code_verifier: pkce.verifier,
        redirect_uri: 'https://client.example/callback',
      }).toString(),
    })
    const { access_token } = await readTokens(redeemed)
    const init = { headers: { authorization: `Bearer ${access_token}` } }
    assert.equal((await over('/oauth/userinfo', certificate.cert, init)).status, 200)
    assert.equal((await over('/oauth/userinfo', otherCertificate.cert, init)).status, 401)
    assert.equal((await over('/oauth/userinfo', 'no certificate', init)).status, 401)
    assert.equal((await over('/oauth/userinfo', certificate.cert, init, '203.0.113.7')).status, 401)
    assert.equal((await testServer.request('/oauth/userinfo', init)).status, 401)
  })

  test('RFC 8705 §3: through Node’s own server, as the proxy’s connection comes in', async () => {
    const token = await certified()
    const api = openApi({}, { mutualTls: { ...mutualTls, trustedProxies: ['127.0.0.1'] } })
    const server = createServer(async (message: IncomingMessage, response) => {
      response.end(told(await api.authenticate(message)))
    }).listen(0, '127.0.0.1')
    await new Promise<void>((resolve) => server.once('listening', resolve))
    const { port } = server.address() as AddressInfo
    const ask = (cert: string) =>
      new Promise<string>((resolve, reject) => {
        const headers = { authorization: `Bearer ${token}`, ...header(cert) }
        const sent = httpRequest(
          { port, host: '127.0.0.1', path: '/jobs/search', headers },
          async (answer) => {
            let text = ''
            for await (const chunk of answer) text += chunk
            resolve(text)
          },
        )
        sent.on('error', reject)
        sent.end()
      })
    try {
      assert.equal(await ask(certificate.cert), 'ok')
      assert.equal(await ask(otherCertificate.cert), '401 Bearer invalid_token')
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })
})
