// What the log says of each request, and that no fact of a case takes the place of another.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { jsonLog } from '../../src/log.ts'
import { obtainTokens, refresh } from '../support/flow.ts'
import { basic, openTestServer, type TestServer } from '../support/gatehouse.ts'

type Line = Record<string, unknown>

async function withLog(work: (server: TestServer, lines: Line[]) => Promise<void>): Promise<void> {
  const lines: Line[] = []
  const note = (message: string, facts: object = {}) => void lines.push({ message, ...facts })
  const server = await openTestServer('sqlite', {
    log: { info: note, warn: note, error: note },
    trustedProxies: ['10.0.0.0/8'],
    device: {},
    registration: { policy: 'open' },
  })
  try {
    await work(server, lines)
  } finally {
    await server.close()
  }
}

const requests = (lines: Line[]) => lines.filter(({ message }) => message === 'request')

test('a fact named as a field of every line is told beside it', () =>
  withLog(async (server, lines) => {
    const client = await server.createClient()
    const answer = await server.post('/oauth/token', {
      grant_type: 'authorization_code',
      client_id: client.client.id,
    })
    assert.equal(answer.status, 401)
    const [line] = requests(lines)
    assert.equal(line!.reason, 'client_authentication_missing')
    assert.deepEqual([line!.method, line!.fact_method], ['POST', 'client_secret_basic'])
  }))

test('jsonLog: no fact replaces time, level or message', async () => {
  const { promise, resolve } = Promise.withResolvers<string>()
  jsonLog('info', resolve).warn('what happened', { time: 1, level: 'silent', message: 'other', more: true })
  const { time, ...line } = JSON.parse(await promise) as Line
  assert.match(String(time), /^\d{4}-/)
  assert.deepEqual(line, {
    level: 'warn',
    message: 'what happened',
    fact_time: 1,
    fact_level: 'silent',
    fact_message: 'other',
    more: true,
  })
})

test('lines of successful requests name the client, the grant and the request', () =>
  withLog(async (server, lines) => {
    const client = await server.createClient({
      grantTypes: [
        'authorization_code',
        'refresh_token',
        'client_credentials',
        'urn:ietf:params:oauth:grant-type:device_code',
      ],
    })
    const { id } = client.client
    const tokens = await obtainTokens(server, client)
    await refresh(server, client, tokens.refresh_token!)
    const authorization = basic(id, client.secret!)
    await server.post('/oauth/introspect', { token: tokens.access_token }, { authorization })
    await server.request('/oauth/userinfo', { headers: { authorization: `Bearer ${tokens.access_token}` } })
    await server.post(
      '/oauth/par',
      {
        response_type: 'code',
        redirect_uri: 'https://client.example/callback',
        code_challenge: 'x'.repeat(43),
        code_challenge_method: 'S256',
      },
      { authorization },
    )
    await server.post('/oauth/device_authorization', {}, { authorization })
    await server.post('/oauth/revoke', { token: tokens.refresh_token! }, { authorization })
    const all = requests(lines)
    const of = (path: string) => all.filter((line) => line.path === path && Number(line.status) < 400)
    assert.deepEqual(
      of('/oauth/token').map((line) => [line.client, line.grant_type]),
      [
        [id, 'authorization_code'],
        [id, 'refresh_token'],
      ],
    )
    for (const path of [
      '/oauth/authorize',
      '/oauth/consent',
      '/oauth/introspect',
      '/oauth/par',
      '/oauth/device_authorization',
      '/oauth/revoke',
    ]) {
      assert.ok(of(path).length > 0, `${path} ${JSON.stringify(all)}`)
      for (const line of of(path)) assert.equal(line.client, id, path)
    }
    const ids = new Set(all.map((line) => line.request_id))
    assert.equal(ids.size, all.length)
    for (const one of ids) assert.match(String(one), /^[0-9a-f-]{36}$/)
    assert.ok(!JSON.stringify(all).includes(tokens.refresh_token!))
  }))

test('a client that has just registered is named', () =>
  withLog(async (server, lines) => {
    const answer = await server.request('/oauth/register', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ redirect_uris: ['https://new.example/callback'] }),
    })
    const { client_id } = (await answer.json()) as { client_id: string }
    assert.equal(requests(lines)[0]!.client, client_id)
  }))

test('a trusted proxy’s X-Request-Id is the request’s, nobody else’s is', () =>
  withLog(async (server, lines) => {
    const headers = { 'x-request-id': '8f14e45fceea167a' }
    await server.request('/', { headers, address: '10.1.1.1' })
    await server.request('/', { headers, address: '192.0.2.1' })
    await server.request('/', { headers: { 'x-request-id': 'a b\u00e9' }, address: '10.1.1.1' })
    const [first, ...rest] = requests(lines).map((line) => line.request_id)
    assert.equal(first, '8f14e45fceea167a')
    for (const one of rest) assert.match(String(one), /^[0-9a-f-]{36}$/)
  }))
