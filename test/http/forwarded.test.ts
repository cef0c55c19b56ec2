// RFC 7239 §4 to §8 and X-Forwarded-For as proxies send it: whose address a request has.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Config } from '../../src/config.ts'
import type { Facts, Log } from '../../src/log.ts'
import { type House, openHouse } from '../support/house.ts'

const proxies = ['10.0.0.0/8', '2001:db8:ffff::/48']
const peer = '10.1.2.3'

interface Line {
  level: string
  message: string
  facts: Facts | undefined
}

async function withHouse(
  overrides: Partial<Config>,
  work: (house: House, lines: Line[]) => Promise<void>,
): Promise<void> {
  const lines: Line[] = []
  const note = (level: string) => (message: string, facts?: Facts) =>
    void lines.push({ level, message, facts })
  const log: Log = { info: note('info'), warn: note('warn'), error: note('error') }
  const house = await openHouse('sqlite', { trustedProxies: proxies, log, ...overrides })
  try {
    await work(house, lines)
  } finally {
    await house.close()
  }
}

/** The address that the request had, as the log tells it. */
async function addressOf(house: House, lines: Line[], headers: Record<string, string>, address = peer) {
  lines.length = 0
  await house.request('/', { headers, address })
  return lines.find(({ message }) => message === 'request')?.facts?.address
}

test('RFC 7239 §6: X-Forwarded-For is read as nginx, Envoy, HAProxy, Cloudflare, AWS, Azure and Fly write it', () =>
  withHouse({}, async (house, lines) => {
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
      assert.equal(await addressOf(house, lines, { 'x-forwarded-for': header }), expected, header)
    assert.deepEqual(
      lines.filter(({ level }) => level !== 'info'),
      [],
    )
    assert.equal(await addressOf(house, lines, {}), peer, 'a service inside the network calls by itself')
    const spoofed = { 'x-forwarded-for': '203.0.113.7', forwarded: 'for=203.0.113.7' }
    assert.equal(await addressOf(house, lines, spoofed, '192.0.2.1'), '192.0.2.1', 'no proxy of ours')
  }))
