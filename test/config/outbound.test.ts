import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Config, resolveConfig } from '../../src/config.ts'
import { ConfigError } from '../../src/config-error.ts'
import { makeAuthority } from '../support/certificates.ts'

const settingsWith = (outbound: Config['outbound'], issuer = 'https://auth.example.com') =>
  resolveConfig({ issuer, secret: 'kYQ0vZr3n1b7X5wTf8LhJc2MdEu9PsGa', outbound }).outbound

function problemsWith(outbound: Config['outbound']): string[] {
  try {
    settingsWith(outbound)
    return []
  } catch (error) {
    assert.ok(error instanceof ConfigError)
    return error.problems.map((problem) => problem.path)
  }
}

test('nothing is allowed unless it is named', () => {
  assert.deepEqual(settingsWith(undefined), { allow: [], ca: [], loopback: false })
  assert.equal(settingsWith({}, 'http://127.0.0.1:4400').loopback, true)
})

test('destinations are host and port, as a URL has them', () => {
  const good = ['10.0.0.5:8443', 'keys.internal:443', '[fd00::1]:8443', 'localhost:1']
  assert.deepEqual(settingsWith({ allow: good }).allow, good)
  const wrong = [
    '10.0.0.5',
    '*:443',
    '10.0.0.0/8:443',
    'https://a:443',
    'A:443',
    'a:0443',
    'a:99999',
    'a:443/b',
    'u@a:1',
  ]
  for (const one of wrong) assert.deepEqual(problemsWith({ allow: ['a:1', one] }), ['outbound.allow[1]'], one)
})

test('certificates are PEM', () => {
  const { cert } = makeAuthority()
  assert.deepEqual(settingsWith({ ca: cert }).ca, [cert])
  assert.deepEqual(problemsWith({ ca: [cert, 'no certificate'] }), ['outbound.ca'])
})
