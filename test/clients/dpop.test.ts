// DPoP as generic client libraries speak it: the code flow, refresh, an API, and every challenge for a nonce.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { parseJwt } from '../../src/crypto/jws.ts'
import type { ClientInput } from '../../src/oauth/clients/client-input.ts'
import { onBothDatabases } from '../support/gatehouse.ts'
import { issuerFor, versionOf } from './issuer.ts'
import { Visitor } from './visitor.ts'

const redirectUri = 'https://client.example/callback'
const insecure = { [oauth.allowInsecureRequests]: true }
const algorithms = ['ES256', 'PS256', 'RS256', 'Ed25519']

onBothDatabases(`DPoP with ${versionOf('oauth4webapi')} and ${versionOf('openid-client')}`, (dialect) => {
  const at = issuerFor(dialect)

  const register = (input: Partial<ClientInput> = {}) =>
    at.current.auth.clients.create({
      name: 'A client',
      redirectUris: [redirectUri],
      tokenEndpointAuthMethod: 'none',
      dpopBoundAccessTokens: true,
      ...input,
    })

  async function discover(): Promise<oauth.AuthorizationServer> {
    const issuer = new URL(at.current.issuer)
    const response = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure })
    return oauth.processDiscoveryResponse(issuer, response)
  }

  /** What a library says when it is told a nonce, which it keeps; the second attempt must do. */
  async function withNonce<T>(attempt: () => Promise<T>): Promise<{ result: T; challenged: boolean }> {
    try {
      return { result: await attempt(), challenged: false }
    } catch (error) {
      if (!oauth.isDPoPNonceError(error)) throw error
      return { result: await attempt(), challenged: true }
    }
  }

  for (const alg of algorithms) {
    test(`RFC 9449 §5, §7.1, §8, §9: oauth4webapi, ${alg}: a code that survives the challenge, an API, refresh`, async () => {
      const server = await discover()
      assert.ok(server.dpop_signing_alg_values_supported?.includes(alg))
      const { client } = await register()
      const known: oauth.Client = { client_id: client.id }
      const keys = await oauth.generateKeyPair(alg, { extractable: true })
      const DPoP = oauth.DPoP(known, keys)
      const jkt = await DPoP.calculateThumbprint()

      const verifier = oauth.generateRandomCodeVerifier()
      const url = new URL(server.authorization_endpoint!)
      url.search = new URLSearchParams({
        response_type: 'code',
        client_id: client.id,
        redirect_uri: redirectUri,
        scope: 'jobs:read',
        dpop_jkt: jkt,
        code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
      }).toString()
      const back = await new Visitor(at.current.origin).authorize(url)
      const answer = oauth.validateAuthResponse(server, known, back as URL, oauth.expectNoState)
      const redeem = async (handle: oauth.DPoPHandle) =>
        oauth.processAuthorizationCodeResponse(
          server,
          known,
          await oauth.authorizationCodeGrantRequest(
            server,
            known,
            oauth.None(),
            answer,
            redirectUri,
            verifier,
            {
              DPoP: handle,
              ...insecure,
            },
          ),
        )
      const thief = oauth.DPoP(known, await oauth.generateKeyPair(alg, { extractable: true }))
      await assert.rejects(
        withNonce(() => redeem(thief)),
        { error: 'invalid_grant' },
      )
      const { result: tokens, challenged } = await withNonce(() => redeem(DPoP))
      assert.equal(challenged, true, 'the first request has no nonce')
      assert.equal(tokens.token_type, 'dpop')
      assert.deepEqual(parseJwt(tokens.access_token)?.claims['cnf'], { jkt })

      const call = (handle: oauth.DPoPHandle | undefined, token: string) =>
        oauth.protectedResourceRequest(token, 'GET', new URL(`${at.current.api}?page=2`), undefined, null, {
          DPoP: handle,
          ...insecure,
        })
      // A program that has the key and no nonce: another window of the app, say.
      const fresh = oauth.DPoP(known, keys)
      const first = await withNonce(() => call(fresh, tokens.access_token))
      assert.equal(first.challenged, true)
      assert.deepEqual(await first.result.json(), { subject: 'alice' })
      assert.equal((await withNonce(() => call(fresh, tokens.access_token))).challenged, false)

      const refresh = async (handle: oauth.DPoPHandle, token: string) =>
        oauth.processRefreshTokenResponse(
          server,
          known,
          await oauth.refreshTokenGrantRequest(server, known, oauth.None(), token, {
            DPoP: handle,
            ...insecure,
          }),
        )
      const next = (await withNonce(() => refresh(DPoP, tokens.refresh_token!))).result
      await withNonce(() => call(DPoP, next.access_token))
      await assert.rejects(
        withNonce(() => refresh(thief, next.refresh_token!)),
        { error: 'invalid_grant' },
      )
      await assert.rejects(
        withNonce(() => call(thief, next.access_token)),
        oauth.WWWAuthenticateChallengeError,
      )
      await assert.rejects(call(undefined, next.access_token), (error) => {
        assert.ok(error instanceof oauth.WWWAuthenticateChallengeError)
        assert.deepEqual([error.status, error.cause[0]!.scheme], [401, 'dpop'])
        assert.equal(error.cause[0]!.parameters.error, 'invalid_token')
        assert.ok(error.cause[0]!.parameters.algs?.split(' ').includes(alg))
        return true
      })
      await withNonce(() => refresh(DPoP, next.refresh_token!))
    })
  }

  test('RFC 9449 §10.1, RFC 9126 §2: oauth4webapi pushes the request with a proof, and the code is good with that key alone', async () => {
    const server = await discover()
    const { client } = await register({ requirePushedAuthorizationRequests: true })
    const known: oauth.Client = { client_id: client.id }
    const DPoP = oauth.DPoP(known, await oauth.generateKeyPair('ES256', { extractable: true }))
    const verifier = oauth.generateRandomCodeVerifier()
    const parameters = new URLSearchParams({
      response_type: 'code',
      redirect_uri: redirectUri,
      scope: 'jobs:read',
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    })
    const push = async () =>
      oauth.processPushedAuthorizationResponse(
        server,
        known,
        await oauth.pushedAuthorizationRequest(server, known, oauth.None(), parameters, {
          DPoP,
          ...insecure,
        }),
      )
    const { result: pushed, challenged } = await withNonce(push)
    assert.equal(challenged, true)
    const url = new URL(server.authorization_endpoint!)
    url.search = new URLSearchParams({ client_id: client.id, request_uri: pushed.request_uri }).toString()
    const back = (await new Visitor(at.current.origin).authorize(url)) as URL
    const answer = oauth.validateAuthResponse(server, known, back, oauth.expectNoState)
    const redeem = async (handle: oauth.DPoPHandle) =>
      oauth.processAuthorizationCodeResponse(
        server,
        known,
        await oauth.authorizationCodeGrantRequest(
          server,
          known,
          oauth.None(),
          answer,
          redirectUri,
          verifier,
          {
            DPoP: handle,
            ...insecure,
          },
        ),
      )
    const thief = oauth.DPoP(known, await oauth.generateKeyPair('ES256', { extractable: true }))
    await assert.rejects(
      withNonce(() => redeem(thief)),
      { error: 'invalid_grant' },
    )
    const { result, challenged: again } = await withNonce(() => redeem(DPoP))
    assert.equal(again, false, 'the nonce of one endpoint is good at the other')
    assert.equal(result.token_type, 'dpop')
  })

  test('RFC 9449 §5, §8: openid-client: code, API and refresh, the nonces fetched by itself', async () => {
    const { client, secret } = await register({ tokenEndpointAuthMethod: 'client_secret_basic' })
    const configuration = await openid.discovery(
      new URL(at.current.issuer),
      client.id,
      undefined,
      openid.ClientSecretBasic(secret!),
      { algorithm: 'oauth2', execute: [openid.allowInsecureRequests] },
    )
    const DPoP = openid.getDPoPHandle(configuration, await openid.randomDPoPKeyPair('ES256'))
    const pkceCodeVerifier = openid.randomPKCECodeVerifier()
    const url = openid.buildAuthorizationUrl(configuration, {
      redirect_uri: redirectUri,
      scope: 'jobs:read',
      code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
    })
    const back = (await new Visitor(at.current.origin).authorize(url)) as URL
    const tokens = await openid.authorizationCodeGrant(configuration, back, { pkceCodeVerifier }, undefined, {
      DPoP,
    })
    assert.equal(tokens.token_type, 'dpop')
    const call = async (token: string, handle?: openid.DPoPHandle) => {
      const api = new URL(at.current.api)
      return openid.fetchProtectedResource(configuration, token, api, 'GET', null, undefined, {
        DPoP: handle,
      })
    }
    assert.deepEqual(await (await call(tokens.access_token, DPoP)).json(), { subject: 'alice' })
    const next = await openid.refreshTokenGrant(configuration, tokens.refresh_token!, undefined, { DPoP })
    const fresh = openid.getDPoPHandle(configuration, await openid.randomDPoPKeyPair('ES256'))
    await assert.rejects(call(next.access_token, fresh), openid.WWWAuthenticateChallengeError)
    await assert.rejects(call(next.access_token), openid.WWWAuthenticateChallengeError)
    assert.equal((await call(next.access_token, DPoP)).status, 200)
  })
})
