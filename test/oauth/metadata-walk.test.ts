// Walks every value that the metadata advertises: a request uses it and works, and what is not advertised is refused. A member
// without a walker fails.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose'
import { type Algorithm, algorithms } from '../../src/crypto/jws.ts'
import type { ClientInput } from '../../src/oauth/clients/client-input.ts'
import { deliverLogouts } from '../../src/oauth/logout/back-channel-logout.ts'
import { assertion, clientKeys, keyNamed, registeredWith } from '../support/assertions.ts'
import { serveClient } from '../support/described-clients.ts'
import { askDevice, deviceGrant, obtainDeviceTokens } from '../support/device.ts'
import { makeProofKey, proofFor } from '../support/dpop.ts'
import { bring, identityAssertion, jwtBearerGrant } from '../support/enterprise.ts'
import {
  answerConsent,
  authorize,
  authorizeParameters,
  credentials,
  introspect,
  makePkce,
  obtainCode,
  obtainTokens,
  readConsent,
  readRedirect,
  readTokens,
  refresh,
  type Tokens,
} from '../support/flow.ts'
import { issuer, onBothDatabases, openTestServer, type TestServer } from '../support/gatehouse.ts'
import { register, registered } from '../support/registration.ts'
import { requestObject, withObject } from '../support/request-objects.ts'
import { assertJson, assertPage, assertRedirectError, grantsNothing, readAnswer } from './answers.ts'
import { push, pushed } from './authorization/pushing.ts'
import {
  acrValues,
  api,
  askedBy,
  exchangeGrant,
  makeProver,
  metadataOf,
  openWalk,
  send,
  signIn,
  tokensFor,
  unspoken,
  type Walk,
  wayBack,
} from './authorization/walking.ts'

type OpenidTokens = Tokens & { id_token: string }
type Walker = (walk: Walk, value: never) => Promise<void>

/** An endpoint that is where the metadata says, and does what it is for. */
const endpoint =
  (path: string, use: (walk: Walk, path: string) => Promise<unknown>): Walker =>
  async (walk, value: string) => {
    assert.equal(value, issuer + path)
    await use(walk, path)
  }

/** Each value of a list works, and others do not. */
const each =
  (use: (walk: Walk, value: never) => Promise<unknown>, refused?: (walk: Walk) => Promise<unknown>): Walker =>
  async (walk, values: string[]) => {
    assert.ok(values.length > 0)
    for (const value of values) await use(walk, value as never)
    await refused?.(walk)
  }

/** Each algorithm is one a client may register for its answers, and others are not. */
const answersSignedBy = (
  member: keyof ClientInput & `${string}SignedResponseAlg`,
  read: (walk: Walk, input: Partial<ClientInput>) => Promise<string>,
): Walker =>
  each(
    async (walk, alg: Algorithm) => {
      const signed = await read(walk, { [member]: alg })
      const keys = createLocalJWKSet(await keysOf(walk.server))
      const currentDate = new Date(walk.server.clock.now())
      await jwtVerify(signed, keys, { algorithms: [alg], currentDate })
    },
    async ({ server }) => {
      for (const alg of unspoken) await assert.rejects(server.createClient({ [member]: alg }), alg)
      await server.createClient({ [member]: 'ES256' })
    },
  )

async function keysOf(server: TestServer): Promise<JSONWebKeySet> {
  return (await (await server.request('/.well-known/jwks.json')).json()) as JSONWebKeySet
}

const bearer = (token: string, scheme = 'Bearer') => ({ authorization: `${scheme} ${token}` })

/** What clients prove themselves for: the form they send, and whether the answer took them for who they are. */
const proving = {
  '/oauth/token': async (walk: Walk, prover: Awaited<ReturnType<typeof makeProver>>) =>
    void (await tokensFor(walk, prover)),
  '/oauth/introspect': async (walk: Walk, prover: Awaited<ReturnType<typeof makeProver>>) => {
    const { access_token } = await tokensFor(walk, prover)
    const answer = await send(walk, '/oauth/introspect', { token: access_token }, prover.proof())
    assert.equal(((await answer.json()) as { active: boolean }).active, true)
  },
  '/oauth/revoke': async (walk: Walk, prover: Awaited<ReturnType<typeof makeProver>>) => {
    const { access_token } = await tokensFor(walk, prover)
    const answer = await send(walk, '/oauth/revoke', { token: access_token }, prover.proof())
    assert.equal(answer.status, 200)
    const call = new Request(`${api}/`, { headers: bearer(access_token) })
    assert.equal((await walk.server.g.authenticate(call, { resource: api })).ok, false)
  },
} as const
type ProvingPath = keyof typeof proving

