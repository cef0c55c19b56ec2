import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as client from 'openid-client'
import type { ClientInput } from '../../src/oauth/clients/client-input.ts'
import { onBothDatabases } from '../support/gatehouse.ts'
import { issuerFor, versionOf } from './issuer.ts'
import { formsOf, Visitor } from './visitor.ts'

const redirectUri = 'https://client.example/callback'

onBothDatabases(versionOf('openid-client'), (dialect) => {
  const at = issuerFor(dialect)

  async function configure(
    input: Partial<ClientInput>,
    authentication: (secret: string) => client.ClientAuth,
  ): Promise<client.Configuration> {
    const made = await at.current.auth.clients.create({
      name: 'A client',
      redirectUris: [redirectUri],
      ...input,
    })
    return client.discovery(
      new URL(at.current.issuer),
      made.client.id,
      undefined,
      authentication(made.secret ?? ''),
      { algorithm: 'oauth2', execute: [client.allowInsecureRequests] },
    )
  }

  async function obtain(configuration: client.Configuration, extra: Record<string, string> = {}) {
    const pkceCodeVerifier = client.randomPKCECodeVerifier()
    const expectedState = client.randomState()
    const url = client.buildAuthorizationUrl(configuration, {
      redirect_uri: redirectUri,
      scope: 'jobs:read',
      code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
      state: expectedState,
      ...extra,
    })
    const back = await new Visitor(at.current.origin).authorize(url)
    const answer = back instanceof URL ? back : posted(back.html)
    return client.authorizationCodeGrant(configuration, answer, { pkceCodeVerifier, expectedState })
  }

  /** What the browser would post to the client. */
  function posted(html: string): Request {
    const form = formsOf(html).find(({ action }) => action === redirectUri)
    assert.ok(form, 'a form for the client')
    return new Request(redirectUri, { method: 'POST', body: new URLSearchParams(form.hidden) })
  }

  const call = async (configuration: client.Configuration, token: string) => {
    const answer = await client.fetchProtectedResource(configuration, token, new URL(at.current.api), 'GET')
    return (await answer.json()) as { subject: string }
  }

  const methods = {
    client_secret_basic: client.ClientSecretBasic,
    client_secret_post: client.ClientSecretPost,
    none: () => client.None(),
  } as const
  for (const method of Object.keys(methods) as (keyof typeof methods)[]) {
    for (const mode of ['query', 'form_post']) {
      test(`RFC 6749 §4.1, §6, RFC 7009 §2: ${method}, ${mode}: code and PKCE, refresh, revocation`, async () => {
        const configuration = await configure({ tokenEndpointAuthMethod: method }, methods[method])
        assert.equal(configuration.serverMetadata().issuer, at.current.issuer)
        const tokens = await obtain(configuration, mode === 'query' ? {} : { response_mode: mode })
        assert.deepEqual(await call(configuration, tokens.access_token), { subject: 'alice' })
        const next = await client.refreshTokenGrant(configuration, tokens.refresh_token!)
        await call(configuration, next.access_token)
        await client.tokenRevocation(configuration, next.refresh_token!)
        await assert.rejects(call(configuration, next.access_token), client.WWWAuthenticateChallengeError)
        await assert.rejects(client.refreshTokenGrant(configuration, next.refresh_token!), {
          error: 'invalid_grant',
        })
      })
    }
  }

  test('RFC 6749 §4.4, RFC 7662 §2: client credentials and introspection', async () => {
    for (const authentication of [client.ClientSecretBasic, client.ClientSecretPost]) {
      const configuration = await configure(
        { redirectUris: [], grantTypes: ['client_credentials'] },
        authentication,
      )
      const { access_token } = await client.clientCredentialsGrant(configuration, { scope: 'jobs:read' })
      const own = configuration.clientMetadata().client_id
      assert.deepEqual(await call(configuration, access_token), { subject: own })
      const found = await client.tokenIntrospection(configuration, access_token)
      assert.equal(found.active, true)
      assert.equal(found.client_id, own)
      await client.tokenRevocation(configuration, access_token)
      assert.equal((await client.tokenIntrospection(configuration, access_token)).active, false)
    }
  })

  test('RFC 9207 §2.4: an answer with another issuer is refused by the library', async () => {
    const configuration = await configure({}, client.ClientSecretBasic)
    const url = client.buildAuthorizationUrl(configuration, {
      redirect_uri: redirectUri,
      scope: 'jobs:read',
      code_challenge: await client.calculatePKCECodeChallenge('v'.repeat(43)),
      code_challenge_method: 'S256',
    })
    const back = (await new Visitor(at.current.origin).authorize(url)) as URL
    assert.equal(back.searchParams.get('iss'), at.current.issuer)
    const other = new URL(back)
    other.searchParams.set('iss', `${at.current.issuer}/`)
    const checks = { pkceCodeVerifier: 'v'.repeat(43) }
    await assert.rejects(client.authorizationCodeGrant(configuration, other, checks), (error) => {
      assert.match(String((error as Error).cause), /unexpected "iss"/)
      return true
    })
    await client.authorizationCodeGrant(configuration, back, checks)
  })

  test('RFC 6749 §4.1.2.1: an error comes back as one', async () => {
    const configuration = await configure({}, client.ClientSecretBasic)
    const url = client.buildAuthorizationUrl(configuration, { redirect_uri: redirectUri, scope: 'jobs:read' })
    const back = (await new Visitor(at.current.origin).authorize(url)) as URL
    await assert.rejects(client.authorizationCodeGrant(configuration, back), { error: 'invalid_request' })
  })
})
