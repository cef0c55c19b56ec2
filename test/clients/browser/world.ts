// Gatehouse and an app, each on an origin of its own, a Chromium that finds them under the names docs/connect/ prints, and the
// person who sits before it.

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { extname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { openApp } from '../../../src/app.ts'
import type { Config } from '../../../src/config.ts'
import { embed, type Gatehouse } from '../../../src/gatehouse.ts'
import { toNodeHandler } from '../../../src/http/mount.ts'
import { clientStaleness } from '../../../src/oauth/clients/clients.ts'
import { launchBrowser } from '../../support/browser.ts'
import { makeAuthority } from '../../support/certificates.ts'
import { freshDatabase, scopes } from '../../support/gatehouse.ts'
import { packageFolder } from './page.ts'
import { runShell } from './shell.ts'

/** A file of the app by its path: its content, and its type where the path does not say it. */
type AppFile = string | { type: string; body: string }

export interface World {
  issuer: string
  /** Origin of the app. */
  app: string
  g: Gatehouse
  /** The text of a page, with the names it prints put right. */
  adapt(text: string): string
  /** What the app serves, by path. `/node_modules/` is there, and `/api/jobs` asks for `jobs:read`. */
  files: Map<string, AppFile>
  /** Serves a block as the only script of a page, at `/` and at `paths`, with the packages it imports as a bundler finds them. */
  serveApp(block: string, imports: Record<string, string>, ...paths: string[]): void
  /** Runs a block of a shell, with `npx gatehouse-auth` beside the running server. */
  shell(block: string): Promise<string>
  /** A new browser, as a person opens it for the first time. */
  open(): Promise<Visit>
  close(): Promise<void>
}

export interface Visit {
  page: Page
  context: BrowserContext
  /** Everything the console complained about. */
  complaints: string[]
  /** On a page of Gatehouse: makes an account. Answers its name and address. */
  signUp(page?: Page): Promise<{ name: string; email: string }>
  allow(page?: Page): Promise<void>
  /** In the app that `serveApp` serves: what stands in the place for the name, once that is so. */
  shows(name: string): Promise<void>
  /** Runs an expression with the exports of the app's script as `app`; a promise of it rejects as it does there. */
  inApp<T>(expression: string): Promise<T>
}

/** No page reaches anything but what runs here. */
export const nothingElse = 'MAP * ~NOTFOUND,EXCLUDE localhost,EXCLUDE 127.0.0.1'
const password = 'correct horse battery staple'
let people = 0

export type Place = 'https' | 'elsewhere' | 'loopback'

/**
 * With `https` the names are those of the pages, `https://auth.example.com` and `https://app.example.com`, which are one site;
 * with `elsewhere` the app is on another one, `https://app.example.net`; with `loopback` both are `http://localhost` on ports
 * of their own, as on a developer's machine.
 */
export async function openWorld(place: Place, config: Partial<Config> = {}): Promise<World> {
  const database = await freshDatabase('sqlite')
  const secret = randomBytes(32).toString('base64')
  const authority = makeAuthority()
  const files = new Map<string, AppFile>()
  let answerAuth: RequestListener = (_, response) => void response.writeHead(503).end()
  const auth = await listen(place, authority, 'auth.example.com', (...both) => answerAuth(...both))
  const appName = place === 'elsewhere' ? 'app.example.net' : 'app.example.com'
  const app = await listen(place, authority, appName, (request, response) =>
    answerApp(g, files, request, response),
  )
  const { issuer, origin } = {
    issuer: place === 'loopback' ? `http://localhost:${auth.port}` : 'https://auth.example.com',
    origin: place === 'loopback' ? `http://localhost:${app.port}` : `https://${appName}`,
  }
  const opened = await openApp({
    issuer,
    secret,
    database: database.url,
    scopes,
    jobs: false,
    log: 'silent',
    ...config,
  })
  const g = embed(opened)
  answerAuth = toNodeHandler(g)
  const browser = await launchBrowser(
    '--ignore-certificate-errors',
    `--host-resolver-rules=MAP auth.example.com:443 127.0.0.1:${auth.port},MAP ${appName}:443 127.0.0.1:${app.port},${nothingElse}`,
  )
  const adapt = (text: string) =>
    text.replaceAll('https://auth.example.com', issuer).replaceAll('https://app.example.com', origin)

  return {
    issuer,
    app: origin,
    g,
    adapt,
    files,
    serveApp(block, imports, ...paths) {
      for (const path of ['/', ...paths]) files.set(path, appPage(imports))
      files.set('/app.js', adapt(block))
    },
    async shell(block) {
      const printed = await runShell(adapt(block), { issuer, secret, database: database.url })
      // So long a server may still see a client as it was.
      await sleep(clientStaleness + 100)
      return printed
    },
    open: () => openVisit(browser, issuer),
    async close() {
      await browser.close()
      await Promise.all([auth.close(), app.close()])
      await opened.close()
      await database.remove()
    },
  }
}

/** A page whose scripts find their packages; without any other body what docs/connect/ calls two buttons and a place for the name. */
export const appPage = (imports: Record<string, string>, body = buttons) => `<!doctype html>
<link rel="icon" href="data:,"><title>Job board</title>
<script type="importmap">${JSON.stringify({ imports })}</script>
${body}`

const buttons = `<p id="name"></p><button id="sign-in">Sign in</button><button id="sign-out">Sign out</button>
<script type="module" src="/app.js"></script>
`

async function listen(
  place: Place,
  authority: ReturnType<typeof makeAuthority>,
  name: string,
  answer: RequestListener,
): Promise<{ port: number; close(): Promise<void> }> {
  const server =
    place !== 'loopback' ? createTlsServer(authority.issue([name]), answer) : createServer(answer)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
}

async function answerApp(
  g: Gatehouse,
  files: Map<string, AppFile>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { pathname } = new URL(request.url!, 'http://app.example')
  if (pathname === '/api/jobs') {
    const access = await g.authenticate({ headers: request.headers }, { scope: 'jobs:read' })
    const headers = { 'content-type': 'application/json' }
    if (!access.ok) return void response.writeHead(access.response.status, headers).end('{}')
    response.writeHead(200, headers).end(JSON.stringify({ jobs: ['Baker'], for: access.subject }))
    return
  }
  const path = files.has(pathname) ? pathname : files.has(`${pathname}.html`) ? `${pathname}.html` : undefined
  const given = path === undefined ? fromPackage(pathname) : files.get(path)!
  if (given === undefined) return void response.writeHead(404).end()
  const type = typeof given === 'string' ? types[extname(path ?? pathname) || '.html'] : given.type
  response
    .writeHead(200, { 'content-type': type ?? 'application/octet-stream', 'cache-control': 'no-store' })
    .end(typeof given === 'string' ? given : given.body)
}

function fromPackage(path: string): string | undefined {
  const name = /^\/node_modules\/((?:@[\w.-]+\/)?[\w.-]+)\/(.+)$/.exec(path)
  if (!name || path.includes('..')) return undefined
  const file = packageFolder(name[1]!) + name[2]
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined
}

async function openVisit(browser: Browser, issuer: string): Promise<Visit> {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, locale: 'en-GB', timezoneId: 'UTC' })
  context.setDefaultTimeout(30_000)
  const complaints: string[] = []
  context.on('console', (message) => {
    if (message.type() === 'error') complaints.push(`${message.page()?.url()}: ${message.text()}`)
  })
  context.on('weberror', (error) => complaints.push(`${error.page()?.url()}: ${error.error().stack}`))
  const first = await context.newPage()
  return {
    page: first,
    context,
    complaints,
    async signUp(page = first) {
      const who = { name: 'Ann Example', email: `ann${++people}@example.com` }
      await page.waitForURL(`${issuer}/**`)
      await page.getByRole('link', { name: 'Create an account' }).click()
      await page.getByLabel('Your name').fill(who.name)
      await page.getByLabel('Email or username').fill(who.email)
      await page.getByLabel('Password').fill(password)
      await page.getByRole('button', { name: 'Create account' }).click()
      return who
    },
    async allow(page = first) {
      await page.getByRole('heading', { level: 1, name: /wants access/ }).waitFor()
      await page.getByRole('button', { name: 'Allow', exact: true }).click()
    },
    shows: (name) => first.locator('#name', { hasText: name }).waitFor(),
    inApp: <T>(expression: string) =>
      first.evaluate(`import('/app.js').then((app) => ${expression})`) as Promise<T>,
  }
}
