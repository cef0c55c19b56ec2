import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { after, before, describe, test } from 'node:test'
import {
  isFailure,
  type JsonAnswer,
  type Outbound,
  type OutboundAnswer,
  type OutboundFailure,
  openOutbound,
  type Resolve,
} from '../../src/http/guarded-fetch.ts'
import { isSpecialAddress } from '../../src/http/special-addresses.ts'
import { type Documents, openDocuments } from '../support/documents.ts'

function failed(answer: JsonAnswer | OutboundAnswer | OutboundFailure): string {
  assert.ok(isFailure(answer), `a failure, not ${JSON.stringify(answer)}`)
  return answer.failed
}

function answered<Answer extends JsonAnswer | OutboundAnswer>(answer: Answer | OutboundFailure): Answer {
  assert.ok(!isFailure(answer), JSON.stringify(answer))
  return answer
}

test('RFC 6890 §2.2: only addresses of the public internet are no special ones (N16)', () => {
  const special = [
    '0.0.0.0 10.1.2.3 100.64.0.1 100.100.100.200 127.0.0.1 127.9.9.9 169.254.169.254 172.16.0.1 172.31.255.255',
    '192.0.0.192 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255',
    '240.0.0.1 255.255.255.255 168.63.129.16',
    ':: ::1 ::ffff:8.8.8.8 ::ffff:127.0.0.1 ::ffff:a00:1 ::8.8.8.8 64:ff9b::808:808 64:ff9b:1::1 100::1 2001::1',
    '2001:db8::1 2002:7f00:1::1 2002:808:808::1 2001:2::1 3fff::1 5f00::1 fc00::1 fd00:ec2::254 fe80::1 fec0::1',
    'ff02::1 2606:4700::1111%1 localhost 127.1 01.2.3.4',
  ].flatMap((line) => line.split(' '))
  assert.deepEqual(
    special.filter((address) => !isSpecialAddress(address)),
    [],
  )
  const open = ['1.1.1.1', '8.8.8.8', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '2a00:1450::1']
  assert.deepEqual(open.filter(isSpecialAddress), [])
})

