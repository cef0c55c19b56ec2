import { type Browser, type Jar, openBrowser, type Page } from './browser.ts'
import { type Client, type Credentials, NotApplicable } from './clients.ts'
import { type ClientKey, sha256 } from './jose.ts'
import { type Metadata, offersGrant } from './metadata.ts'
import { credentialsOf, fresh, proof } from './proofs.ts'
import type { SignIn, SignInVisit } from './sign-in.ts'
import { type Answer, encode, type Outgoing, type Parameters, type Wire, withQuery } from './wire.ts'

/** How an authorization request ended. */
export interface Outcome {
  /** The last answer of the server. */
  answer: Answer
  page?: Page
  /** Where the answer went, if it left the server. */
  left?: NonNullable<Page['left']>
  /** The refusal of the pushed request, where the server takes no other. */
  pushed?: Answer
  /** Why the sign-in script gave up. */
  stuck?: string
  /** Every answer on the way. */
  answers: readonly Answer[]
  /** What was asked. */
  asked: Parameters
}

export interface AskOptions {
  person?: SignInVisit['person']
  decision?: SignInVisit['decision']
  /** A browser nobody has used yet. */
  stranger?: boolean
  /** Only looks at the first answer: signs nobody in and decides nothing. */
  look?: boolean
  beforePost?(request: Outgoing, page: Page | undefined): Promise<Outgoing | undefined>
}

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

