// The MCP example, started as its README says, with both generations of the client library.

import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import * as strict from '@modelcontextprotocol/client'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { MemoryProvider } from '../clients/mcp/provider.ts'
import { Visitor } from '../clients/visitor.ts'
import { freePort, type Running, run } from './running.ts'

/** A client as a host application holds it. */
interface Connected {
  call(name: string): Promise<string>
  finish(back: URLSearchParams): Promise<void>
  close(): Promise<void>
}

const textOf = (result: object) => (result as { content: { text: string }[] }).content[0]!.text

const generations: Record<string, (url: URL, provider: MemoryProvider) => Promise<Connected>> = {
  async 'sdk 1.x'(url, provider) {
    const transport = new StreamableHTTPClientTransport(url, { authProvider: provider })
    const client = new Client({ name: 'desk-tool', version: '1.0.0' })
    await client.connect(transport)
    return {
      call: async (name) => textOf(await client.callTool({ name })),
      finish: (back) => transport.finishAuth(back.get('code')!),
      close: () => client.close(),
    }
  },
  async 'client 2.x'(url, provider) {
    const transport = new strict.StreamableHTTPClientTransport(url, { authProvider: provider })
    const client = new strict.Client({ name: 'desk-tool', version: '2.0.0' })
    await client.connect(transport)
    return {
      call: async (name) => textOf(await client.callTool({ name })),
      finish: (back) => transport.finishAuth(back),
      close: () => client.close(),
    }
  },
}

const variants = [
  {
    name: 'in one process',
    async start() {
      const running = await run('examples/mcp/server.ts')
      return { running, issuer: running.origin, mcp: running.origin }
    },
  },
  {
    name: 'apart',
    async start() {
      const port = await freePort()
      const running = await run('examples/mcp/authorization-server.ts', { MCP_PORT: String(port) })
      return { running, issuer: running.origin, mcp: `http://localhost:${port}` }
    },
  },
]

for (const variant of variants) {
  describe(`example mcp, ${variant.name}`, () => {
    let started: Promise<{ running: Running; issuer: string; mcp: string }> | undefined
    const open = () => (started ??= variant.start())
    after(async () => (await started)?.running.stop())

    for (const [name, connect] of Object.entries(generations)) {
      test(`Model Context Protocol, Authorization: ${name} looks around, signs in when it must, asks for more, and is disconnected`, async () => {
        const { issuer, mcp } = await open()
        const provider = new MemoryProvider()
        const visitor = new Visitor(issuer)
        const { call, finish, close } = await connect(new URL(`${mcp}/mcp`), provider)
        const allow = async () => {
          const back = await visitor.authorize(provider.sentTo!)
          assert.ok(back instanceof URL)
          await finish(back.searchParams)
        }
        assert.equal(await call('opening_hours'), 'Monday to Friday, nine to five')
        await assert.rejects(call('search_jobs'), 'it has to sign in')
        assert.equal(provider.sentTo!.origin, issuer)
        assert.equal(provider.sentTo!.searchParams.get('resource'), `${mcp}/mcp`)
        await allow()
        assert.equal(await call('search_jobs'), 'For alice: Baker, Carpenter')

        await assert.rejects(call('apply'), 'it needs another scope')
        if (!provider.sentTo!.searchParams.get('scope')!.includes('applications:write')) {
          // The first generation refreshes, and leaves asking for more to its host.
          provider.held.clear()
          await assert.rejects(call('apply'))
        }
        await allow()
        assert.equal(await call('apply'), 'alice applied as Baker')
        assert.equal(await call('withdraw'), 'alice withdrew the application')

        const { client_id } = provider.client!
        const body = new URLSearchParams({ client_id, token: provider.tokensHeld!.refresh_token! })
        assert.equal((await fetch(`${issuer}/oauth/revoke`, { method: 'POST', body })).status, 200)
        // An answer about a token counts for a second where the MCP server is apart.
        const gone = async (): Promise<void> => {
          const still = await call('search_jobs').catch(() => undefined)
          if (still !== undefined) await gone()
        }
        await gone()
        assert.deepEqual(provider.invalidated, ['tokens'])
        await close()
      })
    }

    test('RFC 9728 §3: the MCP server says whom to ask, at the path form and at the root (B1, B2, H1)', async () => {
      const { issuer, mcp } = await open()
      for (const path of [
        '/.well-known/oauth-protected-resource/mcp',
        '/.well-known/oauth-protected-resource',
      ]) {
        const metadata = (await (await fetch(mcp + path)).json()) as Record<string, unknown>
        assert.equal(metadata['resource'], `${mcp}/mcp`, path)
        assert.deepEqual(metadata['authorization_servers'], [issuer], path)
        assert.deepEqual(metadata['scopes_supported'], ['jobs:read', 'applications:write'], path)
      }
    })

    test('Model Context Protocol, Transports: a page of another site cannot call it', async () => {
      const { mcp } = await open()
      const answer = await fetch(`${mcp}/mcp`, {
        method: 'POST',
        headers: { origin: 'https://evil.example' },
      })
      assert.equal(answer.status, 403)
    })

    test('it ends when asked', async () => {
      const { running } = await open()
      assert.equal(await running.stop(), 0, running.output())
      started = undefined
    })
  })
}
