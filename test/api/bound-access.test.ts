import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AccessNeeds, BearerRequest } from '../../src/api/bearer.ts'
import { Unavailable } from '../../src/db/database.ts'
import { sql } from '../../src/db/sql.ts'
import { eventInput } from '../../src/events/append.ts'
import { issueClientToken } from '../../src/oauth/records/access-tokens.ts'
import { makeAccessToken } from '../../src/oauth/token/access-token.ts'
import { guardResources } from '../../src/oauth/token/resource-server.ts'
import { makeProofKey, type ProofKey, type ProofOptions, proofFor } from '../support/dpop.ts'
import { readTokens } from '../support/flow.ts'
import {
  basic,
  issuer,
  onBothDatabases,
  openTestServer,
  type TestServer,
  testServerFor,
} from '../support/gatehouse.ts'

const jobs = `${issuer}/jobs`
const opaque = `${issuer}/opaque`
const elsewhere = 'https://api.example.com/v1'
const nowhere = 'urn:example:jobs'
const url = `${jobs}/search`

const key = await makeProofKey()
const otherKey = await makeProofKey()

/** A token of a client's own, bound to the key, or a bearer token. */
async function tokenOf(testServer: TestServer, by: ProofKey | null, resource = jobs): Promise<string> {
  const { client, secret } = await testServer.createClient({
    redirectUris: [],
    grantTypes: ['client_credentials'],
  })
  const headers = {
    authorization: basic(client.id, secret!),
    ...(by && { dpop: await proofFor(testServer, by) }),
  }
  const form = { grant_type: 'client_credentials', resource, scope: 'jobs:read' }
  return (await readTokens(await testServer.post('/oauth/token', form, headers))).access_token
}

interface Call {
  scheme?: string
  proof?: string | null
  url?: string
  method?: string
}

function requestWith(token: string, { scheme = 'DPoP', proof = null, url: at = url, method = 'GET' }: Call) {
  const headers: Record<string, string> = { authorization: `${scheme} ${token}` }
  if (proof !== null) headers['dpop'] = proof
  return new Request(at, { method, headers })
}

/** A proof for a GET of the API, with everything right unless told otherwise. */
function proofOf(
  testServer: TestServer,
  accessToken: string,
  more: ProofOptions = {},
  by = key,
): Promise<string> {
  return proofFor(testServer, by, { method: 'GET', url, accessToken, ...more })
}

async function refusal(
  testServer: TestServer,
  request: BearerRequest,
  needs: AccessNeeds = {},
  guard = testServer.g.authenticate,
) {
  const access = await guard(request, needs)
  assert.ok(!access.ok, 'refused')
  const { status, headers } = access.response
  assert.equal(headers.get('cache-control'), 'no-store')
  const challenge = headers.get('www-authenticate') ?? ''
  const [scheme = ''] = challenge.split(' ')
  const body = (await access.response.json()) as { error: string }
  const [, error] = / error="([^"]+)"/.exec(challenge) ?? []
  assert.equal(body.error, error)
  return { told: `${status} ${scheme} ${error}`, challenge, nonce: headers.get('dpop-nonce'), headers }
}

const algs = 'algs="ES256 RS256 PS256 EdDSA Ed25519"'
const at = `resource_metadata="${issuer}/.well-known/oauth-protected-resource/jobs"`
const badProof = '401 DPoP invalid_dpop_proof'
const badToken = '401 DPoP invalid_token'
const newNonce = '401 DPoP use_dpop_nonce'

