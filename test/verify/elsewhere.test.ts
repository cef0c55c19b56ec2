// What a run knows of a server is the server's own: no secret, code, token, assertion or cookie goes to another host, whoever
// names it.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, describe, test } from 'node:test'
import { CannotRun } from '../../src/verify/failures.ts'
import { verify } from '../../src/verify/run.ts'
import { openToy, type Toy } from './toy.ts'

interface Heard {
  url: string
  requests: string[]
}

/** Changes an answer of the toy: `body` is its text, `elsewhere` the other host. */
type Change = (path: string, body: string, elsewhere: string) => { body?: string; location?: string }

const closers: (() => unknown)[] = []
after(async () => {
  for (const close of closers) await close()
})

async function listen(
  answer: (path: string, request: Request) => Promise<Response>,
): Promise<{ url: string }> {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const { host: _host, connection: _connection, ...headers } = request.headers as Record<string, string>
    const method = request.method!
    const init = method === 'GET' ? { method, headers } : { method, headers, body: Buffer.concat(chunks) }
    const reply = await answer(request.url!, new Request(new URL(request.url!, 'http://any.example'), init))
    const { 'content-length': _length, ...kept } = Object.fromEntries(reply.headers)
    response.writeHead(reply.status, kept).end(await reply.text())
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  closers.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

/** The toy behind an address of its own, with its answers changed; and the other host, which writes down what it hears. */
async function openChanged(change: Change): Promise<{ issuer: string; elsewhere: Heard; toy: Toy }> {
  const toy = await openToy()
  closers.push(() => toy.close())
  const requests: string[] = []
  const other = await listen(async (path, request) => {
    const copy = request.clone()
    requests.push(`${request.method} ${path} ${await copy.text()}`)
    return forward(toy, path, request)
  })
  const front = await listen(async (path, request) => {
    const reply = await forward(toy, path, request)
    const own = (await reply.text()).replaceAll(toy.issuer, front.url)
    const { body = own, location } = change(path.split('?')[0]!, own, other.url)
    const headers = new Headers(reply.headers)
    const to =
      location ??
      headers.get('location')?.replaceAll(encodeURIComponent(toy.issuer), encodeURIComponent(front.url))
    if (to !== undefined) headers.set('location', to)
    return new Response(body, { status: location === undefined ? reply.status : 303, headers })
  })
  return { issuer: front.url, elsewhere: { url: other.url, requests }, toy }
}

function forward(toy: Toy, path: string, request: Request): Promise<Response> {
  const { method, headers } = request
  const init = { method, headers, redirect: 'manual' as const }
  const body = method === 'GET' || request.bodyUsed ? {} : { body: request.body, duplex: 'half' as const }
  return fetch(toy.issuer + path, { ...init, ...body })
}

const endpoint =
  (name: string): Change =>
  (path, body, elsewhere) => {
    if (!path.startsWith('/.well-known/')) return {}
    const metadata = JSON.parse(body)
    const { pathname } = new URL(metadata[name])
    return { body: JSON.stringify({ ...metadata, [name]: elsewhere + pathname }) }
  }

describe('gatehouse verify, another host', () => {
  for (const name of [
    'token_endpoint',
    'authorization_endpoint',
    'registration_endpoint',
    'introspection_endpoint',
    'revocation_endpoint',
  ]) {
    test(`RFC 8414 §6.2: a ${name} elsewhere gets nothing, and the run says how to allow it`, async () => {
      const { issuer, elsewhere } = await openChanged(endpoint(name))
      await assert.rejects(verify({ issuer }), (error: Error) => {
        assert.ok(error instanceof CannotRun, String(error))
        assert.match(error.message, new RegExp(`${name}.*--also ${elsewhere.url}`))
        return true
      })
      assert.deepEqual(elsewhere.requests, [])
    })
  }

  test('an endpoint elsewhere is used where the user vouches for its origin', async () => {
    const { issuer, elsewhere } = await openChanged(endpoint('introspection_endpoint'))
    const allowed = { issuer, also: [elsewhere.url], only: ['N110', 'N111'] }
    const report = await verify(allowed)
    assert.deepEqual(
      report.checks.map(({ result }) => result),
      ['held', 'held'],
    )
    assert.ok(elsewhere.requests.some((line) => line.startsWith('POST /introspect')))
  })

  test('RFC 7592 §2: a registration_client_uri elsewhere gets no registration access token', async () => {
    const { issuer, elsewhere } = await openChanged((path, body, other) =>
      path === '/register' && body.includes('client_id')
        ? {
            body: JSON.stringify({
              ...JSON.parse(body),
              registration_client_uri: `${other}/register/1`,
              registration_access_token: 'a-token-of-a-registration',
            }),
          }
        : {},
    )
    const report = await verify({ issuer, only: ['N2', 'N109', 'RFC 6749'] })
    assert.deepEqual(elsewhere.requests, [])
    const { result } = report.checks.find(({ id }) => id === 'N109')!
    assert.equal(String(result), 'not_shown')
  })

  test('a page that leads elsewhere is not followed, and a form is not sent there', async () => {
    for (const change of [
      (path, _body, other) => (path === '/authorize' ? { location: `${other}/authorize` } : {}),
      (path, body, other) =>
        path === '/authorize' ? { body: body.replace('action="/consent"', `action="${other}/consent"`) } : {},
    ] satisfies Change[]) {
      const { issuer, elsewhere } = await openChanged(change)
      await assert.rejects(verify({ issuer }), (error: Error) => {
        assert.ok(error instanceof CannotRun, String(error))
        assert.match(error.message, new RegExp(`--also ${elsewhere.url}`))
        return true
      })
      assert.deepEqual(elsewhere.requests, [])
    }
  })
})
