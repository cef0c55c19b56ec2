import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { type Answer, type Incoming, json } from '../../src/http/message.ts'
import { nodeServer } from '../../src/http/node.ts'

/** Sends a POST whose body's last byte leaves only when `until` has resolved. */
async function postSlowly(
  answer: (request: Incoming) => Promise<Answer>,
  until: Promise<void>,
): Promise<string> {
  const server = nodeServer(answer, { origin: 'http://127.0.0.1', base: '', trustedProxies: undefined })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  socket.write('POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 3\r\n\r\na=')
  await until
  socket.write('1')
  let text = ''
  for await (const chunk of socket) text += chunk
  server.close()
  return text.slice(text.indexOf('\r\n\r\n') + 4)
}

test('a body that is still arriving can be read after the host was shown the request', async () => {
  const shown = Promise.withResolvers<void>()
  const body = await postSlowly(async (request) => {
    assert.equal(request.request().method, 'POST')
    await turn()
    shown.resolve()
    return json(200, { text: await request.text(100) })
  }, shown.promise)
  assert.equal(body, '{"text":"a=1"}')
})

test('the host can read a body that is still arriving', async () => {
  const shown = Promise.withResolvers<void>()
  const body = await postSlowly(async (request) => {
    const whole = request.request().text()
    shown.resolve()
    return json(200, { text: await whole })
  }, shown.promise)
  assert.equal(body, '{"text":"a=1"}')
})

test('RFC 9112 §3.2.2: a request line in absolute form means the path in it', async () => {
  const seen: string[] = []
  const server = nodeServer(
    async (request) => {
      seen.push(request.path + (request.search && `?${request.search}`), request.request().url)
      return json(200, {})
    },
    { origin: 'https://auth.example.com', base: '', trustedProxies: undefined },
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  for (const target of [
    'http://other.example/oauth/token?x=1',
    'HTTPS://other.example',
    'https://other.example?x=1',
    '*',
  ]) {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
    socket.end(`GET ${target} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`)
    for await (const _ of socket);
  }
  server.close()
  const urls = ['/oauth/token?x=1', '/', '/?x=1', '/*']
  assert.deepEqual(
    seen,
    urls.flatMap((url) => [url, `https://auth.example.com${url}`]),
  )
})
