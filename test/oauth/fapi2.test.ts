// The FAPI 2.0 Security Profile and Message Signing, one requirement a test, for a client of the profile `fapi2`.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import type { SigningKey } from '../../src/crypto/jws.ts'
import { sql } from '../../src/db/sql.ts'
import type { ClientInput } from '../../src/oauth/clients/client-input.ts'
import type { CreatedClient } from '../../src/oauth/clients/client-operations.ts'
import { assertion, clientKeys } from '../support/assertions.ts'
import { makeAuthority } from '../support/certificates.ts'
import { makeProofKey, type ProofKey, type ProofOptions, proofFor } from '../support/dpop.ts'
import {
  authorize,
  authorizeParameters,
  makePkce,
  type Pkce,
  readRedirect,
  readTokens,
  type Tokens,
} from '../support/flow.ts'
import {
  formText,
  issuer,
  onBothDatabases,
  openTestServer,
  type TestServer,
  testServerFor,
} from '../support/gatehouse.ts'
import { requestObject, withObject } from '../support/request-objects.ts'
import { assertJson, assertPage, assertRedirectError, grantsNothing, readAnswer } from './answers.ts'
import { countPushed, push, readPushed } from './authorization/pushing.ts'

const { ES256, RS256, PS256, EdDSA } = clientKeys
const permitted = { ES256, PS256, EdDSA }
const proofKey = await makeProofKey()
const otherKey = await makeProofKey()

/** A client of the profile, with the key it signs with. */
interface Party {
  server: TestServer
  created: CreatedClient
  key: SigningKey
}

async function fapiClient(server: TestServer, more: Partial<ClientInput> = {}, key = ES256): Promise<Party> {
  const created = await server.createClient({
    profile: 'fapi2',
    tokenEndpointAuthMethod: 'private_key_jwt',
    jwks: { keys: [key.publicJwk] },
    ...more,
  })
  return { server, created, key }
}

const sign = ({ created, key, server }: Party, overrides = {}) =>
  assertion(created, key, server.clock, overrides)

const pushAs = (party: Party, parameters: URLSearchParams, more: Record<string, string> = sign(party)) =>
  push(party.server, party.created, parameters, { form: more })

/** Pushes and authorizes; the answer at the client's redirect URI. */
async function authorizeAs(party: Party, pkce: Pkce, overrides = {}): Promise<Response> {
  const parameters = authorizeParameters(party.created, pkce, overrides)
  const { request_uri } = await readPushed(await pushAs(party, parameters))
  return authorize(party.server, new URLSearchParams({ client_id: party.created.client.id, request_uri }))
}

async function codeFor(party: Party, pkce: Pkce, overrides = {}): Promise<string> {
  return readAnswer(await authorizeAs(party, pkce, overrides)).get('code')!
}

interface Demand {
  proof?: ProofKey | null
  proofOptions?: ProofOptions
  assertion?: Record<string, string>
  more?: Record<string, string>
}

async function tokenRequest(party: Party, form: Record<string, string>, demand: Demand = {}) {
  const { proof = proofKey, proofOptions = {} } = demand
  const headers = proof === null ? undefined : { dpop: await proofFor(party.server, proof, proofOptions) }
  const own = demand.assertion ?? sign(party)
  return party.server.post('/oauth/token', { ...form, ...own, ...demand.more }, headers)
}

const redeemAs = (party: Party, code: string, pkce: Pkce, demand: Demand = {}) =>
  tokenRequest(
    party,
    {
      grant_type: 'authorization_code',
      code,
      code_verifier: pkce.verifier,
      redirect_uri: 'https://client.example/callback',
    },
    demand,
  )

const refreshAs = (party: Party, refresh_token: string, demand: Demand = {}) =>
  tokenRequest(party, { grant_type: 'refresh_token', refresh_token }, demand)

async function tokensFor(party: Party, overrides = {}): Promise<Tokens> {
  const pkce = makePkce()
  return readTokens(await redeemAs(party, await codeFor(party, pkce, overrides), pkce))
}

