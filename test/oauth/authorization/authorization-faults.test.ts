// The same fault, wherever a request comes from: a redirect with the code at the authorization endpoint, 400 JSON with the
// same code where it is pushed, in the query as in a request object.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ClientInput } from '../../../src/oauth/clients/client-input.ts'
import type { CreatedClient } from '../../../src/oauth/clients/client-operations.ts'
import { clientKeys } from '../../support/assertions.ts'
import { authorize, authorizeParameters, makePkce } from '../../support/flow.ts'
import { issuer, onBothDatabases, type TestServer, testServerFor } from '../../support/gatehouse.ts'
import { requestObject, withObject } from '../../support/request-objects.ts'
import { assertJson, assertRedirectError, grantsNothing, readAnswer } from '../answers.ts'
import { countPushed, push, pushed } from './pushing.ts'

interface Fault {
  rule: string
  /** What is wrong, several ways of it; the rest of the request is right. */
  overrides: Record<string, string | string[] | undefined>[]
  error: string
  /** A parameter that comes twice cannot do so in an object. */
  twice?: true
  client?: Partial<ClientInput>
}

const key = clientKeys.ES256
const { challenge } = makePkce()

const faults: Fault[] = [
  {
    rule: 'RFC 6749 §3.1: a parameter sent twice (N18)',
    overrides: [
      { scope: ['jobs:read', 'jobs:read'] },
      { nonce: ['a', 'b'] },
      { response_type: ['code', 'code'] },
      { code_challenge: [challenge, challenge] },
      { prompt: ['login', 'login'] },
      { unknown: ['a', 'b'] },
    ],
    error: 'invalid_request',
    twice: true,
  },
  {
    rule: 'RFC 6749 §3.1.1: no response_type (N19)',
    overrides: [{ response_type: undefined }, { response_type: '' }],
    error: 'invalid_request',
  },
  {
    rule: 'RFC 6749 §4.1.2.1: another response_type than code (N20)',
    overrides: ['token', 'id_token token', 'code id_token', 'none', 'CODE'].map((response_type) => ({
      response_type,
    })),
    error: 'unsupported_response_type',
  },
  {
    rule: 'RFC 6749 §4.1.2.1: a client without the response type (N21)',
    overrides: [{}],
    error: 'unauthorized_client',
    client: { grantTypes: ['client_credentials'] },
  },
  {
    rule: 'RFC 6749 §3.3: a scope that is malformed, unknown or not the client’s (N22)',
    overrides: ['jobs:read  resume:read', 'nonsense', 'applications:write', 'jobs:read "x"'].map((scope) => ({
      scope,
    })),
    error: 'invalid_scope',
    client: { scope: ['jobs:read', 'resume:read'] },
  },
  {
    rule: 'RFC 7636 §4.4.1: no challenge (N23)',
    overrides: [
      { code_challenge: undefined },
      { code_challenge: undefined, code_challenge_method: undefined },
    ],
    error: 'invalid_request',
  },
  {
    rule: 'RFC 7636 §4.3: a plain challenge, by name or by default (N24)',
    overrides: [{ code_challenge_method: 'plain' }, { code_challenge_method: undefined }],
    error: 'invalid_request',
  },
  {
    rule: 'RFC 7636 §4.4.1: an unknown method (N25)',
    overrides: [{ code_challenge_method: 'S512' }, { code_challenge_method: 's256' }],
    error: 'invalid_request',
  },
  {
    rule: 'RFC 7636 §4.2: a challenge that is none (N26)',
    overrides: [challenge.slice(1), `${challenge}A`, `${challenge.slice(1)}=`].map((one) => ({
      code_challenge: one,
    })),
    error: 'invalid_request',
  },
  {
    rule: 'OpenID Connect Core §3.1.2.1: prompt=none beside another, or an unknown one (N28)',
    overrides: [{ prompt: 'none login' }, { prompt: 'surprise' }],
    error: 'invalid_request',
  },
  {
    rule: 'OpenID Connect Core §3.1.2.6: a registration (N32)',
    overrides: [{ registration: '{}' }],
    error: 'registration_not_supported',
  },
  {
    rule: 'RFC 8707 §2: a resource that is relative, has a fragment or is unknown (N39)',
    overrides: ['/api', `${issuer}#a`, 'https://unknown.example', `${issuer}/other`].map((resource) => ({
      resource,
    })),
    error: 'invalid_target',
  },
  {
    rule: 'RFC 9396 §5: authorization details of no known type (N40)',
    overrides: [{ authorization_details: '[{"type":"unknown"}]' }, { authorization_details: '{' }],
    error: 'invalid_authorization_details',
  },
  {
    rule: 'OpenID Connect Core §3.1.2.1: no nonce where the client must send one (N42)',
    overrides: [{ scope: 'openid' }],
    error: 'invalid_request',
    client: { requireNonce: true },
  },
  {
    rule: 'RFC 9449 §10: a dpop_jkt that is no thumbprint',
    overrides: [{ dpop_jkt: 'x' }],
    error: 'invalid_request',
  },
]

onBothDatabases('faults of an authorization request', (dialect) => {
  const open = testServerFor(dialect)

  async function pushedNowhere(
    server: TestServer,
    created: CreatedClient,
    sent: URLSearchParams,
    error: string,
  ) {
    const before = await countPushed(server)
    await assertJson(await grantsNothing(server, () => push(server, created, sent)), 400, error)
    assert.equal(await countPushed(server), before)
  }

  for (const { rule, overrides, error, twice, client } of faults) {
    test(`${rule} is ${error}, at the authorization endpoint and where it is pushed`, async () => {
      const server = await open()
      const input = { ...client, jwks: { keys: [key.publicJwk] } }
      const created = await server.createClient(input)
      for (const wrong of overrides) {
        const parameters = authorizeParameters(created, makePkce(), { code_challenge: challenge, ...wrong })
        assertRedirectError(await grantsNothing(server, () => authorize(server, parameters)), error)
        await pushedNowhere(server, created, parameters, error)
        if (twice) continue
        const sent = withObject(created, requestObject(created, key, server.clock, parameters))
        assertRedirectError(await grantsNothing(server, () => authorize(server, sent)), error)
        await pushedNowhere(server, created, sent, error)
      }
      const right = client?.grantTypes ? await server.createClient() : created
      const parameters = authorizeParameters(right, makePkce())
      assert.ok(readAnswer(await authorize(server, parameters)).get('code'))
      assert.ok(readAnswer(await authorize(server, await pushed(server, right, parameters))).get('code'))
    })
  }

  test('RFC 6749 §4.1.2.1: a state sent twice is not echoed, and is invalid_request where it is pushed (N18)', async () => {
    const server = await open()
    const created = await server.createClient()
    const parameters = authorizeParameters(created, makePkce(), { state: ['a', 'b'] })
    const answer = await grantsNothing(server, () => authorize(server, parameters))
    assertRedirectError(answer, 'invalid_request', { state: null })
    await pushedNowhere(server, created, parameters, 'invalid_request')
    for (const name of ['client_id', 'redirect_uri']) {
      const twice = authorizeParameters(created, makePkce())
      twice.append(name, twice.get(name)!)
      const refused = server.request('/oauth/par', {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: twice.toString(),
      })
      await assertJson(await refused, 400, 'invalid_request')
    }
    const again = authorizeParameters(created, makePkce(), { resource: [issuer, issuer] })
    assert.ok(readAnswer(await authorize(server, await pushed(server, created, again))).get('code'))
  })
})
