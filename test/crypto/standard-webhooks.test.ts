import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { describe, test } from 'node:test'
import { verifyStandardWebhook, webhookKey } from '../../src/crypto/standard-webhooks.ts'

// The example of the Standard Webhooks and Svix documentation.
const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const body = '{"test": 2432232314}'
const signedAt = 1_614_265_330_000
const signed = {
  'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
  'webhook-timestamp': '1614265330',
  'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
}

function verify(
  headers: Record<string, string>,
  changes: { body?: string; secrets?: string[]; tolerance?: number } = {},
) {
  return verifyStandardWebhook({ header: (name) => headers[name], body, secrets: [secret], ...changes })
}

function reason(headers: Record<string, string>, changes?: Parameters<typeof verify>[1]) {
  const verdict = verify(headers, changes)
  return verdict.verified ? 'verified' : verdict.reason
}

describe('Standard Webhooks', () => {
  test('"Signature scheme": the published example verifies, with and without the prefix of the secret', (t) => {
    t.mock.timers.enable({ apis: ['Date'], now: signedAt })
    const verdict = verify(signed)
    assert.deepEqual(verdict, { verified: true, id: signed['webhook-id'], timestamp: signedAt })
    assert.equal(reason(signed, { secrets: [secret.slice('whsec_'.length)] }), 'verified')
  })

  test('"Verifying webhook authenticity": 300 seconds to either side, or the tolerance given', (t) => {
    t.mock.timers.enable({ apis: ['Date'], now: signedAt + 300_000 })
    assert.equal(reason(signed), 'verified')
    assert.equal(reason(signed, { tolerance: 60 }), 'outside_tolerance')
    t.mock.timers.setTime(signedAt + 300_001)
    assert.equal(reason(signed), 'outside_tolerance')
    t.mock.timers.setTime(signedAt - 300_001)
    assert.equal(reason(signed), 'outside_tolerance')
    t.mock.timers.setTime(signedAt - 300_000)
    assert.equal(reason(signed), 'verified')
  })

  test('an empty list, an empty secret and a broken secret verify nothing', (t) => {
    t.mock.timers.enable({ apis: ['Date'], now: signedAt })
    assert.equal(reason(signed, { secrets: [] }), 'no_secret')
    for (const bad of ['', 'whsec_', 'whsec_c2hvcnQ=', 'whsec_***', `${secret}!`]) {
      assert.equal(webhookKey(bad), undefined)
      assert.equal(reason(signed, { secrets: [secret, bad] }), 'bad_secret')
    }
    const forged = createHmac('sha256', '').update(`msg_1.1614265330.${body}`).digest('base64')
    const headers = { ...signed, 'webhook-id': 'msg_1', 'webhook-signature': `v1,${forged}` }
    assert.equal(reason(headers, { secrets: [''] }), 'bad_secret')
  })

  test('one signature cannot be cut at other dots', (t) => {
    t.mock.timers.enable({ apis: ['Date'], now: signedAt })
    const text = `msg_1.1614265330.1614265330.${body}`
    const signature = `v1,${createHmac('sha256', webhookKey(secret)!).update(text).digest('base64')}`
    const headers = { ...signed, 'webhook-id': 'msg_1', 'webhook-signature': signature }
    assert.equal(reason(headers, { body: `1614265330.${body}` }), 'verified')
    assert.equal(reason({ ...headers, 'webhook-id': 'msg_1.1614265330' }), 'bad_id')
  })

  test('signatures that are short, long or of another scheme do not match', (t) => {
    t.mock.timers.enable({ apis: ['Date'], now: signedAt })
    const good = signed['webhook-signature']
    for (const bad of [
      'v1,',
      'v1',
      'v1,AAAA',
      good.slice(0, -4),
      `${good.slice(0, -1)}AAAA=`,
      good.slice(3),
      `v1a${good.slice(2)}`,
    ]) {
      assert.equal(reason({ ...signed, 'webhook-signature': bad }), 'no_matching_signature', bad)
    }
    assert.equal(reason({ ...signed, 'webhook-signature': `v1,AAAA ${good}` }), 'verified')
  })

  test('a timestamp that is no whole number of seconds is refused', (t) => {
    t.mock.timers.enable({ apis: ['Date'], now: signedAt })
    for (const bad of ['1614265330.0', '0x60379A72', '-1', ' 1614265330', 'now', '9'.repeat(20)]) {
      assert.equal(reason({ ...signed, 'webhook-timestamp': bad }), 'bad_timestamp', bad)
    }
  })
})
