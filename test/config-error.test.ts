import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConfigError } from '../src/config-error.ts'

test('every problem is one line with path, what was given, what is allowed and an example', () => {
  const error = new ConfigError([
    { path: 'issuer', given: 'example.com', allowed: 'an https URL', example: "'https://example.com'" },
    { path: 'port', given: 70_000, allowed: '0 to 65535' },
    { path: 'signInUrl', given: undefined, allowed: 'a URL' },
    { path: 'secret', allowed: 'at least 32 bytes' },
  ])
  assert.equal(error.name, 'ConfigError')
  assert.ok(error instanceof Error)
  assert.equal(error.problems.length, 4)
  assert.deepEqual(error.message.split('\n'), [
    `issuer: "example.com" was given; allowed: an https URL; for example 'https://example.com'`,
    'port: 70000 was given; allowed: 0 to 65535',
    'signInUrl: nothing was given; allowed: a URL',
    'secret: allowed: at least 32 bytes',
  ])
})

test('a password inside a URL is not shown', () => {
  const error = new ConfigError([
    { path: 'database', given: 'postgres://user:hunter2@db/gatehouse', allowed: 'a URL' },
  ])
  assert.equal(error.message, 'database: "postgres://…@db/gatehouse" was given; allowed: a URL')
})

test('whatever was given can be shown', () => {
  const circle: Record<string, unknown> = {}
  circle['self'] = circle
  const given = [circle, 10n, Symbol('x'), () => 1, null, 'x'.repeat(1000)]
  const error = new ConfigError(given.map((value) => ({ path: 'p', given: value, allowed: 'a' })))
  const lines = error.message.split('\n')
  assert.equal(lines.length, given.length)
  assert.match(lines[0]!, /^p: \[object Object\] was given/)
  assert.match(lines[1]!, /^p: 10 was given/)
  assert.match(lines[2]!, /^p: Symbol\(x\) was given/)
  assert.match(lines[3]!, /^p: a function was given/)
  assert.match(lines[4]!, /^p: null was given/)
  assert.ok(lines[5]!.length < 200)
})
