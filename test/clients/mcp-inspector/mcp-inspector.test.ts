// docs/connect/mcp-inspector.md, run as it is printed: the real process, and a person in Chromium.

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { freePort } from '../../examples/running.ts'
import { launchBrowser, openPage } from '../../support/browser.ts'
import { assertChecked, packageFolder, readConnectPage } from '../browser/page.ts'
import { nothingElse } from '../browser/world.ts'
import { allowIn, type ClosedSite, openClosedSite } from '../mcp/closed-site.ts'

const guide = readConnectPage('mcp-inspector')
const library = '@modelcontextprotocol/inspector'

test('docs/connect/mcp-inspector.md is short and names the version that is tested', () => {
  assertChecked(guide, library)
})

describe('MCP Inspector', () => {
  let site: ClosedSite
  let browser: Browser
  let page: Page
  let home: string
  const running = new Set<ChildProcess>()
  before(async () => {
    home = mkdtempSync(join(tmpdir(), 'gatehouse-inspector-'))
    site = await openClosedSite(guide.block('ts'))
    browser = await launchBrowser(`--host-resolver-rules=${nothingElse}`)
    page = await openPage(browser)
  })
  after(async () => {
    await browser?.close()
    for (const child of running) child.kill('SIGKILL')
    await site?.close()
    rmSync(home, { recursive: true, force: true })
  })

  /** Starts what a block of the page says, on ports that are free. */
  async function start(block: string, ...more: string[]) {
    const script = `npx() { test "$1" = ${library}; shift; exec "$NODE" "$INSPECTOR" "$@"; }\n${site.adapt(block).trimEnd()} ${more.join(' ')}`
    const port = await freePort()
    const child = spawn('sh', ['-c', script], {
      env: {
        PATH: process.env['PATH'],
        NODE: process.execPath,
        INSPECTOR: `${packageFolder(library)}clients/launcher/build/index.js`,
        HOME: home,
        MCP_INSPECTOR_SECRET_STORE: 'memory',
        // A person has a terminal, and a browser that opens.
        MCP_AUTO_OPEN_ENABLED: 'true',
        BROWSER: 'true',
        CLIENT_PORT: String(port),
        MCP_SANDBOX_PORT: '0',
        MCP_OAUTH_CALLBACK_URL: `http://127.0.0.1:${await freePort()}/oauth/callback`,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    running.add(child)
    const closed = once(child, 'close').finally(() => running.delete(child))
    const printed = { stdout: '', stderr: '' }
    for (const stream of ['stdout', 'stderr'] as const)
      child[stream].setEncoding('utf8').on('data', (text) => (printed[stream] += text))
    return {
      child,
      /** The first address that it prints and that matches. */
      async address(pattern: RegExp): Promise<string> {
        for (;;) {
          const found = pattern.exec(printed.stdout + printed.stderr)
          if (found) return found[0]
          if (child.exitCode !== null) throw new Error(`the Inspector has ended: ${JSON.stringify(printed)}`)
          await new Promise((resolve) => setTimeout(resolve, 50))
        }
      },
      async result(): Promise<{ content: { text: string }[]; tools: { name: string }[] }> {
        const [code] = (await closed) as [number | null]
        assert.equal(code, 0, JSON.stringify(printed))
        return JSON.parse(printed.stdout)
      },
    }
  }

  /** The person follows the address on the command line. */
  async function callOnCommandLine(...more: string[]) {
    const command = await start(guide.block('console'), ...more)
    await page.goto(await command.address(/http:\/\/\S+\/oauth\/authorize\?\S+/))
    await allowIn(page)
    await page.getByText('OAuth complete').waitFor()
    return command.result()
  }

  test('in the browser: registers itself, connects, lists and executes tools, and asks for a further scope', async () => {
    const web = await start(guide.block('sh'))
    await page.goto(await web.address(/http:\/\/127\.0\.0\.1:\d+\S*MCP_INSPECTOR_API_TOKEN=\w+/))
    await page.locator('label', { has: page.getByRole('switch', { name: /^Connect or disconnect/ }) }).click()
    await allowIn(page)
    await page.getByText('Connected', { exact: true }).waitFor()
    await page.getByText('Tools', { exact: true }).first().click()
    const execute = async (tool: string) => {
      await page.getByRole('button', { name: tool, exact: true }).click()
      await page.getByRole('button', { name: 'Execute Tool' }).click()
    }
    await execute('search_jobs')
    await page.getByText('For alice: Baker, Carpenter').waitFor()
    await execute('apply')
    await page.getByText('Additional permissions required').waitFor()
    await page.getByRole('button', { name: 'Authorize' }).click()
    await allowIn(page)
    await page.getByText('Connected', { exact: true }).waitFor()
    await page.getByText('Tools', { exact: true }).first().click()
    await execute('apply')
    await page.getByText('alice applied as Baker').waitFor()
    assert.equal(site.asked.at(-1)!.searchParams.get('resource'), site.resource)
    web.child.kill('SIGTERM')
  })

  test('on the command line: the person allows, and the tool is called', async () => {
    const { content } = await callOnCommandLine()
    assert.equal(content[0]!.text, 'For alice: Baker, Carpenter')
  })

  test('on the command line, as a client that was registered before, on whatever port it listens', async () => {
    await site.shell(guide.block('shell'))
    const clients = (await site.g.clients.list()).length
    const { content } = await callOnCommandLine('--relogin', '--client-id', 'inspector')
    assert.equal(content[0]!.text, 'For alice: Baker, Carpenter')
    assert.equal(site.asked.at(-1)!.searchParams.get('client_id'), 'inspector')
    assert.equal((await site.g.clients.list()).length, clients)
  })
})