export interface PostOptions {
  /** Another client's authentication, or none at all. */
  as?: Client | null
  credentials?: Credentials
  headers?: Record<string, string | string[]>
  /** Sends a DPoP proof of this key, and once more with the nonce where one is demanded. */
  key?: ClientKey
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
export interface Flow {
  readonly request: (
    client: Client,
    changes?: Parameters,
  ) => Promise<{ parameters: Parameters; verifier: string }>
  authorize(client: Client, changes?: Parameters, options?: AskOptions): Promise<Outcome>
  /** Opens an address of the authorization endpoint and goes through sign-in and consent. */
  visit(client: Client, url: string, options?: AskOptions): Promise<Outcome>
  /** Sends a request that was made in one browser from another one, which looks where it leads and goes no further. */
  elsewhere(client: Client, request: Outgoing, options?: AskOptions): Promise<Outcome>
  /** Throws `NotApplicable` when there is none. */
  code(client: Client, options?: CodeOptions): Promise<Code>
  redeem(code: Code, changes?: Parameters, options?: PostOptions): Promise<Answer>
  /** Tokens by a code. Throws `NotApplicable` when there are none. */
  tokens(client: Client, options?: CodeOptions & Pick<PostOptions, 'key'>): Promise<Tokens>
  refresh(client: Client, token: string, changes?: Parameters, options?: PostOptions): Promise<Answer>
  /** A form to an endpoint, with the client's authentication. */
  post(client: Client | null, url: string, form: Parameters, options?: PostOptions): Promise<Answer>
  /** Whether introspection calls a token active; undefined where nobody can be asked. */
  active(client: Client, token: string): Promise<boolean | undefined>
  scopes(client: Client): string[]
  nonce(url: string): string | undefined
}

const ofOpenId = new Set(['openid', 'offline_access', 'profile', 'email', 'address', 'phone'])

export function openFlow(wire: Wire, server: Metadata, signIn: SignIn): Flow {
  const jars = new Map<number, Jar>()
  const nonces = new Map<string, string>()

  function jarOf({ person = 1, stranger }: AskOptions): Jar {
    if (stranger) return { cookies: new Map() }
    const jar = jars.get(person) ?? { cookies: new Map() }
    jars.set(person, jar)
    return jar
  }

  /** Up to two scopes of the server's own, beside those that change the flow. */
  function scopes(client: Client): string[] {
    const offered = client.scope?.split(' ').filter(Boolean) ?? server.scopes_supported ?? []
    return offered.filter((scope) => !ofOpenId.has(scope)).slice(0, 2)
  }

  function offers(client: Client, scope: string): boolean {
    return (server.scopes_supported?.includes(scope) && client.scope?.split(' ').includes(scope)) ?? true
  }

  async function request(client: Client, changes: Parameters = {}) {
    const verifier = fresh(32)
    const openId = (server.scopes_supported ?? []).includes('openid') && offers(client, 'openid')
    const scope = [...(openId ? ['openid'] : []), ...scopes(client)].join(' ')
    const parameters: Parameters = {
      response_type: 'code',
      client_id: client.id,
      redirect_uri: client.redirectUris[0],
      scope: scope === '' ? undefined : scope,
      state: fresh(),
      code_challenge: sha256(verifier),
      code_challenge_method: 'S256',
      ...changes,
    }
    return { parameters, verifier }
  }

  async function authorize(
    client: Client,
    changes: Parameters = {},
    options: AskOptions = {},
  ): Promise<Outcome> {
    const { parameters } = await request(client, changes)
    return ask(client, parameters, options)
  }

  async function ask(client: Client, parameters: Parameters, options: AskOptions): Promise<Outcome> {
    if (server.authorization_endpoint === undefined) {
      throw new NotApplicable('the metadata names no authorization_endpoint')
    }
    const mustPush =
      server.require_pushed_authorization_requests ||
      client.registered['require_pushed_authorization_requests']
    const url = server.pushed_authorization_request_endpoint
    if (!mustPush || url === undefined) {
      const outcome = await visit(client, withQuery(server.authorization_endpoint, parameters), options)
      return { ...outcome, asked: parameters }
    }
    const pushed = await post(client, url, parameters)
    const uri = pushed.json['request_uri']
    if (typeof uri !== 'string') return { answer: pushed, pushed, answers: [pushed], asked: parameters }
    const short = { client_id: client.id, request_uri: uri }
    const back = [parameters['redirect_uri']]
    const outcome = await visit(client, withQuery(server.authorization_endpoint, short), options, back)
    return { ...outcome, asked: parameters }
  }

  async function visit(
    client: Client,
    url: string,
    options: AskOptions = {},
    more: readonly unknown[] = [],
  ): Promise<Outcome> {
    const named = new URL(url).searchParams.getAll('redirect_uri')
    const browser = browserFor(options, [...client.redirectUris, ...named, ...more])
    const first = await browser.open(url)
    const { answers } = browser
    const asked = {}
    if (first.left || first.status >= 400 || first.status === 0 || options.look) {
      return { answer: first.answer, page: first, answers, asked, ...(first.left && { left: first.left }) }
    }
    try {
      const { person = 1, decision = 'allow' } = options
      const page = await signIn({ browser: beginning(browser, url, first), url, person, decision })
      return { answer: page.answer, page, answers, asked, ...(page.left && { left: page.left }) }
    } catch (error) {
      if (error instanceof Error && /^(NotApplicable|OutOfRequests)$/.test(error.name)) throw error
      const answer = answers.at(-1) ?? first.answer
      return { answer, answers, asked, stuck: error instanceof Error ? error.message : String(error) }
    }
  }

  function browserFor(options: AskOptions, targets: readonly unknown[]): Browser {
    return openBrowser({
      wire,
      jar: jarOf(options),
      stops: stopsAt(server.issuer, targets),
      ...(options.beforePost && { beforePost: options.beforePost }),
    })
  }

  async function elsewhere(client: Client, request: Outgoing, options: AskOptions = {}): Promise<Outcome> {
    const { method, body, headers: { cookie: _cookie, ...headers } = {} } = request
    const browser = browserFor(options, client.redirectUris)
    const page = await browser.fetch(request.url, {
      method,
      headers: headers as Record<string, string>,
      ...(body === undefined ? {} : { body }),
    })
    return {
      answer: page.answer,
      page,
      answers: browser.answers,
      asked: {},
      ...(page.left && { left: page.left }),
    }
  }

  async function code(client: Client, options: CodeOptions = {}): Promise<Code> {
    const { offline, scope, parameters: changes = {} } = options
    const asked = await request(client)
    const wanted =
      scope ??
      String(asked.parameters['scope'] ?? '')
        .split(' ')
        .filter(Boolean)
    const withOffline = offline && offers(client, 'offline_access')
    const parameters: Parameters = {
      ...asked.parameters,
      scope: [...wanted, ...(withOffline ? ['offline_access'] : [])].join(' ') || undefined,
      // OpenID Connect Core §11: offline access needs consent that was asked for.
      ...(withOffline ? { prompt: 'consent' } : {}),
      ...changes,
    }
    const outcome = await ask(client, parameters, options)
    const value = outcome.left?.parameters.get('code')
    if (!outcome.left || !value) throw new NotApplicable(`no code was issued: ${sayOutcome(outcome)}`)
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
      throw new NotApplicable(`a code was not redeemed: ${sayAnswer(answer)}`)
    }
    if (options.offline && typeof refresh !== 'string') {
      throw new NotApplicable('no refresh token is issued to such a client')
    }
    const found: Tokens = { client, code: one, access, answer }
    if (typeof refresh === 'string') found.refresh = refresh
    if (typeof idToken === 'string') found.idToken = idToken
    if (typeof scope === 'string') found.scope = scope
    return found
  }

