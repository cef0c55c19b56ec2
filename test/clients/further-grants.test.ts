// Devices, exchanged tokens, an enterprise's word and signed introspection, as a general client library speaks them.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as client from 'openid-client'
import type { ClientInput } from '../../src/oauth/clients/client-input.ts'
import { clientKeys } from '../support/assertions.ts'
import { deviceGrant } from '../support/device.ts'
import { enterprise, identityAssertion, jwtBearerGrant } from '../support/enterprise.ts'
import { onBothDatabases } from '../support/gatehouse.ts'
import { issuerFor, versionOf } from './issuer.ts'
import { formsOf, type Page, Visitor } from './visitor.ts'

const exchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange'
const type = (name: string) => `urn:ietf:params:oauth:token-type:${name}`
const [first, next] = ['https://first.example', 'https://next.example']

onBothDatabases(versionOf('openid-client'), (dialect) => {
  const at = issuerFor(dialect, {
    // The library waits as long as it is told between two questions.
    device: { interval: 1 },
    resources: { [first]: {}, [next]: {} },
    tokenExchange: { rules: [{ client: 'first-api', resources: [next] }] },
    assertionIssuers: {
      [enterprise]: {
        jwks: { keys: [clientKeys.RS256.publicJwk] },
        clients: ['agent'],
        unknownUsers: 'create',
      },
    },
  })

  async function configure(
    input: Partial<ClientInput>,
    metadata?: Partial<client.ClientMetadata>,
  ): Promise<client.Configuration> {
    const { client: made, secret } = await at.current.auth.clients.create({ name: 'A client', ...input })
    return client.discovery(
      new URL(at.current.issuer),
      made.id,
      metadata,
      secret === undefined ? client.None() : client.ClientSecretBasic(secret),
      { algorithm: 'oauth2', execute: [client.allowInsecureRequests] },
    )
  }

  /** A person on another device: enters the code, signs in, decides. */
  async function decide(url: string, decision: 'allow' | 'deny', code?: string): Promise<Page> {
    const visitor = new Visitor(at.current.origin)
    let page = await visitor.open(url)
    assert.ok('html' in page)
    const linked = /name="user_code"[^>]* value="([^"]*)"/.exec(page.html)?.[1]
    page = await visitor.submit(page, { user_code: code ?? linked! })
    assert.ok('html' in page)
    if (/<input name="name"/.test(page.html)) page = await visitor.submit(page, { name: 'Alice' })
    assert.ok('html' in page && formsOf(page.html).length > 0, 'the question')
    assert.match(page.html, /Your device must show this code/)
    page = await visitor.submit(page, { decision })
    assert.ok('html' in page)
    return page
  }

  for (const way of ['typed', 'linked'] as const) {
    test(`RFC 8628 §3.4: a device polls while its user decides with a ${way} code`, async () => {
      const configuration = await configure({
        tokenEndpointAuthMethod: way === 'typed' ? 'none' : 'client_secret_basic',
        grantTypes: [deviceGrant, 'refresh_token'],
        redirectUris: [],
      })
      const started = await client.initiateDeviceAuthorization(configuration, { scope: 'jobs:read' })
      assert.equal(started.interval, 1)
      const polling = client.pollDeviceAuthorizationGrant(configuration, started)
      if (way === 'typed') await decide(started.verification_uri, 'allow', started.user_code)
      else await decide(started.verification_uri_complete!, 'allow')
      const tokens = await polling
      assert.equal(tokens.scope, 'jobs:read')
      const renewed = await client.refreshTokenGrant(configuration, tokens.refresh_token!)
      assert.ok(renewed.access_token)
    })
  }

  test('RFC 8628 §3.5: a device hears that its user denied', async () => {
    const configuration = await configure({
      tokenEndpointAuthMethod: 'none',
      grantTypes: [deviceGrant],
      redirectUris: [],
    })
    const started = await client.initiateDeviceAuthorization(configuration, { scope: 'jobs:read' })
    const polling = client.pollDeviceAuthorizationGrant(configuration, started)
    polling.catch(() => {})
    await decide(started.verification_uri, 'deny', started.user_code)
    await assert.rejects(polling, { error: 'access_denied' })
  })

  test('ID-JAG §4.4, RFC 8693 §2.1, RFC 9701 §5: an agent with its enterprise’s word, an API that goes further, a proof of what it was told', async () => {
    const agent = await configure({ id: 'agent', redirectUris: [], grantTypes: [jwtBearerGrant] })
    const assertion = identityAssertion(clientKeys.RS256, 'agent', Date.now(), {
      aud: at.current.issuer,
      resource: first,
    })
    const granted = await client.genericGrantRequest(agent, jwtBearerGrant, { assertion })
    assert.equal(granted.refresh_token, undefined)
    await assert.rejects(client.genericGrantRequest(agent, jwtBearerGrant, { assertion }), {
      error: 'invalid_grant',
    })

    const api = await configure({
      id: 'first-api',
      redirectUris: [],
      grantTypes: [exchangeGrant],
      resourceServerFor: [first],
    })
    const exchanged = await client.genericGrantRequest(api, exchangeGrant, {
      subject_token: granted.access_token,
      subject_token_type: type('access_token'),
      audience: next,
    })
    assert.equal(exchanged.issued_token_type, type('access_token'))

    const nextApi = await configure(
      { redirectUris: [], grantTypes: ['client_credentials'], resourceServerFor: [next] },
      { introspection_signed_response_alg: 'RS256' },
    )
    client.enableNonRepudiationChecks(nextApi)
    const seen = await client.tokenIntrospection(nextApi, exchanged.access_token)
    assert.deepEqual(
      [seen.active, seen.client_id, seen.aud, (seen as Record<string, unknown>).act],
      [true, 'first-api', next, { sub: 'first-api' }],
    )
    assert.match(String(seen.sub), /^usr_/)
    assert.deepEqual(await client.tokenIntrospection(nextApi, granted.access_token), { active: false })
  })
})
