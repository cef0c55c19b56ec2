import { type BackChannel, openBackChannel, type PostOptions } from './back-channel.ts'
import type { Client } from './clients.ts'
import { NotShown, OutOfRequests } from './failures.ts'
import { type AskOptions, type FrontChannel, openFrontChannel, sayOutcome } from './front-channel.ts'
import type { Metadata } from './metadata.ts'
import type { SignIn } from './sign-in.ts'
import type { Answer, Parameters, Wire } from './wire.ts'
import { sayAnswer } from './wire.ts'

export interface CodeOptions extends AskOptions {
  /** Asks for what makes a refresh token, where it needs asking. */
  offline?: boolean
  scope?: readonly string[]
  parameters?: Parameters
}

/** An authorization code and what redeems it. */
export interface Code {
  client: Client
  value: string
  verifier: string
  redirectUri: string
  /** The parameters of the authorization response. */
  response: URLSearchParams
  answer: Answer
}

export interface Tokens {
  client: Client
  code: Code
  access: string
  refresh?: string
  idToken?: string
  scope?: string
  answer: Answer
}

/** What a client does: asks for authorization, redeems, refreshes. Everything is right unless a change makes it wrong. */
export interface Flow extends FrontChannel, BackChannel {
  /** Throws `NotShown` when there is none. */
  code(client: Client, options?: CodeOptions): Promise<Code>
  redeem(code: Code, changes?: Parameters, options?: PostOptions): Promise<Answer>
  /** Tokens by a code. Throws `NotShown` when there are none. */
  tokens(client: Client, options?: CodeOptions & Pick<PostOptions, 'key'>): Promise<Tokens>
  refresh(client: Client, token: string, changes?: Parameters, options?: PostOptions): Promise<Answer>
  /** Whether introspection calls a token active; undefined where there is none. */
  active(client: Client, token: string): Promise<boolean | undefined>
}

export function openFlow(wire: Wire, server: Metadata, signIn: SignIn): Flow {
  const back = openBackChannel(wire, server.issuer)
  const front = openFrontChannel(wire, server, signIn, back)
  const { post } = back

  async function code(client: Client, options: CodeOptions = {}): Promise<Code> {
    const { offline, scope, parameters: changes = {} } = options
    const asked = front.request(client)
    const wanted =
      scope ??
      String(asked.parameters['scope'] ?? '')
        .split(' ')
        .filter(Boolean)
    const withOffline = offline && front.offers(client, 'offline_access')
    const parameters: Parameters = {
      ...asked.parameters,
      scope: [...wanted, ...(withOffline ? ['offline_access'] : [])].join(' ') || undefined,
      // OpenID Connect Core §11: offline access needs consent that was asked for.
      ...(withOffline ? { prompt: 'consent' } : {}),
      ...changes,
    }
    const outcome = await front.ask(client, parameters, options)
    const value = outcome.left?.parameters.get('code')
    if (!outcome.left || !value) {
      const what = `no code was issued: ${sayOutcome(outcome)}`
      throw outcome.answer.status === 429 ? new OutOfRequests(what) : new NotShown(what)
    }
    const redirectUri = String(parameters['redirect_uri'] ?? client.redirectUris[0])
    const response = outcome.left.parameters
    return { client, value, verifier: asked.verifier, redirectUri, response, answer: outcome.answer }
  }

  function redeem(one: Code, changes: Parameters = {}, options: PostOptions = {}): Promise<Answer> {
    const form = {
      grant_type: 'authorization_code',
      code: one.value,
      redirect_uri: one.redirectUri,
      code_verifier: one.verifier,
      ...changes,
    }
    return post(one.client, server.token_endpoint, form, options)
  }

  async function tokens(
    client: Client,
    options: CodeOptions & Pick<PostOptions, 'key'> = {},
  ): Promise<Tokens> {
    const one = await code(client, options)
    const answer = await redeem(one, {}, options.key ? { key: options.key } : {})
    const { access_token: access, refresh_token: refresh, id_token: idToken, scope } = answer.json
    if (answer.status !== 200 || typeof access !== 'string') {
      const what = `a code was not redeemed: ${sayAnswer(answer)}`
      throw answer.status === 429 ? new OutOfRequests(what) : new NotShown(what)
    }
    if (options.offline && typeof refresh !== 'string') {
      throw new NotShown('no refresh token is issued to such a client')
    }
    const found: Tokens = { client, code: one, access, answer }
    if (typeof refresh === 'string') found.refresh = refresh
    if (typeof idToken === 'string') found.idToken = idToken
    if (typeof scope === 'string') found.scope = scope
    return found
  }

  return {
    ...front,
    ...back,
    code,
    redeem,
    tokens,
    refresh: (client, token, changes = {}, options = {}) =>
      post(
        client,
        server.token_endpoint,
        { grant_type: 'refresh_token', refresh_token: token, ...changes },
        options,
      ),
    async active(client, token) {
      if (server.introspection_endpoint === undefined || client.method === 'none') return undefined
      const answer = await post(client, server.introspection_endpoint, { token })
      return answer.status === 200 && typeof answer.json['active'] === 'boolean'
        ? answer.json['active']
        : undefined
    },
  }
}
