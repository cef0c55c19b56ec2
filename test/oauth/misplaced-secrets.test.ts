// Secrets sent in the wrong field: into every parameter, claim and member of every endpoint goes one, and what is written down
// or answered as an error is searched for it. What a client registers (its name, say) is what it asked to be kept.

import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { localAccounts } from '../../src/accounts/local.ts'
import { sql } from '../../src/db/sql.ts'
import { jsonLog, told, toldUrl } from '../../src/log.ts'
import { routes } from '../../src/oauth/routes.ts'
import { obtainTokens } from '../support/flow.ts'
import { basic, dialects, openTestServer, type TestServer } from '../support/gatehouse.ts'

const names = [
  ...[
    'client_id',
    'client_secret',
    'redirect_uri',
    'response_type',
    'response_mode',
    'scope',
    'state',
    'nonce',
  ],
  ...[
    'code',
    'code_verifier',
    'code_challenge',
    'code_challenge_method',
    'grant_type',
    'refresh_token',
    'token',
  ],
  ...['token_type_hint', 'resource', 'audience', 'prompt', 'max_age', 'login_hint', 'acr_values', 'claims'],
  ...[
    'request',
    'request_uri',
    'registration',
    'dpop_jkt',
    'ui_locales',
    'authorization_details',
    'id_token_hint',
  ],
  ...['client_assertion', 'client_assertion_type', 'assertion', 'subject_token', 'subject_token_type'],
  ...['actor_token', 'actor_token_type', 'requested_token_type', 'device_code', 'user_code', 'form_token'],
  ...[
    'decision',
    'logout_hint',
    'post_logout_redirect_uri',
    'login',
    'email',
    'password',
    'current',
    'return_to',
  ],
]
const members = [
  ...['client_name', 'redirect_uris', 'grant_types', 'response_types', 'token_endpoint_auth_method', 'scope'],
  ...[
    'jwks',
    'jwks_uri',
    'logo_uri',
    'client_uri',
    'policy_uri',
    'tos_uri',
    'application_type',
    'subject_type',
  ],
  ...['sector_identifier_uri', 'software_statement', 'post_logout_redirect_uris', 'backchannel_logout_uri'],
  ...['id_token_signed_response_alg', 'default_acr_values', 'authorization_details_types', 'client_id'],
  ...['client_secret', 'tls_client_auth_subject_dn', 'request_object_signing_alg', 'default_max_age'],
]

/** Read differently by each grant type. */
const everywhere = [
  'scope',
  'resource',
  'audience',
  'requested_token_type',
  'subject_token_type',
  'client_id',
]

const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
const unsigned = (header: object, claims: object) => `${part(header)}.${part(claims)}.${'A'.repeat(86)}`

interface Watched {
  server: TestServer
  /** Everything that was written down. */
  lines: string[]
  secrets: string[]
}

async function openWatched(dialect: (typeof dialects)[number], accounts?: 'local'): Promise<Watched> {
  const lines: string[] = []
  const write = (message: string, facts?: object) => void lines.push(JSON.stringify({ message, ...facts }))
  const server = await openTestServer(dialect, {
    ...(accounts === 'local' ? { accounts: localAccounts() } : {}),
    clientIdMetadata: {},
    registration: { policy: 'open' },
    device: {},
    tokenExchange: { rules: [] } as never,
    resources: { 'https://jobs.example': {} },
    authorizationDetails: {
      payment: { schema: { type: 'object', properties: {} }, describe: () => ['a payment'] },
    } as never,
    limits: {
      failuresPerNetwork: 1_000_000,
      clientAuthenticationFailures: 1_000_000,
      signInFailuresPerAccount: 1_000_000,
    },
    selfRegisteredClients: { perNetworkPerHour: 1_000_000, perHour: 1_000_000 },
    log: { info: write, warn: write, error: write },
  })
  return {
    server,
    lines,
    secrets: [
      `gh_cs_${randomBytes(32).toString('base64url')}`,
      randomBytes(32).toString('base64url'),
      randomBytes(20).toString('hex'),
      randomUUID(),
      `sk_live_${randomBytes(12).toString('base64url')}`,
      `Tr0ub4dor&3-${randomBytes(3).toString('hex')}`,
      `hunter2${randomBytes(2).toString('hex')}`,
    ],
  }
}

/** A piece of a secret, long enough that it is no chance. */
const traces = (secret: string) => [secret, encodeURIComponent(secret), secret.slice(0, 9), secret.slice(-9)]

function search(where: string, text: string, secret: string, told: string): void {
  for (const trace of traces(secret))
    assert.ok(!text.includes(trace), `${where} holds a secret after ${told}: ${text.slice(0, 600)}`)
}

