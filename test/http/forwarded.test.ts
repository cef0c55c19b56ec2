// RFC 7239 §4 to §8 and X-Forwarded-For as proxies send it: whose address a request has.

import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { isIP } from 'node:net'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Config } from '../../src/config.ts'
import { clientAddress, trustedProxies } from '../../src/http/address.ts'
import type { Facts, Log } from '../../src/log.ts'
import { openTestServer, type TestServer } from '../support/gatehouse.ts'
import { freePort, hasNginx, startNginx } from '../support/nginx.ts'

const proxies = ['10.0.0.0/8', '2001:db8:ffff::/48']
const peer = '10.1.2.3'

interface Line {
  level: string
  message: string
  facts: Facts | undefined
}

async function withTestServer(
  overrides: Partial<Config>,
  work: (server: TestServer, lines: Line[]) => Promise<void>,
): Promise<void> {
  const lines: Line[] = []
  const note = (level: string) => (message: string, facts?: Facts) =>
    void lines.push({ level, message, facts })
  const log: Log = { info: note('info'), warn: note('warn'), error: note('error') }
  const server = await openTestServer('sqlite', { trustedProxies: proxies, log, ...overrides })
  try {
    await work(server, lines)
  } finally {
    await server.close()
  }
}

/** The address that the request had, as the log tells it. */
async function addressOf(server: TestServer, lines: Line[], headers: Record<string, string>, address = peer) {
  lines.length = 0
  await server.request('/', { headers, address })
  return lines.find(({ message }) => message === 'request')?.facts?.address
}

test('RFC 7239 §6: X-Forwarded-For is read as nginx, Envoy, HAProxy, Cloudflare, AWS, Azure and Fly write it', () =>
  withTestServer({}, async (server, lines) => {
    const cases: [string, string][] = [
      ['203.0.113.7', '203.0.113.7'],
      ['203.0.113.7:51234', '203.0.113.7'],
      ['[2001:db8::1]:443', '2001:db8::1'],
      ['[2001:db8::1]', '2001:db8::1'],
      ['2001:db8::1', '2001:db8::1'],
      ['2001:db8:0:0:0:0:0:1:443', '2001:db8:0:0:0:0:0:1'],
      ['"[2001:db8::1]:443"', '2001:db8::1'],
      ['::ffff:203.0.113.7', '203.0.113.7'],
      ['::FFFF:203.0.113.7', '203.0.113.7'],
      ['[::ffff:cb00:7107]:80', '203.0.113.7'],
      ['fe80::1%eth0', 'fe80::1'],
      ['198.51.100.1, 203.0.113.7', '203.0.113.7'],
      ['198.51.100.1, 203.0.113.7:1024, 10.9.9.9:80', '203.0.113.7'],
      ['203.0.113.7,10.9.9.9, [2001:db8:ffff::2]:8080', '203.0.113.7'],
      ['10.4.4.4, 10.9.9.9', '10.4.4.4'],
      // What a client sent is in front, and says nothing.
      ['garbage, for="x, 203.0.113.7', '203.0.113.7'],
      [' , 203.0.113.7 ,', '203.0.113.7'],
    ]
    for (const [header, expected] of cases)
      assert.equal(await addressOf(server, lines, { 'x-forwarded-for': header }), expected, header)
    assert.deepEqual(
      lines.filter(({ level }) => level !== 'info'),
      [],
    )
    assert.equal(await addressOf(server, lines, {}), peer, 'a service inside the network calls by itself')
    const spoofed = { 'x-forwarded-for': '203.0.113.7', forwarded: 'for=203.0.113.7' }
    assert.equal(await addressOf(server, lines, spoofed, '192.0.2.1'), '192.0.2.1', 'no proxy of ours')
  }))

test('RFC 7239 §4: Forwarded is read where it is the configured header', () =>
  withTestServer({ forwardedHeader: 'Forwarded' }, async (server, lines) => {
    const cases: [string, string][] = [
      ['for=203.0.113.7', '203.0.113.7'],
      ['For="[2001:db8:cafe::17]:4711"', '2001:db8:cafe::17'],
      ['for=203.0.113.7;proto=https;by=10.1.1.1', '203.0.113.7'],
      ['by=10.1.1.1; for="203.0.113.7:1234" ;proto=https', '203.0.113.7'],
      ['for=198.51.100.1, for=203.0.113.7, for="10.9.9.9:80"', '203.0.113.7'],
      ['for="\\203.0.113.7"', '203.0.113.7'],
      ['for="10.4.4.4";host="a,b", for=10.9.9.9', '10.4.4.4'],
      // A quote that the client left open cannot swallow what the proxy wrote behind it.
      ['for=198.51.100.1;x=", for=203.0.113.7', '203.0.113.7'],
      ['", for="[2001:db8::1]:443"', '2001:db8::1'],
    ]
    for (const [header, expected] of cases)
      assert.equal(
        await addressOf(server, lines, { forwarded: header, 'x-forwarded-for': '192.0.2.9' }),
        expected,
        header,
      )
  }))

test('RFC 7239 §4, §8.1: an element that goes on for a thousand characters is none, so that its quotes are not looked for again and again', () => {
  const read = (value: string) =>
    clientAddress(peer, (name) => (name === 'forwarded' ? value : undefined), {
      trustedProxies: trustedProxies(proxies),
      forwardedHeader: 'forwarded',
    })
  const long = (commas: number) => `for=203.0.113.7;host="${','.repeat(commas)}"`
  assert.equal(read(long(900)), '203.0.113.7')
  assert.equal(read(long(1_100)), '')
  assert.equal(read(`${long(1_100)}, for=198.51.100.1`), '198.51.100.1')
  assert.equal(read(`for=203.0.113.7, ${','.repeat(15_000)}"`), '')
})

