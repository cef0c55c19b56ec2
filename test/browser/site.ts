// A server on a loopback port with local accounts, a client beside it that is a program with a page, and a browser.

import assert from 'node:assert/strict'
import type { Browser, Page } from 'playwright-core'
import { type App, openApp } from '../../src/app.ts'
import { embed, type Gatehouse } from '../../src/gatehouse.ts'
import type { Answer, Incoming } from '../../src/http/message.ts'
import { listen, nodeServer } from '../../src/http/node.ts'
import type { CreatedClient } from '../../src/oauth/clients/client-operations.ts'
import { launchBrowser, openPage, type PageOptions } from '../support/browser.ts'
import type { Pkce, Tokens } from '../support/flow.ts'
import { basic, freshDatabase, scopes, secret } from '../support/gatehouse.ts'

export interface Site {
  issuer: string
  app: App
  g: Gatehouse
  browser: Browser
  client: CreatedClient
  /** Origin of the client. */
  clientOrigin: string
  /** The address of a correct authorization request. */
  authorizeUrl(pkce: Pkce, more?: Record<string, string>): string
  /** Opens a tab that collects what its console complains about. */
  open(options?: PageOptions): Promise<Tab>
  token(form: Record<string, string>): Promise<Response>
  /** Whether an API of the host lets the token in. */
  letsIn(accessToken: string): Promise<boolean>
  close(): Promise<void>
}

export interface Tab {
  page: Page
  /** Everything wrong a page did: violations of its policy, errors of scripts, a row too wide for the screen. */
  complaints: string[]
  /** The parameters the client was called back with, and how. */
  calledBack(): Promise<URLSearchParams & { method?: string }>
  /** Looks at the page as it is now: nothing may stand beyond the edge of the screen. */
  fits(): Promise<void>
  close(): Promise<void>
}

const page = (title: string, text: string): Answer => ({
  status: 200,
  headers: { 'content-type': 'text/html; charset=utf-8' },
  body: `<!doctype html><link rel="icon" href="data:,"><title>${title}</title><h1>${title}</h1><pre>${text}</pre>`,
})

/** The client: shows how it was called back, and pages that try to hold the house's pages in a frame. */
async function answerAsClient(request: Incoming, issuer: () => string): Promise<Answer> {
  if (request.path === '/framed') {
    const frames = request.search
      .split('&')
      .map((path) => `<iframe src="${issuer()}${decodeURIComponent(path)}"></iframe>`)
    const framed = page('Framed', '')
    return { ...framed, body: framed.body + frames.join('') }
  }
  const parameters = request.method === 'POST' ? await request.text(65_536) : request.search
  return page(
    'Back at the job board',
    `${request.method} ${parameters.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}`,
  )
}

async function serve(answer: (request: Incoming) => Promise<Answer>) {
  const options = { origin: '', base: '', trustedProxies: undefined }
  const listening = await listen(nodeServer(answer, options), { port: 0, host: '127.0.0.1' })
  options.origin = listening.url
  return listening
}

export async function openSite(): Promise<Site> {
  const database = await freshDatabase('sqlite')
  let app: App | undefined
  const server = await serve((request) => app!.answer(request))
  const issuer = server.url
  const side = await serve((request) => answerAsClient(request, () => issuer))
  app = await openApp({
    issuer,
    secret,
    database: database.url,
    scopes,
    device: {},
    jobs: false,
    log: 'silent',
  })
  const g = embed(app)
  const client = await g.clients.create({
    name: 'Job board',
    redirectUris: [`${side.url}/callback`],
    clientUri: 'https://jobs.example',
  })
  const browser = await launchBrowser()

  return {
    issuer,
    app,
    g,
    browser,
    client,
    clientOrigin: side.url,
    authorizeUrl: (pkce, more = {}) =>
      `${issuer}/oauth/authorize?${new URLSearchParams({
        response_type: 'code',
        client_id: client.client.id,
        redirect_uri: `${side.url}/callback`,
        scope: 'jobs:read applications:write',
        state: 'a state & more',
        code_challenge: pkce.challenge,
        code_challenge_method: 'S256',
        ...more,
      })}`,
    open: async (options) => openTab(await openPage(browser, options), side.url),
    token: (form) =>
      fetch(`${issuer}/oauth/token`, {
        method: 'POST',
        headers: { authorization: basic(client.client.id, client.secret!) },
        body: new URLSearchParams(form),
      }),
    async letsIn(accessToken) {
      const headers = { authorization: `Bearer ${accessToken}` }
      return (await g.authenticate({ headers }, { scope: 'jobs:read' })).ok
    },
    async close() {
      await browser.close()
      await Promise.all([server.close({ grace: 0 }), side.close({ grace: 0 })])
      await g.close()
      await database.remove()
    },
  }
}

function openTab(page: Page, clientOrigin: string): Tab {
  const complaints: string[] = []
  page.on('console', (message) => {
    // A refusal is a page with a status of its own, which Chromium reports like a missing picture.
    if (!/status of (400|403|404|422)/.test(message.text()))
      complaints.push(`${page.url()}: ${message.text()}`)
  })
  page.on('pageerror', (error) => complaints.push(`${page.url()}: ${error.message}`))
  return {
    page,
    complaints,
    async calledBack() {
      await page.waitForURL(`${clientOrigin}/callback**`)
      const text = (await page.locator('pre').textContent()) ?? ''
      const [method, parameters] = text.split(/ (.*)/s)
      return Object.assign(new URLSearchParams(parameters), { method: method! })
    },
    async fits() {
      const { wide, screen } = await page.evaluate(() => ({
        wide: document.documentElement.scrollWidth,
        screen: document.documentElement.clientWidth,
      }))
      if (wide > screen) complaints.push(`${page.url()}: ${wide} pixels wide on a screen of ${screen}`)
    },
    close: () => page.context().close(),
  }
}

/** Redeems the code the client was called back with. */
export async function redeemAt(site: Site, answer: URLSearchParams, pkce: Pkce): Promise<Tokens> {
  assert.equal(answer.get('state'), 'a state & more')
  assert.equal(answer.get('iss'), site.issuer)
  const response = await site.token({
    grant_type: 'authorization_code',
    code: answer.get('code')!,
    redirect_uri: `${site.clientOrigin}/callback`,
    code_verifier: pkce.verifier,
  })
  const tokens = (await response.json()) as Tokens
  assert.equal(response.status, 200, JSON.stringify(tokens))
  return tokens
}