const methodsAt = (path: ProvingPath): Walker =>
  each(
    async (walk, method: string) => proving[path](walk, await makeProver(walk, method)),
    async (walk) => {
      for (const method of ['client_secret_jwt', 'made_up'])
        await assert.rejects(walk.server.createClient({ tokenEndpointAuthMethod: method as never }), method)
      if (path !== '/oauth/introspect') return
      const prover = await makeProver(walk, 'none')
      const { access_token } = await tokensFor(walk, prover)
      const answer = await send(walk, path, { token: access_token }, prover.proof())
      await assertJson(answer, 401, 'invalid_client')
    },
  )

const assertionsAt = (path: ProvingPath): Walker =>
  each(
    async (walk, alg: Algorithm) => proving[path](walk, await makeProver(walk, 'private_key_jwt', alg)),
    async (walk) => {
      const { client } = await makeProver(walk, 'private_key_jwt')
      for (const alg of unspoken) {
        const form = assertion(client, clientKeys.ES256, walk.server.clock, {}, { alg })
        await assertJson(await send(walk, path, { token: 'x' }, { form, headers: {} }), 401, 'invalid_client')
      }
    },
  )

const walkers: Record<string, Walker> = {
  async issuer({ server, agent }, value: string) {
    assert.equal(value, issuer)
    const { access_token, id_token } = (await obtainTokens(server, agent, {
      scope: 'openid',
    })) as OpenidTokens
    assert.equal(decodeJwt(access_token).iss, value)
    assert.equal(decodeJwt(id_token).iss, value)
  },

  authorization_endpoint: endpoint('/oauth/authorize', ({ server, agent }) => obtainCode(server, agent)),
  token_endpoint: endpoint('/oauth/token', ({ server, agent }) => obtainTokens(server, agent)),
  introspection_endpoint: endpoint('/oauth/introspect', async ({ server, agent }) => {
    const { access_token } = await obtainTokens(server, agent)
    assert.equal((await introspect(server, agent, access_token)).active, true)
  }),
  revocation_endpoint: endpoint('/oauth/revoke', async ({ server, agent }, path) => {
    const { access_token, refresh_token } = await obtainTokens(server, agent)
    const { headers, form } = credentials(agent)
    assert.equal((await server.post(path, { token: refresh_token!, ...form }, headers)).status, 200)
    assert.equal((await introspect(server, agent, access_token)).active, false)
  }),
  userinfo_endpoint: endpoint('/oauth/userinfo', async ({ server, agent }, path) => {
    const { access_token } = await obtainTokens(server, agent, { scope: 'openid' })
    assert.equal((await server.request(path, { headers: bearer(access_token) })).status, 200)
  }),
  end_session_endpoint: endpoint('/oauth/logout', async ({ server, agent }, path) => {
    const tokens = (await obtainTokens(server, agent, { scope: 'openid' })) as OpenidTokens
    const query = new URLSearchParams({
      id_token_hint: tokens.id_token,
      post_logout_redirect_uri: 'https://client.example/goodbye',
    })
    const answer = await server.request(`${path}?${query}`)
    const cookies = answer.headers.getSetCookie().map((one) => one.split(';')[0])
    const back = await server.request(answer.headers.get('location')!, { cookie: cookies.join('; ') })
    assert.equal(back.headers.get('location'), 'https://client.example/goodbye')
    assert.equal(server.signedIn.account, null)
    assert.equal((await introspect(server, agent, tokens.access_token)).active, false)
    signIn(server)
  }),
  jwks_uri: endpoint('/.well-known/jwks.json', async ({ server, agent }) => {
    const { access_token } = await obtainTokens(server, agent)
    const currentDate = new Date(server.clock.now())
    await jwtVerify(access_token, createLocalJWKSet(await keysOf(server)), { currentDate, issuer })
  }),
  pushed_authorization_request_endpoint: endpoint('/oauth/par', async ({ server, agent }) => {
    const asked = await pushed(server, agent, authorizeParameters(agent, makePkce()))
    assert.ok(readAnswer(await authorize(server, asked)).get('code'))
  }),
  registration_endpoint: endpoint('/oauth/register', ({ server }) => registered(server)),
  device_authorization_endpoint: endpoint('/oauth/device_authorization', ({ server, agent }) =>
    obtainDeviceTokens(server, agent),
  ),
  async mtls_endpoint_aliases(walk, aliases: Record<string, string>) {
    for (const [name, url] of Object.entries(aliases)) {
      assert.equal(url, `https://mtls.example${String(walk.metadata[name]).slice(issuer.length)}`, name)
    }
    for (const path of Object.keys(proving) as ProvingPath[])
      await proving[path](walk, await makeProver(walk, 'tls_client_auth'))
  },

  scopes_supported: each(
    async ({ server, agent }, scope: string) => {
      assert.equal((await obtainTokens(server, agent, { scope })).scope, scope)
    },
    async (walk) => {
      const { query } = await askedBy(walk, { scope: 'made:up' })
      assertRedirectError(
        await grantsNothing(walk.server, () => authorize(walk.server, query)),
        'invalid_scope',
      )
    },
  ),
  response_types_supported: each(
    async (walk, response_type: string) => {
      const { query } = await askedBy(walk, { response_type })
      assert.ok(readAnswer(await authorize(walk.server, query)).get('code'))
    },
    async (walk) => {
      for (const response_type of ['token', 'id_token', 'code id_token', 'id_token token', 'none']) {
        const { query } = await askedBy(walk, { response_type, scope: 'openid', nonce: 'x' })
        const answer = await grantsNothing(walk.server, () => authorize(walk.server, query))
        assertRedirectError(answer, 'unsupported_response_type')
      }
    },
  ),
  response_modes_supported: each(
    async (walk, response_mode: string) => {
      const { query } = await askedBy(walk, { response_mode })
      let answer = await walk.server.request(`/oauth/authorize?${query}`)
      if (answer.status === 200)
        answer = await answerConsent(walk.server, await readConsent(answer), { decision: 'allow' })
      const fields = response_mode.startsWith('form_post')
        ? (await readConsent(answer)).fields
        : response_mode.startsWith('fragment')
          ? Object.fromEntries(new URLSearchParams(new URL(answer.headers.get('location')!).hash.slice(1)))
          : readRedirect(answer).parameters
      const response = response_mode.endsWith('jwt') ? decodeJwt(fields.response!) : fields
      assert.match(String(response['code']), /^gh_ac_/)
    },
    async (walk) => {
      for (const response_mode of ['web_message', 'web_message.jwt']) {
        const { query } = await askedBy(walk, { response_mode })
        await assertPage(await grantsNothing(walk.server, () => authorize(walk.server, query)))
      }
    },
  ),
  grant_types_supported: each(
    async (walk, grant: string) => {
      const { server, agent } = walk
      const { headers, form } = credentials(agent)
      const first = await obtainTokens(server, agent, { resource: api })
      const granted: Record<string, () => Promise<unknown>> = {
        authorization_code: async () => first,
        refresh_token: async () => readTokens(await refresh(server, agent, first.refresh_token!)),
        client_credentials: async () =>
          readTokens(await server.post('/oauth/token', { grant_type: grant, ...form }, headers)),
        [deviceGrant]: () => obtainDeviceTokens(server, agent),
        [exchangeGrant]: async () =>
          readTokens(
            await server.post(
              '/oauth/token',
              {
                grant_type: grant,
                subject_token: first.access_token,
                subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
                resource: 'https://mail.example',
                ...form,
              },
              headers,
            ),
          ),
        [jwtBearerGrant]: async () =>
          readTokens(
            await bring(server, agent, identityAssertion(clientKeys.RS256, 'agent', server.clock.now())),
          ),
      }
      assert.ok(granted[grant], `a client that uses ${grant}`)
      await granted[grant]()
    },
    async ({ server, agent }) => {
      const { headers, form } = credentials(agent)
      for (const grant_type of ['password', 'implicit', 'urn:ietf:params:oauth:grant-type:saml2-bearer']) {
        const answer = await server.post('/oauth/token', { grant_type, ...form }, headers)
        await assertJson(answer, 400, 'unsupported_grant_type')
      }
    },
  ),
  authorization_grant_profiles_supported: each(async ({ server, agent }, profile: string) => {
    assert.equal(profile, 'urn:ietf:params:oauth:grant-profile:id-jag')
    const good = identityAssertion(clientKeys.RS256, 'agent', server.clock.now())
    await readTokens(await bring(server, agent, good))
    const untyped = identityAssertion(clientKeys.RS256, 'agent', server.clock.now(), {}, { typ: 'JWT' })
    await assertJson(await bring(server, agent, untyped), 400, 'invalid_grant')
  }),

  token_endpoint_auth_methods_supported: methodsAt('/oauth/token'),
  introspection_endpoint_auth_methods_supported: methodsAt('/oauth/introspect'),
  revocation_endpoint_auth_methods_supported: methodsAt('/oauth/revoke'),
  token_endpoint_auth_signing_alg_values_supported: assertionsAt('/oauth/token'),
  introspection_endpoint_auth_signing_alg_values_supported: assertionsAt('/oauth/introspect'),
  revocation_endpoint_auth_signing_alg_values_supported: assertionsAt('/oauth/revoke'),
  async tls_client_certificate_bound_access_tokens(walk, value: boolean) {
    assert.equal(value, true)
    const prover = await makeProver(walk, 'tls_client_auth', 'ES256', {
      tlsClientCertificateBoundAccessTokens: true,
    })
    const { access_token } = await tokensFor(walk, prover)
    assert.ok((decodeJwt(access_token)['cnf'] as Record<string, string>)['x5t#S256'])
  },

  code_challenge_methods_supported: each(
    async (walk, code_challenge_method: string) => {
      const { query } = await askedBy(walk, { code_challenge_method })
      assert.ok(readAnswer(await authorize(walk.server, query)).get('code'))
    },
    async (walk) => {
      for (const code_challenge_method of ['plain', 'S512']) {
        const { query } = await askedBy(walk, { code_challenge_method })
        const answer = await grantsNothing(walk.server, () => authorize(walk.server, query))
        assertRedirectError(answer, 'invalid_request')
      }
    },
  ),
  dpop_signing_alg_values_supported: each(
    async (walk, alg: string) => {
      const key = await makeProofKey(alg)
      const prover = await makeProver(walk, 'client_secret_basic')
      const { token_type } = await tokensFor(walk, prover, {}, { dpop: await proofFor(walk.server, key) })
      assert.equal(token_type, 'DPoP')
    },
    async ({ server, agent }) => {
      for (const alg of ['ES384', 'RS512']) {
        const dpop = await proofFor(server, await makeProofKey(alg))
        const { headers, form } = credentials(agent)
        const asked = { grant_type: 'client_credentials', ...form }
        await assertJson(
          await server.post('/oauth/token', asked, { ...headers, dpop }),
          400,
          'invalid_dpop_proof',
        )
      }
    },
  ),

  async require_pushed_authorization_requests(walk, value: boolean) {
    assert.equal(value, false)
    assert.ok(readAnswer(await authorize(walk.server, (await askedBy(walk)).query)).get('code'))
    const strict = await openTestServer('sqlite', { pushedRequests: { required: true } })
    try {
      assert.equal((await metadataOf(strict)).require_pushed_authorization_requests, true)
      const client = await strict.createClient()
      const asked = authorizeParameters(client, makePkce())
      assertRedirectError(await authorize(strict, asked), 'invalid_request')
      assert.ok(readAnswer(await authorize(strict, await pushed(strict, client, asked))).get('code'))
    } finally {
      await strict.close()
    }
  },
  async request_parameter_supported(walk, value: boolean) {
    assert.equal(value, true)
    await walkers['request_object_signing_alg_values_supported']!(walk, ['ES256'] as never)
  },
  async request_uri_parameter_supported(walk, value: boolean) {
    assert.equal(value, false)
    const { query } = await askedBy(walk, { request_uri: `${walk.documents.origin}/request` })
    const before = walk.documents.connections
    assertRedirectError(
      await grantsNothing(walk.server, () => authorize(walk.server, query)),
      'invalid_request_uri',
    )
    assert.equal(walk.documents.connections, before)
  },
  request_object_signing_alg_values_supported: each(
    async (walk, alg: Algorithm) => {
      const { client, query } = await askedBy(walk, {}, registeredWith(keyNamed(alg)))
      const object = requestObject(client, keyNamed(alg), walk.server.clock, query)
      assert.ok(readAnswer(await authorize(walk.server, withObject(client, object))).get('code'))
    },
    async (walk) => {
      const { client, query } = await askedBy(walk, {}, registeredWith(clientKeys.ES256))
      for (const alg of unspoken) {
        const object = requestObject(client, clientKeys.ES256, walk.server.clock, query, {}, { alg })
        const answer = await push(walk.server, client, withObject(client, object), {
          form: assertion(client, clientKeys.ES256, walk.server.clock),
        })
        await assertJson(answer, 400, 'invalid_request_object')
      }
    },
  ),
  authorization_signing_alg_values_supported: answersSignedBy(
    'authorizationSignedResponseAlg',
    async (walk, input) => {
      const { query } = await askedBy(walk, { response_mode: 'jwt' }, input)
      return readRedirect(await authorize(walk.server, query)).parameters.response!
    },
  ),
  authorization_details_types_supported: each(
    async (walk, type: string) => {
      const { query } = await askedBy(walk, {
        authorization_details: JSON.stringify([{ type, amount: '5' }]),
      })
      assert.ok(readAnswer(await authorize(walk.server, query)).get('code'))
    },
    async (walk) => {
      const { query } = await askedBy(walk, { authorization_details: '[{"type":"made_up"}]' })
      const answer = await grantsNothing(walk.server, () => authorize(walk.server, query))
      assertRedirectError(answer, 'invalid_authorization_details')
    },
  ),
  async authorization_response_iss_parameter_supported(walk, value: boolean) {
    assert.equal(value, true)
    const good = readAnswer(await authorize(walk.server, (await askedBy(walk)).query))
    const bad = readAnswer(await authorize(walk.server, (await askedBy(walk, { scope: 'made:up' })).query))
    assert.deepEqual([good.get('iss'), bad.get('iss')], [issuer, issuer])
  },
  async client_id_metadata_document_supported({ server, documents }, value: boolean) {
    assert.equal(value, true)
    const client = serveClient(documents, '/client.json')
    assert.ok((await obtainTokens(server, client)).access_token)
  },
  protected_resources: each(
    async ({ server, agent }, resource: string) => {
      const { access_token } = await obtainTokens(server, agent, { resource })
      assert.equal(decodeJwt(access_token).aud, resource)
    },
    async (walk) => {
      const { query } = await askedBy(walk, { resource: 'https://unknown.example' })
      assertRedirectError(
        await grantsNothing(walk.server, () => authorize(walk.server, query)),
        'invalid_target',
      )
    },
  ),

  subject_types_supported: each(
    async ({ server }, subjectType: 'public' | 'pairwise') => {
      const client = await server.createClient({ subjectType })
      const { id_token } = (await obtainTokens(server, client, { scope: 'openid' })) as OpenidTokens
      assert.equal(decodeJwt(id_token).sub === 'alice', subjectType === 'public')
    },
    ({ server }) => assert.rejects(server.createClient({ subjectType: 'made_up' as never })),
  ),
  id_token_signing_alg_values_supported: answersSignedBy(
    'idTokenSignedResponseAlg',
    async ({ server }, input) => {
      const client = await server.createClient(input)
      return ((await obtainTokens(server, client, { scope: 'openid' })) as OpenidTokens).id_token
    },
  ),
  userinfo_signing_alg_values_supported: answersSignedBy(
    'userinfoSignedResponseAlg',
    async ({ server }, input) => {
      const { access_token } = await obtainTokens(server, await server.createClient(input), {
        scope: 'openid',
      })
      return (await server.request('/oauth/userinfo', { headers: bearer(access_token) })).text()
    },
  ),
  introspection_signing_alg_values_supported: answersSignedBy(
    'introspectionSignedResponseAlg',
    async ({ server }, input) => {
      const client = await server.createClient(input)
      const { access_token } = await obtainTokens(server, client)
      const { headers, form } = credentials(client)
      const asked = { token: access_token, ...form }
      const accept = 'application/token-introspection+jwt'
      return (await server.post('/oauth/introspect', asked, { ...headers, accept })).text()
    },
  ),
  claim_types_supported: each(async (_walk, type: string) => assert.equal(type, 'normal')),
  claims_supported: each(async ({ server, agent }, name: string) => {
    const asked = { scope: 'openid profile email', nonce: 'x' }
    const { id_token, access_token } = (await obtainTokens(server, agent, asked)) as OpenidTokens
    const known = await server.request('/oauth/userinfo', { headers: bearer(access_token) })
    const claims = { ...decodeJwt(id_token), ...((await known.json()) as Record<string, unknown>) }
    assert.ok(name in claims, name)
  }),
  async claims_parameter_supported({ server, agent }, value: boolean) {
    assert.equal(value, true)
    const asked = { scope: 'openid', claims: '{"id_token":{"email":null}}' }
    const { id_token } = (await obtainTokens(server, agent, asked)) as OpenidTokens
    assert.equal(decodeJwt(id_token)['email'], 'alice@example.com')
  },
  prompt_values_supported: each(
    async (walk, prompt: string) => {
      const { server, agent } = walk
      signIn(server)
      await obtainTokens(server, agent)
      server.clock.advance(1_000)
      const asked = authorizeParameters(agent, makePkce(), { prompt })
      const answer = await server.request(`/oauth/authorize?${asked}`)
      if (prompt === 'none') assert.ok(readAnswer(answer).get('code'))
      else if (prompt === 'consent') assert.equal(answer.status, 200)
      else {
        const back = wayBack(answer)
        assert.ok(back, prompt)
        signIn(server)
        assert.ok(readAnswer(await server.request(back)).get('code'))
      }
    },
    async (walk) => {
      for (const prompt of ['create', 'made_up']) {
        const { query } = await askedBy(walk, { prompt })
        const answer = await grantsNothing(walk.server, () => authorize(walk.server, query))
        assertRedirectError(answer, 'invalid_request')
      }
    },
  ),
  acr_values_supported: each(
    async ({ server, agent }, acr: string) => {
      signIn(server, { acr })
      const { access_token } = await obtainTokens(server, agent, { acr_values: acr })
      assert.equal(decodeJwt(access_token)['acr'], acr)
      signIn(server)
    },
    async (walk) => {
      assert.deepEqual(walk.metadata['acr_values_supported'], acrValues)
      const claims = '{"id_token":{"acr":{"essential":true,"value":"urn:made:up"}}}'
      const { query } = await askedBy(walk, { scope: 'openid', claims })
      const answer = await grantsNothing(walk.server, () => authorize(walk.server, query))
      assertRedirectError(answer, 'unmet_authentication_requirements')
    },
  ),
  async backchannel_logout_supported(walk, value: boolean) {
    assert.equal(value, true)
    assert.equal((await logoutTold(walk)).sub, 'alice')
  },
  async backchannel_logout_session_supported(walk, value: boolean) {
    assert.equal(value, true)
    assert.equal(typeof (await logoutTold(walk))['sid'], 'string')
  },
}

