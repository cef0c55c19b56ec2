import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { after, test } from 'node:test'
import { json } from '../../src/http/message.ts'
import { type NodeOptions, nodeServer } from '../../src/http/node.ts'

const limits = { headerTime: 10_000, requestTime: 30_000, idleTime: 65_000, perAddress: 256, inAll: 5_000 }
const opened: Server[] = []
after(() => {
  for (const server of opened) {
    server.closeAllConnections()
    server.close()
  }
})

async function serve(
  connections: Partial<typeof limits> & { exemptLoopback?: boolean },
  answer: Parameters<typeof nodeServer>[0] = async (request) =>
    json(200, { text: await request.text(1_000) }),
) {
  const options = { origin: 'http://127.0.0.1', base: '', trustedProxies: undefined }
  const server = nodeServer(answer, {
    ...options,
    connections: { ...limits, exemptLoopback: false, ...connections },
  } as NodeOptions)
  opened.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

async function dial(server: Server): Promise<Socket> {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

/** What a connection hears until the other side ends it. */
async function heard(socket: Socket): Promise<string> {
  let text = ''
  socket.on('data', (chunk) => (text += chunk))
  if (!socket.closed) await once(socket, 'close')
  return text
}

test('RFC 9110 §15.5.9: headers, bodies and first requests that do not come are given up by the server', async () => {
  const server = await serve({ headerTime: 100, requestTime: 200 })
  assert.deepEqual(
    [server.headersTimeout, server.requestTimeout, server.keepAliveTimeout],
    [100, 200, 65_000],
  )
  const silent = await dial(server)
  const [headers, body] = [await dial(server), await dial(server)]
  headers.write('GET / HTTP/1.1\r\nhost: a\r\nx-a')
  body.write('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\na')
  const [a, b, c] = await Promise.all([heard(silent), heard(headers), heard(body)])
  assert.match(a, /^(HTTP\/1\.1 408 |$)/)
  assert.match(b, /^HTTP\/1\.1 408 /)
  assert.match(c, /^(HTTP\/1\.1 408 |$)/)
  const honest = await dial(server)
  honest.write('POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 3\r\n\r\na=1')
  assert.match(await heard(honest), /^HTTP\/1\.1 200 [\s\S]*"a=1"/)
})

test('one address has only so many connections, and all together only so many', async () => {
  const server = await serve({ perAddress: 3, inAll: 10 })
  const held = await Promise.all(Array.from({ length: 3 }, () => dial(server)))
  assert.equal(await heard(await dial(server)), '', 'a fourth is closed')
  held[0]!.destroy()
  for (;;) {
    const next = await dial(server)
    next.write('GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n')
    if ((await heard(next)).startsWith('HTTP/1.1 200')) break
  }
  const whole = await serve({ perAddress: 100, inAll: 2 })
  for (let n = 0; n < 2; n++) await dial(whole)
  assert.equal(await heard(await dial(whole)), '')
  const exempt = await serve({ perAddress: 1, exemptLoopback: true })
  const several = await Promise.all(Array.from({ length: 3 }, () => dial(exempt)))
  for (const socket of several) socket.write('GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n')
  for (const text of await Promise.all(several.map(heard))) assert.match(text, /^HTTP\/1\.1 200/)
})

test('RFC 9112 §9.3.2: of requests sent ahead on one connection only a few are under way at once', async () => {
  let most = 0
  let underWay = 0
  const server = await serve({}, async () => {
    most = Math.max(most, ++underWay)
    await new Promise((resolve) => setTimeout(resolve, 20))
    underWay--
    return json(200, {})
  })
  const socket = await dial(server)
  socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n'.repeat(200))
  await heard(socket)
  assert.ok(most <= 16, `${most} at once`)
})

test('RFC 6585 §5: more headers than any honest request has are 431, not cut off unseen', async () => {
  const server = await serve({}, async (request) => json(200, { last: request.header('x-last') ?? null }))
  const ask = async (count: number) => {
    const socket = await dial(server)
    const many = Array.from({ length: count }, (_, n) => `x-${n}: 1\r\n`).join('')
    socket.write(`GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n${many}x-last: here\r\n\r\n`)
    return heard(socket)
  }
  assert.match(await ask(50), /^HTTP\/1\.1 200 [\s\S]*"here"/)
  assert.match(await ask(150), /^HTTP\/1\.1 431 /)
})
