// An app that mounts Gatehouse below a path has to hand over the documents at the root of its host as well.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, test } from 'node:test'
import { openApp } from '../../src/app.ts'
import { embed } from '../../src/gatehouse.ts'
import { toNodeHandler } from '../../src/http/mount.ts'
import { unmountedDocuments } from '../../src/oauth/mounted.ts'
import { freshDatabase } from '../support/gatehouse.ts'

/** An app that hands over the paths that fit, and answers 404 to every other one. */
async function openSite(handsOver: RegExp, path = '/auth') {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const issuer = `http://localhost:${(server.address() as AddressInfo).port}${path}`
  const { origin } = new URL(issuer)
  const warnings: string[] = []
  const log = { info() {}, warn: (message: string) => void warnings.push(message), error() {} }
  const database = await freshDatabase('sqlite')
  const app = await openApp({
    issuer,
    secret: 'x'.repeat(43),
    database: database.url,
    resources: { [`${origin}/api`]: {}, 'https://api.example.com': {} },
    log,
  })
  const auth = embed(app)
  const handler = toNodeHandler(auth)
  server.on('request', (request: IncomingMessage, response) => {
    if (handsOver.test(request.url!)) handler(request, response)
    else response.writeHead(404).end()
  })
  return {
    issuer,
    origin,
    app,
    warnings,
    async [Symbol.asyncDispose]() {
      await auth.close()
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
      await database.remove()
    },
  }
}

async function until(holds: () => boolean): Promise<void> {
  for (let n = 0; n < 2_000 && !holds(); n++) await new Promise((resolve) => setTimeout(resolve, 10))
  assert.ok(holds())
}

describe('RFC 8414 §3.1, RFC 9728 §3.1: a forgotten well-known route', () => {
  test('is named in a warning after the first request, each by its address, once', async () => {
    await using site = await openSite(/^\/auth\//)
    for (let n = 0; n < 3; n++) await (await fetch(`${site.issuer}/.well-known/jwks.json`)).arrayBuffer()
    await until(() => site.warnings.filter((text) => text.includes('well-known')).length === 2)
    const named = site.warnings.join('\n')
    for (const document of ['oauth-authorization-server/auth', 'oauth-protected-resource/api'])
      assert.match(
        named,
        new RegExp(`do not find ${site.origin}/\\.well-known/${document}, which answers 404`),
      )
    await (await fetch(`${site.issuer}/.well-known/jwks.json`)).arrayBuffer()
    assert.equal((await unmountedDocuments(site.app.settings)).length, 2)
    assert.equal(site.warnings.filter((text) => text.includes('well-known')).length, 2)
  })

  test('is none where the app hands all of them over, and for an API elsewhere', async () => {
    await using site = await openSite(/^\/(auth|\.well-known)\//)
    assert.deepEqual(await unmountedDocuments(site.app.settings), [])
  })

  test('is one where something else answers, and none where nothing answers at all', async () => {
    const site = await openSite(/^\/(auth|\.well-known\/oauth-authorization-server)\//)
    const { settings } = site.app
    assert.deepEqual(await unmountedDocuments(settings), [
      { url: `${site.origin}/.well-known/oauth-protected-resource/api`, found: 'answers 404' },
    ])
    const other = { ...settings, issuer: `${site.origin}/auth/`.slice(0, -1), resources: {} }
    assert.deepEqual(
      (await unmountedDocuments(other)).map(({ url }) => url),
      [`${site.origin}/.well-known/oauth-protected-resource/auth`],
    )
    await site[Symbol.asyncDispose]()
    assert.deepEqual(await unmountedDocuments(settings), [])
  })
})
