import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isTrustedProxy, trustedProxies } from '../../src/http/address.ts'

test('RFC 7239 §8.1: a trusted proxy is an address or a whole subnet, and half of one trusts nobody', () => {
  const trusted = trustedProxies(['10.0.0.0/8', '192.0.2.7', '2001:db8::/32'])
  const cases = {
    '10.1.2.3': true,
    '192.0.2.7': true,
    '192.0.2.8': false,
    '2001:db8::1': true,
    '8.8.8.8': false,
  }
  for (const [address, expected] of Object.entries(cases))
    assert.equal(isTrustedProxy(address, trusted), expected, address)
  for (const wrong of [
    '10.0.0.0/',
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/8.5',
    '10.0.0.0/1e1',
    'proxy',
    '::/129',
  ])
    assert.throws(() => trustedProxies([wrong]), /neither an address nor a subnet/, wrong)
})
