// Generic OpenID Connect relying party (openid-client): discovery, code with nonce, userinfo, refresh, logout, over real HTTP.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import * as client from 'openid-client'
import { type App, openApp } from '../../src/app.ts'
import { algorithms } from '../../src/crypto/jws.ts'
import { embed, type Gatehouse } from '../../src/gatehouse.ts'
import { nodeServer } from '../../src/http/node.ts'
import type { ClientInput } from '../../src/oauth/clients/client-input.ts'
import { dialects, freshDatabase, scopes, secret } from '../support/gatehouse.ts'
import { versionOf } from './issuer.ts'
import { formsOf, type Left, type Page, Visitor } from './visitor.ts'

const redirectUri = 'https://client.example/callback'
const goodbye = 'https://client.example/goodbye'
const person = { name: 'Ann Example', login: 'ann@example.com', password: 'correct horse battery staple' }

for (const [dialect, base] of [
  [dialects[0]!, '/auth'],
  [dialects[1]!, ''],
] as const) {
  describe(`${versionOf('openid-client')} as relying party (${dialect}, issuer ${base || 'at the root'})`, () => {
    let app: App
    let auth: Gatehouse
    let origin: string
    let issuer: string
    let close: () => Promise<void>
    before(async () => {
      const server = createServer().listen(0, 'localhost')
      await once(server, 'listening')
      origin = `http://localhost:${(server.address() as AddressInfo).port}`
      issuer = origin + base
      const database = await freshDatabase(dialect)
      const config = { issuer, secret, database: database.url, scopes, migrate: true, jobs: false }
      app = await openApp({ ...config, log: 'silent' })
      auth = embed(app)
      const serve = nodeServer(app.answer, app.settings)
      server.on('request', (request, response) => serve.emit('request', request, response))
      close = async () => {
        server.closeAllConnections()
        server.close()
        await once(server, 'close')
        await app.close()
        await database.remove()
      }
      const visitor = new Visitor(origin)
      await visitor.submit((await visitor.open(`${issuer}/sign-up`)) as Page, person)
    })
    after(() => close())

    async function configure(
      input: Partial<ClientInput> = {},
      metadata: Partial<client.ClientMetadata> = {},
    ) {
      const made = await auth.clients.create({
        name: 'A relying party',
        redirectUris: [redirectUri],
        postLogoutRedirectUris: [goodbye],
        ...input,
      })
      return client.discovery(
        new URL(issuer),
        made.client.id,
        metadata,
        client.ClientSecretBasic(made.secret),
        {
          execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks],
        },
      )
    }

    /** Signs in where it is asked to, and allows. */
    async function goThrough(visitor: Visitor, url: URL): Promise<URL | Page> {
      let at: Page | Left = await visitor.open(url)
      for (let pages = 0; !('to' in at) && pages < 5; pages++) {
        if (/name="decision"/.test(at.html)) at = await visitor.submit(at, { decision: 'allow' })
        else if (/name="password"/.test(at.html)) {
          at = await visitor.submit(at, { login: person.login, password: person.password })
        } else return at
      }
      return (at as Left).to
    }

    async function signIn(
      configuration: client.Configuration,
      visitor: Visitor,
      more: Record<string, string> = {},
      checks: client.AuthorizationCodeGrantChecks = {},
    ) {
      const pkceCodeVerifier = client.randomPKCECodeVerifier()
      const [expectedState, expectedNonce] = [client.randomState(), client.randomNonce()]
      const url = client.buildAuthorizationUrl(configuration, {
        redirect_uri: redirectUri,
        scope: 'openid profile email jobs:read',
        code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
        code_challenge_method: 'S256',
        state: expectedState,
        nonce: expectedNonce,
        ...more,
      })
      const back = await goThrough(visitor, url)
      const answer =
        back instanceof URL
          ? back
          : new Request(redirectUri, {
              method: 'POST',
              body: new URLSearchParams(
                formsOf(back.html).find((form) => form.action === redirectUri)!.hidden,
              ),
            })
      return client.authorizationCodeGrant(configuration, answer, {
        pkceCodeVerifier,
        expectedState,
        expectedNonce,
        idTokenExpected: true,
        ...checks,
      })
    }

    test('OpenID Connect Discovery §4, RFC 8414 §3: one document under every name, each for the issuer it was built from (A2, A3)', async () => {
      const names = ['openid-configuration', 'oauth-authorization-server']
      const urls = names.flatMap((name) => [
        `${issuer}/.well-known/${name}`,
        `${origin}/.well-known/${name}${base}`,
      ])
      const documents = await Promise.all(
        urls.map(async (url) => {
          const answer = await fetch(url)
          assert.equal(answer.status, 200, url)
          assert.equal(answer.headers.get('content-type'), 'application/json')
          return (await answer.json()) as Record<string, unknown>
        }),
      )
      for (const document of documents) assert.deepEqual(document, documents[0])
      assert.equal(documents[0]!.issuer, issuer)
      for (const algorithm of ['oidc', 'oauth2'] as const) {
        const configuration = await client.discovery(new URL(issuer), 'x', undefined, client.None(), {
          algorithm,
          execute: [client.allowInsecureRequests],
        })
        assert.equal(configuration.serverMetadata().issuer, issuer)
      }
    })

    for (const alg of algorithms) {
      test(`OpenID Connect Core §3.1, §5.3, §12, RP-Initiated Logout §2: sign-in, userinfo, refresh and logout, signed with ${alg}`, async () => {
        const configuration = await configure(
          { idTokenSignedResponseAlg: alg, userinfoSignedResponseAlg: alg },
          { id_token_signed_response_alg: alg, userinfo_signed_response_alg: alg },
        )
        const visitor = new Visitor(origin)
        const tokens = await signIn(configuration, visitor, { max_age: '3600' }, { maxAge: 3600 })
        const claims = tokens.claims()!
        assert.equal(claims.iss, issuer)
        assert.deepEqual(claims['amr'], ['pwd'])
        const known = await client.fetchUserInfo(configuration, tokens.access_token, claims.sub)
        assert.equal(known.name, person.name)
        assert.equal(known.email, person.login)
        assert.equal(known.preferred_username, person.login)

        const next = await client.refreshTokenGrant(configuration, tokens.refresh_token!)
        assert.equal(next.claims()!.sub, claims.sub)
        assert.equal(next.claims()!.auth_time, claims.auth_time)
        assert.equal(next.claims()!['sid'], claims['sid'])
        assert.equal(next.claims()!.nonce, undefined)

        const silent = await signIn(configuration, visitor, { prompt: 'none', id_token_hint: next.id_token! })
        assert.equal(silent.claims()!['sid'], claims['sid'])

        const state = client.randomState()
        const logout = client.buildEndSessionUrl(configuration, {
          id_token_hint: tokens.id_token!,
          post_logout_redirect_uri: goodbye,
          state,
        })
        assert.equal(((await visitor.open(logout)) as Left).to.href, `${goodbye}?state=${state}`)
        await assert.rejects(client.refreshTokenGrant(configuration, next.refresh_token!), {
          error: 'invalid_grant',
        })
        await assert.rejects(client.fetchUserInfo(configuration, next.access_token, claims.sub))
        await assert.rejects(signIn(configuration, visitor, { prompt: 'none' }), { error: 'login_required' })
      })
    }

    test('OpenID Connect Core §8: pairwise names, and plain userinfo', async () => {
      const visitor = new Visitor(origin)
      const subjects: string[] = []
      for (const subjectType of ['public', 'pairwise'] as const) {
        const configuration = await configure({ subjectType })
        const tokens = await signIn(configuration, visitor, { response_mode: 'form_post' })
        const { sub } = tokens.claims()!
        assert.equal((await client.fetchUserInfo(configuration, tokens.access_token, sub)).sub, sub)
        const next = await client.refreshTokenGrant(configuration, tokens.refresh_token!)
        assert.equal(next.claims()!.sub, sub)
        subjects.push(sub)
      }
      assert.notEqual(subjects[0], subjects[1])
    })

    test('OpenID Connect Core §5.5, §11: claims by name, and a session that outlives the sign-in', async () => {
      const configuration = await configure()
      const visitor = new Visitor(origin)
      const tokens = await signIn(configuration, visitor, {
        scope: 'openid offline_access',
        prompt: 'consent',
        claims: JSON.stringify({ id_token: { email: { essential: true } } }),
      })
      assert.equal(tokens.claims()!['email'], person.login)
      assert.equal(tokens.claims()!['name'], undefined)
      await visitor.open(client.buildEndSessionUrl(configuration, { id_token_hint: tokens.id_token! }))
      const next = await client.refreshTokenGrant(configuration, tokens.refresh_token!)
      assert.equal(next.claims()!.sub, tokens.claims()!.sub)
    })

    test('OpenID Connect Core §3.1.3.7: a relying party refuses another nonce, another issuer, another client', async () => {
      const configuration = await configure()
      const visitor = new Visitor(origin)
      await assert.rejects(signIn(configuration, visitor, {}, { expectedNonce: 'another' }))
      await assert.rejects(signIn(configuration, visitor, {}, { expectedState: 'another' }))
      await signIn(configuration, visitor)
    })
  })
}