for (const dialect of dialects) {
  test(`a secret in the wrong field reaches neither log, nor events, nor an error (${dialect})`, async () => {
    const { server, lines, secrets } = await openWatched(dialect)
    try {
      const created = await server.createClient({
        grantTypes: [
          'authorization_code',
          'refresh_token',
          'client_credentials',
          'urn:ietf:params:oauth:grant-type:token-exchange',
        ],
      })
      const live = (await obtainTokens(server, await server.createClient())).refresh_token!
      const jwt = unsigned({ alg: 'ES256', typ: 'at+jwt' }, { sub: 'alice', canary: randomUUID() })
      const all = [...secrets, live, jwt]
      let turn = 0
      const ask = async (what: string, path: string, init: RequestInit, secret: string) => {
        const before = lines.length
        const answer = await server.request(path, init)
        const text = await answer.text()
        const about = `${init.method ?? 'GET'} ${what} with ${secret.slice(0, 8)}`
        search('the log', lines.slice(before).join('\n'), secret, about)
        if (answer.status >= 400) search('the error', text, secret, about)
        assert.ok(answer.status < 500, about)
      }
      const form = (
        parameters: Record<string, string>,
        headers: Record<string, string> = {},
      ): RequestInit => ({
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
        body: new URLSearchParams(parameters).toString(),
      })
      const authorization = basic(created.client.id, created.secret!)
      const usual: Record<string, string> = {
        client_id: created.client.id,
        redirect_uri: 'https://client.example/callback',
        response_type: 'code',
        scope: 'jobs:read',
        code_challenge: 'x'.repeat(43),
        code_challenge_method: 'S256',
      }
      const grants = [
        'authorization_code',
        'refresh_token',
        'client_credentials',
        'urn:ietf:params:oauth:grant-type:token-exchange',
      ]
      const pages = [...routes.map(({ path }) => path), '/nowhere']
      for (const path of pages) {
        for (const name of names) {
          for (const secret of [all[turn++ % all.length]!]) {
            await ask(
              `${path} ?${name}`,
              `${path}?${new URLSearchParams({ ...usual, [name]: secret })}`,
              {},
              secret,
            )
            await ask(`${path} ${name}`, path, form({ ...usual, [name]: secret }), secret)
          }
        }
      }
      for (const secret of all) {
        for (const [n, grant_type] of grants.entries()) {
          for (const name of names.filter((_, at) => at % grants.length === n || everywhere.includes(_))) {
            const more = {
              grant_type,
              ...(grant_type.endsWith('exchange') ? { subject_token: 'x' } : {}),
              [name]: secret,
            }
            await ask(
              `/oauth/token ${grant_type} ${name}`,
              '/oauth/token',
              form(more, { authorization }),
              secret,
            )
          }
        }
        const usualMember = { redirect_uris: ['https://client.example/callback'] }
        for (const member of members) {
          for (const value of [
            secret,
            [secret],
            { keys: [{ kty: secret, kid: secret }] },
            `https://a.example/${secret}`,
          ])
            await ask(
              `/oauth/register ${member}`,
              '/oauth/register',
              {
                method: 'POST',
                headers: { 'content-type': 'application/json' },
                body: JSON.stringify({ ...usualMember, [member]: value }),
              },
              secret,
            )
        }
        const inHeaders: Record<string, string>[] = [
          { authorization: `Bearer ${secret}` },
          { authorization: `Basic ${secret}` },
          { authorization: basic(secret, 'x') },
          { authorization: basic(created.client.id, secret) },
          { authorization: secret },
          { dpop: secret },
          { 'content-type': `text/${secret}` },
          { 'user-agent': secret },
          { cookie: `gatehouse=${secret}` },
          ...['typ', 'alg', 'kid'].map((name) => ({
            dpop: unsigned({ typ: 'dpop+jwt', alg: 'ES256', [name]: secret }, {}),
          })),
          ...['htm', 'htu', 'jti', 'nonce'].map((name) => ({
            dpop: unsigned(
              { typ: 'dpop+jwt', alg: 'ES256', jwk: server.app.server.keys.current().publicJwk },
              { htm: 'POST', [name]: secret },
            ),
          })),
          ...['typ', 'alg', 'kid'].map((name) => ({
            authorization: `Bearer ${unsigned({ typ: 'at+jwt', alg: 'ES256', kid: 'x', [name]: secret }, {})}`,
          })),
        ]
        for (const headers of inHeaders) {
          for (const path of [
            '/oauth/token',
            '/oauth/par',
            '/oauth/introspect',
            '/oauth/userinfo',
            '/oauth/register',
          ])
            await ask(
              `${path} ${Object.keys(headers)}`,
              path,
              form({ ...usual, grant_type: 'refresh_token' }, headers),
              secret,
            )
        }
        for (const name of ['iss', 'sub', 'aud', 'jti', 'typ', 'alg', 'kid']) {
          const client_assertion = unsigned(
            { alg: 'ES256', [name]: secret },
            { iss: created.client.id, sub: created.client.id, [name]: secret },
          )
          const client_assertion_type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
          await ask(
            `an assertion's ${name}`,
            '/oauth/token',
            form({ client_assertion, client_assertion_type }),
            secret,
          )
          await ask(
            `a request object's ${name}`,
            `/oauth/authorize?${new URLSearchParams({ ...usual, request: client_assertion })}`,
            {},
            secret,
          )
        }
        for (const details of [
          [{ type: secret }],
          [{ type: 'payment', [secret]: 1 }],
          [{ type: 'payment', a: secret }],
        ]) {
          const authorization_details = JSON.stringify(details)
          await ask(
            'details',
            `/oauth/authorize?${new URLSearchParams({ ...usual, authorization_details })}`,
            {},
            secret,
          )
          await ask(
            'details',
            '/oauth/par',
            form({ ...usual, authorization_details }, { authorization }),
            secret,
          )
        }
        await ask('the name of a parameter', '/oauth/token', form({ [secret]: secret }), secret)
        await ask(
          'a parameter twice',
          '/oauth/token',
          { ...form({}), body: `${encodeURIComponent(secret)}=1&${encodeURIComponent(secret)}=2` },
          secret,
        )
        await ask('a path', `/oauth/token/${encodeURIComponent(secret)}`, {}, secret)
        await ask(
          'an address',
          `/oauth/authorize?client_id=https://localhost:1/${encodeURIComponent(secret)}`,
          {},
          secret,
        )
      }
      const events = JSON.stringify(
        await server.app.server.db.query(
          sql<{ body: string }>`select * from events where type not in ('client_registered')`,
        ),
      )
      for (const secret of all) search('an event', events, secret, 'everything')
    } finally {
      await server.close()
    }
  })
}

