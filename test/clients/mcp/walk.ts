// The way of `@modelcontextprotocol/client` 2.x through an MCP site, without a browser.

import assert from 'node:assert/strict'
import { auth, Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import type { MemoryProvider } from './provider.ts'
import type { McpSite } from './site.ts'

/** The person allows what the client asked for; answers what came back to the client. */
export async function allow(site: McpSite, provider: MemoryProvider): Promise<URLSearchParams> {
  const back = await site.visitor.authorize(provider.sentTo!)
  assert.ok(back instanceof URL, 'the browser is sent back to the client')
  assert.equal(back.origin + back.pathname, provider.redirectUrl)
  assert.equal(back.searchParams.get('state'), provider.lastState)
  assert.equal(back.searchParams.get('iss'), site.issuer)
  return back.searchParams
}

/** From nothing to tokens. */
export async function signIn(
  site: McpSite,
  provider: MemoryProvider,
  more: { scope?: string; fetchFn?: typeof fetch } = {},
): Promise<void> {
  const to = { serverUrl: site.resource, ...more }
  assert.equal(await auth(provider, to), 'REDIRECT')
  const back = await allow(site, provider)
  const answer = { authorizationCode: back.get('code')!, iss: back.get('iss')! }
  assert.equal(await auth(provider, { ...to, ...answer }), 'AUTHORIZED')
}

/** An MCP client that has shaken hands. */
export async function connect(site: McpSite, provider: MemoryProvider) {
  const transport = new StreamableHTTPClientTransport(new URL(site.resource), { authProvider: provider })
  const client = new Client({ name: 'desk-tool', version: '2.0.0' })
  await client.connect(transport)
  const call = async (name: string): Promise<string> => {
    const { content } = await client.callTool({ name })
    return (content as { text: string }[])[0]!.text
  }
  return { client, transport, call }
}

/** Calls a tool as any HTTP client would. */
export function callTool(
  site: McpSite,
  name: string,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(site.resource, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...headers,
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name } }),
  })
}
