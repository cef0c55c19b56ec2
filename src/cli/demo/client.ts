import type * as OAuth from 'oauth4webapi'
import { isOpenidScope } from '../../oauth/config/scopes.ts'
import type { DemoAccount } from './account.ts'

/** The demonstration's client, on a library that knows nothing of this server but its issuer. */
export interface DemoClient {
  oauth: typeof OAuth
  server: OAuth.AuthorizationServer
  client: OAuth.Client
  authentication: OAuth.ClientAuth
  /** Options of every request. */
  options: OAuth.TokenEndpointRequestOptions & OAuth.DiscoveryRequestOptions
  redirectUri: string
  scope: string
  fetch: typeof fetch
}

/** An authorization request that waits for its answer. */
export interface Attempt {
  url: string
  state: string
  nonce: string
  verifier: string
}

/** Discovers the server (RFC 8414). Requests to the issuer's origin go to `url`, where this process listens. */
export async function discoverServer(
  issuer: string,
  url: string,
  account: DemoAccount,
  scopes: readonly string[],
): Promise<DemoClient> {
  const oauth = await import('oauth4webapi')
  const { origin } = new URL(issuer)
  const here = url.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:')
  const send = ((address: string, init?: RequestInit) =>
    fetch(
      address.startsWith(`${origin}/`) ? here + address.slice(origin.length) : address,
      init,
    )) as typeof fetch
  const options: DemoClient['options'] = {
    [oauth.allowInsecureRequests]: true,
    [oauth.customFetch]: send as never,
  }
  const identifier = new URL(issuer)
  const response = await oauth.discoveryRequest(identifier, { algorithm: 'oauth2', ...options })
  return {
    oauth,
    server: await oauth.processDiscoveryResponse(identifier, response),
    client: { client_id: account.clientId },
    authentication: oauth.ClientSecretBasic(account.clientSecret),
    options,
    redirectUri: account.redirectUri,
    scope: ['openid', 'profile', ...scopes.filter((name) => !isOpenidScope(name)).slice(0, 2)].join(' '),
    fetch: send,
  }
}

/** A fresh authorization request with PKCE, state and nonce (RFC 6749 §4.1.1, RFC 7636 §4.3, OpenID Connect Core §3.1.2.1). */
export async function attemptAuthorization(
  demo: DemoClient,
  more: Record<string, string> = {},
): Promise<Attempt> {
  const { oauth } = demo
  const verifier = oauth.generateRandomCodeVerifier()
  const state = oauth.generateRandomState()
  const nonce = oauth.generateRandomNonce()
  const url = new URL(demo.server.authorization_endpoint!)
  url.search = new URLSearchParams({
    response_type: 'code',
    client_id: demo.client.client_id,
    redirect_uri: demo.redirectUri,
    scope: demo.scope,
    state,
    nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    ...more,
  }).toString()
  return { url: url.href, state, nonce, verifier }
}

/** Checks the answer that came back to the redirect URI (RFC 6749 §4.1.2, RFC 9207 §2.4) and redeems its code. */
export async function redeemAnswer(
  demo: DemoClient,
  answer: URLSearchParams,
  attempt: Attempt,
): Promise<OAuth.TokenEndpointResponse> {
  const { oauth, server, client, authentication, redirectUri, options } = demo
  const parameters = oauth.validateAuthResponse(server, client, answer, attempt.state)
  return oauth.processAuthorizationCodeResponse(
    server,
    client,
    await oauth.authorizationCodeGrantRequest(
      server,
      client,
      authentication,
      parameters,
      redirectUri,
      attempt.verifier,
      options,
    ),
    { expectedNonce: attempt.nonce },
  )
}

/** Header and claims of a JWT as it is written, unverified; undefined for an opaque token. */
export function decode(token: string): { header: unknown; claims: Record<string, unknown> } | undefined {
  const [header, claims, signature] = token.split('.')
  if (!header || !claims || !signature) return undefined
  const part = (text: string) => JSON.parse(Buffer.from(text, 'base64url').toString('utf8'))
  return { header: part(header), claims: part(claims) }
}

/** A token or code as it may be shown: what kind it is, not what it is worth. */
export function abbreviated(token: string): string {
  return `${token.slice(0, 10)}…`
}
