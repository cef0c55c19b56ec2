// OpenID Connect Core §3.1.2.1, §3.1.3, §3.1.3.7; OpenID Connect Discovery §4.3; RFC 7636; RFC 9207: asking an OpenID provider
// who a browser belongs to, by code and PKCE. The library checks what must be checked; it is loaded when it is first needed.
import type { AuthorizationServer, Client, ClientAuth, IDToken } from 'oauth4webapi'
import { staleFor } from '../../http/freshness.ts'
import { AccountsUnavailable } from '../account.ts'

export interface OpenidProviderOptions {
  /** Exactly as the provider's own metadata names it; discovery may not change it. */
  issuer: string
  clientId: string
  /** Without one the client is public and only PKCE protects the code. */
  clientSecret?: string
  /** How the secret is sent. Default `client_secret_basic`. */
  tokenEndpointAuthMethod?: 'client_secret_basic' | 'client_secret_post'
  /** Default `openid profile email`. */
  scope?: string
}

/** What a sign-in that was begun must be answered with. */
export interface Begun {
  state: string
  nonce: string
  verifier: string
}

/** What the sign-in is asked for. */
export interface Wanted {
  /** Seconds; the provider then says when the user authenticated. */
  maxAge: number
  again: boolean
  loginHint?: string
  acrValues?: string
}

/** The browser came back with what is no answer to what was asked; `error` is the provider's own code, if it gave one. */
export interface NotSignedIn {
  error: string
}

export interface OpenidProvider {
  begin(wanted: Wanted): Promise<{ location: string; begun: Begun }>
  /** Checks the answer in the callback's query and redeems its code. Throws `AccountsUnavailable` when the provider cannot be asked. */
  finish(callback: URL, begun: Begun, maxAge: number): Promise<IDToken | NotSignedIn>
}

/** How long the provider's metadata counts as fresh, and is not fetched again after a failure, in milliseconds. */
const freshFor = 10 * 60_000
const failurePause = 30_000
/** How far the provider's clock may be from ours, in seconds. */
const clockTolerance = 30
/** How long the provider may take to answer, in milliseconds. */
const deadline = 8_000

export function openidProvider(
  options: OpenidProviderOptions,
  redirectUri: string,
  now: () => number,
): OpenidProvider {
  const issuer = new URL(options.issuer)
  const client: Client = { client_id: options.clientId }
  const insecure = issuer.protocol === 'http:'
  let known: { server: AuthorizationServer; readAt: number } | undefined
  let reading: Promise<AuthorizationServer> | undefined
  let failedAt = Number.NEGATIVE_INFINITY

  const library = () => import('oauth4webapi')

  async function requestOptions() {
    const { allowInsecureRequests } = await library()
    return { signal: () => AbortSignal.timeout(deadline), [allowInsecureRequests]: insecure }
  }

  async function metadata(): Promise<AuthorizationServer> {
    if (known && now() - known.readAt < freshFor) return known.server
    const stale = known && now() - known.readAt <= freshFor + staleFor ? known : undefined
    if (stale && now() - failedAt < failurePause) return stale.server
    reading ??= discover().finally(() => (reading = undefined))
    return reading
  }

  /** While the provider cannot answer, what is known stays good for an hour; an answer that is wrong takes effect. */
  async function discover(): Promise<AuthorizationServer> {
    let answer: Response | undefined
    try {
      const { discoveryRequest, processDiscoveryResponse } = await library()
      answer = await discoveryRequest(issuer, { algorithm: 'oidc', ...(await requestOptions()) })
      const server = await processDiscoveryResponse(issuer, answer)
      known = { server, readAt: now() }
      return server
    } catch (error) {
      failedAt = now()
      if (answer === undefined || answer.status >= 500 || answer.status === 429) {
        if (known && now() - known.readAt <= freshFor + staleFor) return known.server
      } else known = undefined
      throw new AccountsUnavailable(`${options.issuer} cannot be asked for its metadata`, { cause: error })
    }
  }

  async function authentication(): Promise<ClientAuth> {
    const { ClientSecretBasic, ClientSecretPost, None } = await library()
    if (options.clientSecret === undefined) return None()
    return options.tokenEndpointAuthMethod === 'client_secret_post'
      ? ClientSecretPost(options.clientSecret)
      : ClientSecretBasic(options.clientSecret)
  }

  return {
    async begin(wanted) {
      const [server, lib] = [await metadata(), await library()]
      const begun = {
        state: lib.generateRandomState(),
        nonce: lib.generateRandomNonce(),
        verifier: lib.generateRandomCodeVerifier(),
      }
      const location = new URL(server.authorization_endpoint ?? '', options.issuer)
      const parameters = {
        response_type: 'code',
        client_id: options.clientId,
        redirect_uri: redirectUri,
        scope: options.scope ?? 'openid profile email',
        state: begun.state,
        nonce: begun.nonce,
        code_challenge: await lib.calculatePKCECodeChallenge(begun.verifier),
        code_challenge_method: 'S256',
        max_age: String(wanted.maxAge),
        ...(wanted.again ? { prompt: 'login' } : {}),
        ...(wanted.loginHint === undefined ? {} : { login_hint: wanted.loginHint }),
        ...(wanted.acrValues === undefined ? {} : { acr_values: wanted.acrValues }),
      }
      for (const [name, value] of Object.entries(parameters)) location.searchParams.set(name, value)
      return { location: location.href, begun }
    },

    async finish(callback, begun, maxAge) {
      const [server, lib, request] = [await metadata(), await library(), await requestOptions()]
      let answer: Response
      let parameters: URLSearchParams
      try {
        parameters = lib.validateAuthResponse(server, client, callback, begun.state)
      } catch (error) {
        return { error: error instanceof lib.AuthorizationResponseError ? error.error : 'response_invalid' }
      }
      try {
        answer = await lib.authorizationCodeGrantRequest(
          server,
          client,
          await authentication(),
          parameters,
          redirectUri,
          begun.verifier,
          request,
        )
      } catch (error) {
        throw new AccountsUnavailable(`${options.issuer} cannot be asked for a token`, { cause: error })
      }
      if (answer.status >= 500 || answer.status === 429) {
        throw new AccountsUnavailable(`${options.issuer} answered ${answer.status} instead of a token`)
      }
      try {
        const tokens = await lib.processAuthorizationCodeResponse(server, client, answer, {
          expectedNonce: begun.nonce,
          requireIdToken: true,
        })
        await lib.validateApplicationLevelSignature(server, answer, request)
        const claims = lib.getValidatedIdTokenClaims(tokens)!
        return isTooOld(claims, maxAge, now()) ? { error: 'auth_time_too_old' } : claims
      } catch (error) {
        return { error: error instanceof lib.ResponseBodyError ? error.error : 'id_token_invalid' }
      }
    },
  }
}

/** `max_age` is asked for, so who authenticates users says when; some large providers ignore it, and say nothing. */
function isTooOld({ auth_time }: IDToken, maxAge: number, now: number): boolean {
  return typeof auth_time === 'number' && auth_time + maxAge + clockTolerance < now / 1_000
}
