import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, request as httpRequest } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { describe, test } from 'node:test'
import express from 'express'
import { sendResponse, toNodeHandler } from '../../src/http/mount.ts'

const origin = 'https://auth.example.com'
const echo = toNodeHandler({
  issuer: `${origin}/auth`,
  async fetch(request, connection) {
    const headers = new Headers({ 'x-url': request.url, 'x-address': connection?.address ?? '' })
    headers.append('set-cookie', 'a=1')
    headers.append('set-cookie', 'b=2')
    return new Response(`${request.method} ${await request.text()}`, { status: 201, headers })
  },
})
const form = { 'content-type': 'application/x-www-form-urlencoded' }

async function serve(handler: Parameters<typeof createServer>[1]) {
  const server = createServer(handler)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

describe('a fetch handler on Node', () => {
  test('gets the URL of the issuer’s origin, whatever the Host header says, and answers in full', async () => {
    await using server = await serve(echo)
    const answer = await fetch(`${server.url}/auth/x?y=1`, { method: 'POST', body: 'hello' })
    assert.equal(answer.status, 201)
    assert.equal(answer.headers.get('x-url'), `${origin}/auth/x?y=1`)
    assert.equal(answer.headers.get('x-address'), '127.0.0.1')
    assert.deepEqual(answer.headers.getSetCookie(), ['a=1', 'b=2'])
    assert.equal(await answer.text(), 'POST hello')
    const head = await fetch(`${server.url}/`, { method: 'HEAD' })
    assert.equal(head.headers.get('content-length'), '5')
    assert.equal(await head.text(), '')
  })

  test('streams events as they come, and ends the stream when the client leaves', async () => {
    const left = Promise.withResolvers<void>()
    let send: (text: string) => void = () => {}
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        send = (text) => controller.enqueue(new TextEncoder().encode(text))
      },
      cancel: () => left.resolve(),
    })
    const headers = { 'content-type': 'text/event-stream' }
    await using server = await serve(
      toNodeHandler({ issuer: origin, fetch: () => new Response(body, { headers }) }),
    )
    const leave = new AbortController()
    const answer = await fetch(server.url, { signal: leave.signal })
    const reader = answer.body!.getReader()
    for (const text of ['data: 1\n\n', 'data: 2\n\n']) {
      send(text)
      assert.equal(new TextDecoder().decode((await reader.read()).value), text)
    }
    leave.abort()
    await left.promise
  })

  test('is not asked about what no web-standard request can be', async () => {
    await using server = await serve(echo)
    const status = (method: string, path: string) =>
      new Promise<number | undefined>((resolve, reject) => {
        const asked = httpRequest({ port: server.port, host: '127.0.0.1', method, path }, (answer) => {
          answer.resume()
          resolve(answer.statusCode)
        })
        asked.on('error', reject).end()
      })
    assert.equal(await status('TRACE', '/'), 400)
    assert.equal(await status('OPTIONS', '*'), 400)
    assert.equal(await status('GET', 'http://elsewhere.example/'), 400)
    assert.equal(await status('GET', '//elsewhere.example/x'), 201)
  })

  test('answers 500 without details when it throws, and lives on', async () => {
    await using server = await serve(
      toNodeHandler({ issuer: origin, fetch: () => Promise.reject(new Error('a secret')) }),
    )
    const { write } = process.stderr
    let logged = ''
    process.stderr.write = (text) => Boolean((logged += text))
    const answer = await fetch(server.url).finally(() => (process.stderr.write = write))
    assert.equal(answer.status, 500)
    assert.doesNotMatch(await answer.text(), /a secret/)
    assert.match(logged, /a secret/)
  })

  test('survives a client that leaves in the middle of its body', async () => {
    await using server = await serve(
      (request, response) => void echo(request, response, () => response.destroy()),
    )
    const socket = connect(server.port, '127.0.0.1')
    await once(socket, 'connect')
    socket.write('POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf')
    socket.destroy()
    await once(socket, 'close')
    assert.equal((await fetch(server.url)).status, 201)
  })
})

describe('behind Express', () => {
  async function behind(...parsers: express.RequestHandler[]) {
    const app = express()
    for (const parser of parsers) app.use(parser)
    app.use('/auth', echo)
    const onError: express.ErrorRequestHandler = (error, _request, response, _next) => {
      response.status(500).send(`${error.name}: ${error.message}`)
    }
    app.use(onError)
    return serve(app)
  }

  test('the whole path arrives, mount path included', async () => {
    await using server = await behind()
    const answer = await fetch(`${server.url}/auth/x?y=1`)
    assert.equal(answer.headers.get('x-url'), `${origin}/auth/x?y=1`)
  })

  test('a form that a parser has read is put together again, repetitions included', async () => {
    for (const extended of [true, false]) {
      await using server = await behind(express.urlencoded({ extended }))
      const sent = 'a=1&b=two+words%26more&a=2'
      const answer = await fetch(`${server.url}/auth/x`, { method: 'POST', headers: form, body: sent })
      const got = new URLSearchParams((await answer.text()).replace('POST ', ''))
      assert.deepEqual([got.getAll('a'), got.getAll('b')], [['1', '2'], ['two words&more']])
    }
  })

  test('text and bytes that a parser has read are passed on as they were', async () => {
    for (const parser of [express.text({ type: '*/*' }), express.raw({ type: '*/*' })]) {
      await using server = await behind(parser)
      const answer = await fetch(`${server.url}/auth/x`, { method: 'POST', body: '{"é": 1}' })
      assert.equal(await answer.text(), 'POST {"é": 1}')
    }
  })

  test('any other consumed body is an error that says what to do', async () => {
    await using server = await behind(express.json(), express.urlencoded({ extended: true }))
    const bodies: [Record<string, string>, string][] = [
      [{ 'content-type': 'application/json' }, '{"a": 1}'],
      [form, 'a[b]=1'],
    ]
    for (const [headers, body] of bodies) {
      const answer = await fetch(`${server.url}/auth/x`, { method: 'POST', headers, body })
      assert.match(await answer.text(), /^BodyConsumed: .*mount toNodeHandler before body parsers/)
    }
    assert.equal((await fetch(`${server.url}/auth/x`, { method: 'POST' })).status, 201, 'no body at all')
  })

  test('a response is sent with its status, headers and cookies', async () => {
    const app = express()
    app.get('/', (_request, response) => sendResponse(new Response(null, { status: 204 }), response))
    await using server = await serve(app)
    const answer = await fetch(server.url)
    assert.equal(answer.status, 204)
    assert.equal(answer.headers.get('content-length'), null)
  })
})
