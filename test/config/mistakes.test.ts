// Every mistake is refused at start, with where it stands, what was given and what is allowed.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Options } from '../../src/config/section.ts'
import { configuration, resolveConfig } from '../../src/config.ts'
import { ConfigError } from '../../src/config-error.ts'

const base = { issuer: 'https://auth.example.com', secret: 'kYQ0vZr3n1b7X5wTf8LhJc2MdEu9PsGa' }

function messages(config: unknown): string[] {
  try {
    resolveConfig({ ...base, ...(config as object) })
    return []
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error))
    return error.message.split('\n')
  }
}

/** What is given, and the one message it gets. */
const mistakes: [given: unknown, message: RegExp][] = [
  [{ issuer: undefined }, /^issuer: allowed: an absolute URL; for example https:/],
  [{ issuer: 42 }, /^issuer: 42 was given; allowed: an absolute URL/],
  [{ issuer: 'auth.example.com' }, /^issuer: "auth.example.com" was given; allowed: an absolute URL/],
  [
    { issuer: 'https://auth.example.com/' },
    /^issuer: .*without trailing slash.*for example https:\/\/auth.example.com$/,
  ],
  [{ issuer: 'http://auth.example.com' }, /^issuer: .*https \(http on loopback only/],
  [{ secret: undefined }, /^secret: allowed: one or more texts of at least/],
  [{ secret: 42 }, /^secret: allowed: one or more texts of at least/],
  [{ secrets: ['a'] }, /^secrets: allowed: no option of this name; did you mean secret\?$/],
  [{ Issuer: 'a' }, /^Issuer: allowed: no option of this name; did you mean issuer\?$/],
  [{ quota: 5 }, /^quota: allowed: no option of this name; there are issuer, secret, /],
  [{ database: '' }, /^database: "" was given; allowed: the URL of a PostgreSQL database, or the path/],
  [{ database: { url: 'x' } }, /^database: .* was given; allowed: the URL of a PostgreSQL database/],
  [
    { databaseConnections: '6' },
    /^databaseConnections: "6" was given; allowed: a whole number of at least 1/,
  ],
  [{ accounts: {} }, /^accounts: \{\} was given; allowed: accounts, such as localAccounts\(\)/],
  [{ accounts: 'local' }, /^accounts: "local" was given; allowed: accounts/],
  [{ accounts: null }, /^accounts: null was given; allowed: accounts/],
  [{ scopes: ['jobs:read'] }, /^scopes: \["jobs:read"\] was given; allowed: an object, one entry a name/],
  [{ scopes: 'jobs:read' }, /^scopes: "jobs:read" was given; allowed: an object, one entry a name/],
  [{ scopes: { a: 5 } }, /^scopes\.a: 5 was given; allowed: the sentence the consent page shows/],
  [
    { scopes: { a: { description: 'A', implys: [] } } },
    /^scopes\.a\.implys: .*did you mean scopes\.a\.implies\?$/,
  ],
  [{ resources: ['https://api.example.com'] }, /^resources: .* was given; allowed: an object/],
  [
    { resources: { 'https://a.example': { format: 'jwt' } } },
    /^resources\.https:\/\/a\.example\.format: .*there are name, tokenFormat/,
  ],
  [
    { resources: { 'https://a.example': { tokenFormat: 'JWT' } } },
    /tokenFormat: "JWT" was given; allowed: jwt or opaque; for example jwt$/,
  ],
  [
    { tokens: { accessTokenLifetime: '15m' } },
    /^tokens\.accessTokenLifetime: "15m" was given; allowed: a whole number of seconds from 60 to 86400; for example 900$/,
  ],
  [{ tokens: { accessTokenTtl: 900 } }, /^tokens\.accessTokenTtl: .*no option of this name/],
  [
    { tokens: { acessTokenLifetime: 900 } },
    /^tokens\.acessTokenLifetime: .*did you mean tokens\.accessTokenLifetime\?$/,
  ],
  [
    { tokens: { reuseWindow: -1 } },
    /^tokens\.reuseWindow: -1 was given; allowed: a whole number of seconds from 0 to 300/,
  ],
  [{ tokens: [] }, /^tokens: \[\] was given; allowed: an object with format, accessTokenLifetime/],
  [{ tokens: null }, /^tokens: null was given; allowed: an object with/],
  [{ sessions: { quota: 0 } }, /^sessions\.quota: 0 was given; allowed: a whole number of at least 1/],
  [{ sessions: { quota: Number.NaN } }, /^sessions\.quota: null was given|^sessions\.quota: NaN was given/],
  [{ sessions: { whenFull: true } }, /^sessions\.whenFull: true was given; allowed: evict or refuse/],
  [
    { sessions: { keepDays: 1.5 } },
    /^sessions\.keepDays: 1.5 was given; allowed: a whole number of at least 1 \(days\)/,
  ],
  [{ limits: 5 }, /^limits: 5 was given; allowed: an object with/],
  [{ storage: { perUser: 29 } }, /^storage\.perUser: 29 was given; allowed: a whole number of at least 30/],
  [
    { events: { keepDays: Infinity } },
    /^events\.keepDays: .* was given; allowed: a whole number of at least 1 \(days\)/,
  ],
  [{ pages: { name: 42 } }, /^pages\.name: 42 was given; allowed: a text/],
  [{ pages: { texts: ['a'] } }, /^pages\.texts: \["a"\] was given; allowed: an object/],
  [
    { trustedProxies: '10.0.0.0/8' },
    /^trustedProxies: "10.0.0.0\/8" was given; allowed: a list of addresses and subnets/,
  ],
  [
    { trustedProxies: ['somewhere'] },
    /^trustedProxies: .*somewhere.* was given; allowed: addresses or subnets/,
  ],
  [{ cors: 'https://a.example' }, /^cors: "https:\/\/a\.example" was given; allowed: a list/],
  [
    { cors: ['https://a.example/'] },
    /^cors\[0\]: "https:\/\/a\.example\/" was given; allowed: origins, or \*/,
  ],
  [{ cors: true }, /^cors: true was given; allowed: a list/],
  [{ registration: true }, /^registration: true was given; allowed: an object with policy/],
  [{ registration: {} }, /^registration\.policy: allowed: not left out; for example initial_access_token$/],
  [
    { registration: { policy: 'closed' } },
    /^registration\.policy: "closed" was given; allowed: open or initial_access_token/,
  ],
  [
    { clientIdMetadata: { hosts: 'claude.ai' } },
    /^clientIdMetadata\.hosts: "claude\.ai" was given; allowed: a list/,
  ],
  [
    { selfRegisteredClients: { scope: 'jobs:read' } },
    /^selfRegisteredClients\.scope: "jobs:read" was given; allowed: a list/,
  ],
  [
    { selfRegisteredClients: { scope: ['unknown'] } },
    /^selfRegisteredClients\.scope: "unknown" was given; allowed: scopes that/,
  ],
  [
    { selfRegisteredClients: { networks: { x: 5 } } },
    /^selfRegisteredClients\.networks\.x: "x" was given; allowed: addresses or subnets/,
  ],
  [
    { outbound: { allow: '10.0.0.5:8443' } },
    /^outbound\.allow: "10\.0\.0\.5:8443" was given; allowed: a list/,
  ],
  [{ outbound: { ca: 42 } }, /^outbound\.ca: allowed: certificates in PEM/],
  [
    { pushedRequests: { required: 'yes' } },
    /^pushedRequests\.required: "yes" was given; allowed: true or false/,
  ],
  [
    { openid: { signingAlg: 'HS256' } },
    /^openid\.signingAlg: "HS256" was given; allowed: ES256, RS256, PS256, EdDSA; for example RS256$/,
  ],
  [{ dpop: { nonces: 'always' } }, /^dpop\.nonces: "always" was given; allowed: required or optional/],
  [{ device: true }, /^device: true was given; allowed: an object with lifetime/],
  [{ tokenExchange: { rules: {} } }, /^tokenExchange\.rules: \{\} was given; allowed: a list/],
  [
    { tokenExchange: { rules: [], allows: true } },
    /^tokenExchange\.allows: true was given; allowed: a function that answers/,
  ],
  [{ assertionIssuers: [] }, /^assertionIssuers: \[\] was given; allowed: an object/],
  [{ allowInsecureIssuer: 'true' }, /^allowInsecureIssuer: "true" was given; allowed: true or false/],
  [{ migrate: 'false' }, /^migrate: "false" was given; allowed: true or false/],
  [{ drain: 601 }, /^drain: 601 was given; allowed: a whole number of seconds from 0 to 600/],
  [{ jobs: 'off' }, /^jobs: "off" was given; allowed: true or false/],
  [{ jobs: null }, /^jobs: null was given; allowed: true or false/],
  [{ log: 'debug' }, /^log: "debug" was given; allowed: 'info', 'warn', 'error', 'silent', or an object/],
  [{ log: { info() {} } }, /^log: .* was given; allowed: 'info'/],
]

describe('a mistake in the configuration', () => {
  for (const [given, message] of mistakes) {
    const shown = JSON.stringify(given, (_, value) =>
      typeof value === 'number' || value === undefined ? String(value) : value,
    )
    test(shown, () => {
      const found = messages(given)
      assert.equal(found.length, 1, found.join('\n'))
      assert.match(found[0]!, message)
    })
  }

  test('never comes alone: all of them are named at once', () => {
    const many = { tokens: { acces: 1 }, sessions: { quota: 'x' }, cors: 5, jobs: 'x' }
    assert.deepEqual(
      messages(many).map((line) => line.split(':')[0]),
      ['tokens.acces', 'sessions.quota', 'cors', 'jobs'],
    )
  })

  test('is refused at every option: a symbol is nothing that any of them takes', () => {
    const wrong = Symbol('wrong')
    const walk = (options: Options, wrap: (given: unknown) => unknown): void => {
      for (const [name, option] of Object.entries(options)) {
        const found = messages(wrap({ [name]: wrong }))
        assert.ok(found.length > 0, `${name} takes anything`)
        if (option.inside && option.inside.each === undefined)
          walk(option.inside.options, (given) => wrap({ [name]: given }))
      }
    }
    walk(configuration.inside!.options, (given) => given)
  })
})
