import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { globSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { resolveConfig } from '../../src/config.ts'
import { ConfigError } from '../../src/config-error.ts'
import { openTestServer } from '../support/gatehouse.ts'

const printed = 'only good on your own computer: 32 characters or more'
const guessable = {
  'one character': 'x'.repeat(43),
  'a word again and again': 'tr0ub4dor'.repeat(5),
  'the digits': '12345678901234567890123456789012',
  'the alphabet': 'abcdefghijklmnopqrstuvwxyz0123456789',
  'the alphabet backwards': 'zyxwvutsrqponmlkjihgfedcba9876543210',
  'hexadecimal digits in their order': '0123456789abcdef0123456789abcdef',
  'a placeholder': 'please-change-me-before-you-deploy-3f8a',
  'a few words': 'correct horse battery staple and more',
}
const refused = (issuer: string, secret: string | string[]) => {
  try {
    resolveConfig({ issuer, secret })
    return undefined
  } catch (error) {
    assert.ok(error instanceof ConfigError)
    return error.message
  }
}

test('NIST SP 800-57 §5.6: a secret that stands in print is refused off loopback, wherever it stands in the list', () => {
  const own = randomBytes(32).toString('base64')
  for (const secret of [printed, [printed], [own, printed], [printed, own]]) {
    const message = refused('https://auth.example.com', secret)
    assert.match(message ?? '', /secret of your own.*openssl rand -base64 32/s)
    assert.doesNotMatch(message!, /own computer/, 'and is not shown')
    assert.equal(refused('http://localhost:4400', secret), undefined)
  }
})

for (const [what, secret] of Object.entries(guessable)) {
  test(`NIST SP 800-57 §5.6: a secret that can be guessed is refused off loopback: ${what}`, () => {
    const message = refused('https://auth.example.com', secret)
    assert.match(message ?? '', /can be guessed.*openssl rand -base64 32/s)
    assert.ok(!message!.includes(secret))
    for (const local of ['http://localhost:4400', 'http://127.0.0.1:4400', 'http://[::1]:4400'])
      assert.equal(refused(local, secret), undefined)
    // To rotate away from one it stays behind a good one.
    assert.equal(refused('https://auth.example.com', [randomBytes(32).toString('base64'), secret]), undefined)
  })
}

test('NIST SP 800-57 §5.6: random bytes pass in every spelling, and so do eight words drawn from a list', () => {
  for (let n = 0; n < 2_000; n++) {
    for (const secret of [
      randomBytes(32).toString('base64'),
      randomBytes(32).toString('base64url'),
      randomBytes(32).toString('hex'),
      randomBytes(16).toString('hex'),
      randomBytes(64).toString('base64'),
    ])
      assert.equal(refused('https://auth.example.com', secret), undefined, secret)
  }
  const words = 'obscure vivid lantern mortar quilt sapling hyphen durable'
  assert.equal(refused('https://auth.example.com', words), undefined)
})

test('NIST SP 800-57 §5.6: a server that is running takes no such secret either', async () => {
  const own = randomBytes(32).toString('base64')
  const testServer = await openTestServer('sqlite', { issuer: 'https://auth.example.com', secret: own })
  try {
    await assert.rejects(testServer.app.replaceSecrets([printed, own], 0), /secret of your own/)
    await assert.rejects(testServer.app.replaceSecrets([guessable['the digits'], own], 0), /can be guessed/)
  } finally {
    await testServer.close()
  }
})

test('no example has a secret to fall back to', () => {
  for (const file of globSync('examples/**/*.{ts,tsx,js}', {
    exclude: (name) => name.includes('node_modules'),
  })) {
    const text = readFileSync(file, 'utf8')
    assert.ok(!text.includes(printed), file)
    assert.doesNotMatch(text, /secret: *(process\.env[^,\n]*(\?\?|\|\|) *)?['"`]/, file)
  }
})
