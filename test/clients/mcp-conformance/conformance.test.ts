// The authorization scenarios of `@modelcontextprotocol/conformance`, run by its own command.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { onBothDatabases } from '../../support/gatehouse.ts'
import { formOf, type McpSite, openMcpSite } from '../mcp/site.ts'

const folder = dirname(fileURLToPath(import.meta.resolve('@modelcontextprotocol/conformance/package.json')))

interface Check {
  id: string
  status: string
}

interface Outcome {
  code: number | null
  printed: string
  /** Of all scenarios. */
  checks: Check[]
}

onBothDatabases('@modelcontextprotocol/conformance', (dialect) => {
  let site: McpSite
  before(async () => {
    site = await openMcpSite(dialect)
  })
  after(() => site.close())

  /** Runs every authorization scenario; the person opens the one address it prints. */
  async function run(args: string[], port: number): Promise<Outcome> {
    const results = mkdtempSync(join(tmpdir(), 'gatehouse-conformance-'))
    try {
      const child = spawn(
        process.execPath,
        [
          join(folder, 'dist/index.js'),
          'authorization',
          '--url',
          site.issuer,
          '-p',
          `${port}`,
          '-o',
          results,
          ...args,
        ],
        { cwd: results, stdio: ['ignore', 'pipe', 'pipe'] },
      )
      let printed = ''
      const visits: Promise<unknown>[] = []
      for (const stream of [child.stdout, child.stderr]) {
        createInterface({ input: stream }).on('line', (line) => {
          printed += `${line}\n`
          const address = /https?:\/\/\S*code_challenge\S*/.exec(line)?.[0]
          if (address !== undefined) visits.push(visit(address))
        })
      }
      const [code] = (await once(child, 'close')) as [number | null]
      await Promise.all(visits)
      const files = globSync('**/checks.json', { cwd: results })
      const checks = files.flatMap((file) => JSON.parse(readFileSync(join(results, file), 'utf8')) as Check[])
      return { code, printed, checks }
    } finally {
      rmSync(results, { recursive: true, force: true })
    }
  }

  async function visit(address: string): Promise<void> {
    const back = await site.visitor.authorize(address)
    assert.ok(back instanceof URL, 'the browser is sent back')
    await fetch(back)
  }

  for (const version of ['2025-11-25', '2026-07-28']) {
    for (const withResource of [true, false]) {
      const sends = withResource ? 'a resource' : 'no resource'
      test(`Model Context Protocol ${version}, Authorization: the scenarios pass with ${sends} (A2, A10, A13, A14)`, async () => {
        const port = await freePort()
        const { client } = await site.testServer.createClient({
          name: 'Conformance',
          tokenEndpointAuthMethod: 'none',
          redirectUris: [`http://127.0.0.1:${port}/callback`],
        })
        site.steps()
        const { code, printed, checks } = await run(
          [
            '--client-id',
            client.id,
            '--spec-version',
            version,
            ...(withResource ? ['--resource', site.resource] : []),
          ],
          port,
        )
        assert.equal(code, 0, printed)
        assert.deepEqual(
          checks.map(({ id, status }) => `${id} ${status}`).sort(),
          [
            'authorization-code-grant SUCCESS',
            'authorization-server-metadata SUCCESS',
            'authorization-server-metadata-cimd SUCCESS',
          ],
          printed,
        )
        const [token] = site.seen('/oauth/token')
        assert.equal(token!.status, 200)
        assert.equal(formOf(token!)['resource'], withResource ? site.resource : undefined)
      })
    }
  }
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
