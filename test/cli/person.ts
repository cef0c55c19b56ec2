// A person and an app that use a running server, over HTTP.

import { type DemoBrowser, openBrowser } from '../../src/cli/demo/browser.ts'
import {
  type Attempt,
  attemptAuthorization,
  type DemoClient,
  discoverServer,
  redeemAnswer,
} from '../../src/cli/demo/client.ts'
import { basic, formText } from '../support/gatehouse.ts'

export const redirectUri = 'http://localhost:3000/callback'

export interface App {
  client_id: string
  client_secret: string
}

/** A form a client sends to a back-channel endpoint. */
export function send(url: string, path: string, app: App, form: Record<string, string>): Promise<Response> {
  return fetch(url + path, {
    method: 'POST',
    headers: {
      authorization: basic(app.client_id, app.client_secret),
      'content-type': 'application/x-www-form-urlencoded',
    },
    body: formText(form),
  })
}

export interface Person {
  login: string
  password: string
  demo: DemoClient
  attempt: Attempt
  browser: DemoBrowser
  tokens: { access_token: string; refresh_token: string }
}

/** Signs up and allows the app what it asks for. */
export async function signUp(
  { url, issuer }: { url: string; issuer: string },
  app: App,
  login: string,
  scope = 'jobs:read',
): Promise<Person> {
  const password = 'a long enough password 7'
  const account = {
    clientId: app.client_id,
    clientSecret: app.client_secret,
    redirectUri,
    login,
    password,
    isNew: true,
  }
  const demo = await discoverServer(issuer, url, account, [scope])
  const browser = openBrowser(demo.fetch, redirectUri)
  const attempt = await attemptAuthorization(demo)
  const form = await browser.follow(await browser.open(attempt.url), '/sign-up')
  const asked = await browser.submit(form, { name: 'Somebody', login, password })
  const allowed = await browser.submit(asked, { decision: 'allow' })
  const tokens = await redeemAnswer(demo, new URL(allowed.leaves!).searchParams, attempt)
  return {
    login,
    password,
    demo,
    attempt,
    browser,
    tokens: { access_token: tokens.access_token, refresh_token: tokens.refresh_token! },
  }
}
