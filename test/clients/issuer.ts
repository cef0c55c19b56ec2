// Gatehouse on a real port, as `gatehouse-auth serve` runs it, with the site that signs people in and a small API beside it.

import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before } from 'node:test'
import { type ExistingSite, existingSite } from '../../examples/existing-site.ts'
import { openApp } from '../../src/app.ts'
import type { Config } from '../../src/config.ts'
import { embed, type Gatehouse } from '../../src/gatehouse.ts'
import { sendResponse, toNodeHandler } from '../../src/http/mount.ts'
import { nodeServer } from '../../src/http/node.ts'
import { type Dialect, freshDatabase, scopes, secret } from '../support/gatehouse.ts'

export interface Issuer {
  auth: Gatehouse
  /** The issuer is `origin` + `/auth`. */
  origin: string
  issuer: string
  /** A protected route that answers who called: needs `jobs:read`. */
  api: string
  close(): Promise<void>
}

/** Opens one for a whole suite. Call inside `describe`, use inside tests. */
export function issuerFor(dialect: Dialect, overrides: Partial<Config> = {}): { readonly current: Issuer } {
  let opened: Issuer | undefined
  before(async () => {
    opened = await openIssuer(dialect, overrides)
  })
  after(() => opened?.close())
  return {
    get current() {
      return opened!
    },
  }
}

async function openIssuer(dialect: Dialect, overrides: Partial<Config>): Promise<Issuer> {
  const server = createServer().listen(0, 'localhost')
  await once(server, 'listening')
  const origin = `http://localhost:${(server.address() as AddressInfo).port}`
  const issuer = `${origin}/auth`
  const database = await freshDatabase(dialect)
  const site: ExistingSite = existingSite(origin)
  const app = await openApp({
    issuer,
    secret,
    database: database.url,
    scopes,
    accounts: site.accounts,
    resources: { [`${origin}/api`]: { name: 'Job board' } },
    migrate: true,
    jobs: false,
    log: 'silent',
    ...overrides,
  })
  const auth = embed(app)
  const toAuth = nodeServer(app.answer, app.settings)
  const toSite = toNodeHandler({ issuer: origin, fetch: site.signIn })
  server.on('request', async (request, response) => {
    const path = request.url!.split('?')[0]
    if (path === '/sign-in') return toSite(request, response)
    if (path !== '/api/whoami') return toAuth.emit('request', request, response)
    const access = await auth.authenticate(request, { scope: 'jobs:read' })
    if (!access.ok) return sendResponse(access.response, response)
    const headers: HeadersInit = access.dpopNonce === undefined ? {} : { 'dpop-nonce': access.dpopNonce }
    return sendResponse(Response.json({ subject: access.subject }, { headers }), response)
  })
  return {
    auth,
    origin,
    issuer,
    api: `${origin}/api/whoami`,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
      await auth.close()
      await database.remove()
    },
  }
}

/** The version of an installed package, so that every run says what it was proved with. */
export function versionOf(name: string): string {
  const file = new URL(`../../node_modules/${name}/package.json`, import.meta.url)
  return `${name} ${JSON.parse(readFileSync(file, 'utf8')).version}`
}
