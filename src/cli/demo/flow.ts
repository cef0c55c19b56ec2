import type { DemoAccount } from './account.ts'
import { type DemoBrowser, type OpenPage, openBrowser } from './browser.ts'
import {
  abbreviated,
  attemptAuthorization,
  type DemoClient,
  decode,
  discoverServer,
  redeemAnswer,
} from './client.ts'

/** One step of the demonstration, told when it is done. */
export interface Step {
  step: string
  /** Which document it follows. */
  specification: string
  /** How long it took, in milliseconds. */
  ms: number
  result: string
  /** A decoded access token. */
  token?: { header: unknown; claims: Record<string, unknown> }
}

/**
 * A complete flow against the running server, over HTTP, by a client library that is not ours: discovery, sign-in and
 * consent through the pages, code and PKCE, userinfo, refresh, introspection, revocation. Each step is told as it is done.
 */
export async function demonstrate(
  issuer: string,
  url: string,
  account: DemoAccount,
  scopes: readonly string[],
  tell: (step: Step) => void,
): Promise<DemoClient> {
  async function step<T>(
    name: string,
    specification: string,
    work: () => Promise<T>,
    say: (done: T) => Partial<Step>,
  ) {
    const started = performance.now()
    const done = await work()
    const ms = Math.round((performance.now() - started) * 10) / 10
    tell({ step: name, specification, ms, result: '', ...say(done) })
    return done
  }

  const demo = await step(
    'Discover the server',
    'RFC 8414',
    () => discoverServer(issuer, url, account, scopes),
    ({ server }) => ({ result: `issuer ${server.issuer}` }),
  )
  const { oauth, server, client, authentication, options } = demo

  const attempt = await attemptAuthorization(demo)
  const browser = openBrowser(demo.fetch, account.redirectUri)
  const signedIn = await step(
    'Ask for authorization and sign in',
    'RFC 6749 §4.1.1, RFC 7636',
    () => signIn(browser, attempt.url, account),
    ({ how }) => ({ result: `${account.login} ${how}` }),
  )
  const answer = await step(
    'Consent',
    'RFC 6749 §4.1.2, RFC 9207',
    () => consent(browser, signedIn.page),
    ({ remembered, parameters }) => ({
      result: `${remembered ? 'remembered' : `allowed: ${demo.scope}`}; code ${abbreviated(parameters.get('code') ?? '')}`,
    }),
  )

  const tokens = await step(
    'Redeem the code',
    'RFC 6749 §4.1.3, RFC 9068',
    () => redeemAnswer(demo, answer.parameters, attempt),
    (issued) => ({
      result: `access token for ${issued.expires_in} s, refresh token ${abbreviated(issued.refresh_token ?? '')}`,
      token: decode(issued.access_token),
    }),
  )

  await step(
    'Learn who signed in',
    'OpenID Connect Core §2, §5.3',
    async () => {
      const { sub } = oauth.getValidatedIdTokenClaims(tokens)!
      const answer = await oauth.userInfoRequest(server, client, tokens.access_token, options)
      return oauth.processUserInfoResponse(server, client, sub, answer)
    },
    ({ sub, name }) => ({ result: `the ID token names ${sub}, userinfo adds: ${name}` }),
  )

  const refreshed = await step(
    'Refresh, with rotation',
    'RFC 6749 §6, RFC 9700 §4.14.2',
    async () =>
      oauth.processRefreshTokenResponse(
        server,
        client,
        await oauth.refreshTokenGrantRequest(server, client, authentication, tokens.refresh_token!, options),
      ),
    (issued) => ({ result: `a new access token, refresh token ${abbreviated(issued.refresh_token ?? '')}` }),
  )

  const introspect = async () =>
    oauth.processIntrospectionResponse(
      server,
      client,
      await oauth.introspectionRequest(server, client, authentication, refreshed.access_token, options),
    )
  await step('Introspect the access token', 'RFC 7662', introspect, (one) => ({
    result: `active: ${one.active}, sub ${one.sub}, scope ${one.scope}`,
  }))

  await step(
    'Revoke the refresh token',
    'RFC 7009',
    async () =>
      oauth.processRevocationResponse(
        await oauth.revocationRequest(server, client, authentication, refreshed.refresh_token!, options),
      ),
    () => ({ result: 'the session has ended, with every token in it' }),
  )
  await step('Introspect it again', 'RFC 7662', introspect, (one) => ({ result: `active: ${one.active}` }))
  return demo
}

/** Through the real pages: sign-up at the first start, sign-in at every later one. */
async function signIn(
  browser: DemoBrowser,
  url: string,
  account: DemoAccount,
): Promise<{ page: OpenPage; how: string }> {
  const { login, password } = account
  const form = await browser.open(url)
  if (!asksPassword(form))
    throw new Error(`a sign-in page was expected, ${form.status} came from ${form.url}`)
  let page = form
  if (!account.isNew) {
    page = await browser.submit(form, { login, password })
    if (!asksPassword(page)) return { page, how: 'signed in' }
  }
  const made = await browser.submit(await browser.follow(page, '/sign-up'), {
    name: 'Demo user',
    login,
    password,
  })
  if (asksPassword(made)) throw new Error(`the sign-up page refused ${login} with ${made.status}`)
  return { page: made, how: 'signed up' }
}

async function consent(
  browser: DemoBrowser,
  page: OpenPage,
): Promise<{ parameters: URLSearchParams; remembered: boolean }> {
  const answered = page.leaves === undefined ? await browser.submit(page, { decision: 'allow' }) : page
  if (answered.leaves === undefined)
    throw new Error(`a redirect was expected, ${answered.status} came from ${answered.url}`)
  return { parameters: new URL(answered.leaves).searchParams, remembered: page.leaves !== undefined }
}

function asksPassword(page: OpenPage): boolean {
  return /<input[^>]*\bname="password"/.test(page.html)
}
