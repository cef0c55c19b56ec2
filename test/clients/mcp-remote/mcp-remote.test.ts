// docs/connect/mcp-remote.md, run as it is printed: the real process, a host on its standard streams, a person in Chromium.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import type { Browser, Page } from 'playwright-core'
import { launchBrowser, openPage } from '../../support/browser.ts'
import { assertChecked, packageFolder, readConnectPage } from '../browser/page.ts'
import { nothingElse } from '../browser/world.ts'
import { allowIn, type ClosedSite, openClosedSite } from '../mcp/closed-site.ts'

const guide = readConnectPage('mcp-remote')
const [registering, registered] = guide.blocks('json') as [string, string]

test('docs/connect/mcp-remote.md is short and names the version that is tested', () => {
  assertChecked(guide, 'mcp-remote')
})

/** A host that starts what its configuration says. */
class Host {
  readonly client = new Client({ name: 'host', version: '1.0.0' })
  readonly #transport: StdioClientTransport
  #log = ''
  #read = 0

  constructor(configuration: string, home: string) {
    const { command, args } = JSON.parse(configuration).mcpServers['job-board']
    assert.deepEqual([command, ...args.slice(0, 2)], ['npx', '-y', 'mcp-remote'])
    this.#transport = new StdioClientTransport({
      command: process.execPath,
      args: [`${packageFolder('mcp-remote')}dist/proxy.js`, ...args.slice(2)],
      // Chromium is opened by the test, at the address that is printed.
      env: { PATH: process.env['PATH']!, HOME: home, BROWSER: 'true' },
      stderr: 'pipe',
    })
    this.#transport.stderr!.on('data', (text) => (this.#log += text))
  }

  connect = () => this.#telling(this.client.connect(this.#transport, { timeout: 120_000 }))

  call = async (name: string) => {
    const result = await this.#telling(this.client.callTool({ name }, undefined, { timeout: 120_000 }))
    return (result as { content: { text: string }[] }).content[0]!.text
  }

  /** With what the process said, where it fails. */
  async #telling<T>(work: Promise<T>): Promise<T> {
    try {
      return await work
    } catch (error) {
      throw new Error(`mcp-remote said:\n${this.#log}`, { cause: error })
    }
  }

  /** Where it sends the person next, once it waits for the answer. */
  async sendsTo(): Promise<string> {
    for (;;) {
      const fresh = this.#log.slice(this.#read)
      const url = /^(http:\/\/\S+\/oauth\/authorize\?\S+)$/m.exec(fresh)?.[1]
      if (url && /callback server running/.test(fresh)) {
        this.#read = this.#log.length
        return url
      }
      if (!this.#transport.pid) throw new Error(`mcp-remote has ended:\n${this.#log}`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

describe('mcp-remote', () => {
  let site: ClosedSite
  let browser: Browser
  let page: Page
  let home: string
  before(async () => {
    home = mkdtempSync(join(tmpdir(), 'gatehouse-mcp-remote-'))
    site = await openClosedSite(guide.block('ts'))
    browser = await launchBrowser(`--host-resolver-rules=${nothingElse}`)
    page = await openPage(browser)
  })
  after(async () => {
    await browser?.close()
    await site?.close()
    rmSync(home, { recursive: true, force: true })
  })
  const allow = async (host: Host) => {
    await page.goto(await host.sendsTo())
    await allowIn(page)
    await page.getByText('Authorization successful').waitFor()
  }

  test('registers itself, sends the person to a browser, lists the tools, calls them, and asks for a further scope', async () => {
    const host = new Host(site.adapt(registering), home)
    const connected = host.connect()
    await Promise.all([connected, allow(host)])
    const { tools } = await host.client.listTools()
    assert.deepEqual(
      tools.map(({ name }) => name),
      ['opening_hours', 'search_jobs', 'apply', 'withdraw'],
    )
    assert.equal(await host.call('search_jobs'), 'For alice: Baker, Carpenter')
    const [applied] = await Promise.all([host.call('apply'), allow(host)])
    assert.equal(applied, 'alice applied as Baker')
    assert.deepEqual(
      new Set(site.asked.map((url) => url.searchParams.get('resource'))),
      new Set([site.resource]),
    )
    await host.client.close()
  })

  test('does not ask at the next start, and refreshes what has expired', async () => {
    const before = site.asked.length
    site.advance(3_600_000)
    const host = new Host(site.adapt(registering), home)
    await host.connect()
    assert.equal(await host.call('apply'), 'alice applied as Baker')
    assert.equal(site.asked.length, before)
    await host.client.close()
  })

  test('works as a client that was registered before, on whatever port it listens', async () => {
    await site.shell(guide.block('sh'))
    const clients = (await site.g.clients.list()).length
    const host = new Host(site.adapt(registered), mkdtempSync(join(home, 'other-')))
    await Promise.all([host.connect(), allow(host)])
    assert.equal(await host.call('search_jobs'), 'For alice: Baker, Carpenter')
    assert.equal(site.asked.at(-1)!.searchParams.get('client_id'), 'mcp-remote')
    assert.equal((await site.g.clients.list()).length, clients)
    await host.client.close()
  })
})
