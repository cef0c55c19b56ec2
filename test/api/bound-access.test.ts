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
import { basic, type House, houseFor, issuer, onBothDatabases, openHouse } from '../support/gatehouse.ts'

const jobs = `${issuer}/jobs`
const opaque = `${issuer}/opaque`
const elsewhere = 'https://api.example.com/v1'
const nowhere = 'urn:example:jobs'
const url = `${jobs}/search`

const key = await makeProofKey()
const otherKey = await makeProofKey()

/** A token of a client's own, bound to the key, or a bearer token. */
async function tokenOf(house: House, by: ProofKey | null, resource = jobs): Promise<string> {
  const { client, secret } = await house.createClient({
    redirectUris: [],
    grantTypes: ['client_credentials'],
  })
  const headers = { authorization: basic(client.id, secret!), ...(by && { dpop: await proofFor(house, by) }) }
  const form = { grant_type: 'client_credentials', resource, scope: 'jobs:read' }
  return (await readTokens(await house.post('/oauth/token', form, headers))).access_token
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
function proofOf(house: House, accessToken: string, more: ProofOptions = {}, by = key): Promise<string> {
  return proofFor(house, by, { method: 'GET', url, accessToken, ...more })
}

async function refusal(
  house: House,
  request: BearerRequest,
  needs: AccessNeeds = {},
  guard = house.g.authenticate,
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
  const open = houseFor(dialect, {
    resources: { [jobs]: {}, [opaque]: { tokenFormat: 'opaque' }, [elsewhere]: {}, [nowhere]: {} },
  })
  const checks = ['session', 'offline'] as const

  test('RFC 9449 §7.1: a token with a proof of its key is taken, by both checks, as JWT and opaque', async () => {
    const house = await open()
    for (const [resource, check] of [
      [jobs, 'session'],
      [jobs, 'offline'],
      [opaque, 'session'],
    ] as const) {
      const token = await tokenOf(house, key, resource)
      for (const scheme of ['DPoP', 'dpop', 'DPOP']) {
        const request = requestWith(token, { scheme, proof: await proofOf(house, token) })
        const access = await house.g.authenticate(request, { scope: 'jobs:read', resource, check })
        assert.ok(access.ok)
        assert.deepEqual(access.claims['cnf'], { jkt: key.jkt })
        assert.equal(access.dpopNonce, undefined)
      }
    }
  })

  /** Each of these proofs is refused, by both checks; the same request with a good one succeeds. */
  async function refusesEach(wrong: Record<string, ProofOptions>): Promise<void> {
    const house = await open()
    const token = await tokenOf(house, key)
    for (const [name, options] of Object.entries(wrong)) {
      for (const check of checks) {
        const request = requestWith(token, { proof: await proofOf(house, token, options) })
        const { told, challenge } = await refusal(house, request, { check })
        assert.equal(told, badProof, name)
        assert.ok(challenge.endsWith(`", ${algs}, ${at}`), challenge)
        const good = requestWith(token, { proof: await proofOf(house, token) })
        assert.ok((await house.g.authenticate(good, { check })).ok)
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
    const house = await open()
    const token = await tokenOf(house, key)
    assert.equal((await refusal(house, requestWith(token, {}))).told, badProof)
    const [one, two] = [await proofOf(house, token), await proofOf(house, token)]
    assert.equal((await refusal(house, requestWith(token, { proof: `${one}, ${two}` }))).told, badProof)
    const headers = { authorization: `DPoP ${token}`, dpop: [one, two] }
    assert.equal((await refusal(house, { headers, url: '/jobs/search', method: 'GET' })).told, badProof)
    const good = { headers: { ...headers, dpop: one }, url: '/jobs/search?q=baker', method: 'GET' }
    assert.ok((await house.g.authenticate(good)).ok)
  })

  test('RFC 9449 §7.1: a proof of another key than the token is bound to is 401 invalid_token (N102)', async () => {
    const house = await open()
    const token = await tokenOf(house, key)
    for (const check of checks) {
      const request = requestWith(token, { proof: await proofOf(house, token, {}, otherKey) })
      const { told, challenge } = await refusal(house, request, { check, scope: 'jobs:read' })
      assert.equal(told, badToken)
      assert.equal(
        challenge,
        `DPoP error="invalid_token", error_description="The access token is bound to another key", scope="jobs:read", ${algs}, ${at}`,
      )
    }
  })

  test('RFC 9449 §7.2: a bound token sent as Bearer is 401 invalid_token, proof or not (N103)', async () => {
    const house = await open()
    const token = await tokenOf(house, key)
    for (const check of checks) {
      for (const proof of [null, await proofOf(house, token)]) {
        const { told } = await refusal(house, requestWith(token, { scheme: 'Bearer', proof }), { check })
        assert.equal(told, badToken)
      }
      assert.ok(
        (await house.g.authenticate(requestWith(token, { proof: await proofOf(house, token) }), { check }))
          .ok,
      )
    }
  })

  test('RFC 9449 §7.1: a bearer token with a proof is 401 invalid_token, and good without', async () => {
    const house = await open()
    const token = await tokenOf(house, null)
    for (const check of checks) {
      const { told } = await refusal(house, requestWith(token, { proof: await proofOf(house, token) }), {
        check,
      })
      assert.equal(told, badToken)
      assert.ok((await house.g.authenticate(requestWith(token, { scheme: 'Bearer' }), { check })).ok)
    }
  })

  test('RFC 9449 §9: a nonce that is missing or stale is named, and the proof with it is good (N100)', async () => {
    const house = await open()
    const token = await tokenOf(house, key)
    const current = house.app.server.nonces.current(house.clock.now())
    const stale = house.app.server.nonces.current(house.clock.now() - 300_000)
    for (const nonce of [undefined, stale, 'made up']) {
      const request = requestWith(token, { proof: await proofOf(house, token, { nonce }) })
      const { told, nonce: named, challenge, headers } = await refusal(house, request)
      assert.equal(told, newNonce)
      assert.match(challenge, /^DPoP error="use_dpop_nonce", /)
      assert.equal(named, current)
      assert.deepEqual(headers.get('access-control-expose-headers')?.split(', '), [
        'www-authenticate',
        'dpop-nonce',
      ])
    }
    const proof = await proofOf(house, token, { nonce: current })
    assert.ok((await house.g.authenticate(requestWith(token, { proof }))).ok)
  })

  test('RFC 9449 §8.2: the next nonce comes before this one is too old', async () => {
    const house = await open()
    const token = await tokenOf(house, key)
    const nonce = house.app.server.nonces.current(house.clock.now() - 150_000)
    const access = await house.g.authenticate(
      requestWith(token, { proof: await proofOf(house, token, { nonce }) }),
    )
    assert.ok(access.ok)
    assert.equal(access.dpopNonce, house.app.server.nonces.current(house.clock.now()))
  })

  test('RFC 9449 §11.1: a proof is good once: in sequence, in parallel on two processes, after a restart (N99)', async () => {
    const house = await open()
    const twin = await house.twin()
    for (const check of checks) {
      const token = await tokenOf(house, key)
      const proof = await proofOf(house, token)
      const at = (g: House['g']) => g.authenticate(requestWith(token, { proof }), { check })
      const all = await Promise.all([house.g, twin.g, house.g, twin.g, house.g, twin.g].map(at))
      assert.equal(all.filter((access) => access.ok).length, 1)
      const later = await house.twin()
      for (const { g } of [house, twin, later]) {
        assert.equal(
          (await refusal(house, requestWith(token, { proof }), { check }, g.authenticate)).told,
          badProof,
        )
      }
      assert.ok((await at(house.g)).ok === false)
      assert.ok((await house.g.authenticate(requestWith(token, { proof: await proofOf(house, token) }))).ok)
    }
  })

  test('RFC 9449 §11.1: the same request may be asked about again, another one with its proof may not (N99)', async () => {
    const house = await open()
    const token = await tokenOf(house, key)
    const request = requestWith(token, { proof: await proofOf(house, token) })
    const all = await Promise.all(
      [{}, { scope: 'jobs:read' }].map((needs) => house.g.authenticate(request, needs)),
    )
    assert.deepEqual(
      all.map((access) => access.ok),
      [true, true],
    )
    assert.ok((await house.g.authenticate(request)).ok)
    assert.equal((await refusal(house, request.clone())).told, badProof)
  })

  test('RFC 9449 §11.1: a request that is refused does not spend its proof', async () => {
    const house = await open()
    const token = await tokenOf(house, key)
    const spent = async () =>
      (await house.app.server.db.query<{ count: number }>(sql`select count(*) as count from used_jtis`))[0]!
        .count
    const proof = await proofOf(house, token)
    const before = await spent()
    const scope = 'applications:write'
    assert.equal(
      (await refusal(house, requestWith(token, { proof }), { scope })).told,
      '403 DPoP insufficient_scope',
    )
    assert.equal((await refusal(house, requestWith(token, { proof }), { resource: opaque })).told, badToken)
    assert.equal(await spent(), before)
    assert.ok((await house.g.authenticate(requestWith(token, { proof }))).ok)
    assert.equal(await spent(), before + 1)
  })

  test('RFC 9449 §4.3: the URL is the one at the origin of the API, whatever Host a proxy passes on (N97)', async () => {
    const house = await open()
    const token = await tokenOf(house, key, elsewhere)
    const needs = { resource: elsewhere }
    const outside = 'https://api.example.com/v1/jobs'
    const inside = 'http://10.0.0.5:3000/v1/jobs'
    const request = async (proofUrl: string, at = inside) =>
      requestWith(token, { url: at, proof: await proofOf(house, token, { url: proofUrl }) })
    assert.ok((await house.g.authenticate(await request(outside, `${inside}?page=2`), needs)).ok)
    assert.equal((await refusal(house, await request(inside), needs)).told, badProof)
    // Behind a proxy that changes the path the API says itself what the client asked for.
    const said = { ...needs, url: 'https://www.example.com/api/jobs?page=2' }
    assert.ok((await house.g.authenticate(await request('https://www.example.com/api/jobs'), said)).ok)
    assert.equal((await refusal(house, await request(outside), said)).told, badProof)
  })

  test('RFC 9449 §4.3: Express cuts the path of a router off the URL and keeps the whole', async () => {
    const house = await open()
    const token = await tokenOf(house, key)
    const headers = { authorization: `DPoP ${token}`, dpop: await proofOf(house, token) }
    const cut = { method: 'GET', url: '/search', headers }
    assert.equal((await refusal(house, cut)).told, badProof)
    assert.ok((await house.g.authenticate({ ...cut, originalUrl: '/jobs/search' })).ok)
  })

  test('RFC 9449 §4.3: for an API whose name is no URL nobody but the API itself says what was asked', async () => {
    const house = await open()
    const token = await tokenOf(house, key, nowhere)
    const proof = await proofOf(house, token)
    assert.equal((await refusal(house, requestWith(token, { proof }), { resource: nowhere })).told, badProof)
    assert.ok((await house.g.authenticate(requestWith(token, { proof }), { resource: nowhere, url })).ok)
  })

  test('RFC 6750 §3.1: what is malformed is told in the words of the scheme it came with (N117)', async () => {
    const house = await open()
    const { told } = await refusal(house, requestWith('two words', {}))
    assert.equal(told, '400 DPoP invalid_request')
    const token = await tokenOf(house, key)
    const query = requestWith(token, { url: `${url}?access_token=x`, proof: await proofOf(house, token) })
    assert.equal((await refusal(house, query)).told, '400 DPoP invalid_request')
    assert.equal(
      (await refusal(house, requestWith('unknown', { proof: await proofOf(house, 'unknown') }))).told,
      badToken,
    )
  })

  test('a database that cannot remember a proof is 503, and the proof is good later', async () => {
    const house = await open()
    const token = await tokenOf(house, key)
    const { server } = house.app
    let gone = true
    const write = ((...all: Parameters<typeof server.db.write>) =>
      gone
        ? Promise.reject(new Unavailable('the connection was lost'))
        : server.db.write(...all)) as typeof server.db.write
    const guard = guardResources({ ...server, db: { ...server.db, write } })
    const request = requestWith(token, { proof: await proofOf(house, token) })
    const access = await guard(request)
    assert.ok(!access.ok && access.response.status === 503)
    gone = false
    assert.ok((await guard(request)).ok)
  })

  test('RFC 9449 §7.1: where bound tokens are required a bearer token is refused, and the challenge says so', async () => {
    const house = await openHouse(dialect, { resources: { [jobs]: {} }, dpop: { required: true } })
    try {
      const bound = await tokenOf(house, key)
      assert.ok((await house.g.authenticate(requestWith(bound, { proof: await proofOf(house, bound) }))).ok)
      const without = await house.g.authenticate(new Request(url))
      assert.ok(!without.ok)
      assert.equal(without.response.headers.get('www-authenticate'), `DPoP ${algs}, ${at}`)
      // Issued before it was required.
      const { server } = house.app
      const { client } = await house.createClient({ redirectUris: [], grantTypes: ['client_credentials'] })
      const known = (await server.clients.find(client.id))!
      const now = house.clock.now()
      const nobody = { userId: null, sessionId: null, sessionExpiresAt: null, authTime: null }
      const grant = { ...nobody, subject: client.id, scope: [], resources: [jobs] }
      const { token, row } = await makeAccessToken(server, known, grant, now)
      await server.db.write(issueClientToken, { ...row, ...eventInput(now, 'client_credentials', {}, {}) })
      assert.equal((await refusal(house, requestWith(token, { scheme: 'Bearer' }))).told, badToken)
    } finally {
      await house.close()
    }
  })
})
