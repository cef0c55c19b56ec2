// An MCP client that nobody told the development server about walks in: with and without a configuration file.

import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { auth } from '@modelcontextprotocol/sdk/client/auth.js'
import { openBrowser } from '../../../src/cli/demo/browser.ts'
import { emptyFolder, run, stay } from '../../cli/command-line.ts'
import { MemoryProvider } from '../mcp/provider.ts'

for (const configured of [false, true]) {
  const how = configured ? 'with the file that init writes, opened' : 'without a file'
  test(`RFC 7591 §3, CIMD §4: an MCP client walks in at the development server, ${how} (A4, A5)`, async () => {
    const folder = emptyFolder()
    if (configured) {
      assert.equal((await run(folder, ['init'])).code, 0)
      const file = join(folder, 'gatehouse.config.mts')
      const text = readFileSync(file, 'utf8')
      assert.match(text, /^ {2}\/\/ clientIdMetadata: \{\},\n {2}\/\/ registration: \{ policy: /m)
      const opened = text
        .replace(/\/\/ (clientIdMetadata|registration)/g, '$1')
        .replace('initial_access_token', 'open')
      writeFileSync(file, opened)
    }
    const server = stay(folder, ['dev', '--json', '--port', '0'])
    const { issuer } = JSON.parse(await server.line('stdout', /"ready":true/))
    await server.line('stdout', /"authorize":"http/)
    const { login, password } = JSON.parse(readFileSync(join(folder, '.gatehouse/demo.json'), 'utf8'))

    const provider = new MemoryProvider()
    assert.equal(await auth(provider, { serverUrl: issuer }), 'REDIRECT')
    const browser = openBrowser(fetch, provider.redirectUrl)
    const consent = await browser.submit(await browser.open(provider.sentTo!.href), { login, password })
    assert.match(consent.html, /Desk tool/)
    const { leaves } = await browser.submit(consent, { decision: 'allow' })
    const authorizationCode = new URL(leaves!).searchParams.get('code')!
    assert.equal(await auth(provider, { serverUrl: issuer, authorizationCode }), 'AUTHORIZED')
    assert.equal(await auth(provider, { serverUrl: issuer }), 'AUTHORIZED', 'refreshed')

    const metadata = await fetch(`${issuer}/.well-known/oauth-authorization-server`)
    const { client_id_metadata_document_supported } = (await metadata.json()) as Record<string, unknown>
    assert.equal(client_id_metadata_document_supported, true)
    assert.equal(await server.end(), 0)
  })
}