onBothDatabases('FAPI 2.0', (dialect) => {
  const open = testServerFor(dialect, {
    limits: { failuresPerNetwork: 100_000, clientAuthenticationFailures: 100_000 },
  })

  test('FAPI 2.0 Security Profile §5.3.2.1: the whole flow, with each algorithm the profile permits', async () => {
    const server = await open()
    for (const [alg, key] of Object.entries(permitted)) {
      const party = await fapiClient(server, {}, key)
      const pkce = makePkce()
      const dpop = await makeProofKey(alg)
      const code = await codeFor(party, pkce)
      const tokens = await readTokens(await redeemAs(party, code, pkce, { proof: dpop }))
      assert.equal(tokens.token_type, 'DPoP')
      assert.equal((decodeJwt(tokens.access_token)['cnf'] as { jkt: string }).jkt, dpop.jkt)
    }
  })

  test('FAPI 2.0 Security Profile §5.3.2.1-1: metadata tells what it needs', async () => {
    const server = await open()
    const metadata = (await (
      await server.request('/.well-known/oauth-authorization-server')
    ).json()) as Record<string, unknown>
    assert.equal(metadata.issuer, issuer)
    assert.equal(metadata.pushed_authorization_request_endpoint, `${issuer}/oauth/par`)
    assert.equal(metadata.authorization_response_iss_parameter_supported, true)
    assert.deepEqual(metadata.code_challenge_methods_supported, ['S256'])
    for (const name of [
      'dpop_signing_alg_values_supported',
      'token_endpoint_auth_signing_alg_values_supported',
      'request_object_signing_alg_values_supported',
    ]) {
      const algs = metadata[name] as string[]
      for (const alg of Object.keys(permitted)) assert.ok(algs.includes(alg), `${name} has ${alg}`)
      assert.ok(!algs.includes('none'))
    }
    assert.ok((metadata.token_endpoint_auth_methods_supported as string[]).includes('private_key_jwt'))
  })

  test('FAPI 2.0 Security Profile §5.3.2.1-2: the password grant is unsupported_grant_type', async () => {
    const server = await open()
    const party = await fapiClient(server)
    const form = { grant_type: 'password', username: 'alice', password: 'x' }
    await assertJson(
      await grantsNothing(server, () => tokenRequest(party, form)),
      400,
      'unsupported_grant_type',
    )
    await tokensFor(party)
  })

  test('FAPI 2.0 Security Profile §5.3.2.1-3, -6: only confidential clients with private_key_jwt or mTLS', async () => {
    const server = await open()
    for (const tokenEndpointAuthMethod of ['none', 'client_secret_basic', 'client_secret_post'] as const) {
      await assert.rejects(fapiClient(server, { tokenEndpointAuthMethod, jwks: undefined as never }))
    }
    const party = await fapiClient(server)
    assert.equal(party.created.secret, undefined)
    const { id } = party.created.client
    const pkce = makePkce()
    const code = await codeFor(party, pkce)
    const nothings: Record<string, string>[] = [{ client_id: id }, { client_id: id, client_secret: 'x' }]
    for (const nothing of nothings) {
      const answer = await grantsNothing(server, () => redeemAs(party, code, pkce, { assertion: nothing }))
      await assertJson(answer, 401, 'invalid_client')
    }
    await readTokens(await redeemAs(party, code, pkce))
  })

  test('FAPI 2.0 Security Profile §5.3.2.1-4, -5: no token without a key it is bound to; the code stays good', async () => {
    const server = await open()
    const party = await fapiClient(server, {
      grantTypes: ['authorization_code', 'refresh_token', 'client_credentials'],
    })
    const pkce = makePkce()
    const code = await codeFor(party, pkce)
    const bare = await grantsNothing(server, () => redeemAs(party, code, pkce, { proof: null }))
    await assertJson(bare, 400, 'invalid_dpop_proof')
    const machine = { grant_type: 'client_credentials' }
    const unbound = await grantsNothing(server, () => tokenRequest(party, machine, { proof: null }))
    await assertJson(unbound, 400, 'invalid_dpop_proof')
    assert.equal((await readTokens(await tokenRequest(party, machine))).token_type, 'DPoP')
    const tokens = await readTokens(await redeemAs(party, code, pkce))
    const again = await grantsNothing(server, () => refreshAs(party, tokens.refresh_token!, { proof: null }))
    await assertJson(again, 400, 'invalid_dpop_proof')
    const next = await readTokens(await refreshAs(party, tokens.refresh_token!, { proof: otherKey }))
    assert.equal((decodeJwt(next.access_token)['cnf'] as { jkt: string }).jkt, otherKey.jkt)
  })

  test('FAPI 2.0 Security Profile §5.3.2.1-5, -6: with mutual TLS for both', async () => {
    const authority = makeAuthority('Clients of Example', Date.UTC(2026, 0, 15, 12))
    const server = await openTestServer(dialect, {
      trustedProxies: ['10.0.0.0/8'],
      mutualTls: { certificateHeader: 'x-client-cert', authorities: authority.cert },
    })
    try {
      const { cert } = authority.issue(['client.example'])
      const created = await server.createClient({
        profile: 'fapi2',
        tokenEndpointAuthMethod: 'tls_client_auth',
        tlsClientAuthSanDns: 'client.example',
      })
      const { id } = created.client
      const post = (path: string, form: Record<string, string>, certificate: string | undefined) =>
        server.request(path, {
          method: 'POST',
          address: '10.1.2.3',
          headers: {
            'content-type': 'application/x-www-form-urlencoded',
            'x-forwarded-for': '203.0.113.9',
            ...(certificate === undefined ? {} : { 'x-client-cert': encodeURIComponent(certificate) }),
          },
          body: formText(form),
        })
      const pkce = makePkce()
      const parameters = Object.fromEntries(authorizeParameters(created, pkce))
      await assertJson(await post('/oauth/par', parameters, undefined), 401, 'invalid_client')
      const { request_uri } = await readPushed(await post('/oauth/par', parameters, cert))
      const asked = new URLSearchParams({ client_id: id, request_uri })
      const code = readAnswer(await authorize(server, asked)).get('code')!
      const form = {
        grant_type: 'authorization_code',
        client_id: id,
        code,
        code_verifier: pkce.verifier,
        redirect_uri: parameters.redirect_uri!,
      }
      await assertJson(await post('/oauth/token', form, undefined), 401, 'invalid_client')
      const tokens = await readTokens(await post('/oauth/token', form, cert))
      assert.ok((decodeJwt(tokens.access_token)['cnf'] as Record<string, string>)['x5t#S256'])
    } finally {
      await server.close()
    }
  })

  test('FAPI 2.0 Security Profile §5.3.2.1-7: no redirect to an address that is not registered, none unasked', async () => {
    const server = await open()
    const party = await fapiClient(server)
    for (const redirect_uri of [
      'https://elsewhere.example/',
      'https://client.example/callback/../x',
      undefined,
    ]) {
      const plain = authorizeParameters(party.created, makePkce(), { redirect_uri })
      await assertPage(await grantsNothing(server, () => authorize(server, plain)))
    }
    await tokensFor(party)
  })

  test('FAPI 2.0 Security Profile §5.3.2.1-8: the audience of an assertion is the issuer, as a text', async () => {
    const server = await open()
    const party = await fapiClient(server)
    const parameters = authorizeParameters(party.created, makePkce())
    for (const aud of [
      [issuer],
      `${issuer}/oauth/token`,
      `${issuer}/oauth/par`,
      `${issuer}/`,
      [issuer, 'https://other.example'],
      undefined,
    ]) {
      const before = await countPushed(server)
      await assertJson(await pushAs(party, parameters, sign(party, { aud })), 401, 'invalid_client')
      assert.equal(await countPushed(server), before)
    }
    await readPushed(await pushAs(party, parameters))
  })

  test('FAPI 2.0 Security Profile §5.3.2.1-9: a refresh token is not replaced, lives on with its use and ends with its session', async () => {
    const server = await open()
    const party = await fapiClient(server, { refreshTokenLifetime: 3_600 })
    const tokens = await tokensFor(party)
    const refreshToken = tokens.refresh_token!
    for (let n = 0; n < 3; n++) {
      server.clock.advance(50 * 60_000)
      const answer = await readTokens(await refreshAs(party, refreshToken))
      assert.equal(answer.refresh_token, undefined)
    }
    const together = await Promise.all(Array.from({ length: 5 }, () => refreshAs(party, refreshToken)))
    const issued = await Promise.all(together.map(readTokens))
    assert.equal(new Set(issued.map((one) => one.access_token)).size, 5)
    const thief = await fapiClient(server)
    await assertJson(await refreshAs(thief, refreshToken), 400, 'invalid_grant')
    await readTokens(await refreshAs(party, refreshToken))
    server.clock.advance(3_600_000)
    await assertJson(await refreshAs(party, refreshToken), 400, 'invalid_grant')

    const ended = await tokensFor(party)
    await server.post('/oauth/revoke', { token: ended.refresh_token!, ...sign(party) })
    await assertJson(await refreshAs(party, ended.refresh_token!), 400, 'invalid_grant')
  })

  test('FAPI 2.0 Security Profile §5.3.2.1-9: the expiry of a refresh token in use moves by no less than a hundredth of its life', async () => {
    const server = await open()
    const party = await fapiClient(server, { refreshTokenLifetime: 3_600 })
    const { refresh_token } = await tokensFor(party)
    const expiry = async () => {
      const id = refresh_token!.slice(6, 32)
      const [row] = await server.app.server.db.query<{ expires_at: number }>(
        sql`select expires_at from refresh_tokens where id = ${id}`,
      )
      return row!.expires_at
    }
    const first = await expiry()
    server.clock.advance(35_000)
    await readTokens(await refreshAs(party, refresh_token!))
    assert.equal(await expiry(), first)
    server.clock.advance(1_000)
    await readTokens(await refreshAs(party, refresh_token!))
    assert.equal(await expiry(), first + 36_000)
  })

  test('FAPI 2.0 Security Profile §5.3.2.1-11: a code lives for 60 seconds at most, whatever is configured', async () => {
    const server = await open()
    for (const more of [{}, { codeLifetime: 600 }]) {
      const party = await fapiClient(server, more)
      const pkce = makePkce()
      const late = await codeFor(party, pkce)
      server.clock.advance(60_000)
      await assertJson(await grantsNothing(server, () => redeemAs(party, late, pkce)), 400, 'invalid_grant')
      const timely = await codeFor(party, pkce)
      server.clock.advance(59_000)
      await readTokens(await redeemAs(party, timely, pkce))
    }
  })

  test('FAPI 2.0 Security Profile §5.3.2.1-12: a code is bound to the key named when it was asked for', async () => {
    const server = await open()
    const party = await fapiClient(server)
    const pkce = makePkce()
    const parameters = authorizeParameters(party.created, pkce)
    const dpop = await proofFor(server, proofKey, { url: `${issuer}/oauth/par` })
    const named = authorizeParameters(party.created, pkce, { dpop_jkt: proofKey.jkt })
    for (const pushed of [
      await push(server, party.created, parameters, { form: sign(party), headers: { dpop } }),
      await pushAs(party, named),
    ]) {
      const { request_uri } = await readPushed(pushed)
      const asked = new URLSearchParams({ client_id: party.created.client.id, request_uri })
      const code = readAnswer(await authorize(server, asked)).get('code')!
      const stolen = await grantsNothing(server, () => redeemAs(party, code, pkce, { proof: otherKey }))
      await assertJson(stolen, 400, 'invalid_grant')
      await readTokens(await redeemAs(party, code, pkce))
    }
  })

  test('FAPI 2.0 Security Profile §5.3.2.1-13: JWTs from 10 seconds ahead are accepted, from beyond 60 refused', async () => {
    const server = await open()
    const party = await fapiClient(server)
    const parameters = authorizeParameters(party.created, makePkce())
    const now = Math.floor(server.clock.now() / 1_000)
    const object = (overrides: object) =>
      pushAs(
        party,
        withObject(
          party.created,
          requestObject(party.created, ES256, server.clock, parameters, { ...overrides }),
        ),
      )
    for (const claim of ['iat', 'nbf']) {
      await readPushed(await pushAs(party, parameters, sign(party, { [claim]: now + 10 })))
      await readPushed(await object({ [claim]: now + 10 }))
      const late = await pushAs(party, parameters, sign(party, { [claim]: now + 61 }))
      await assertJson(late, 401, 'invalid_client')
      await assertJson(await object({ [claim]: now + 61 }), 400, 'invalid_request_object')
    }
    const pkce = makePkce()
    const code = await codeFor(party, pkce)
    const ahead = (seconds: number) => ({ proofOptions: { claims: { iat: now + seconds } } })
    await assertJson(await redeemAs(party, code, pkce, ahead(61)), 400, 'invalid_dpop_proof')
    await readTokens(await redeemAs(party, code, pkce, ahead(10)))
  })

  test('FAPI 2.0 Security Profile §5.3.2.2-1, -3: the code flow, pushed; everything else is refused (N38)', async () => {
    const server = await open()
    const party = await fapiClient(server)
    const plain = authorizeParameters(party.created, makePkce())
    assertRedirectError(await grantsNothing(server, () => authorize(server, plain)), 'invalid_request')
    const object = requestObject(party.created, ES256, server.clock, plain)
    const sent = withObject(party.created, object)
    assertRedirectError(await grantsNothing(server, () => authorize(server, sent)), 'invalid_request')
    for (const response_type of ['token', 'code id_token']) {
      const other = authorizeParameters(party.created, makePkce(), { response_type })
      await assertJson(await pushAs(party, other), 400, 'unsupported_response_type')
    }
    await tokensFor(party)
  })

  test('FAPI 2.0 Security Profile §5.3.2.2-4: a push without client authentication is invalid_client', async () => {
    const server = await open()
    const party = await fapiClient(server)
    const stranger = await fapiClient(server)
    const parameters = authorizeParameters(party.created, makePkce())
    const before = await countPushed(server)
    const forms: Record<string, string>[] = [
      {},
      { client_secret: 'x' },
      sign({ ...party, key: RS256 }),
      sign(stranger),
    ]
    for (const form of forms) {
      await assertJson(await pushAs(party, parameters, form), 401, 'invalid_client')
    }
    const once = sign(party)
    assert.equal(await countPushed(server), before)
    await readPushed(await pushAs(party, parameters, once))
    await assertJson(await pushAs(party, parameters, once), 401, 'invalid_client')
  })

  test('FAPI 2.0 Security Profile §5.3.2.2-5: PKCE with S256, which nobody can lift', async () => {
    const server = await open()
    await assert.rejects(fapiClient(server, { requirePkce: false }), /requirePkce/)
    const party = await fapiClient(server)
    await server.app.server.db.query(
      sql`update clients set require_pkce = 0 where id = ${party.created.client.id}`,
    )
    server.clock.advance(1_000)
    for (const overrides of [
      { code_challenge: undefined, code_challenge_method: undefined },
      { code_challenge_method: 'plain' },
      { code_challenge_method: undefined },
    ]) {
      const parameters = authorizeParameters(party.created, makePkce(), overrides)
      await assertJson(await pushAs(party, parameters), 400, 'invalid_request')
    }
    const pkce = makePkce()
    const code = await codeFor(party, pkce)
    await assertJson(await redeemAs(party, code, makePkce()), 400, 'invalid_grant')
    await readTokens(await redeemAs(party, code, pkce))
  })

  test('FAPI 2.0 Security Profile §5.3.2.2-6: a push names its redirect URI, though there is but one', async () => {
    const server = await open()
    const party = await fapiClient(server)
    const parameters = authorizeParameters(party.created, makePkce(), { redirect_uri: undefined })
    await assertJson(await pushAs(party, parameters), 400, 'invalid_request')
    await tokensFor(party)
  })

  test('FAPI 2.0 Security Profile §5.3.2.2-7: every answer names the issuer', async () => {
    const server = await open()
    const party = await fapiClient(server)
    const granted = await authorizeAs(party, makePkce())
    const refused = await authorizeAs(party, makePkce(), { prompt: 'none', scope: 'resume:read' })
    for (const answer of [granted, refused]) assert.equal(readRedirect(answer).parameters.iss, issuer)
    assertRedirectError(refused, 'consent_required')
  })

  test('FAPI 2.0 Security Profile §5.3.2.2-8: answers go over https, or to the program on the same computer', async () => {
    const server = await open()
    const redirectUris = ['http://127.0.0.1/callback']
    await assert.rejects(fapiClient(server, { redirectUris }), /https/)
    await assert.rejects(fapiClient(server, { redirectUris: ['http://client.example/callback'] }), /https/)
    await fapiClient(server, { redirectUris, applicationType: 'native' })
    await fapiClient(server)
  })

  test('FAPI 2.0 Security Profile §5.3.2.2-9: a code used before is invalid_grant and ends what came of it', async () => {
    const server = await open()
    const party = await fapiClient(server)
    const pkce = makePkce()
    const code = await codeFor(party, pkce)
    const tokens = await readTokens(await redeemAs(party, code, pkce))
    await assertJson(await redeemAs(party, code, pkce), 400, 'invalid_grant')
    await assertJson(await refreshAs(party, tokens.refresh_token!), 400, 'invalid_grant')
  })

  test('FAPI 2.0 Security Profile §5.3.2.2-10, -11: the answer to a form is 303, never 307', async () => {
    const server = await open()
    const party = await fapiClient(server)
    const answer = await authorizeAs(party, makePkce(), { prompt: 'consent' })
    assert.equal(answer.status, 303)
    readAnswer(answer)
  })

  test('FAPI 2.0 Security Profile §5.3.2.2-12: a request_uri expires in less than 600 seconds and is good once', async () => {
    const server = await open()
    const party = await fapiClient(server)
    const parameters = authorizeParameters(party.created, makePkce())
    const { expires_in, request_uri } = await readPushed(await pushAs(party, parameters))
    assert.ok(expires_in > 5 && expires_in < 600)
    const asked = new URLSearchParams({ client_id: party.created.client.id, request_uri })
    readAnswer(await authorize(server, asked))
    await assertPage(await grantsNothing(server, () => authorize(server, asked)), 400, {
      shows: ['invalid_request_uri'],
    })
  })

  test('FAPI 2.0 Security Profile §5.3.2.1-14: a refresh may narrow and never widen', async () => {
    const server = await open()
    const party = await fapiClient(server)
    const tokens = await tokensFor(party, { scope: 'jobs:read resume:read' })
    const narrow = { more: { scope: 'jobs:read' } }
    const wide = { more: { scope: 'jobs:read applications:write' } }
    assert.equal((await readTokens(await refreshAs(party, tokens.refresh_token!, narrow))).scope, 'jobs:read')
    const refused = await grantsNothing(server, () => refreshAs(party, tokens.refresh_token!, wide))
    await assertJson(refused, 400, 'invalid_scope')
    const other = await refreshAs(party, tokens.refresh_token!, { more: { resource: 'https://api.example' } })
    await assertJson(other, 400, 'invalid_target')
    await readTokens(await refreshAs(party, tokens.refresh_token!))
  })

  test('FAPI 2.0 Security Profile §5.2.2: browser code of other origins cannot read the authorization endpoint', async () => {
    const server = await open()
    const party = await fapiClient(server)
    const parameters = authorizeParameters(party.created, makePkce())
    const { request_uri } = await readPushed(await pushAs(party, parameters))
    const asked = new URLSearchParams({ client_id: party.created.client.id, request_uri, prompt: 'none' })
    const answer = await server.request(`/oauth/authorize?${asked}`, {
      headers: { origin: 'https://client.example' },
    })
    assert.equal(answer.headers.get('access-control-allow-origin'), null)
    const preflight = await server.request('/oauth/authorize', {
      method: 'OPTIONS',
      headers: { origin: 'https://client.example', 'access-control-request-method': 'GET' },
    })
    assert.equal(preflight.headers.get('access-control-allow-origin'), null)
  })

  test('FAPI 2.0 Security Profile §5.3.4: an API refuses a bound token without its proof', async () => {
    const server = await open()
    const party = await fapiClient(server)
    const { access_token: token } = await tokensFor(party)
    const url = `${issuer}/api`
    const ask = async (headers: Record<string, string>) =>
      server.g.authenticate(new Request(url, { headers }), { scope: ['jobs:read'] })
    const proof = (key: ProofKey) => proofFor(server, key, { method: 'GET', url, accessToken: token })
    const bearer = await ask({ authorization: `Bearer ${token}` })
    assert.equal(bearer.ok, false)
    const other = await ask({ authorization: `DPoP ${token}`, dpop: await proof(otherKey) })
    assert.equal(other.ok, false)
    const good = await ask({ authorization: `DPoP ${token}`, dpop: await proof(proofKey) })
    assert.equal(good.ok, true)
  })

  test('FAPI 2.0 Security Profile §5.4.1: RS256 is refused wherever a client signs, and is signed with nowhere', async () => {
    const server = await open()
    const party = await fapiClient(server, { jwks: { keys: [ES256.publicJwk, RS256.publicJwk] } })
    const parameters = authorizeParameters(party.created, makePkce())
    await assertJson(await pushAs(party, parameters, sign({ ...party, key: RS256 })), 401, 'invalid_client')
    const object = requestObject(party.created, RS256, server.clock, parameters)
    await assertJson(await pushAs(party, withObject(party.created, object)), 400, 'invalid_request_object')
    const pkce = makePkce()
    const rsaProof = await makeProofKey('RS256')
    const dpop = await proofFor(server, rsaProof, { url: `${issuer}/oauth/par` })
    const bound = await push(server, party.created, parameters, { form: sign(party), headers: { dpop } })
    await assertJson(bound, 400, 'invalid_dpop_proof')
    const code = await codeFor(party, pkce)
    const refused = await grantsNothing(server, () => redeemAs(party, code, pkce, { proof: rsaProof }))
    await assertJson(refused, 400, 'invalid_dpop_proof')
    const { access_token } = await readTokens(await redeemAs(party, code, pkce))
    assert.equal(decodeProtectedHeader(access_token).alg, 'ES256')
    for (const name of [
      'tokenEndpointAuthSigningAlg',
      'requestObjectSigningAlg',
      'idTokenSignedResponseAlg',
      'userinfoSignedResponseAlg',
      'authorizationSignedResponseAlg',
      'introspectionSignedResponseAlg',
    ] as const) {
      await assert.rejects(fapiClient(server, { [name]: 'RS256' }), new RegExp(name))
      await fapiClient(server, { [name]: 'PS256' })
    }
  })

  test('FAPI 2.0: a client of another profile is free of all this', async () => {
    const server = await open()
    const created = await server.createClient()
    assert.ok(readAnswer(await authorize(server, authorizeParameters(created, makePkce()))).get('code'))
  })
})

