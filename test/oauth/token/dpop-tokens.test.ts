import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { request } from 'node:http'
import { test } from 'node:test'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { resolveConfig } from '../../../src/config.ts'
import { ConfigError } from '../../../src/config-error.ts'
import { parseJwt } from '../../../src/crypto/jws.ts'
import { sql } from '../../../src/db/sql.ts'
import type { CreatedClient } from '../../../src/oauth/clients/client-operations.ts'
import { makeProofKey, type ProofKey, type ProofOptions, proofFor } from '../../support/dpop.ts'
import {
  assertError,
  credentials,
  introspect,
  makePkce,
  obtainCode,
  type Pkce,
  readTokens,
  type Tokens,
} from '../../support/flow.ts'
import {
  issuer,
  onBothDatabases,
  openTestServer,
  secret,
  type TestServer,
  testServerFor,
} from '../../support/gatehouse.ts'

type Form = Record<string, string>
const key = await makeProofKey()
const otherKey = await makeProofKey()

function ask(
  testServer: Pick<TestServer, 'post'>,
  created: CreatedClient,
  form: Form,
  proof?: string | null,
): Promise<Response> {
  const by = credentials(created)
  const headers = { ...by.headers, ...(proof == null ? {} : { dpop: proof }) }
  return testServer.post('/oauth/token', { ...form, ...by.form }, headers)
}

const codeForm = (created: CreatedClient, code: string, pkce: Pkce): Form => ({
  grant_type: 'authorization_code',
  code,
  redirect_uri: created.client.redirectUris[0]!,
  code_verifier: pkce.verifier,
})
const refreshForm = (token: string): Form => ({ grant_type: 'refresh_token', refresh_token: token })
const machineForm: Form = { grant_type: 'client_credentials' }

const publicClient = { tokenEndpointAuthMethod: 'none' } as const
const machine = { redirectUris: [], grantTypes: ['client_credentials'] }

/** A whole flow with a proof by `by` in its last step. */
async function bound(
  testServer: TestServer,
  created: CreatedClient,
  by: ProofKey,
  more: Form = {},
): Promise<Tokens> {
  const pkce = makePkce()
  const code = await obtainCode(testServer, created, pkce, more)
  return readTokens(
    await ask(testServer, created, codeForm(created, code, pkce), await proofFor(testServer, by)),
  )
}

async function refreshed(testServer: TestServer, created: CreatedClient, token: string, by: ProofKey | null) {
  return ask(testServer, created, refreshForm(token), by && (await proofFor(testServer, by)))
}

const cnf = (token: string) => parseJwt(token)?.claims['cnf']

async function countJtis(testServer: TestServer): Promise<number> {
  const [row] = await testServer.app.server.db.query<{ count: number }>(
    sql`select count(*) as count from used_jtis`,
  )
  return row!.count
}

