import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Config, resolveConfig } from '../../src/config.ts'
import { ConfigError } from '../../src/config-error.ts'

const base: Config = { issuer: 'http://localhost:4400', secret: 'a secret that is long enough for a test' }

function problems(config: Partial<Config>): string[] {
  try {
    resolveConfig({ ...base, ...config })
  } catch (error) {
    assert.ok(error instanceof ConfigError)
    return error.problems.map((one) => one.path)
  }
  return []
}

test('OpenID Connect Core §5.4: its scopes are there without being named, after the own ones, and may be worded anew', () => {
  const { scopes } = resolveConfig({
    ...base,
    scopes: { email: 'Write to you', 'jobs:read': 'Search open jobs' },
  })
  assert.deepEqual(Object.keys(scopes), ['jobs:read', 'openid', 'profile', 'email', 'offline_access'])
  assert.equal(scopes.email, 'Write to you')
  assert.ok(Object.values(scopes).every((sentence) => sentence.length > 5))
})

test('RFC 6749 §3.3: a scope that cannot be sent, or that says nothing to a person, is a mistake', () => {
  assert.deepEqual(problems({ scopes: { 'jobs read': 'x', 'jobs:"x"': 'y', 'jobs:read': ' ', email: '' } }), [
    'scopes.jobs read',
    'scopes.jobs:"x"',
    'scopes.jobs:read',
    'scopes.email',
  ])
})

test('RFC 9728 §2: an API demands no scope of OpenID Connect (B8)', () => {
  const of = (scopes: string[]) =>
    problems({ scopes: { 'jobs:read': 'Search' }, resources: { 'https://api.example': { scopes } } })
  assert.deepEqual(of(['jobs:read']), [])
  assert.deepEqual(of(['jobs:read', 'offline_access', 'other']), [
    'resources.https://api.example.scopes',
    'resources.https://api.example.scopes',
  ])
})

test('RFC 9470 §4: the classes of authentication stand in their order, each once', () => {
  const acrValues = ['urn:example:password', 'urn:example:second-factor']
  assert.deepEqual(resolveConfig({ ...base, authentication: { acrValues } }).authentication, { acrValues })
  assert.deepEqual(resolveConfig(base).authentication, { acrValues: [] })
  assert.deepEqual(problems({ authentication: { acrValues: ['a', 'b c', 'a', ''] } }), [
    'authentication.acrValues[1]',
    'authentication.acrValues[3]',
    'authentication.acrValues[2]',
  ])
})

test('Model Context Protocol, Authorization: what a scope implies is followed to the end, in circles too (B7)', () => {
  const { scopes, impliedScopes } = resolveConfig({
    ...base,
    scopes: {
      'jobs:read': 'Search jobs',
      'jobs:write': { description: 'Change jobs', implies: ['jobs:read'] },
      'jobs:admin': { description: 'Run the board', implies: ['jobs:write', 'jobs:admin'] },
      a: { description: 'A', implies: ['b'] },
      b: { description: 'B', implies: ['a'] },
      alone: { description: 'Alone' },
    },
  })
  assert.equal(scopes['jobs:admin'], 'Run the board')
  assert.deepEqual(impliedScopes, {
    'jobs:write': ['jobs:read'],
    'jobs:admin': ['jobs:write', 'jobs:read'],
    a: ['b'],
    b: ['a'],
  })
})

test('RFC 6749 §3.3: a scope implies scopes of the APIs, and nothing about the user', () => {
  const of = (implies: string[]) =>
    problems({ scopes: { 'jobs:read': 'Search', x: { description: 'X', implies } } })
  assert.deepEqual(of(['jobs:read']), [])
  for (const wrong of ['unknown', 'toString', 'openid', 'offline_access']) {
    assert.deepEqual(of(['jobs:read', wrong]), ['scopes.x.implies'])
  }
  assert.deepEqual(
    problems({ scopes: { 'jobs:read': 'Search', email: { description: 'Mail', implies: ['jobs:read'] } } }),
    ['scopes.email.implies'],
  )
  assert.deepEqual(problems({ scopes: { x: {} as never, y: null as never } }), [
    'scopes.x.description',
    'scopes.y',
  ])
})
