import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe } from 'node:test'
import type { Account, Accounts } from '../../src/accounts/account.ts'
import { type App, openApp } from '../../src/app.ts'
import type { Config } from '../../src/config.ts'
import type { Database } from '../../src/db/database.ts'
import { embed, type Gatehouse } from '../../src/gatehouse.ts'
import type { Resolve } from '../../src/http/guarded-fetch.ts'
import type { ClientInput } from '../../src/oauth/clients/client-input.ts'
import type { CreatedClient } from '../../src/oauth/clients/client-operations.ts'
import { dropTestDatabase, testDatabaseUrl } from './postgres.ts'

export type Dialect = 'sqlite' | 'postgres'
export const dialects: readonly Dialect[] = ['sqlite', 'postgres']

export const issuer = 'http://localhost:4400'
export const secret = 'a test secret that is long enough, and no more'

/** The example's scopes. */
export const scopes = {
  'jobs:read': 'Search open jobs',
  'applications:read': 'See your applications',
  'applications:write': 'Send applications in your name',
  'resume:read': 'Read your résumé',
}

/** A clock that only moves when told. */
export interface Clock {
  now(): number
  advance(milliseconds: number): void
}

/** A testServer under test: the public face, its inside, a clock, and a browser that is signed in as somebody. */
export interface TestServer {
  g: Gatehouse
  app: App
  clock: Clock
  /** Who the accounts seam says is signed in; null for nobody. */
  signedIn: { account: Account | null }
  /** Another process's view of the same database. */
  twin(overrides?: Partial<Config>): Promise<{ g: Gatehouse; app: App }>
  createClient(input?: Partial<ClientInput>): Promise<CreatedClient>
  request(path: string, init?: RequestInit & { cookie?: string; address?: string }): Promise<Response>
  post(
    path: string,
    form: Record<string, string | string[]>,
    headers?: Record<string, string>,
  ): Promise<Response>
  close(): Promise<void>
}

export const alice: Account = {
  provider: 'test',
  issuer: '',
  subject: 'alice',
  name: 'Alice',
  email: 'alice@example.com',
}
export const bob: Account = { provider: 'test', issuer: '', subject: 'bob', name: 'Bob' }

/** Runs a suite once per database. */
export function onBothDatabases(name: string, suite: (dialect: Dialect) => void): void {
  for (const dialect of dialects) describe(`${name} (${dialect})`, () => suite(dialect))
}

export async function freshDatabase(dialect: Dialect): Promise<{ url: string; remove(): Promise<void> }> {
  if (dialect === 'postgres') {
    const url = await testDatabaseUrl()
    return { url, remove: () => dropTestDatabase(url) }
  }
  const directory = mkdtempSync(join(tmpdir(), 'gatehouse-house-'))
  return {
    url: join(directory, 'gatehouse.db'),
    remove: async () => rmSync(directory, { recursive: true, force: true }),
  }
}

/** A testServer under test, on a new database that `open` opens in its own way if given; `resolve` plays the name server. */
export async function openTestServer(
  dialect: Dialect,
  overrides: Partial<Config> = {},
  open?: (url: string) => Promise<Database>,
  resolve?: Resolve,
): Promise<TestServer> {
  const database = await freshDatabase(dialect)
  const opened = await open?.(database.url)
  let time = Date.UTC(2026, 0, 15, 12)
  const clock: Clock = {
    now: () => time,
    advance(milliseconds) {
      time += milliseconds
    },
  }
  const signedIn: TestServer['signedIn'] = { account: { ...alice, authTime: time } }
  const accounts: Accounts = {
    authenticate(_request, ask) {
      const { account } = signedIn
      if (account && (account.authTime ?? 0) >= (ask.notBefore ?? 0)) return account
      return ask.interactive
        ? Response.redirect(`${issuer}/test-sign-in?to=${encodeURIComponent(ask.returnTo)}`, 303)
        : null
    },
  }
  const config: Config = {
    issuer,
    secret,
    database: database.url,
    scopes,
    accounts,
    migrate: true,
    jobs: false,
    log: 'silent',
    // The clock stands still, so no window of a limit ever ends; what bounds storage has tests of its own.
    storage: { perUser: 1_000_000, inAll: 10_000_000 },
    ...overrides,
  }
  const app = await openApp(config, {
    now: clock.now,
    ...(opened ? { database: opened } : {}),
    ...(resolve ? { resolve } : {}),
  })
  const g = embed(app)
  const twins: App[] = []
  const { base } = app.settings
  /** Its own paths stand below an issuer with a path; only the well-known documents stand outside. */
  const belowIssuer = (path: string) =>
    /^\/(?!\.well-known\/)/.test(path) && !`${path}/`.startsWith(`${base}/`) ? base + path : path
  const request: TestServer['request'] = (path, init = {}) => {
    const { cookie, address = '203.0.113.7', ...rest } = init
    const headers = new Headers(rest.headers)
    if (cookie) headers.set('cookie', cookie)
    return g.fetch(
      new Request(new URL(belowIssuer(path), `${config.issuer}/`), { redirect: 'manual', ...rest, headers }),
      { address },
    )
  }
  return {
    g,
    app,
    clock,
    signedIn,
    async twin(more = {}) {
      const twin = await openApp({ ...config, ...more }, { now: clock.now })
      twins.push(twin)
      return { g: embed(twin), app: twin }
    },
    createClient: (input = {}) =>
      g.clients.create({ name: 'Job board', redirectUris: ['https://client.example/callback'], ...input }),
    request,
    post: (path, form, headers = {}) =>
      request(path, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
        body: formText(form),
      }),
    async close() {
      for (const twin of twins) await twin.close()
      await app.close()
      await opened?.close()
      await database.remove()
    },
  }
}

/** A testServer for a whole suite, closed after it. Call inside `describe`, use inside tests. */
export function testServerFor(dialect: Dialect, overrides: Partial<Config> = {}): () => Promise<TestServer> {
  let testServer: Promise<TestServer> | undefined
  after(async () => (await testServer)?.close())
  return () => (testServer ??= openTestServer(dialect, overrides))
}

export function formText(form: Record<string, string | string[]>): string {
  const text = new URLSearchParams()
  for (const [name, value] of Object.entries(form)) {
    for (const one of Array.isArray(value) ? value : [value]) text.append(name, one)
  }
  return text.toString()
}

export function basic(id: string, password: string): string {
  const encode = (text: string) => encodeURIComponent(text).replaceAll('%20', '+')
  return `Basic ${Buffer.from(`${encode(id)}:${encode(password)}`).toString('base64')}`
}
