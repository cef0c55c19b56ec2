import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Config, resolveConfig } from '../../src/config.ts'
import { ConfigError } from '../../src/config-error.ts'
import { generateSigningKey } from '../../src/crypto/jws.ts'
import { knownGrantTypes } from '../../src/oauth/config/self-registered-clients.ts'
import { grantTypeRules } from '../../src/protocol/grant-types.ts'

const hour = 3_600_000
const resolve = (config: Partial<Config>) =>
  resolveConfig({
    issuer: 'https://auth.example.com',
    secret: 'kYQ0vZr3n1b7X5wTf8LhJc2MdEu9PsGa',
    scopes: { 'jobs:read': 'Search open jobs' },
    ...config,
  })

function problemsWith(config: Partial<Config>): string[] {
  try {
    resolve(config)
    return []
  } catch (error) {
    assert.ok(error instanceof ConfigError)
    return error.problems.map(({ path }) => path)
  }
}

test('every grant type that is spoken can be allowed to them', () => {
  assert.deepEqual(
    [...knownGrantTypes].sort(),
    Object.values(grantTypeRules)
      .map(({ name }) => name)
      .sort(),
  )
})

test('nobody arrives by themselves unless the configuration says so', () => {
  const settings = resolve({})
  assert.deepEqual([settings.registration, settings.clientIdMetadata], [null, null])
  assert.deepEqual(settings.selfRegisteredClients, {
    scope: null,
    grantTypes: ['authorization_code', 'refresh_token'],
    redirects: ['https', 'loopback'],
    schemes: ['cursor', 'vscode', 'vscode-insiders', 'windsurf', 'zed', 'kiro'],
    redirectErrors: 'allowed',
    redirectHosts: null,
    perHour: 1_000,
    perNetworkPerHour: 60,
    networks: [],
    keepUnused: 24 * hour,
    keepIdle: 30 * 24 * hour,
  })
})

test('who may register is always said', () => {
  assert.equal(resolve({ registration: { policy: 'open' } }).registration?.policy, 'open')
  for (const policy of [undefined, 'everyone', true]) {
    assert.deepEqual(problemsWith({ registration: { policy } as never }), ['registration.policy'])
  }
})

test('issuers of software statements have keys, and are there where statements are required', () => {
  const { publicJwk } = generateSigningKey()
  const jwks = { keys: [publicJwk] }
  const of = (softwareStatementIssuers: never) =>
    problemsWith({ registration: { policy: 'open', softwareStatementIssuers } })
  assert.deepEqual(of({ a: { jwks }, b: { jwksUri: 'https://b.example/jwks.json' } } as never), [])
  const path = 'registration.softwareStatementIssuers.a'
  const wrong: [unknown, string][] = [
    [{}, path],
    [{ jwks, jwksUri: 'https://b.example/' }, path],
    [{ jwksUri: 'http://b.example/' }, `${path}.jwksUri`],
    [{ jwks: { keys: [] } }, `${path}.jwks`],
    [{ jwks: {} }, `${path}.jwks`],
    [{ jwks: { keys: [{ ...publicJwk, d: 'secret' }] } }, `${path}.jwks`],
  ]
  for (const [issuer, problem] of wrong) assert.deepEqual(of({ a: issuer } as never), [problem])
  assert.deepEqual(problemsWith({ registration: { policy: 'open', requireSoftwareStatement: true } }), [
    'registration.softwareStatementIssuers',
  ])
})

test('documents come from named hosts and stay fresh for a bounded time', () => {
  const settings = resolve({
    clientIdMetadata: { hosts: ['claude.ai', '*.example.com'], longestFreshness: 3_600 },
  })
  assert.deepEqual(settings.clientIdMetadata, {
    hosts: ['claude.ai', '*.example.com'],
    longestFreshness: hour,
  })
  for (const host of [
    '*',
    '*.',
    'https://a.example',
    'A.example',
    'a.example/x',
    'a.example:443',
    '*a.example',
    'a b',
    '',
  ]) {
    assert.deepEqual(
      problemsWith({ clientIdMetadata: { hosts: [host] } }),
      ['clientIdMetadata.hosts[0]'],
      host,
    )
  }
  for (const longestFreshness of [0, 59, 700_000, 1.5]) {
    assert.deepEqual(problemsWith({ clientIdMetadata: { longestFreshness } }), [
      'clientIdMetadata.longestFreshness',
    ])
  }
})

test('what self-registered clients may be is checked', () => {
  const wrong: [Config['selfRegisteredClients'], string][] = [
    [{ scope: ['nobody:knows'] }, 'selfRegisteredClients.scope'],
    [{ redirects: ['anything'] as never }, 'selfRegisteredClients.redirects[0]'],
    [{ redirectHosts: ['https://a.example'] }, 'selfRegisteredClients.redirectHosts[0]'],
    [{ perHour: 0 }, 'selfRegisteredClients.perHour'],
    [{ redirectErrors: true as never }, 'selfRegisteredClients.redirectErrors'],
    [{ perNetworkPerHour: -1 }, 'selfRegisteredClients.perNetworkPerHour'],
    [{ networks: { '10.0.0.0/33': 5 } }, 'selfRegisteredClients.networks.10.0.0.0/33'],
    [{ networks: { somewhere: 5 } }, 'selfRegisteredClients.networks.somewhere'],
    [{ networks: { '10.0.0.0/': 5 } }, 'selfRegisteredClients.networks.10.0.0.0/'],
    [{ networks: { '10.0.0.0/8.5': 5 } }, 'selfRegisteredClients.networks.10.0.0.0/8.5'],
    [{ grantTypes: ['device_code'] }, 'selfRegisteredClients.grantTypes[0]'],
    [{ redirectHosts: 'claude.ai' as never }, 'selfRegisteredClients.redirectHosts'],
    [{ networks: { '10.0.0.0/8': 0 } }, 'selfRegisteredClients.networks.10.0.0.0/8'],
    [{ keepUnusedHours: 1 }, 'selfRegisteredClients.keepUnusedHours'],
    [{ keepIdleDays: 0 }, 'selfRegisteredClients.keepIdleDays'],
  ]
  for (const [config, path] of wrong)
    assert.deepEqual(problemsWith({ selfRegisteredClients: config }), [path])
  const { networks } = resolve({
    selfRegisteredClients: { networks: { '10.0.0.0/8': 5, '2001:db8::/32': 7 } },
  }).selfRegisteredClients
  assert.deepEqual(
    networks.map(({ list, perHour }) => [list.check('10.1.2.3'), list.check('2001:db8::1', 'ipv6'), perHour]),
    [
      [true, false, 5],
      [false, true, 7],
    ],
  )
})