onBothDatabases('FAPI 2.0 Message Signing', (dialect) => {
  const open = testServerFor(dialect, { fapi2: { messageSigning: true } })

  async function pushSigned(party: Party, pkce: Pkce, overrides: Record<string, unknown> = {}, claims = {}) {
    const parameters = authorizeParameters(party.created, pkce, { response_mode: 'jwt', ...overrides })
    const object = requestObject(party.created, party.key, party.server.clock, parameters, claims)
    return pushAs(party, withObject(party.created, object))
  }

  async function answerTo(party: Party, pushed: Response): Promise<Record<string, unknown>> {
    const { request_uri } = await readPushed(pushed)
    const asked = new URLSearchParams({ client_id: party.created.client.id, request_uri })
    const { parameters } = readRedirect(await authorize(party.server, asked))
    assert.deepEqual(Object.keys(parameters), ['response'])
    return decodeJwt(parameters.response!)
  }

  test('FAPI 2.0 Message Signing §5.3.1-1: requests are signed and pushed; unsigned ones are invalid_request', async () => {
    const server = await open()
    const party = await fapiClient(server)
    const pkce = makePkce()
    const unsigned = authorizeParameters(party.created, pkce, { response_mode: 'jwt' })
    await assertJson(await pushAs(party, unsigned), 400, 'invalid_request')
    const { code } = await answerTo(party, await pushSigned(party, pkce))
    await readTokens(await redeemAs(party, String(code), pkce))
  })

  test('FAPI 2.0 Message Signing §5.3.1-2: the audience of a request is the issuer, or a list with it', async () => {
    const server = await open()
    const party = await fapiClient(server)
    for (const aud of [undefined, 'https://other.example', `${issuer}/oauth/par`]) {
      const refused = await pushSigned(party, makePkce(), {}, { aud })
      await assertJson(refused, 400, 'invalid_request_object')
    }
    for (const aud of [issuer, [issuer, 'https://other.example']])
      await readPushed(await pushSigned(party, makePkce(), {}, { aud }))
  })

  test('FAPI 2.0 Message Signing §5.3.1-3, -4: nbf within the last 60 minutes, exp within 60 minutes of it', async () => {
    const server = await open()
    const party = await fapiClient(server)
    const now = Math.floor(server.clock.now() / 1_000)
    for (const claims of [
      { nbf: undefined },
      { nbf: now - 3_601 },
      { nbf: String(now) },
      { exp: undefined },
      { nbf: now - 600, exp: now + 3_001 },
    ]) {
      await assertJson(await pushSigned(party, makePkce(), {}, claims), 400, 'invalid_request_object')
    }
    for (const claims of [
      { nbf: now - 3_000, exp: now + 600 },
      { nbf: now, exp: now + 3_600 },
    ])
      await readPushed(await pushSigned(party, makePkce(), {}, claims))
  })

  test('FAPI 2.0 Message Signing §5.4.1: answers and errors are signed; no other mode is accepted', async () => {
    const server = await open()
    const party = await fapiClient(server)
    for (const response_mode of [undefined, 'query', 'form_post']) {
      await assertJson(await pushSigned(party, makePkce(), { response_mode }), 400, 'invalid_request')
    }
    const granted = await answerTo(party, await pushSigned(party, makePkce()))
    assert.equal(granted['iss'], issuer)
    assert.equal(granted['aud'], party.created.client.id)
    assert.ok(granted['code'])
    const silent = { prompt: 'none', scope: 'resume:read' }
    const refused = await answerTo(party, await pushSigned(party, makePkce(), silent))
    assert.equal(refused['error'], 'consent_required')
  })

  test('FAPI 2.0 Message Signing: clients of other profiles are asked for none of it', async () => {
    const server = await open()
    const created = await server.createClient()
    assert.ok(readAnswer(await authorize(server, authorizeParameters(created, makePkce()))).get('code'))
  })
})
