// The embeddings that the docstring of `toNodeHandler` shows, run as they are written, in the frameworks' own settings.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, describe, test } from 'node:test'
import express from 'express'
import fastify from 'fastify'
import { openApp } from '../../src/app.ts'
import { embed } from '../../src/gatehouse.ts'
import { toNodeHandler } from '../../src/http/mount.ts'
import { freshDatabase } from '../support/gatehouse.ts'

const text = readFileSync(new URL('../../src/http/mount.ts', import.meta.url), 'utf8')
const [ofExpress, ofFastify] = [...text.matchAll(/^ \* ```ts\n((?: \*[^\n]*\n)*?) \* ```$/gm)].map((match) =>
  match[1]!.replaceAll(/^ \* ?/gm, ''),
)

/** Runs a sample with what it takes as given. */
function follow(sample: string | undefined, app: unknown, auth: unknown): void {
  assert.ok(sample?.includes('/auth'), 'the docstring shows it')
  new Function('app', 'auth', 'toNodeHandler', sample!)(app, auth, toNodeHandler)
}

async function openAuth() {
  const database = await freshDatabase('sqlite')
  after(database.remove)
  const issuer = 'http://localhost:4400/auth'
  const config = {
    issuer,
    secret: 'x'.repeat(43),
    database: database.url,
    jobs: false,
    log: 'silent' as const,
  }
  const auth = embed(await openApp({ ...config, scopes: { 'jobs:read': 'Search jobs' } }))
  const { client, secret } = await auth.clients.create({ name: 'A', grantTypes: ['client_credentials'] })
  const form = { grant_type: 'client_credentials', client_id: client.id, client_secret: secret! }
  return { auth, form }
}

async function asksForToken(url: string, form: Record<string, string>): Promise<void> {
  const answer = await fetch(`${url}/auth/oauth/token`, { method: 'POST', body: new URLSearchParams(form) })
  const told = await answer.text()
  assert.equal(answer.status, 200, told)
  assert.equal(typeof JSON.parse(told).access_token, 'string')
  const json = await fetch(`${url}/auth/oauth/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  })
  // The refusal is the server's own, not the framework's.
  assert.equal(((await json.json()) as { error: string }).error, 'invalid_request')
}

describe('RFC 6749 §3.2: the token endpoint reads its form as the docstring of toNodeHandler embeds it', () => {
  test('in Express', async () => {
    const { auth, form } = await openAuth()
    const app = express()
    follow(ofExpress, app, auth)
    const server = createServer(app).listen(0, '127.0.0.1')
    await once(server, 'listening')
    await asksForToken(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, form)
    server.closeAllConnections()
    server.close()
    await auth.close()
  })

  test('in Fastify, whose other routes still read their bodies', async () => {
    const { auth, form } = await openAuth()
    const app = fastify()
    follow(ofFastify, app, auth)
    app.post('/jobs', async (request) => request.body)
    const url = await app.listen({ port: 0, host: '127.0.0.1' })
    await asksForToken(url, form)
    const headers = { 'content-type': 'application/json' }
    const other = await fetch(`${url}/jobs`, { method: 'POST', headers, body: '{"title":"Baker"}' })
    assert.deepEqual(await other.json(), { title: 'Baker' })
    await app.close()
    await auth.close()
  })
})
