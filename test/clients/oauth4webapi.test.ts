import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as oauth from 'oauth4webapi'
import type { ClientInput } from '../../src/oauth/clients/client-input.ts'
import { onBothDatabases } from '../support/gatehouse.ts'
import { issuerFor, versionOf } from './issuer.ts'
import { formsOf, Visitor } from './visitor.ts'

const insecure = { [oauth.allowInsecureRequests]: true }
const redirectUri = 'https://client.example/callback'

onBothDatabases(versionOf('oauth4webapi'), (dialect) => {
  const at = issuerFor(dialect)

  async function discover(): Promise<oauth.AuthorizationServer> {
    const issuer = new URL(at.current.issuer)
    const response = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure })
    return oauth.processDiscoveryResponse(issuer, response)
  }

  async function register(input: Partial<ClientInput>) {
    const { client, secret } = await at.current.auth.clients.create({
      name: 'A client',
      redirectUris: [redirectUri],
      ...input,
    })
    const known: oauth.Client = { client_id: client.id }
    return { known, secret }
  }

  /** The whole flow up to tokens. */
  async function obtain(
    server: oauth.AuthorizationServer,
    client: oauth.Client,
    authentication: oauth.ClientAuth,
    extra: Record<string, string> = {},
  ): Promise<oauth.TokenEndpointResponse> {
    const verifier = oauth.generateRandomCodeVerifier()
    const state = oauth.generateRandomState()
    const url = new URL(server.authorization_endpoint!)
    url.search = new URLSearchParams({
      response_type: 'code',
      client_id: client.client_id,
      redirect_uri: redirectUri,
      scope: 'jobs:read applications:read',
      state,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      ...extra,
    }).toString()
    const back = await new Visitor(at.current.origin).authorize(url)
    const parameters = back instanceof URL ? back : answerOf(back.html)
    const answer = oauth.validateAuthResponse(server, client, parameters, state)
    return oauth.processAuthorizationCodeResponse(
      server,
      client,
      await oauth.authorizationCodeGrantRequest(
        server,
        client,
        authentication,
        answer,
        redirectUri,
        verifier,
        insecure,
      ),
    )
  }

  function answerOf(html: string): URLSearchParams {
    const form = formsOf(html).find(({ action }) => action === redirectUri)
    assert.ok(form, 'a form for the client')
    return new URLSearchParams(form.hidden)
  }

  const call = async (token: string) => {
    const api = new URL(at.current.api)
    const answer = await oauth.protectedResourceRequest(token, 'GET', api, undefined, null, insecure)
    return (await answer.json()) as { subject: string }
  }

  test('RFC 8414 §3: discovery of an issuer with a path', async () => {
    const server = await discover()
    assert.equal(server.issuer, at.current.issuer)
    assert.deepEqual(server.code_challenge_methods_supported, ['S256'])
    assert.equal(server.authorization_response_iss_parameter_supported, true)
  })

  test('RFC 9728 §3: discovery of the API', async () => {
    const resource = new URL(`${at.current.origin}/api`)
    const found = await oauth.processResourceDiscoveryResponse(
      resource,
      await oauth.resourceDiscoveryRequest(resource, insecure),
    )
    assert.deepEqual(found.authorization_servers, [at.current.issuer])
  })

  const methods = {
    client_secret_basic: oauth.ClientSecretBasic,
    client_secret_post: oauth.ClientSecretPost,
    none: () => oauth.None(),
  } as const
  for (const method of Object.keys(methods) as (keyof typeof methods)[]) {
    for (const mode of ['query', 'form_post']) {
      test(`RFC 6749 §4.1, §6, RFC 7009 §2: ${method}, ${mode}: code and PKCE, refresh, revocation`, async () => {
        const server = await discover()
        const { known, secret } = await register({ tokenEndpointAuthMethod: method })
        const authentication = methods[method](secret!)
        const extra: Record<string, string> = mode === 'query' ? {} : { response_mode: mode }
        const tokens = await obtain(server, known, authentication, extra)
        assert.equal(tokens.token_type, 'bearer')
        assert.equal(tokens.expires_in, 900)
        assert.deepEqual(await call(tokens.access_token), { subject: 'alice' })

        const next = await oauth.processRefreshTokenResponse(
          server,
          known,
          await oauth.refreshTokenGrantRequest(
            server,
            known,
            authentication,
            tokens.refresh_token!,
            insecure,
          ),
        )
        assert.notEqual(next.refresh_token, tokens.refresh_token)
        await call(next.access_token)
        await oauth.processRevocationResponse(
          await oauth.revocationRequest(server, known, authentication, next.refresh_token!, insecure),
        )
        await assert.rejects(call(next.access_token), (error) => {
          assert.ok(error instanceof oauth.WWWAuthenticateChallengeError)
          assert.equal(error.status, 401)
          const [challenge] = error.cause
          assert.equal(challenge!.scheme, 'bearer')
          assert.equal(challenge!.parameters.error, 'invalid_token')
          assert.equal(
            challenge!.parameters.resource_metadata,
            `${at.current.origin}/.well-known/oauth-protected-resource/api`,
          )
          return true
        })
        const dead = await oauth.refreshTokenGrantRequest(
          server,
          known,
          authentication,
          next.refresh_token!,
          insecure,
        )
        await assert.rejects(oauth.processRefreshTokenResponse(server, known, dead), {
          error: 'invalid_grant',
        })
      })
    }
  }

  test('RFC 9068 §4: the library accepts the access token as a JWT of this issuer', async () => {
    const server = await discover()
    const { known, secret } = await register({})
    const { access_token } = await obtain(server, known, oauth.ClientSecretBasic(secret!))
    const request = new Request(at.current.api, { headers: { authorization: `Bearer ${access_token}` } })
    const claims = await oauth.validateJwtAccessToken(server, request, `${at.current.origin}/api`, insecure)
    assert.equal(claims.sub, 'alice')
    assert.equal(claims.client_id, known.client_id)
    assert.equal(claims.scope, 'applications:read jobs:read')
  })

  test('RFC 6749 §4.4: client credentials', async () => {
    const server = await discover()
    const { known, secret } = await register({ redirectUris: [], grantTypes: ['client_credentials'] })
    for (const authentication of [oauth.ClientSecretBasic(secret!), oauth.ClientSecretPost(secret!)]) {
      const response = await oauth.clientCredentialsGrantRequest(
        server,
        known,
        authentication,
        { scope: 'jobs:read' },
        insecure,
      )
      const tokens = await oauth.processClientCredentialsResponse(server, known, response)
      assert.equal(tokens.refresh_token, undefined)
      assert.deepEqual(await call(tokens.access_token), { subject: known.client_id })
    }
  })

  test('RFC 7662 §2: introspection by the API’s own client', async () => {
    const server = await discover()
    const { known, secret } = await register({})
    const tokens = await obtain(server, known, oauth.ClientSecretBasic(secret!))
    const api = await register({
      redirectUris: [],
      grantTypes: ['client_credentials'],
      resourceServerFor: [`${at.current.origin}/api`],
    })
    const ask = async (token: string) =>
      oauth.processIntrospectionResponse(
        server,
        api.known,
        await oauth.introspectionRequest(
          server,
          api.known,
          oauth.ClientSecretBasic(api.secret!),
          token,
          insecure,
        ),
      )
    const found = await ask(tokens.access_token)
    assert.equal(found.active, true)
    assert.equal(found.sub, 'alice')
    assert.equal(found.aud, `${at.current.origin}/api`)
    assert.deepEqual(await ask(tokens.refresh_token!), { active: false })
  })

  test('RFC 6750 §3.1: a scope that is missing is a challenge the library reads', async () => {
    const server = await discover()
    const { known, secret } = await register({})
    const { access_token } = await obtain(server, known, oauth.ClientSecretBasic(secret!), {
      scope: 'applications:read',
    })
    await assert.rejects(call(access_token), (error) => {
      assert.ok(error instanceof oauth.WWWAuthenticateChallengeError)
      assert.equal(error.status, 403)
      assert.equal(error.cause[0]!.parameters.error, 'insufficient_scope')
      assert.equal(error.cause[0]!.parameters.scope, 'jobs:read')
      return true
    })
  })

  test('RFC 6749 §5.2: a wrong secret is invalid_client', async () => {
    const server = await discover()
    const { known } = await register({ redirectUris: [], grantTypes: ['client_credentials'] })
    const response = await oauth.clientCredentialsGrantRequest(
      server,
      known,
      oauth.ClientSecretPost('wrong'),
      {},
      insecure,
    )
    await assert.rejects(oauth.processClientCredentialsResponse(server, known, response), {
      error: 'invalid_client',
    })
  })
})
