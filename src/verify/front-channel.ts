import type { BackChannel } from './back-channel.ts'
import { type Browser, type Jar, openBrowser, type Page } from './browser.ts'
import type { Client } from './clients.ts'
import { Elsewhere, NotApplicable, NotShown, OutOfRequests, Untried } from './failures.ts'
import { sha256 } from './jose.ts'
import type { Metadata } from './metadata.ts'
import { fresh } from './proofs.ts'
import type { SignIn, SignInVisit } from './sign-in.ts'
import { type Answer, type Outgoing, type Parameters, sayAnswer, type Wire, withQuery } from './wire.ts'

/** How an authorization request ended. */
export interface Outcome {
  /** The last answer of the server. */
  answer: Answer
  page?: Page
  /** Where the answer went, if it left the server. */
  left?: NonNullable<Page['left']>
  /** The refusal of the pushed request, where the server takes no other. */
  pushed?: Answer
  /** A button or a link was pressed that says no. */
  denied?: boolean
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
  /** A new browser, without cookies. */
  stranger?: boolean
  /** The code a device shows, where one must be typed. */
  userCode?: string
  /** Only looks at the first answer: no sign-in, no decision. */
  look?: boolean
  beforePost?(request: Outgoing, page: Page | undefined): Promise<Outgoing | undefined>
}

/** What goes through a browser: authorization requests, with two people to sign in as. */
export interface FrontChannel {
  /** The parameters of a correct request, and the verifier of its challenge. */
  request(client: Client, changes?: Parameters): { parameters: Parameters; verifier: string }
  /** Asks, and goes through sign-in and consent. */
  ask(client: Client, parameters: Parameters, options?: AskOptions): Promise<Outcome>
  /** A correct request but for the changes. */
  authorize(client: Client, changes?: Parameters, options?: AskOptions): Promise<Outcome>
  /** Opens an address of the authorization endpoint and goes on from there. */
  visit(client: Client, url: string, options?: AskOptions): Promise<Outcome>
  /** Sends a request that was made in one browser from another one, and looks where it leads. */
  elsewhere(client: Client, request: Outgoing, options?: AskOptions): Promise<Outcome>
  /** Up to two scopes of the server's own, beside those that change the flow. */
  scopes(client: Client): string[]
  /** The same, as many as are needed. Throws `NotApplicable` where the metadata lists no more, `NotShown` where it lists none. */
  scopesFor(client: Client, needed: 1 | 2): [string, string]
  /** To be called between two rules: after many codes the two people are others from then on, in new browsers. */
  changePeople(): void
  /** Whether a client may ask for a scope, as far as anybody said. */
  offers(client: Client, scope: string): boolean
}

/** After so many codes other people sign in. */
const codesOfPeople = 40

const ofOpenId = new Set(['openid', 'offline_access', 'profile', 'email', 'address', 'phone'])

export function openFrontChannel(
  wire: Wire,
  server: Metadata,
  signIn: SignIn,
  { post }: BackChannel,
): FrontChannel {
  const jars = new Map<number, Jar>()
  let round = 1
  let codes = 0

  function jarOf({ person = 1, stranger }: AskOptions): Jar {
    if (stranger) return { cookies: new Map() }
    const jar = jars.get(person) ?? { cookies: new Map() }
    jars.set(person, jar)
    return jar
  }

  function changePeople(): void {
    if (codes < codesOfPeople) return
    codes = 0
    round += 1
    jars.clear()
  }

  function scopes(client: Client): string[] {
    const offered = client.scope?.split(' ').filter(Boolean) ?? server.scopes_supported ?? []
    return offered.filter((scope) => !ofOpenId.has(scope)).slice(0, 2)
  }

  function scopesFor(client: Client, needed: 1 | 2): [string, string] {
    const found = scopes(client)
    if (found.length >= needed) return found as [string, string]
    const what = needed === 1 ? 'no scope of the server’s own' : 'no two scopes of the server’s own'
    if (server.scopes_supported === undefined) throw new NotShown(`the scopes are not known: ${what}`)
    throw new NotApplicable(`scopes_supported has ${what}`)
  }

  function offers(client: Client, scope: string): boolean {
    const offered = server.scopes_supported?.includes(scope) ?? false
    return offered && (client.scope?.split(' ').includes(scope) ?? true)
  }

  function request(client: Client, changes: Parameters = {}) {
    const verifier = fresh(32)
    const scope = [...(offers(client, 'openid') ? ['openid'] : []), ...scopes(client)].join(' ')
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
    const { parameters } = request(client, changes)
    return ask(client, parameters, options)
  }

  async function ask(client: Client, parameters: Parameters, options: AskOptions = {}): Promise<Outcome> {
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
    const query = new URL(url).searchParams
    const named = [...query.getAll('redirect_uri'), ...query.getAll('post_logout_redirect_uri')]
    const browser = browserFor(options, [...client.redirectUris, ...named, ...more])
    const first = await browser.open(url)
    const { answers } = browser
    const asked = {}
    if (first.left?.parameters.has('code')) codes += 1
    if (first.left || first.status >= 400 || first.status === 0 || options.look) {
      return { answer: first.answer, page: first, answers, asked, ...(first.left && { left: first.left }) }
    }
    try {
      const { person = 1, decision = 'allow', userCode } = options
      const here = beginning(browser, url, first)
      const page = await signIn({
        ...{ browser: here, url, person, round, decision },
        ...(userCode ? { userCode } : {}),
      })
      if (page.left?.parameters.has('code')) codes += 1
      const { denied } = here
      return { answer: page.answer, page, answers, asked, denied, ...(page.left && { left: page.left }) }
    } catch (error) {
      if (error instanceof Untried || error instanceof OutOfRequests) throw error
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

  return { request, ask, authorize, visit, elsewhere, scopes, scopesFor, changePeople, offers }
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
    get denied() {
      return browser.denied
    },
    open(address) {
      if (begun || address !== url) return browser.open(address)
      begun = true
      return Promise.resolve(first)
    },
  }
}

/** How an authorization request ended, in a few words and without secrets. */
export function sayOutcome({ left, pushed, page, stuck, answer }: Outcome): string {
  if (pushed) return sayAnswer(pushed)
  if (stuck !== undefined) return `the sign-in ended: ${stuck}`
  if (left?.how === 'elsewhere') return new Elsewhere('it leads to an address', originOf(left.url)).message
  if (!left) return `a page came with status ${answer.status}${page?.title ? `, “${page.title}”` : ''}`
  const error = left.parameters.get('error')
  return error === null ? 'the client got an answer' : `the client got the error ${error}`
}

function originOf(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : url
}
