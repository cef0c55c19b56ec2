import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import * as oauth from 'oauth4webapi'
import { Visitor } from '../clients/visitor.ts'
import { type Running, run } from './running.ts'

const insecure = { [oauth.allowInsecureRequests]: true }
const examples = [
  { name: 'hono', script: 'examples/hono/server.ts', path: '' },
  { name: 'express', script: 'examples/express/server.ts', path: '/auth' },
  { name: 'fastify', script: 'examples/fastify/server.ts', path: '/auth' },
  { name: 'nextjs', script: 'examples/nextjs/serve.ts', path: '/api/auth' },
  { name: 'fetch', script: 'examples/fetch/server.ts', path: '' },
]

for (const { name, script, path } of examples) {
  describe(`example ${name}`, () => {
    let started: Promise<Running> | undefined
    const open = () => (started ??= run(script))
    after(async () => (await started)?.stop())

    test('RFC 6749 §4.1: sign in at the site, allow, call the API, refresh, revoke, 401', async () => {
      const { origin } = await open()
      const api = `${origin}/api/jobs`

      // The API says where to look, its document says whom to ask, and that one says how.
      const challenge = await fetch(api)
      assert.equal(challenge.status, 401)
      const metadataUrl = /resource_metadata="([^"]+)"/.exec(challenge.headers.get('www-authenticate')!)![1]!
      assert.equal(metadataUrl, `${origin}/.well-known/oauth-protected-resource/api`)
      const resource = new URL(`${origin}/api`)
      const protectedResource = await oauth.processResourceDiscoveryResponse(
        resource,
        await oauth.resourceDiscoveryRequest(resource, insecure),
      )
      const issuer = new URL(protectedResource.authorization_servers![0]!)
      assert.equal(issuer.href.replace(/\/$/, ''), origin + path)
      const server = await oauth.processDiscoveryResponse(
        issuer,
        await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure }),
      )

      const client = { client_id: 'demo' }
      const redirectUri = 'http://127.0.0.1:50123/callback'
      const verifier = oauth.generateRandomCodeVerifier()
      const state = oauth.generateRandomState()
      const url = new URL(server.authorization_endpoint!)
      url.search = new URLSearchParams({
        response_type: 'code',
        client_id: client.client_id,
        redirect_uri: redirectUri,
        scope: 'jobs:read',
        resource: resource.href,
        state,
        code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
      }).toString()
      const visitor = new Visitor(origin)
      const back = await visitor.authorize(url)
      assert.ok(back instanceof URL)
      assert.equal(visitor.consents.length, 1)
      const answer = oauth.validateAuthResponse(server, client, back, state)
      const tokens = await oauth.processAuthorizationCodeResponse(
        server,
        client,
        await oauth.authorizationCodeGrantRequest(
          server,
          client,
          oauth.None(),
          answer,
          redirectUri,
          verifier,
          insecure,
        ),
      )

      const call = (token: string) =>
        oauth.protectedResourceRequest(token, 'GET', new URL(api), undefined, null, insecure)
      const called = await call(tokens.access_token)
      assert.deepEqual(await called.json(), { for: 'alice', jobs: ['Baker', 'Carpenter'] })

      const next = await oauth.processRefreshTokenResponse(
        server,
        client,
        await oauth.refreshTokenGrantRequest(server, client, oauth.None(), tokens.refresh_token!, insecure),
      )
      assert.equal((await call(next.access_token)).status, 200)
      await oauth.processRevocationResponse(
        await oauth.revocationRequest(server, client, oauth.None(), next.refresh_token!, insecure),
      )
      for (const token of [tokens.access_token, next.access_token]) {
        await assert.rejects(call(token), oauth.WWWAuthenticateChallengeError)
        const refused = await fetch(api, { headers: { authorization: `Bearer ${token}` } })
        assert.equal(refused.status, 401)
        assert.match(refused.headers.get('www-authenticate')!, /^Bearer error="invalid_token"/)
        assert.equal(((await refused.json()) as { error: string }).error, 'invalid_token')
      }
    })

    test('RFC 6749 §3.2: the token endpoint reads its own form and answers in JSON', async () => {
      const { origin } = await open()
      const answer = await fetch(`${origin}${path}/oauth/token`, {
        method: 'POST',
        body: new URLSearchParams({ grant_type: 'authorization_code', client_id: 'demo', code: 'x' }),
      })
      assert.equal(answer.status, 400)
      assert.equal(((await answer.json()) as { error: string }).error, 'invalid_grant')
      assert.equal(answer.headers.get('cache-control'), 'no-store')
    })

    test('RFC 6750 §2.3 (N117): a token in the query is refused', async () => {
      const { origin } = await open()
      const answer = await fetch(`${origin}/api/jobs?access_token=x`)
      assert.equal(answer.status, 400)
    })

    test('a browser of another origin may ask for the token endpoint', async () => {
      const { origin } = await open()
      const answer = await fetch(`${origin}${path}/oauth/token`, {
        method: 'OPTIONS',
        headers: { origin: 'https://app.example', 'access-control-request-method': 'POST' },
      })
      assert.equal(answer.status, 204)
      assert.equal(answer.headers.get('access-control-allow-origin'), '*')
    })

    test('the site sends nobody to a foreign address after sign-in', async () => {
      const { origin } = await open()
      for (const to of ['https://evil.example/', `${origin}.evil.example/`, '//evil.example']) {
        const answer = await fetch(`${origin}/sign-in?return_to=${encodeURIComponent(to)}`)
        assert.equal(answer.status, 400, to)
      }
    })

    test('limits know where requests come from', async () => {
      assert.doesNotMatch((await open()).output(), /address of their peer/)
    })

    test('it ends when asked', async () => {
      const running = await open()
      assert.equal(await running.stop(), 0, running.output())
      started = undefined
    })
  })
}
