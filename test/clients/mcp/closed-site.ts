// The MCP server of the examples behind a configuration that a page of docs/connect/ prints; every message needs a token.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Page } from 'playwright-core'
import { existingSite } from '../../../examples/existing-site.ts'
import { mcpEndpoint } from '../../../examples/mcp/tools.ts'
import { openApp } from '../../../src/app.ts'
import type { FileConfig } from '../../../src/config.ts'
import { embed, type Gatehouse } from '../../../src/gatehouse.ts'
import { toNodeHandler } from '../../../src/http/mount.ts'
import { freePort } from '../../examples/running.ts'
import { freshDatabase } from '../../support/gatehouse.ts'
import { runShell } from '../browser/shell.ts'

export interface ClosedSite {
  g: Gatehouse
  /** The MCP server, as the user types it. */
  resource: string
  /** The text of a page, with the names it prints put right. */
  adapt(text: string): string
  shell(block: string): Promise<string>
  /** Moves the server's time ahead. */
  advance(milliseconds: number): void
  /** The authorization requests that were made. */
  asked: URL[]
  close(): Promise<void>
}

/** `block` is a configuration file whose issuer is `https://jobs.example.com`. */
export async function openClosedSite(block: string, more: Partial<FileConfig> = {}): Promise<ClosedSite> {
  const database = await freshDatabase('sqlite')
  const port = await freePort()
  const origin = `http://localhost:${port}`
  const resource = `${origin}/mcp`
  const adapt = (text: string) => text.replaceAll('https://jobs.example.com', origin)
  const site = existingSite(origin)
  const secret = randomBytes(32).toString('base64')
  let ahead = 0
  const config = await load(adapt(block))
  assert.equal(config.issuer, origin)
  const app = await openApp(
    {
      ...config,
      ...more,
      issuer: origin,
      secret,
      database: database.url,
      accounts: site.accounts,
      jobs: false,
      log: 'silent',
    },
    { now: () => Date.now() + ahead },
  )
  const g = embed(app)
  const mcp = mcpEndpoint(g, resource)
  const asked: URL[] = []
  const handler = toNodeHandler({
    issuer: origin,
    async fetch(request, connection) {
      const url = new URL(request.url)
      if (url.pathname === '/sign-in') return site.signIn(request)
      if (url.pathname === '/oauth/authorize') asked.push(url)
      if (url.pathname !== '/mcp') return g.fetch(request, connection)
      const access = await g.authenticate(request, { resource, scope: 'jobs:read' })
      return access.ok ? mcp(request) : access.response
    },
  })
  const server = createServer(handler).listen(port, 'localhost')
  await once(server, 'listening')
  return {
    g,
    resource,
    adapt,
    shell: (text) => runShell(adapt(text), { issuer: origin, secret, database: database.url }),
    advance(milliseconds) {
      ahead += milliseconds
    },
    asked,
    async close() {
      server.close()
      server.closeAllConnections()
      await app.close()
      await database.remove()
    },
  }
}

/** A configuration file, loaded as the command line does; inside the project, so that `gatehouse-auth` means this package. */
async function load(text: string): Promise<FileConfig> {
  const root = fileURLToPath(new URL('../../../tmp/', import.meta.url))
  mkdirSync(root, { recursive: true })
  const folder = mkdtempSync(join(root, 'connect-'))
  try {
    const file = join(folder, 'gatehouse.config.ts')
    writeFileSync(file, text)
    return ((await import(pathToFileURL(file).href)) as { default: FileConfig }).default
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The person before the browser: signs in where that is asked, and allows. */
export async function allowIn(page: Page): Promise<void> {
  const allow = page.getByRole('button', { name: 'Allow', exact: true })
  const name = page.getByLabel('Your name')
  await allow.or(name).waitFor()
  if (await name.isVisible()) {
    await name.fill('Alice')
    await page.getByRole('button', { name: 'Sign in' }).click()
  }
  await allow.click()
}
