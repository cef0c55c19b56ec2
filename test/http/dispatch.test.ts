// Whatever goes wrong while a request is answered, it gets an answer and leaves a line in the log.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Config } from '../../src/config.ts'
import type { Incoming } from '../../src/http/message.ts'
import { openTestServer, type TestServer } from '../support/gatehouse.ts'

type Line = Record<string, unknown>

/** A request as a server hands it over. */
function incoming(method: string, path: string, header: Incoming['header'] = () => undefined): Incoming {
  return {
    method,
    path,
    search: '',
    address: '203.0.113.7',
    viaTrustedProxy: false,
    header,
    text: async () => '',
    request: () => new Request(`http://localhost:4400${path}`, { method }),
  }
}

async function withLines(
  work: (testServer: TestServer, lines: Line[]) => Promise<void>,
  log: Partial<Exclude<Config['log'], string>> = {},
): Promise<void> {
  const lines: Line[] = []
  const note = (message: string, facts: object = {}) => void lines.push({ message, ...facts })
  const testServer = await openTestServer('sqlite', { log: { info: note, warn: note, error: note, ...log } })
  try {
    await work(testServer, lines)
  } finally {
    await testServer.close()
  }
}

const broken = () => {
  throw new Error('broken')
}

describe('a throw while a request is answered', () => {
  test('in CORS: 500, a fault in the log, and the line of the request', () =>
    withLines(async (testServer, lines) => {
      const header = (name: string) => (name === 'origin' ? broken() : undefined)
      const answer = await testServer.app.answer(incoming('GET', '/.well-known/jwks.json', header))
      assert.equal(answer.status, 500)
      assert.equal(JSON.parse(answer.body).error, 'server_error')
      assert.ok(!answer.body.includes('broken'))
      assert.match(String(lines.find(({ message }) => message === 'fault')?.error), /broken/)
      const line = lines.find(({ message }) => message === 'request')
      assert.deepEqual([line?.status, line?.reason, line?.path], [500, 'fault', '/.well-known/jwks.json'])
    }))

  test('in a preflight: the same', () =>
    withLines(async (testServer, lines) => {
      const answer = await testServer.app.answer(incoming('OPTIONS', '/oauth/token', broken))
      assert.equal(answer.status, 500)
      assert.equal(lines.find(({ message }) => message === 'request')?.status, 500)
    }))

  test('in the page of a refusal: 500 without a page, and the line of the request', () =>
    withLines(async (testServer, lines) => {
      Object.assign(testServer.app.server, { frame: broken })
      for (const [method, path] of [
        ['PUT', '/oauth/authorize'],
        ['GET', '/oauth/authorize'],
        ['GET', '/nowhere'],
        ['GET', '/'],
      ] as const) {
        lines.length = 0
        const answer = await testServer.app.answer(incoming(method, path))
        assert.equal(answer.status, 500, path)
        assert.ok(!answer.body.includes('broken'), path)
        assert.equal(lines.find(({ message }) => message === 'request')?.status, 500, path)
      }
    }))

  test('in what names the request: 500, and a line with another name', () =>
    withLines(async (testServer, lines) => {
      const request = { ...incoming('GET', '/nowhere', broken), viaTrustedProxy: true }
      const answer = await testServer.app.answer(request)
      assert.equal(answer.status, 500)
      const { request_id } = lines.find(({ message }) => message === 'fault')!
      assert.equal(JSON.parse(answer.body).error, 'server_error')
      assert.match(String(request_id), /^[0-9a-f-]{36}$/)
    }))

  test('in the log: the answer stays what it is, and another line says so', async () => {
    const errors: Line[] = []
    await withLines(
      async (testServer) => {
        const answer = await testServer.app.answer(incoming('GET', '/.well-known/jwks.json'))
        assert.equal(answer.status, 200)
        assert.equal(errors.length, 1)
        assert.equal(errors[0]!.path, '/.well-known/jwks.json')
        assert.match(String(errors[0]!.error), /broken/)
      },
      { info: broken, error: (message, facts) => void errors.push({ message, ...facts }) },
    )
  })

  test('in a log that takes nothing: the answer stays what it is', () =>
    withLines(
      async (testServer) => {
        assert.equal((await testServer.app.answer(incoming('GET', '/.well-known/jwks.json'))).status, 200)
        assert.equal((await testServer.app.answer(incoming('GET', '/nowhere'))).status, 404)
      },
      { info: broken, warn: broken, error: broken },
    ))
})

test('RFC 9110 §15.5.6: a method that a path does not have is 405 with Allow, at / as anywhere', () =>
  withLines(async (testServer, lines) => {
    for (const [path, allow] of [
      ['/', 'GET, HEAD'],
      ['/oauth/token', 'POST'],
      ['/livez', 'GET, HEAD'],
    ] as const) {
      const answer = await testServer.app.answer(incoming('DELETE', path))
      assert.deepEqual([answer.status, answer.headers.allow], [405, allow])
    }
    const told = lines.filter(({ message }) => message === 'request')
    assert.deepEqual(
      told.map(({ path, reason }) => [path, reason]),
      [
        ['/', 'method_not_allowed'],
        ['/oauth/token', 'method_not_allowed'],
      ],
      'probes of health leave no line',
    )
  }))