test('a password in the place of a login reaches neither log nor events', async () => {
  const { server, lines, secrets } = await openWatched('sqlite', 'local')
  try {
    for (const secret of secrets) {
      for (const path of ['/sign-in', '/sign-up', '/account', '/account/password']) {
        for (const name of ['login', 'email', 'username', 'name', 'password', 'return_to', 'form_token']) {
          await server.post(path, { login: 'alice', password: 'x', [name]: secret })
          await server.request(`${path}?${new URLSearchParams({ [name]: secret })}`)
        }
      }
      search('the log', lines.join('\n'), secret, 'signing in')
    }
    const events = JSON.stringify(
      await server.app.server.db.query(sql<{ body: string }>`select * from events`),
    )
    for (const secret of secrets) search('an event', events, secret, 'signing in')
  } finally {
    await server.close()
  }
})

test('what somebody sent is told as it is where it is harmless, and by its length and kind otherwise', () => {
  const harmless = [
    'password',
    'client_credentials',
    'urn:ietf:params:oauth:grant-type:jwt-bearer',
    'jobs:read',
    'applications:write jobs:read',
    'S256',
    'at+jwt',
    'text/html; charset=utf-8',
    'job-board-2',
    'cl_01kf0rdytcapntg54xgbqwjj4e',
    'https://client.example/callback',
  ]
  for (const text of harmless) assert.equal(told(text), text)
  assert.equal(told('gh_rt_01kf0twf1109d8qv6jq3s1ac8aE0Rs'), '(36 characters, like a token)')
  assert.equal(
    told(`${part({ alg: 'ES256' })}.${part({ sub: 'alice' })}.${'A'.repeat(86)}`),
    '(128 characters, like a JWT)',
  )
  assert.equal(told('hunter2'), '(7 characters)')
  assert.equal(told('a'.repeat(3_000)), '(3000 characters)')
  assert.equal(told(undefined), undefined)
  assert.equal(told({ toString: 1 }), '(object)')
  assert.equal(
    toldUrl('https://user:pw@chat.openai.com/aip/g-3f2a9c1b77aa/oauth/callback?code=abc#x'),
    'https://chat.openai.com/aip/…/oauth/callback?…',
  )
  assert.equal(toldUrl('com.example.app:/callback'), 'com.example.app:/callback')
  assert.equal(toldUrl('hunter2'), '(7 characters)')
})

test('a token that is part of an error is cut out of the log', () => {
  let written = ''
  const log = jsonLog('info', (text) => (written += text))
  const token = `gh_rt_01kf0twf1109d8qv6jq3s1ac8a${'x'.repeat(43)}`
  log.error('fault', {
    error: `duplicate key: ${token}`,
    cause: `Bearer ${unsigned({ alg: 'ES256' }, { sub: 'a' })}`,
  })
  return new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve))).then(() => {
    assert.match(written, /duplicate key: \(token\)/)
    assert.doesNotMatch(written, /gh_rt_01|eyJ/)
  })
})
