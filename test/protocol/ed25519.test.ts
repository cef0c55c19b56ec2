// RFC 9864 §2.2, §4.2: Ed25519 names what EdDSA names with that curve, wherever a signature or a name of it comes from outside.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { resolveConfig } from '../../src/config.ts'
import { type SigningKey, signJwt } from '../../src/crypto/jws.ts'
import { assertion, clientKeys, registeredWith } from '../support/assertions.ts'
import { bring, enterprise, identityAssertion, jwtBearerGrant } from '../support/enterprise.ts'
import { authorizeParameters, makePkce, readTokens } from '../support/flow.ts'
import { issuer, onBothDatabases, secret, testServerFor } from '../support/gatehouse.ts'
import { requestObject, withObject } from '../support/request-objects.ts'

const key = clientKeys.EdDSA
/** The same key, as software that writes the newer name has it. */
const named = {
  ...key,
  alg: 'Ed25519',
  publicJwk: { ...key.publicJwk, alg: 'Ed25519' },
} as unknown as SigningKey
const Ed25519 = 'Ed25519' as 'EdDSA'

onBothDatabases('Ed25519 by its newer name', (dialect) => {
  const open = testServerFor(dialect, {
    registration: {
      policy: 'open',
      softwareStatementIssuers: { 'https://ops.example': { jwks: { keys: [named.publicJwk] } } },
    },
    assertionIssuers: {
      [enterprise]: {
        jwks: { keys: [named.publicJwk] },
        clients: ['agent'],
        unknownUsers: 'create',
        algorithms: [Ed25519],
      },
    },
  })

  test('RFC 7523 §3: signs client assertions, for clients that registered either name or none', async () => {
    const server = await open()
    for (const registered of [
      {},
      { tokenEndpointAuthSigningAlg: Ed25519 },
      { tokenEndpointAuthSigningAlg: 'EdDSA' as const },
    ]) {
      const client = await server.createClient({
        ...registeredWith(key),
        redirectUris: [],
        grantTypes: ['client_credentials'],
        ...registered,
      })
      for (const signer of [key, named]) {
        await readTokens(
          await server.post('/oauth/token', {
            grant_type: 'client_credentials',
            ...assertion(client, signer, server.clock),
          }),
        )
      }
    }
  })

  test('RFC 9101 §6.2: signs request objects', async () => {
    const server = await open()
    const client = await server.createClient({ ...registeredWith(key), requestObjectSigningAlg: Ed25519 })
    const parameters = authorizeParameters(client, makePkce())
    const request = requestObject(client, named, server.clock, parameters)
    const answer = await server.request(
      `/oauth/authorize?${withObject(client, request, { response_type: 'code', scope: 'jobs:read' })}`,
    )
    assert.equal(answer.status, 200, await answer.text())
  })

  test('RFC 7591 §2.3: signs software statements; §3.2.1: registered members are told by the one name', async () => {
    const server = await open()
    const answer = await server.request('/oauth/register', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        redirect_uris: ['https://new.example/callback'],
        software_statement: signJwt(named, 'JWT', { iss: 'https://ops.example', client_name: 'Stated' }),
        token_endpoint_auth_signing_alg: 'Ed25519',
        request_object_signing_alg: 'Ed25519',
        id_token_signed_response_alg: 'Ed25519',
        userinfo_signed_response_alg: 'Ed25519',
        authorization_signed_response_alg: 'Ed25519',
        introspection_signed_response_alg: 'Ed25519',
      }),
    })
    const body = (await answer.json()) as Record<string, unknown>
    assert.equal(answer.status, 201, JSON.stringify(body))
    assert.equal(body.client_name, 'Stated')
    const told = Object.entries(body).filter(([name]) => name.endsWith('_alg'))
    assert.equal(told.length, 6)
    for (const [name, value] of told) assert.equal(value, 'EdDSA', name)
  })

  test('ID-JAG §4.4: signs assertions of an issuer that is configured by that name', async () => {
    const server = await open()
    const client = await server.createClient({ id: 'agent', redirectUris: [], grantTypes: [jwtBearerGrant] })
    await readTokens(await bring(server, client, identityAssertion(named, 'agent', server.clock.now())))
  })

  test('RFC 8414 §2: stands in the lists of what is verified', async () => {
    const server = await open()
    const metadata = (await (await server.request('/.well-known/openid-configuration')).json()) as Record<
      string,
      string[]
    >
    for (const name of [
      'token_endpoint_auth',
      'introspection_endpoint_auth',
      'revocation_endpoint_auth',
      'request_object',
      'dpop',
    ])
      assert.ok(metadata[`${name}_signing_alg_values_supported`]!.includes('Ed25519'), name)
  })
})

test('RFC 9864 §2.2: openid.signingAlg takes it, as EdDSA', () => {
  assert.equal(resolveConfig({ issuer, secret, openid: { signingAlg: Ed25519 } }).openid.signingAlg, 'EdDSA')
})
