// Commands that run beside a server, in another process, on the same database.

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before } from 'node:test'
import type { Dialect } from '../support/gatehouse.ts'
import { dropTestDatabase, testDatabaseUrl } from '../support/postgres.ts'
import { emptyFolder, freePort, type Result, run, serve } from './command-line.ts'
import { type App, redirectUri, send } from './person.ts'

/** Starts a server for a suite, with more in its configuration if given. Call inside `describe`, use inside tests. */
export function besideServer(dialect: Dialect, more = '') {
  const folder = emptyFolder()
  const env: Record<string, string> = {}
  let running: Awaited<ReturnType<typeof serve>>

  before(async () => {
    if (dialect === 'postgres') env.GATEHOUSE_DATABASE_URL = await testDatabaseUrl()
    env.GATEHOUSE_ISSUER = `http://localhost:${await freePort()}`
    writeFileSync(
      join(folder, 'gatehouse.config.mjs'),
      `export default { scopes: { 'jobs:read': 'Search open jobs', 'resume:read': 'Read your résumé' }, ${more} }`,
    )
    const up = await run(folder, ['migrate', 'up'], env)
    assert.equal(up.code, 0, up.stderr)
    running = await serve(folder, ['serve'], env)
  })
  after(async () => {
    await running.end()
    if (env.GATEHOUSE_DATABASE_URL) await dropTestDatabase(env.GATEHOUSE_DATABASE_URL)
  })

  const gatehouse = (...args: string[]): Promise<Result> => run(folder, args, env)
  async function json<T = Record<string, unknown>>(...args: string[]): Promise<T[]> {
    const result = await gatehouse(...args, '--json')
    assert.equal(result.code, 0, result.stderr)
    return result.lines<T>()
  }
  return {
    folder,
    env,
    server: () => running,
    gatehouse,
    /** The answer as JSON, of a command that succeeds. */
    json,
    makeApp: async (...args: string[]) =>
      (await json<App>('clients', 'create', '--name', 'App', '--redirect-uri', redirectUri, ...args))[0]!,
    /** The status of a request to the token endpoint. */
    token: async (app: App, form: Record<string, string> = { grant_type: 'client_credentials' }) =>
      (await send(running.url, '/oauth/token', app, form)).status,
    /** Asks until the server has seen a change of another process, which it does within a second. */
    async until(status: number, ask: () => Promise<number>): Promise<void> {
      while ((await ask()) !== status) await new Promise((resolve) => setTimeout(resolve, 50))
    },
  }
}