describe('a guarded fetch', () => {
  let documents: Documents
  let outbound: Outbound
  const closing: (() => void)[] = []

  /** An outbound that trusts the test server's certificate. */
  function open(
    settings: { allow?: string[]; ca?: string[]; loopback?: boolean } = {},
    resolve?: Resolve,
  ): Outbound {
    const one = openOutbound({ allow: [], ca: [documents.ca], loopback: false, ...settings }, resolve)
    closing.push(() => one.close())
    return one
  }

  before(async () => {
    documents = await openDocuments('127.0.0.1', { names: ['localhost', '127.0.0.1', 'client.test'] })
    documents.serve('/client.json', { client_name: 'One' })
    outbound = open({ allow: [`127.0.0.1:${documents.port}`] })
  })
  after(async () => {
    for (const close of closing) close()
    await documents.close()
  })

  /** The URL of a path that answers so. */
  function serve(path: string, answer: (response: ServerResponse) => void): string {
    documents.serve(path, answer)
    return `https://127.0.0.1:${documents.port}${path}`
  }

  test('reads a JSON document', async () => {
    const answer = answered(await outbound.getJson(`https://127.0.0.1:${documents.port}/client.json`))
    assert.deepEqual([answer.status, answer.json], [200, { client_name: 'One' }])
    assert.equal(answer.header('content-type'), 'application/json')
    const { headers } = documents.requests.at(-1)!
    assert.deepEqual(
      [headers.accept, headers.authorization, headers.cookie],
      ['application/json', undefined, undefined],
    )
  })

  test('posts a form and gives whatever status came', async () => {
    const url = serve('/logout', (response) =>
      response.writeHead(400, { 'cache-control': 'no-store' }).end('no'),
    )
    const answer = answered(await outbound.post(url, new URLSearchParams({ logout_token: 'a b' })))
    assert.deepEqual([answer.status, answer.body, answer.header('cache-control')], [400, 'no', 'no-store'])
    const { method, body, headers } = documents.requests.at(-1)!
    assert.deepEqual(
      [method, body, headers['content-type']],
      ['POST', 'logout_token=a+b', 'application/x-www-form-urlencoded'],
    )
  })

  test('takes only https, and nobody’s user name', async () => {
    const before = documents.connections
    const host = `127.0.0.1:${documents.port}`
    for (const url of [
      `http://${host}/`,
      `https://a@${host}/`,
      `https://:b@${host}/`,
      'file:///etc/passwd',
      'x',
      '',
    ]) {
      assert.equal(failed(await outbound.getJson(url)), 'url_refused', url)
    }
    assert.equal(documents.connections, before)
  })

  test('CIMD §8.6: a special-use address gets no connection, however it is written or resolved (N16)', async () => {
    const before = documents.connections
    const { port } = documents
    const guarded = open()
    const literals = [
      '127.0.0.1',
      '127.1',
      '2130706433',
      '0x7f000001',
      '[::1]',
      '[::ffff:127.0.0.1]',
      '0.0.0.0',
    ]
    for (const host of [...literals, 'localhost', 'a.localhost', 'localhost.']) {
      assert.equal(
        failed(await guarded.getJson(`https://${host}:${port}/client.json`)),
        'address_refused',
        host,
      )
    }
    const resolved = [['127.0.0.1'], ['93.184.216.34', '10.0.0.1'], ['::ffff:127.0.0.1'], ['fd00::1']]
    for (const addresses of resolved) {
      const one = open({}, async () => addresses)
      assert.equal(
        failed(await one.getJson(`https://client.test:${port}/`)),
        'address_refused',
        addresses.join(),
      )
    }
    assert.equal(documents.connections, before)
  })

  test('CIMD §8.6: a name is resolved once and the connection goes to the address that was checked (N16)', async () => {
    const other = await openDocuments('127.0.0.2', { port: documents.port })
    let lookups = 0
    const rebinding: Resolve = async () => (lookups++ === 0 ? ['127.0.0.1'] : ['127.0.0.2'])
    const pinned = open({ allow: [`client.test:${documents.port}`] }, rebinding)
    const answer = answered(await pinned.getJson(`https://client.test:${documents.port}/client.json`))
    assert.deepEqual(answer.json, { client_name: 'One' })
    assert.deepEqual([lookups, other.connections], [1, 0])
    assert.equal(documents.requests.at(-1)!.headers.host, `client.test:${documents.port}`)
    await other.close()
  })

  test('CIMD §8.6: a server on loopback may fetch from loopback, and from nowhere else that is special (N16)', async () => {
    const local = open({ loopback: true })
    const { port } = documents
    assert.equal(answered(await local.getJson(`https://localhost:${port}/client.json`)).status, 200)
    for (const host of ['127.0.0.2', '10.0.0.1', '169.254.169.254', '0.0.0.0']) {
      assert.equal(
        failed(await local.getJson(`https://${host}:${port}/client.json`)),
        'address_refused',
        host,
      )
    }
  })

  test('a URL can be judged without a connection', async () => {
    const before = documents.connections
    const { port } = documents
    const guarded = open({ allow: [`localhost:${port}`] }, async (host) =>
      host === 'nowhere.test' ? [] : host === 'localhost' ? ['127.0.0.1'] : ['10.0.0.1'],
    )
    assert.equal((await guarded.check(`https://127.0.0.1:${port}/`))?.failed, 'address_refused')
    assert.equal((await guarded.check('https://inside.test/logo.png'))?.failed, 'address_refused')
    assert.equal((await guarded.check('http://93.184.216.34/'))?.failed, 'url_refused')
    for (const url of ['https://93.184.216.34/', 'https://nowhere.test/', `https://localhost:${port}/`]) {
      assert.equal(await guarded.check(url), undefined, url)
    }
    assert.equal(documents.connections, before)
  })

  test('an allowed destination is its host and port as written, no other name or port of the same machine', async () => {
    const { port } = documents
    for (const url of [`https://localhost:${port}/client.json`, `https://127.0.0.1:${port + 1}/`]) {
      assert.equal(failed(await outbound.getJson(url)), 'address_refused', url)
    }
  })

  test('CIMD §5: a redirect is not followed, and no status but 200 is a document (N17)', async () => {
    documents.serve('/target', { reached: true })
    for (const status of [301, 302, 303, 307, 308]) {
      const url = serve('/moved', (response) => response.writeHead(status, { location: '/target' }).end())
      assert.equal(failed(await outbound.getJson(url)), 'answer_refused', String(status))
    }
    assert.ok(documents.requests.every(({ url }) => url !== '/target'))
    for (const status of [201, 204, 206, 304, 404, 500]) {
      const json = { 'content-type': 'application/json' }
      const url = serve('/status', (response) =>
        response.writeHead(status, json).end(status === 204 ? '' : '{}'),
      )
      assert.equal(failed(await outbound.getJson(url)), 'answer_refused', String(status))
    }
  })

  test('CIMD §8.7: what is longer than allowed is given up, announced or not (N17)', async () => {
    const json = { 'content-type': 'application/json' }
    const body = JSON.stringify('x'.repeat(998))
    const whole = serve('/whole', (response) => response.writeHead(200, json).end(body))
    assert.equal(answered(await outbound.getJson(whole, { maxBytes: 1_000 })).json, 'x'.repeat(998))
    assert.equal(failed(await outbound.getJson(whole, { maxBytes: 999 })), 'answer_refused')
    const endless = serve('/endless', (response) => {
      response.writeHead(200, json)
      const more = () => {
        while (response.write('x'.repeat(10_000)));
      }
      response.on('drain', more)
      more()
    })
    assert.equal(failed(await outbound.getJson(endless, { maxBytes: 1_000 })), 'answer_refused')
  })

  test('CIMD §4: only JSON of a JSON type is a document (N17)', async () => {
    const answers: [string, string | Buffer, boolean][] = [
      ['application/json; charset=utf-8', '{}', true],
      ['application/client-metadata+json', '{}', true],
      ['APPLICATION/JSON', '[]', true],
      ['text/html', '{}', false],
      ['text/plain', '{}', false],
      ['application/jsonp', '{}', false],
      ['application/json', '{', false],
      ['application/json', '', false],
      ['application/json', Buffer.from([0x22, 0xff, 0x22]), false],
    ]
    for (const [type, body, good] of answers) {
      const url = serve('/typed', (response) => response.writeHead(200, { 'content-type': type }).end(body))
      assert.equal(!isFailure(await outbound.getJson(url)), good, `${type} ${body}`)
    }
    const untyped = serve('/typed', (response) => response.writeHead(200).end('{}'))
    assert.equal(failed(await outbound.getJson(untyped)), 'answer_refused')
    const packed = serve('/packed', (response) =>
      response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' }).end('{}'),
    )
    assert.equal(failed(await outbound.getJson(packed)), 'answer_refused')
  })

  test('RFC 9110 §13.1.2: 304 is an answer to a conditional request alone', async () => {
    const url = serve('/same', (response) => response.writeHead(304, { 'cache-control': 'max-age=60' }).end())
    const answer = answered(await outbound.getJson(url, { ifNoneMatch: '"a"' }))
    assert.deepEqual([answer.status, answer.json], [304, undefined])
    assert.equal(documents.requests.at(-1)!.headers['if-none-match'], '"a"')
    assert.equal(failed(await outbound.getJson(url)), 'answer_refused')
  })

  test('one deadline ends a silent answer, a dripping one, and a resolution that does not come', async () => {
    const silent = serve('/silent', () => {})
    assert.equal(failed(await outbound.getJson(silent, { deadline: 200 })), 'timed_out')
    const dripping = serve('/dripping', (response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      const timer = setInterval(() => response.write(' '), 10)
      response.on('close', () => clearInterval(timer))
    })
    assert.equal(failed(await outbound.getJson(dripping, { deadline: 200 })), 'timed_out')
    const unresolved = open({}, (_host, _chosen, signal) => {
      const { promise, reject } = Promise.withResolvers<string[]>()
      signal.addEventListener('abort', () => reject(signal.reason))
      return promise
    })
    assert.equal(failed(await unresolved.getJson('https://client.test/', { deadline: 50 })), 'timed_out')
    const deaf = open({}, () => new Promise<string[]>(() => {}))
    assert.equal(failed(await deaf.getJson('https://client.test/', { deadline: 50 })), 'timed_out')
    assert.equal(await deaf.check('https://client.test/'), undefined, 'it cannot be told')
  })

  test('a host gets few requests at a time; the others take their turn', async () => {
    const held: ServerResponse[] = []
    let most = 0
    let arrived = Promise.withResolvers<void>()
    const url = serve('/held', (response) => {
      most = Math.max(most, held.push(response))
      arrived.resolve()
    })
    const asked = Array.from({ length: 10 }, () => outbound.getJson(url))
    for (let given = 0; given < 10; ) {
      if (held.length === 0) {
        arrived = Promise.withResolvers<void>()
        await arrived.promise
      }
      held.shift()!.writeHead(200, { 'content-type': 'application/json' }).end('{}')
      given++
    }
    assert.ok((await Promise.all(asked)).every((answer) => !isFailure(answer)))
    assert.ok(most <= 4, `${most} at once`)
    const late = Array.from({ length: 6 }, () => outbound.getJson(url, { deadline: 300 }))
    assert.deepEqual(new Set((await Promise.all(late)).map(failed)), new Set(['timed_out']))
  })

  test('a certificate that nobody trusts, a wrong name, and a server that hangs up are failures', async () => {
    const { port } = documents
    const trusting = openOutbound({ allow: [`127.0.0.1:${port}`], ca: [], loopback: false })
    assert.equal(failed(await trusting.getJson(`https://127.0.0.1:${port}/client.json`)), 'unreachable')
    trusting.close()
    const named = open({ allow: [`other.test:${port}`] }, async () => ['127.0.0.1'])
    assert.equal(failed(await named.getJson(`https://other.test:${port}/client.json`)), 'unreachable')
    const hangs = serve('/hangs', (response) => response.destroy())
    assert.equal(failed(await outbound.getJson(hangs)), 'unreachable')
    const cut = serve('/cut', (response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': 100 })
      response.write('{}', () => response.destroy())
    })
    assert.equal(failed(await outbound.getJson(cut)), 'unreachable')
  })

  test('once closed it breaks off what is under way and starts nothing', async () => {
    const one = open({ allow: [`127.0.0.1:${documents.port}`] })
    const reached = Promise.withResolvers<void>()
    const url = serve('/open', () => reached.resolve())
    const under = one.getJson(url)
    await reached.promise
    one.close()
    assert.equal(failed(await under), 'timed_out')
    const before = documents.connections
    assert.equal(failed(await one.getJson(url)), 'timed_out')
    assert.equal(documents.connections, before)
  })
})