test('RFC 7239 §6.2, §6.3, §8.1: what names no address is nobody’s, never the proxy’s, and the log warns once', () =>
  withTestServer({ forwardedHeader: 'forwarded' }, async (server, lines) => {
    const warnings: string[] = []
    for (const header of [
      'for=unknown',
      'for=_hidden',
      'for="_gazonk:80"',
      'for=203.0.113.7;for=203.0.113.8',
      'proto=https',
      'for=',
      'for="203.0.113.7',
      'for=203.0.113.7:1',
      'for="203.0.113.7:65536"',
      'for=203.0.113.256',
      'for=[203.0.113.7]',
      'for="2001:db8::1',
      'for=203.0.113.7 x',
      ',',
    ]) {
      const seen = await addressOf(server, lines, { forwarded: header })
      assert.ok(seen === '' || header === 'for=203.0.113.7:1', `${header}: ${seen}`)
      warnings.push(...lines.filter(({ level }) => level === 'warn').map(({ message }) => message))
    }
    assert.equal(warnings.length, 1)
    assert.match(warnings[0]!, /trusted proxy.*forwarded/)
    // The header of another kind of proxy is no silence.
    assert.equal(await addressOf(server, lines, { 'x-forwarded-for': '203.0.113.7' }), '')
    assert.equal(await addressOf(server, lines, {}), peer)
  }))

test('headers of one address: Cloudflare’s and Fly’s, where they are configured', () =>
  withTestServer({ forwardedHeader: 'CF-Connecting-IP' }, async (server, lines) => {
    const headers = { 'cf-connecting-ip': '2001:db8::7', 'x-forwarded-for': '192.0.2.1, 10.1.1.1' }
    assert.equal(await addressOf(server, lines, headers), '2001:db8::7')
  }))

test('forwardedHeader that is no name of a header is refused at start', async () => {
  await assert.rejects(
    withTestServer({ forwardedHeader: 'x forwarded' }, async () => {}),
    /forwardedHeader/,
  )
})

test('any header is an address that is no proxy’s, or nobody’s, and what a client puts in front changes nothing', () => {
  const trusted = trustedProxies(proxies)
  const piece = fc.constantFrom(
    'for=',
    '"',
    '\\',
    ',',
    ';',
    ' ',
    '[',
    ']',
    ':',
    '%',
    '10.1.1.1',
    '203.0.113.7',
    '2001:db8::1',
    'unknown',
    '_x',
    'é',
    '=',
    'proto=https',
  )
  const text = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(''))
  const client = fc.oneof(fc.ipV4(), fc.ipV6()).filter((one) => !/^10\./.test(one) && isIP(one) !== 0)
  const read = (forwardedHeader: string, value: string) =>
    clientAddress(peer, (name) => (name === forwardedHeader ? value : undefined), {
      trustedProxies: trusted,
      forwardedHeader,
    })
  for (const header of ['x-forwarded-for', 'forwarded']) {
    fc.assert(
      fc.property(text, (value) => {
        const address = read(header, value)
        assert.ok(address === '' || isIP(address) !== 0, address)
        assert.notEqual(address, peer)
      }),
    )
    fc.assert(
      fc.property(text, client, fc.option(fc.integer({ min: 0, max: 65_535 })), (front, address, port) => {
        const node = address.includes(':') ? `[${address}]` : address
        const written = port === null ? node : `${node}:${port}`
        const element = header === 'forwarded' ? `for="${written}";proto=https` : written
        const alone = read(header, element)
        assert.notEqual(alone, '')
        assert.equal(read(header, `${front}, ${element}`), alone)
        assert.equal(
          read(header, `${front}, ${element}, ${header === 'forwarded' ? 'for=10.7.7.7' : '10.7.7.7:80'}`),
          alone,
        )
      }),
    )
  }
})

test('behind real nginx that writes ports, a client has its own address', {
  skip: !hasNginx && 'no nginx here',
}, async () => {
  const port = await freePort()
  const seen: Record<string, string>[] = []
  const backend = createServer((request, response) => {
    const header = (name: string) => [request.headers[name] ?? []].flat().join(', ') || undefined
    const of = (forwardedHeader: string) =>
      clientAddress(request.socket.remoteAddress ?? '', header, {
        trustedProxies: trustedProxies(['127.0.0.1']),
        forwardedHeader,
      })
    seen.push({ list: of('x-forwarded-for'), forwarded: of('forwarded') })
    response.end()
  })
  await new Promise<void>((resolve) => backend.listen(port, '127.0.0.1', resolve))
  const change = (conf: string) =>
    conf.replace(
      /proxy_set_header X-Forwarded-For [^;]+;/,
      `proxy_set_header X-Forwarded-For "$http_x_forwarded_for, 203.0.113.7:$remote_port";
       proxy_set_header Forwarded "$http_forwarded, for=\\"203.0.113.7:$remote_port\\";proto=$scheme";`,
    )
  const nginx = await startNginx([port], { change })
  try {
    await fetch(`http://127.0.0.1:${nginx.port}/`, {
      headers: { 'x-forwarded-for': '192.0.2.1', forwarded: 'for=192.0.2.1;x="' },
    })
    assert.deepEqual(seen, [{ list: '203.0.113.7', forwarded: '203.0.113.7' }])
  } finally {
    await nginx.stop()
    backend.close()
  }
})