  async function post(
    client: Client | null,
    url: string,
    form: Parameters,
    options: PostOptions = {},
  ): Promise<Answer> {
    const acting = options.as === undefined ? client : options.as
    const once = () => {
      const own =
        options.credentials ?? (acting ? credentialsOf(acting, server.issuer) : { headers: {}, form: {} })
      const nonce = nonces.get(url)
      const dpop = options.key && proof(options.key, { method: 'POST', url, ...(nonce ? { nonce } : {}) })
      return wire.send({
        method: 'POST',
        url,
        headers: {
          'content-type': 'application/x-www-form-urlencoded',
          ...own.headers,
          ...(dpop === undefined ? {} : { dpop }),
          ...options.headers,
        },
        body: encode({ ...own.form, ...form }),
      })
    }
    const answer = await once()
    const nonce = answer.headers.get('dpop-nonce')
    if (nonce !== null) nonces.set(url, nonce)
    return options.key && nonce !== null && answer.json['error'] === 'use_dpop_nonce' ? once() : answer
  }

  return {
    request,
    authorize,
    visit,
    elsewhere,
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
    post,
    async active(client, token) {
      if (server.introspection_endpoint === undefined || client.method === 'none') return undefined
      const answer = await post(client, server.introspection_endpoint, { token })
      return answer.status === 200 && typeof answer.json['active'] === 'boolean'
        ? answer.json['active']
        : undefined
    },
    scopes,
    nonce: (url) => nonces.get(url),
  }
}

export function refreshes(server: Metadata): boolean {
  return offersGrant(server, 'refresh_token')
}

/** Stops at the client's own addresses and at those a request asked for: on another origin anywhere, on the server's at their path. */
function stopsAt(issuer: string, uris: readonly unknown[]): (url: URL) => boolean {
  const { origin } = new URL(issuer)
  const targets = uris.flatMap((uri) => (typeof uri === 'string' && URL.canParse(uri) ? [new URL(uri)] : []))
  return (url) =>
    targets.some(
      (one) => url.origin === one.origin && (url.origin !== origin || url.pathname === one.pathname),
    )
}

/** The browser as a sign-in script gets it: on the page that is open already. */
function beginning(browser: Browser, url: string, first: Page): Browser {
  let begun = false
  return {
    ...browser,
    get answers() {
      return browser.answers
    },
    open(address) {
      if (begun || address !== url) return browser.open(address)
      begun = true
      return Promise.resolve(first)
    },
  }
}

/** What came, in a few words and without secrets. */
export function sayAnswer({ status, json, text }: Answer): string {
  if (status === 0) return text
  const { error, error_description: words } = json
  return [status, error, words].filter((one) => typeof one === 'string' || typeof one === 'number').join(' ')
}

export function sayOutcome({ left, pushed, page, stuck, answer }: Outcome): string {
  if (pushed) return sayAnswer(pushed)
  if (stuck !== undefined) return `the sign-in ended: ${stuck}`
  if (!left) return `a page came with status ${answer.status}${page?.title ? `, “${page.title}”` : ''}`
  const error = left.parameters.get('error')
  return error === null ? 'the client got an answer' : `the client got the error ${error}`
}