onBothDatabases('DPoP at the token endpoint', (dialect) => {
  const opaque = 'https://opaque.example.com'
  const open = testServerFor(dialect, {
    resources: { [`${issuer}/jobs`]: {}, [opaque]: { tokenFormat: 'opaque' } },
  })

  test('RFC 9449 §5, §6.1, §6.2: the tokens are of type DPoP and name the key, as JWT and in introspection', async () => {
    const testServer = await open()
    const api = await testServer.createClient({ ...machine, resourceServerFor: [`${issuer}/jobs`, opaque] })
    for (const [input, resource] of [
      [{}, `${issuer}/jobs`],
      [publicClient, opaque],
    ] as const) {
      const client = await testServer.createClient(input)
      const first = await bound(testServer, client, key, { resource })
      const next = await readTokens(await refreshed(testServer, client, first.refresh_token!, key))
      for (const tokens of [first, next]) {
        assert.equal(tokens.token_type, 'DPoP')
        if (resource !== opaque) assert.deepEqual(cnf(tokens.access_token), { jkt: key.jkt })
        const found = await introspect(testServer, api, tokens.access_token)
        assert.deepEqual([found.active, found.token_type, found.cnf], [true, 'DPoP', { jkt: key.jkt }])
      }
    }
    const own = await testServer.createClient(machine)
    const tokens = await readTokens(await ask(testServer, own, machineForm, await proofFor(testServer, key)))
    assert.equal(tokens.token_type, 'DPoP')
    const bearer = await readTokens(await ask(testServer, own, machineForm))
    assert.equal(bearer.token_type, 'Bearer')
    assert.equal(cnf(bearer.access_token), undefined)
  })

  const seconds = (testServer: TestServer) => Math.floor(testServer.clock.now() / 1_000)
  /** Each of these proofs is refused and spends nothing; the same request with a good one succeeds. */
  async function refusesEach(wrong: Record<string, (testServer: TestServer) => ProofOptions>): Promise<void> {
    const testServer = await open()
    const client = await testServer.createClient(publicClient)
    for (const [name, options] of Object.entries(wrong)) {
      const pkce = makePkce()
      const form = codeForm(client, await obtainCode(testServer, client, pkce), pkce)
      const before = await countJtis(testServer)
      const answer = await ask(testServer, client, form, await proofFor(testServer, key, options(testServer)))
      assert.equal(answer.status, 400, name)
      await assertError(answer, 400, 'invalid_dpop_proof')
      assert.equal(await countJtis(testServer), before, name)
      await readTokens(await ask(testServer, client, form, await proofFor(testServer, key)))
    }
  }

  test('RFC 9449 §4.3: what is no proof by a public key is invalid_dpop_proof and spends nothing (N96)', () =>
    refusesEach({
      'another type': () => ({ header: { typ: 'jwt' } }),
      'a private key': () => ({ header: { jwk: key.privateJwk } }),
      'a symmetric key': () => ({ header: { jwk: { kty: 'oct', k: 'c2VjcmV0' } } }),
      'the signature of another key': () => ({ signedBy: otherKey }),
    }))

  test('RFC 9449 §4.3: a proof for another request is invalid_dpop_proof and spends nothing (N97)', () =>
    refusesEach({
      'another method': () => ({ method: 'GET' }),
      'another endpoint': () => ({ url: `${issuer}/oauth/revoke` }),
      'another server': () => ({ url: 'https://other.example.com/oauth/token' }),
    }))

  test('RFC 9449 §4.3, §11.1: a proof of another time, or without jti, is invalid_dpop_proof and spends nothing (N98)', () =>
    refusesEach({
      'five minutes old': (testServer) => ({ claims: { iat: seconds(testServer) - 300 } }),
      'of a time to come': (testServer) => ({ claims: { iat: seconds(testServer) + 31 } }),
      'without jti': () => ({ claims: { jti: undefined } }),
    }))

  test('RFC 9449 §4.3: two DPoP headers are invalid_dpop_proof, through fetch and through Node (N96)', async () => {
    const testServer = await open()
    const client = await testServer.createClient(machine)
    const { headers } = credentials(client)
    const send = async (url: string, proofs: string[], fetched: typeof fetch) => {
      const all = new Headers({ ...headers, 'content-type': 'application/x-www-form-urlencoded' })
      for (const one of proofs) all.append('dpop', one)
      return fetched(url, { method: 'POST', headers: all, body: 'grant_type=client_credentials' })
    }
    const embedded: typeof fetch = (input, init) => testServer.g.fetch(new Request(input, init))
    const one = await proofFor(testServer, key)
    const two = [one, await proofFor(testServer, key)]
    await assertError(await send(`${issuer}/oauth/token`, two, embedded), 400, 'invalid_dpop_proof')
    await assertError(await send(`${issuer}/oauth/token`, [one, ''], embedded), 400, 'invalid_dpop_proof')
    assert.equal((await send(`${issuer}/oauth/token`, [one], embedded)).status, 200)

    const served = await testServer.g.listen({ port: 0 })
    const raw = (proofs: string[]) =>
      new Promise<number>((resolve, reject) => {
        const sent = request(
          `${served.url}/oauth/token`,
          {
            method: 'POST',
            headers: { ...headers, 'content-type': 'application/x-www-form-urlencoded', dpop: proofs },
          },
          (answer) => {
            answer.resume()
            resolve(answer.statusCode!)
          },
        )
        sent.on('error', reject)
        sent.end('grant_type=client_credentials')
      })
    try {
      assert.equal(await raw([await proofFor(testServer, key), await proofFor(testServer, key)]), 400)
      assert.equal(await raw([await proofFor(testServer, key)]), 200)
    } finally {
      await served.close()
    }
  })

  test('RFC 9449 §4.3: a proof is for the public address, whatever Host a proxy passes on (N97)', async () => {
    const testServer = await open()
    const client = await testServer.createClient(machine)
    const inside = 'http://10.0.0.5:3000/oauth/token'
    const send = async (url: string) =>
      testServer.g.fetch(
        new Request(inside, {
          method: 'POST',
          headers: {
            ...credentials(client).headers,
            dpop: await proofFor(testServer, key, { url }),
            host: '10.0.0.5:3000',
            'content-type': 'application/x-www-form-urlencoded',
          },
          body: 'grant_type=client_credentials',
        }),
      )
    await assertError(await send(inside), 400, 'invalid_dpop_proof')
    assert.equal((await send(`${issuer}/oauth/token`)).status, 200)
  })

  test('RFC 9449 §11.1: a jti is good once: in sequence, in parallel on two processes, after a restart (N99)', async () => {
    const testServer = await open()
    const client = await testServer.createClient(machine)
    const twin = await testServer.twin()
    const proof = await proofFor(testServer, key)
    const at = (g: TestServer['g']) =>
      g.fetch(
        new Request(`${issuer}/oauth/token`, {
          method: 'POST',
          headers: {
            ...credentials(client).headers,
            dpop: proof,
            'content-type': 'application/x-www-form-urlencoded',
          },
          body: 'grant_type=client_credentials',
        }),
      )
    const answers = await Promise.all(
      [testServer.g, twin.g, testServer.g, twin.g, testServer.g, twin.g].map(at),
    )
    assert.equal(answers.filter((answer) => answer.status === 200).length, 1)
    for (const answer of answers) {
      if (answer.status !== 200) await assertError(answer, 400, 'invalid_dpop_proof')
    }
    const later = await testServer.twin()
    for (const g of [testServer.g, twin.g, later.g]) await assertError(await at(g), 400, 'invalid_dpop_proof')
  })

  test('RFC 9449 §11.1: a replayed proof spends neither code nor refresh token, and ends no session (N99)', async () => {
    const testServer = await open()
    const client = await testServer.createClient(publicClient)
    const pkce = makePkce()
    const used = await proofFor(testServer, key)
    const tokens = await readTokens(
      await ask(testServer, client, codeForm(client, await obtainCode(testServer, client, pkce), pkce), used),
    )
    const next = codeForm(client, await obtainCode(testServer, client, pkce), pkce)
    await assertError(await ask(testServer, client, next, used), 400, 'invalid_dpop_proof')
    await assertError(
      await ask(testServer, client, refreshForm(tokens.refresh_token!), used),
      400,
      'invalid_dpop_proof',
    )
    await readTokens(await ask(testServer, client, next, await proofFor(testServer, key)))
    await readTokens(await refreshed(testServer, client, tokens.refresh_token!, key))
  })

  test('RFC 9449 §11.1: another key may use the same jti', async () => {
    const testServer = await open()
    const client = await testServer.createClient(machine)
    for (const by of [key, otherKey]) {
      const proof = await proofFor(testServer, by, { claims: { jti: 'the same' } })
      assert.equal((await ask(testServer, client, machineForm, proof)).status, 200)
    }
  })

  test('RFC 9449 §8: without a nonce, or with a stale one, the server names one and nothing is spent (N100)', async () => {
    const testServer = await open()
    const client = await testServer.createClient(publicClient)
    const pkce = makePkce()
    const form = codeForm(client, await obtainCode(testServer, client, pkce), pkce)
    const challenge = async (request: Form, nonce: string | undefined) => {
      const answer = await ask(testServer, client, request, await proofFor(testServer, key, { nonce }))
      const given = answer.headers.get('dpop-nonce')
      await assertError(answer, 400, 'use_dpop_nonce')
      assert.equal(answer.headers.get('pragma'), 'no-cache')
      assert.match(given ?? '', /^[A-Za-z0-9_-]{43}$/)
      return given!
    }
    const nonce = await challenge(form, undefined)
    for (const made of ['', 'made up', `${nonce}x`]) assert.equal(await challenge(form, made), nonce)
    const answer = await ask(testServer, client, form, await proofFor(testServer, key, { nonce }))
    assert.equal(answer.headers.get('dpop-nonce'), null, 'it stays good for a while')
    const tokens = await readTokens(answer)

    testServer.clock.advance(300_000)
    const fresh = await challenge(refreshForm(tokens.refresh_token!), nonce)
    assert.notEqual(fresh, nonce)
    const proof = await proofFor(testServer, key, { nonce: fresh })
    await readTokens(await ask(testServer, client, refreshForm(tokens.refresh_token!), proof))
  })

  test('RFC 9449 §8: a client that repeats the request with the nonce may use the same assertion (N100)', async () => {
    const testServer = await open()
    const { publicKey, privateKey } = await generateKeyPair('ES256')
    const { client } = await testServer.createClient({
      ...machine,
      tokenEndpointAuthMethod: 'private_key_jwt',
      jwks: { keys: [await exportJWK(publicKey)] },
    })
    const now = seconds(testServer)
    const assertion = await new SignJWT({ iss: client.id, sub: client.id, aud: issuer, jti: randomUUID() })
      .setProtectedHeader({ alg: 'ES256' })
      .setIssuedAt(now)
      .setExpirationTime(now + 60)
      .sign(privateKey)
    const form = {
      ...machineForm,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: assertion,
    }
    const send = async (nonce: string | undefined) =>
      testServer.post('/oauth/token', form, { dpop: await proofFor(testServer, key, { nonce }) })
    const challenged = await send(undefined)
    const nonce = challenged.headers.get('dpop-nonce')!
    await assertError(challenged, 400, 'use_dpop_nonce')
    await readTokens(await send(nonce))
    await assertError(await send(nonce), 401, 'invalid_client')
  })

  test('RFC 9449 §8.2: a nonce that will be stale soon is answered with the next one', async () => {
    const testServer = await open()
    const client = await testServer.createClient(machine)
    testServer.clock.advance(150_000 - (testServer.clock.now() % 150_000))
    const nonce = testServer.app.server.nonces.current(testServer.clock.now())
    const send = async () => ask(testServer, client, machineForm, await proofFor(testServer, key, { nonce }))
    testServer.clock.advance(149_999)
    const early = await send()
    assert.deepEqual([early.status, early.headers.get('dpop-nonce')], [200, null])
    testServer.clock.advance(1)
    const next = (await send()).headers.get('dpop-nonce')
    assert.equal(next, testServer.app.server.nonces.current(testServer.clock.now()))
    testServer.clock.advance(149_999)
    assert.equal((await send()).status, 200, 'five minutes at most')
    testServer.clock.advance(1)
    assert.equal((await send()).status, 400)
  })

  test('RFC 9449 §5.2: a client that is registered for bound tokens sends a proof or gets none (N101)', async () => {
    const testServer = await open()
    const client = await testServer.createClient({ ...publicClient, dpopBoundAccessTokens: true })
    const pkce = makePkce()
    const form = codeForm(client, await obtainCode(testServer, client, pkce), pkce)
    await assertError(await ask(testServer, client, form), 400, 'invalid_dpop_proof')
    const tokens = await readTokens(await ask(testServer, client, form, await proofFor(testServer, key)))
    await assertError(
      await refreshed(testServer, client, tokens.refresh_token!, null),
      400,
      'invalid_dpop_proof',
    )
    await readTokens(await refreshed(testServer, client, tokens.refresh_token!, key))
  })

  test('RFC 9449 §5: the refresh token of a public client is bound: another key, or none, is invalid_grant (N87)', async () => {
    const testServer = await open()
    const client = await testServer.createClient(publicClient)
    const tokens = await bound(testServer, client, key)
    for (const by of [otherKey, null]) {
      await assertError(await refreshed(testServer, client, tokens.refresh_token!, by), 400, 'invalid_grant')
    }
    const next = await readTokens(await refreshed(testServer, client, tokens.refresh_token!, key))
    assert.deepEqual(cnf(next.access_token), { jkt: key.jkt })
    await assertError(
      await refreshed(testServer, client, next.refresh_token!, otherKey),
      400,
      'invalid_grant',
    )
    await readTokens(await refreshed(testServer, client, next.refresh_token!, key))
  })

  test('RFC 9449 §5: a public client that comes with a key later gets its next refresh token bound to it (N87)', async () => {
    const testServer = await open()
    const client = await testServer.createClient(publicClient)
    const pkce = makePkce()
    const code = await obtainCode(testServer, client, pkce)
    const bearer = await readTokens(await ask(testServer, client, codeForm(client, code, pkce)))
    assert.equal(bearer.token_type, 'Bearer')
    const next = await readTokens(await refreshed(testServer, client, bearer.refresh_token!, key))
    assert.deepEqual(cnf(next.access_token), { jkt: key.jkt })
    const again = await readTokens(await refreshed(testServer, client, bearer.refresh_token!, key))
    assert.equal(again.refresh_token, next.refresh_token)
    for (const by of [otherKey, null]) {
      await assertError(await refreshed(testServer, client, next.refresh_token!, by), 400, 'invalid_grant')
    }
    await readTokens(await refreshed(testServer, client, next.refresh_token!, key))
  })

  test('RFC 9700 §4.14.2: a retry with the same key has the same successor; with another key, or none, the family ends (N84)', async () => {
    const testServer = await open()
    for (const input of [publicClient, {}]) {
      for (const thief of [otherKey, null]) {
        const client = await testServer.createClient(input)
        const kept = await bound(testServer, client, key)
        const { refresh_token: first } = await bound(testServer, client, key)
        const next = await readTokens(await refreshed(testServer, client, first!, key))
        const again = await readTokens(await refreshed(testServer, client, first!, key))
        assert.equal(again.refresh_token, next.refresh_token)
        assert.notEqual(again.access_token, next.access_token)
        assert.deepEqual(cnf(again.access_token), { jkt: key.jkt })
        await assertError(await refreshed(testServer, client, first!, thief), 400, 'invalid_grant')
        await assertError(await refreshed(testServer, client, next.refresh_token!, key), 400, 'invalid_grant')
        const [row] = await testServer.app.server.db.query<{ count: number }>(
          sql`select count(*) as count from events where type = 'reuse_detected' and client_id = ${client.client.id}`,
        )
        assert.equal(row!.count, 1)
        await readTokens(await refreshed(testServer, client, kept.refresh_token!, key))
      }
    }
  })

  test('RFC 9449 §5: the refresh token of a confidential client is bound to the client alone', async () => {
    const testServer = await open()
    const client = await testServer.createClient()
    const tokens = await bound(testServer, client, key)
    const next = await readTokens(await refreshed(testServer, client, tokens.refresh_token!, otherKey))
    assert.deepEqual(cnf(next.access_token), { jkt: otherKey.jkt })
    const bearer = await readTokens(await refreshed(testServer, client, next.refresh_token!, null))
    assert.equal(bearer.token_type, 'Bearer')
  })

  test('RFC 9449 §10: a code with dpop_jkt is good with that key alone, and other attempts do not spend it', async () => {
    const testServer = await open()
    for (const input of [publicClient, {}]) {
      const client = await testServer.createClient(input)
      const pkce = makePkce()
      const form = codeForm(client, await obtainCode(testServer, client, pkce, { dpop_jkt: key.jkt }), pkce)
      await assertError(
        await ask(testServer, client, form, await proofFor(testServer, otherKey)),
        400,
        'invalid_grant',
      )
      await assertError(await ask(testServer, client, form), 400, 'invalid_grant')
      const tokens = await readTokens(await ask(testServer, client, form, await proofFor(testServer, key)))
      assert.deepEqual(cnf(tokens.access_token), { jkt: key.jkt })
      const stored = await testServer.app.server.db.query<{ count: number }>(
        sql`select count(*) as count from sessions where client_id = ${client.client.id}`,
      )
      assert.equal(stored[0]!.count, 1)
    }
  })

  test('FAPI 2.0 Security Profile §5.3.2.1: a client of the profile gets no bearer token, and proves by its algorithms', async () => {
    const testServer = await open()
    const { publicKey, privateKey } = await generateKeyPair('ES256')
    const { client } = await testServer.createClient({
      ...machine,
      profile: 'fapi2',
      tokenEndpointAuthMethod: 'private_key_jwt',
      jwks: { keys: [await exportJWK(publicKey)] },
    })
    const send = async (proof?: string) => {
      const now = seconds(testServer)
      const client_assertion = await new SignJWT({
        iss: client.id,
        sub: client.id,
        aud: issuer,
        jti: randomUUID(),
      })
        .setProtectedHeader({ alg: 'ES256' })
        .setIssuedAt(now)
        .setExpirationTime(now + 60)
        .sign(privateKey)
      const client_assertion_type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
      const headers: Form = proof === undefined ? {} : { dpop: proof }
      return testServer.post(
        '/oauth/token',
        { ...machineForm, client_assertion_type, client_assertion },
        headers,
      )
    }
    await assertError(await send(), 400, 'invalid_dpop_proof')
    const rsa = await makeProofKey('RS256')
    await assertError(await send(await proofFor(testServer, rsa)), 400, 'invalid_dpop_proof')
    const pss = await makeProofKey('PS256')
    for (const by of [key, pss]) {
      assert.equal((await readTokens(await send(await proofFor(testServer, by)))).token_type, 'DPoP')
    }
  })

  test('RFC 9449 §8: browser code of other origins may read the nonce', async () => {
    const testServer = await open()
    const client = await testServer.createClient(publicClient)
    const headers = {
      origin: 'https://app.example.com',
      dpop: await proofFor(testServer, key, { nonce: undefined }),
    }
    const form = { ...refreshForm('x'), client_id: client.client.id }
    const answer = await testServer.post('/oauth/token', form, headers)
    assert.notEqual(answer.headers.get('dpop-nonce'), null)
    const exposed = answer.headers.get('access-control-expose-headers')!.split(', ')
    assert.ok(exposed.includes('dpop-nonce') && exposed.includes('www-authenticate'))
    const preflight = await testServer.request('/oauth/token', {
      method: 'OPTIONS',
      headers: { origin: 'https://app.example.com', 'access-control-request-headers': 'dpop' },
    })
    assert.match(preflight.headers.get('access-control-allow-headers') ?? '', /\bdpop\b/)
  })

  test('RFC 9449 §5.1: the metadata names the algorithms', async () => {
    const testServer = await open()
    const answer = await testServer.request('/.well-known/oauth-authorization-server')
    const metadata = (await answer.json()) as { dpop_signing_alg_values_supported: string[] }
    const algs = metadata.dpop_signing_alg_values_supported
    assert.deepEqual(algs, ['ES256', 'RS256', 'PS256', 'EdDSA', 'Ed25519'])
    const client = await testServer.createClient(machine)
    for (const alg of algs) {
      const proof = await proofFor(testServer, await makeProofKey(alg))
      assert.equal((await readTokens(await ask(testServer, client, machineForm, proof))).token_type, 'DPoP')
    }
  })

  test('RFC 9449 §8: nonces are good in every process, after a restart, and while root secrets rotate', async () => {
    const secrets = ['the first secret, which is long enough', 'the second secret, long enough as well']
    const testServer = await openTestServer(dialect, { secret: secrets[0]! })
    try {
      const client = await testServer.createClient(machine)
      const current = (app: TestServer['app']) => app.server.nonces.current(testServer.clock.now())
      const accepted = async (g: TestServer['g'], nonce: string) => {
        const { headers } = credentials(client)
        const dpop = await proofFor(testServer, key, { nonce })
        const type = { 'content-type': 'application/x-www-form-urlencoded' }
        const init = {
          method: 'POST',
          headers: { ...headers, ...type, dpop },
          body: 'grant_type=client_credentials',
        }
        const answer = await g.fetch(new Request(`${issuer}/oauth/token`, init))
        return { status: answer.status, next: answer.headers.get('dpop-nonce') }
      }
      const twin = await testServer.twin()
      const old = current(testServer.app)
      assert.equal(current(twin.app), old)
      assert.deepEqual(await accepted(twin.g, old), { status: 200, next: null })

      const rotated = await testServer.twin({ secret: [secrets[1]!, secrets[0]!] })
      const fresh = current(rotated.app)
      assert.notEqual(fresh, old)
      assert.deepEqual(await accepted(rotated.g, old), { status: 200, next: fresh })
      assert.deepEqual(await accepted(rotated.g, fresh), { status: 200, next: null })
      await testServer.g.replaceSecrets([secrets[1]!, secrets[0]!])
      assert.equal(current(testServer.app), fresh)
      assert.equal((await accepted(testServer.g, old)).status, 200)
      await testServer.g.replaceSecrets([secrets[1]!])
      assert.deepEqual(await accepted(testServer.g, old), { status: 400, next: fresh })
      assert.deepEqual(await accepted(testServer.g, fresh), { status: 200, next: null })
    } finally {
      await testServer.close()
    }
  })

  test('RFC 9449 §11.1: a process whose clock is ahead gives out nonces that the others take', async () => {
    const testServer = await open()
    const { nonces } = testServer.app.server
    const now = testServer.clock.now()
    assert.equal(nonces.ageOf(nonces.current(now + 150_000), now), 'fresh')
    assert.equal(nonces.ageOf(nonces.current(now + 300_000), now), 'unknown')
    assert.equal(nonces.ageOf(nonces.current(now - 150_000), now), 'ageing')
    assert.equal(nonces.ageOf(nonces.current(now - 300_000), now), 'unknown')
  })

  test('RFC 9449 §8: with optional nonces a proof needs none, but one that it holds must be good', async () => {
    const testServer = await openTestServer(dialect, { dpop: { nonces: 'optional' } })
    try {
      const client = await testServer.createClient(machine)
      const send = async (nonce: string | undefined) =>
        ask(testServer, client, machineForm, await proofFor(testServer, key, { nonce }))
      assert.equal((await send(undefined)).status, 200)
      await assertError(await send('made up'), 400, 'use_dpop_nonce')
      assert.equal((await send(testServer.app.server.nonces.current(testServer.clock.now()))).status, 200)
    } finally {
      await testServer.close()
    }
  })

  test('RFC 9449 §5: where bound tokens are required nobody gets another one, a certificate or not', async () => {
    const trust = { mutualTls: { certificateHeader: 'x-client-cert' }, trustedProxies: ['10.0.0.0/8'] }
    const testServer = await openTestServer(dialect, { dpop: { required: true }, ...trust })
    try {
      const certified = { ...machine, tlsClientCertificateBoundAccessTokens: true }
      for (const input of [machine, certified]) {
        const client = await testServer.createClient(input)
        await assertError(await ask(testServer, client, machineForm), 400, 'invalid_dpop_proof')
        const tokens = await readTokens(
          await ask(testServer, client, machineForm, await proofFor(testServer, key)),
        )
        assert.deepEqual([tokens.token_type, cnf(tokens.access_token)], ['DPoP', { jkt: key.jkt }])
      }
    } finally {
      await testServer.close()
    }
  })

  test('RFC 9449 §4.3, RFC 8705 §5: at the address for certificates the proof names that one, and is good once for both (N97, N99)', async () => {
    const origin = 'https://mtls.auth.example.com'
    const mutualTls = { certificateHeader: 'x-client-cert', origin }
    const testServer = await openTestServer(dialect, { mutualTls, trustedProxies: ['10.0.0.0/8'] })
    try {
      const client = await testServer.createClient(machine)
      const jti = randomUUID()
      const at = async (url: string, claims = {}) =>
        ask(testServer, client, machineForm, await proofFor(testServer, key, { url, claims }))
      assert.equal((await at(`${origin}/oauth/token`, { jti })).status, 200)
      await assertError(await at(`${issuer}/oauth/token`, { jti }), 400, 'invalid_dpop_proof')
      assert.equal((await at(`${issuer}/oauth/token`)).status, 200)
      await assertError(await at('https://other.example.com/oauth/token'), 400, 'invalid_dpop_proof')
    } finally {
      await testServer.close()
    }
  })
})

test('dpop: a mistake in the configuration is named', () => {
  const wrong = { nonces: 'never', required: 'yes' } as unknown as { required: boolean }
  assert.throws(
    () => resolveConfig({ issuer, secret, dpop: wrong }),
    (error) => {
      assert.ok(error instanceof ConfigError)
      assert.deepEqual(
        error.problems.map(({ path }) => path),
        ['dpop.nonces', 'dpop.required'],
      )
      return true
    },
  )
})
