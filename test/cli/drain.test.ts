// Ending without cutting anybody off: not ready, still answering, then closed.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { connect } from 'node:net'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { basic } from '../support/gatehouse.ts'
import { hasNginx, startNginx } from '../support/nginx.ts'
import { emptyFolder, freePort, type Process, run, serve } from './command-line.ts'

const issuer = 'http://localhost:4400'

async function raw(url: string, path: string): Promise<{ head: string; body: string }> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`)
  let text = ''
  for await (const chunk of socket) {
    text += chunk
    const end = text.indexOf('\r\n\r\n')
    const length = Number(/content-length: (\d+)/i.exec(text)?.[1])
    if (end > 0 && text.length >= end + 4 + length) break
  }
  const end = text.indexOf('\r\n\r\n')
  return { head: text.slice(0, end), body: text.slice(end + 4) }
}

describe('drain', () => {
  test('SIGTERM: not ready at once, answering with connection: close, and a second signal ends it', async () => {
    const env = { GATEHOUSE_ISSUER: issuer, GATEHOUSE_DRAIN: '600' }
    const server = await serve(emptyFolder(), ['serve', '--port', '0'], env)
    const before = await raw(server.url, '/readyz')
    assert.match(before.head, /^HTTP\/1\.1 200 /)
    assert.match(before.head, /connection: keep-alive/i)
    server.child.kill('SIGTERM')
    await server.line('stderr', /"message":"stopping"/)
    const after = await raw(server.url, '/readyz')
    assert.match(after.head, /^HTTP\/1\.1 503 /)
    assert.deepEqual(JSON.parse(after.body), { status: 'not ready', failing: ['stopping'] })
    assert.match((await raw(server.url, '/livez')).head, /^HTTP\/1\.1 200 /)
    const answered = await raw(server.url, '/.well-known/jwks.json')
    assert.match(answered.head, /^HTTP\/1\.1 200 /)
    assert.match(answered.head, /connection: close/i)
    assert.equal(await server.end('SIGINT'), 1)
  })

  test('closes when its time is over, kept-alive connections included', async () => {
    const env = { GATEHOUSE_ISSUER: issuer, GATEHOUSE_DRAIN: '1' }
    const server = await serve(emptyFolder(), ['serve', '--port', '0'], env)
    const kept = connect(Number(new URL(server.url).port), '127.0.0.1')
    kept.write('GET /livez HTTP/1.1\r\nHost: x\r\n\r\n')
    await once(kept, 'data')
    const closed = once(kept, 'close')
    assert.equal(await server.end(), 0)
    await closed
  })

  test('there is none on Ctrl+C', async () => {
    const env = { GATEHOUSE_ISSUER: issuer, GATEHOUSE_DRAIN: '600' }
    const server = await serve(emptyFolder(), ['serve', '--port', '0'], env)
    assert.equal(await server.end('SIGINT'), 0)
  })

  test('a time that is none is refused at start', async () => {
    for (const drain of ['soon', '-1', '601']) {
      const env = { GATEHOUSE_ISSUER: issuer, GATEHOUSE_DRAIN: drain }
      const { code, stderr } = await run(emptyFolder(), ['serve', '--port', '0'], env)
      assert.equal(code, 1)
      assert.match(stderr, new RegExp(`GATEHOUSE_DRAIN: ${drain} was given; allowed: `))
    }
  })

  test('standing alone, /livez and /readyz are at the root although the issuer has a path', async () => {
    const server = await serve(emptyFolder(), ['serve', '--port', '0'], {
      GATEHOUSE_ISSUER: `${issuer}/auth`,
    })
    for (const path of ['/livez', '/readyz', '/auth/livez', '/auth/readyz'])
      assert.match((await raw(server.url, path)).head, /^HTTP\/1\.1 200 /, path)
    await server.end()
  })
})

describe('a rolling restart behind nginx', () => {
  // Two starts beside a load take their time on a small machine.
  const options = { timeout: 240_000 }
  test(
    'loses no request: the configuration of docs/operating.md, two processes, each restarted under load',
    options,
    async (t) => {
      if (!hasNginx) return t.skip('there is no nginx on this machine: install one to prove rolling restarts')
      const folder = emptyFolder()
      const env = { GATEHOUSE_ISSUER: issuer, GATEHOUSE_DRAIN: '1', GATEHOUSE_LOG: 'warn' }
      const ports = [await freePort(), await freePort()]
      const start = (port: string) => serve(folder, ['serve', '--port', port], env)
      const servers: Process[] = []
      for (const port of ports) servers.push(await start(port))
      const created = await run(folder, ['clients', 'create', '--name', 'Load', '--json'], env)
      const client = created.lines<{ client_id: string; client_secret: string }>()[0]!

      const front = await startNginx(ports)
      const agent = new Agent({ keepAlive: true })
      const counted = new Map<string, number>()
      let over = false
      let said = ''
      const ask = () =>
        new Promise<string>((resolve) => {
          const sent = request(
            {
              agent,
              port: front.port,
              path: '/oauth/token',
              method: 'POST',
              headers: {
                authorization: basic(client.client_id, client.client_secret),
                'content-type': 'application/x-www-form-urlencoded',
              },
            },
            (response) => {
              response.resume()
              response.on('end', () => resolve(String(response.statusCode)))
            },
          )
          sent.on('error', (error) => resolve(error.message))
          sent.end('grant_type=client_credentials')
        })
      const load = Array.from({ length: 12 }, async () => {
        while (!over) {
          const result = await ask()
          counted.set(result, (counted.get(result) ?? 0) + 1)
          // The processes that start have to get their turn on a small machine.
          await sleep(15)
        }
      })
      try {
        for (let round = 0; round < 2; round++) {
          const at = round % 2
          assert.equal(await servers[at]!.end(), 0)
          servers[at] = await start(ports[at]!)
        }
      } finally {
        over = true
        await Promise.all(load)
        agent.destroy()
        said = front.said()
        await front.stop()
        await Promise.all(servers.map((server) => server.end('SIGINT')))
      }
      t.diagnostic(`answers: ${JSON.stringify(Object.fromEntries(counted))}`)
      // A machine that starves the process may leave a connection in the kernel's queue when its listener closes
      // (docs/decisions/0054); a process that does not drain loses one in twenty of these requests.
      const lost = [...counted]
        .filter(([result]) => result !== '200')
        .reduce((sum, [, count]) => sum + count, 0)
      assert.ok(
        lost * 200 <= (counted.get('200') ?? 0),
        `${JSON.stringify([...counted])}\n${said.slice(0, 2_000)}`,
      )
    },
  )
})