/** Signs the user out and answers what a client is told of it. */
async function logoutTold(walk: Walk) {
  const { server, documents } = walk
  documents.serve('/logout', {})
  const client = await server.createClient({ backchannelLogoutUri: `${documents.origin}/logout` })
  const { id_token } = (await obtainTokens(server, client, { scope: 'openid' })) as OpenidTokens
  await server.request(`/oauth/logout?${new URLSearchParams({ id_token_hint: id_token })}`)
  await deliverLogouts(server.app.server, { pause: async () => {} })
  signIn(server)
  const { body } = documents.requests.findLast((one) => one.url === '/logout')!
  const token = new URLSearchParams(body).get('logout_token')!
  assert.equal(decodeProtectedHeader(token).typ, 'logout+jwt')
  return decodeJwt(token)
}

onBothDatabases('what the metadata advertises', (dialect) => {
  let walk: Walk
  before(async () => {
    walk = await openWalk(dialect)
  })
  after(() => walk?.close())

  test('RFC 8414 §2, OpenID Connect Discovery §3: every member has a walker, and every walker has a member', () => {
    assert.deepEqual(Object.keys(walk.metadata).sort(), Object.keys(walkers).sort())
  })
  for (const [member, walker] of Object.entries(walkers)) {
    test(`RFC 8414 §2, OpenID Connect Discovery §3: ${member}`, async () => {
      await walker(walk, walk.metadata[member] as never)
    })
  }

  test('RFC 8414 §2: what is switched off is not advertised, and is refused', async () => {
    const server = await openTestServer(dialect, { pushedRequests: { accepted: false } })
    try {
      const metadata = await metadataOf(server)
      const off = [
        'acr_values_supported',
        'authorization_details_types_supported',
        'authorization_grant_profiles_supported',
        'client_id_metadata_document_supported',
        'device_authorization_endpoint',
        'end_session_endpoint',
        'mtls_endpoint_aliases',
        'protected_resources',
        'pushed_authorization_request_endpoint',
        'registration_endpoint',
        'require_pushed_authorization_requests',
        'tls_client_certificate_bound_access_tokens',
      ]
      const missing = Object.keys(walk.metadata).filter((member) => !(member in metadata))
      assert.deepEqual(missing.sort(), off)
      assert.deepEqual(metadata.grant_types_supported, [
        'authorization_code',
        'refresh_token',
        'client_credentials',
      ])
      const client = await server.createClient()
      const { headers, form } = credentials(client)
      for (const grant_type of [deviceGrant, exchangeGrant, jwtBearerGrant]) {
        const answer = await server.post('/oauth/token', { grant_type, ...form }, headers)
        await assertJson(answer, 400, 'unsupported_grant_type')
        await assert.rejects(server.createClient({ grantTypes: [grant_type] }))
      }
      assert.equal((await register(server, {})).status, 404)
      assert.equal((await askDevice(server, client)).status, 404)
      assert.equal((await server.request('/oauth/logout')).status, 404)
      assert.equal((await push(server, client, authorizeParameters(client, makePkce()))).status, 400)
      for (const method of ['tls_client_auth', 'self_signed_tls_client_auth'])
        assert.equal((metadata.token_endpoint_auth_methods_supported as string[]).includes(method), false)
      const url = authorizeParameters(client, makePkce(), { client_id: 'https://client.example/client.json' })
      await assertPage(await server.request(`/oauth/authorize?${url}`))
      const essential = '{"id_token":{"acr":{"essential":true,"value":"urn:x"}}}'
      for (const more of [
        { scope: 'openid', claims: essential },
        { authorization_details: '[{"type":"payment"}]' },
      ]) {
        const asked = authorizeParameters(client, makePkce(), more)
        assert.ok(readRedirect(await grantsNothing(server, () => authorize(server, asked))).parameters.error)
      }
    } finally {
      await server.close()
    }
  })

  test('RFC 8725 §3.1: no list of algorithms holds one that signs nothing, or with a shared secret', () => {
    const lists = Object.entries(walk.metadata).filter(([member]) => member.endsWith('alg_values_supported'))
    assert.ok(lists.length > 5)
    for (const [member, values] of lists) {
      for (const value of values as string[])
        assert.ok([...algorithms, 'Ed25519'].includes(value as Algorithm), `${member}: ${value}`)
    }
    assert.ok((walk.metadata['id_token_signing_alg_values_supported'] as string[]).includes('RS256'))
  })
})