onBothDatabases('tokens bound to a key, at an API beside the server', (dialect) => {
  const open = testServerFor(dialect, {
    resources: { [jobs]: {}, [opaque]: { tokenFormat: 'opaque' }, [elsewhere]: {}, [nowhere]: {} },
  })
  const checks = ['session', 'offline'] as const

  test('RFC 9449 §7.1: a token with a proof of its key is taken, by both checks, as JWT and opaque', async () => {
    const testServer = await open()
    for (const [resource, check] of [
      [jobs, 'session'],
      [jobs, 'offline'],
      [opaque, 'session'],
    ] as const) {
      const token = await tokenOf(testServer, key, resource)
      for (const scheme of ['DPoP', 'dpop', 'DPOP']) {
        const request = requestWith(token, { scheme, proof: await proofOf(testServer, token) })
        const access = await testServer.g.authenticate(request, { scope: 'jobs:read', resource, check })
        assert.ok(access.ok)
        assert.deepEqual(access.claims['cnf'], { jkt: key.jkt })
        assert.equal(access.dpopNonce, undefined)
      }
    }
  })

  /** Each of these proofs is refused, by both checks; the same request with a good one succeeds. */
  async function refusesEach(wrong: Record<string, ProofOptions>): Promise<void> {
    const testServer = await open()
    const token = await tokenOf(testServer, key)
    for (const [name, options] of Object.entries(wrong)) {
      for (const check of checks) {
        const request = requestWith(token, { proof: await proofOf(testServer, token, options) })
        const { told, challenge } = await refusal(testServer, request, { check })
        assert.equal(told, badProof, name)
        assert.ok(challenge.endsWith(`", ${algs}, ${at}`), challenge)
        const good = requestWith(token, { proof: await proofOf(testServer, token) })
        assert.ok((await testServer.g.authenticate(good, { check })).ok)
      }
    }
  }

  test('RFC 9449 §7.1: what is no proof by a public key is 401 invalid_dpop_proof (N96)', () =>
    refusesEach({
      'another type': { header: { typ: 'jwt' } },
      'a private key': { header: { jwk: key.privateJwk } },
      'the signature of another key': { signedBy: otherKey },
    }))

  test('RFC 9449 §7.1: a proof for another request is 401 invalid_dpop_proof (N97)', () =>
    refusesEach({
      'another method': { method: 'POST' },
      'another path': { url: `${jobs}/other` },
      'another host': { url: 'https://other.example.com/jobs/search' },
    }))

  test('RFC 9449 §7.1: a proof of another time, or without jti, is 401 invalid_dpop_proof (N98)', () =>
    refusesEach({
      'a time long ago': { claims: { iat: 1_700_000_000 } },
      'no jti': { claims: { jti: undefined } },
    }))

  test('RFC 9449 §7.1: a proof for another access token, or for none, is 401 invalid_dpop_proof (N102)', () =>
    refusesEach({
      'another token': { accessToken: 'another token' },
      'no token': { claims: { ath: undefined } },
    }))

  test('RFC 9449 §7.1: no proof, or two, is 401 invalid_dpop_proof (N96)', async () => {
    const testServer = await open()
    const token = await tokenOf(testServer, key)
    assert.equal((await refusal(testServer, requestWith(token, {}))).told, badProof)
    const [one, two] = [await proofOf(testServer, token), await proofOf(testServer, token)]
    assert.equal((await refusal(testServer, requestWith(token, { proof: `${one}, ${two}` }))).told, badProof)
    const headers = { authorization: `DPoP ${token}`, dpop: [one, two] }
    assert.equal((await refusal(testServer, { headers, url: '/jobs/search', method: 'GET' })).told, badProof)
    const good = { headers: { ...headers, dpop: one }, url: '/jobs/search?q=baker', method: 'GET' }
    assert.ok((await testServer.g.authenticate(good)).ok)
  })

  test('RFC 9449 §7.1: a proof of another key than the token is bound to is 401 invalid_token (N102)', async () => {
    const testServer = await open()
    const token = await tokenOf(testServer, key)
    for (const check of checks) {
      const request = requestWith(token, { proof: await proofOf(testServer, token, {}, otherKey) })
      const { told, challenge } = await refusal(testServer, request, { check, scope: 'jobs:read' })
      assert.equal(told, badToken)
      assert.equal(
        challenge,
        `DPoP error="invalid_token", error_description="The access token is bound to another key", scope="jobs:read", ${algs}, ${at}`,
      )
    }
  })

  test('RFC 9449 §7.2: a bound token sent as Bearer is 401 invalid_token, proof or not (N103)', async () => {
    const testServer = await open()
    const token = await tokenOf(testServer, key)
    for (const check of checks) {
      for (const proof of [null, await proofOf(testServer, token)]) {
        const { told } = await refusal(testServer, requestWith(token, { scheme: 'Bearer', proof }), { check })
        assert.equal(told, badToken)
      }
      assert.ok(
        (
          await testServer.g.authenticate(requestWith(token, { proof: await proofOf(testServer, token) }), {
            check,
          })
        ).ok,
      )
    }
  })

  test('RFC 9449 §7.1: a bearer token with a proof is 401 invalid_token, and good without', async () => {
    const testServer = await open()
    const token = await tokenOf(testServer, null)
    for (const check of checks) {
      const { told } = await refusal(
        testServer,
        requestWith(token, { proof: await proofOf(testServer, token) }),
        {
          check,
        },
      )
      assert.equal(told, badToken)
      assert.ok((await testServer.g.authenticate(requestWith(token, { scheme: 'Bearer' }), { check })).ok)
    }
  })

  test('RFC 9449 §9: a nonce that is missing or stale is named, and the proof with it is good (N100)', async () => {
    const testServer = await open()
    const token = await tokenOf(testServer, key)
    const current = testServer.app.server.nonces.current(testServer.clock.now())
    const stale = testServer.app.server.nonces.current(testServer.clock.now() - 300_000)
    for (const nonce of [undefined, stale, 'made up']) {
      const request = requestWith(token, { proof: await proofOf(testServer, token, { nonce }) })
      const { told, nonce: named, challenge, headers } = await refusal(testServer, request)
      assert.equal(told, newNonce)
      assert.match(challenge, /^DPoP error="use_dpop_nonce", /)
      assert.equal(named, current)
      assert.deepEqual(headers.get('access-control-expose-headers')?.split(', '), [
        'www-authenticate',
        'dpop-nonce',
      ])
    }
    const proof = await proofOf(testServer, token, { nonce: current })
    assert.ok((await testServer.g.authenticate(requestWith(token, { proof }))).ok)
  })

  test('RFC 9449 §8.2: the next nonce comes before this one is too old', async () => {
    const testServer = await open()
    const token = await tokenOf(testServer, key)
    const nonce = testServer.app.server.nonces.current(testServer.clock.now() - 150_000)
    const access = await testServer.g.authenticate(
      requestWith(token, { proof: await proofOf(testServer, token, { nonce }) }),
    )
    assert.ok(access.ok)
    assert.equal(access.dpopNonce, testServer.app.server.nonces.current(testServer.clock.now()))
  })

  test('RFC 9449 §11.1: a proof is good once: in sequence, in parallel on two processes, after a restart (N99)', async () => {
    const testServer = await open()
    const twin = await testServer.twin()
    for (const check of checks) {
      const token = await tokenOf(testServer, key)
      const proof = await proofOf(testServer, token)
      const at = (g: TestServer['g']) => g.authenticate(requestWith(token, { proof }), { check })
      const all = await Promise.all(
        [testServer.g, twin.g, testServer.g, twin.g, testServer.g, twin.g].map(at),
      )
      assert.equal(all.filter((access) => access.ok).length, 1)
      const later = await testServer.twin()
      for (const { g } of [testServer, twin, later]) {
        assert.equal(
          (await refusal(testServer, requestWith(token, { proof }), { check }, g.authenticate)).told,
          badProof,
        )
      }
      assert.ok((await at(testServer.g)).ok === false)
      assert.ok(
        (await testServer.g.authenticate(requestWith(token, { proof: await proofOf(testServer, token) }))).ok,
      )
    }
  })

  test('RFC 9449 §11.1: the same request may be asked about again, another one with its proof may not (N99)', async () => {
    const testServer = await open()
    const token = await tokenOf(testServer, key)
    const request = requestWith(token, { proof: await proofOf(testServer, token) })
    const all = await Promise.all(
      [{}, { scope: 'jobs:read' }].map((needs) => testServer.g.authenticate(request, needs)),
    )
    assert.deepEqual(
      all.map((access) => access.ok),
      [true, true],
    )
    assert.ok((await testServer.g.authenticate(request)).ok)
    assert.equal((await refusal(testServer, request.clone())).told, badProof)
  })

  test('RFC 9449 §11.1: a request that is refused does not spend its proof', async () => {
    const testServer = await open()
    const token = await tokenOf(testServer, key)
    const spent = async () =>
      (
        await testServer.app.server.db.query<{ count: number }>(sql`select count(*) as count from used_jtis`)
      )[0]!.count
    const proof = await proofOf(testServer, token)
    const before = await spent()
    const scope = 'applications:write'
    assert.equal(
      (await refusal(testServer, requestWith(token, { proof }), { scope })).told,
      '403 DPoP insufficient_scope',
    )
    assert.equal(
      (await refusal(testServer, requestWith(token, { proof }), { resource: opaque })).told,
      badToken,
    )
    assert.equal(await spent(), before)
    assert.ok((await testServer.g.authenticate(requestWith(token, { proof }))).ok)
    assert.equal(await spent(), before + 1)
  })

  test('RFC 9449 §4.3: the URL is the one at the origin of the API, whatever Host a proxy passes on (N97)', async () => {
    const testServer = await open()
    const token = await tokenOf(testServer, key, elsewhere)
    const needs = { resource: elsewhere }
    const outside = 'https://api.example.com/v1/jobs'
    const inside = 'http://10.0.0.5:3000/v1/jobs'
    const request = async (proofUrl: string, at = inside) =>
      requestWith(token, { url: at, proof: await proofOf(testServer, token, { url: proofUrl }) })
    assert.ok((await testServer.g.authenticate(await request(outside, `${inside}?page=2`), needs)).ok)
    assert.equal((await refusal(testServer, await request(inside), needs)).told, badProof)
    // Behind a proxy that changes the path the API says itself what the client asked for.
    const said = { ...needs, url: 'https://www.example.com/api/jobs?page=2' }
    assert.ok((await testServer.g.authenticate(await request('https://www.example.com/api/jobs'), said)).ok)
    assert.equal((await refusal(testServer, await request(outside), said)).told, badProof)
  })

  test('RFC 9449 §4.3: Express cuts the path of a router off the URL and keeps the whole', async () => {
    const testServer = await open()
    const token = await tokenOf(testServer, key)
    const headers = { authorization: `DPoP ${token}`, dpop: await proofOf(testServer, token) }
    const cut = { method: 'GET', url: '/search', headers }
    assert.equal((await refusal(testServer, cut)).told, badProof)
    assert.ok((await testServer.g.authenticate({ ...cut, originalUrl: '/jobs/search' })).ok)
  })

  test('RFC 9449 §4.3: for an API whose name is no URL nobody but the API itself says what was asked', async () => {
    const testServer = await open()
    const token = await tokenOf(testServer, key, nowhere)
    const proof = await proofOf(testServer, token)
    assert.equal(
      (await refusal(testServer, requestWith(token, { proof }), { resource: nowhere })).told,
      badProof,
    )
    assert.ok((await testServer.g.authenticate(requestWith(token, { proof }), { resource: nowhere, url })).ok)
  })

  test('RFC 6750 §3.1: what is malformed is told in the words of the scheme it came with (N117)', async () => {
    const testServer = await open()
    const { told } = await refusal(testServer, requestWith('two words', {}))
    assert.equal(told, '400 DPoP invalid_request')
    const token = await tokenOf(testServer, key)
    const query = requestWith(token, {
      url: `${url}?access_token=x`,
      proof: await proofOf(testServer, token),
    })
    assert.equal((await refusal(testServer, query)).told, '400 DPoP invalid_request')
    assert.equal(
      (await refusal(testServer, requestWith('unknown', { proof: await proofOf(testServer, 'unknown') })))
        .told,
      badToken,
    )
  })

  test('a database that cannot remember a proof is 503, and the proof is good later', async () => {
    const testServer = await open()
    const token = await tokenOf(testServer, key)
    const { server } = testServer.app
    let gone = true
    const write = ((...all: Parameters<typeof server.db.write>) =>
      gone
        ? Promise.reject(new Unavailable('the connection was lost'))
        : server.db.write(...all)) as typeof server.db.write
    const guard = guardResources({ ...server, db: { ...server.db, write } })
    const request = requestWith(token, { proof: await proofOf(testServer, token) })
    const access = await guard(request)
    assert.ok(!access.ok && access.response.status === 503)
    gone = false
    assert.ok((await guard(request)).ok)
  })

  test('RFC 9449 §7.1: where bound tokens are required a bearer token is refused, and the challenge says so', async () => {
    const testServer = await openTestServer(dialect, { resources: { [jobs]: {} }, dpop: { required: true } })
    try {
      const bound = await tokenOf(testServer, key)
      assert.ok(
        (await testServer.g.authenticate(requestWith(bound, { proof: await proofOf(testServer, bound) }))).ok,
      )
      const without = await testServer.g.authenticate(new Request(url))
      assert.ok(!without.ok)
      assert.equal(without.response.headers.get('www-authenticate'), `DPoP ${algs}, ${at}`)
      // Issued before it was required.
      const { server } = testServer.app
      const { client } = await testServer.createClient({
        redirectUris: [],
        grantTypes: ['client_credentials'],
      })
      const known = (await server.clients.find(client.id))!
      const now = testServer.clock.now()
      const nobody = { userId: null, sessionId: null, sessionExpiresAt: null, authTime: null }
      const grant = { ...nobody, subject: client.id, scope: [], resources: [jobs] }
      const { token, row } = await makeAccessToken(server, known, grant, now)
      await server.db.write(issueClientToken, { ...row, ...eventInput(now, 'client_credentials', {}, {}) })
      assert.equal((await refusal(testServer, requestWith(token, { scheme: 'Bearer' }))).told, badToken)
    } finally {
      await testServer.close()
    }
  })
})
