// RFC 9068 §2.2.2, §2.2.3, RFC 7662 §2.2: claims of the host's own in access tokens.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AccountsUnavailable } from '../../../src/accounts/account.ts'
import type { Config } from '../../../src/config.ts'
import { ConfigError } from '../../../src/config-error.ts'
import { parseJwt } from '../../../src/crypto/jws.ts'
import type { Log } from '../../../src/log.ts'
import { clientKeys } from '../../support/assertions.ts'
import { bring, enterprise, identityAssertion, jwtBearerGrant } from '../../support/enterprise.ts'
import {
  assertError,
  introspect,
  makePkce,
  obtainCode,
  obtainTokens,
  readTokens,
  redeem,
  refresh,
} from '../../support/flow.ts'
import { basic, onBothDatabases, openTestServer, testServerFor } from '../../support/gatehouse.ts'

type Claims = Record<string, unknown>
interface Asked {
  account: string | null
  subject: string
  client: string
  scope: readonly string[]
  resources: readonly string[]
}

/** What the host answers, and what it was asked. */
const host = {
  asked: [] as Asked[],
  answer: (() => ({})) as (asked: Asked) => unknown,
}
const lines: string[] = []
const note = (message: string, facts?: object) => void lines.push(JSON.stringify({ message, ...facts }))
const log: Log = { info: () => {}, warn: note, error: note }
const tokens = {
  claims(asked: Asked) {
    host.asked.push(asked)
    return host.answer(asked)
  },
} as unknown as Config['tokens']

const payload = (token: string): Claims => parseJwt(token)!.claims

onBothDatabases('claims of the host', (dialect) => {
  const open = testServerFor(dialect, {
    tokens,
    log,
    resources: {
      'https://api.example.com': {},
      'https://opaque.example.com': { tokenFormat: 'opaque' },
    },
  })

  test('RFC 9068 §2.2.3: stand in the JWT and in its introspection, and are asked again at each refresh', async () => {
    const server = await open()
    const client = await server.createClient()
    host.asked = []
    host.answer = ({ account }) => ({ roles: ['admin', account], tenant: { id: 7 }, nothing: undefined })
    const first = await obtainTokens(server, client)
    const { roles, tenant, sub } = payload(first.access_token)
    assert.deepEqual([roles, tenant, sub], [['admin', 'alice'], { id: 7 }, 'alice'])
    assert.ok(!('nothing' in payload(first.access_token)))
    const seen = await introspect(server, client, first.access_token)
    assert.deepEqual([seen.roles, seen.tenant], [['admin', 'alice'], { id: 7 }])
    assert.deepEqual(host.asked, [
      {
        account: 'alice',
        subject: 'alice',
        client: client.client.id,
        scope: ['jobs:read'],
        resources: ['https://api.example.com'],
      },
    ])

    host.answer = () => ({ roles: ['reader'] })
    const second = await readTokens(await refresh(server, client, first.refresh_token!))
    assert.deepEqual(payload(second.access_token).roles, ['reader'])
    assert.ok(!('tenant' in payload(second.access_token)))
    // The lost answer, asked for again.
    const third = await readTokens(await refresh(server, client, first.refresh_token!))
    assert.deepEqual(payload(third.access_token).roles, ['reader'])
    // A token says for its whole life what it said when it was made.
    assert.deepEqual((await introspect(server, client, first.access_token)).roles, ['admin', 'alice'])
    assert.equal(host.asked.length, 3)
  })

  test('RFC 7662 §2.2: of an opaque token they are told at introspection, and to the API beside the server', async () => {
    const server = await open()
    const client = await server.createClient()
    host.answer = () => ({ groups: ['a', 'b'] })
    const made = await obtainTokens(server, client, { resource: 'https://opaque.example.com' })
    assert.match(made.access_token, /^gh_at_/)
    host.answer = () => assert.fail('an API that asks about a token does not ask the host')
    assert.deepEqual((await introspect(server, client, made.access_token)).groups, ['a', 'b'])
    const access = await server.g.authenticate(
      new Request('https://opaque.example.com/x', {
        headers: { authorization: `Bearer ${made.access_token}` },
      }),
      { resource: 'https://opaque.example.com' },
    )
    assert.ok(access.ok)
    assert.deepEqual(access.claims.groups, ['a', 'b'])
  })

  test('RFC 6749 §4.4: a client that speaks for itself has no account, and may have claims', async () => {
    const server = await open()
    const client = await server.createClient({ grantTypes: ['client_credentials'], redirectUris: [] })
    host.asked = []
    host.answer = ({ client: id }) => ({ plan: `plan of ${id}` })
    const answer = await server.post(
      '/oauth/token',
      { grant_type: 'client_credentials' },
      { authorization: basic(client.client.id, client.secret!) },
    )
    const { access_token } = await readTokens(answer)
    assert.equal(payload(access_token).plan, `plan of ${client.client.id}`)
    assert.deepEqual(
      host.asked.map((one) => one.account),
      [null],
    )
  })

  for (const name of [
    'iss',
    'sub',
    'aud',
    'exp',
    'nbf',
    'iat',
    'jti',
    'client_id',
    'scope',
    'cnf',
    'act',
    'may_act',
    'acr',
    'amr',
    'auth_time',
    'authorization_details',
    'asserted_by',
    'active',
    'token_type',
    'sid',
  ]) {
    test(`RFC 7519 §4.1, RFC 9068 §2.2, RFC 7662 §2.2: ${name} is the server's, and no token is issued with one of the host's`, async () => {
      const server = await open()
      const client = await server.createClient()
      const pkce = makePkce()
      const code = await obtainCode(server, client, pkce)
      const claims = { roles: [], [name]: 'mine' }
      for (const answer of [claims, { roles: [], toJSON: () => claims }]) {
        host.answer = () => answer
        lines.length = 0
        await assertError(await redeem(server, client, code, pkce), 500, 'server_error')
        assert.match(lines.join('\n'), new RegExp(`tokens\\.claims.*\\b${name}\\b`))
      }
      // Nothing was spent.
      host.answer = () => ({})
      assert.equal((await redeem(server, client, code, pkce)).status, 200)
    })
  }

  test('what is no object, no JSON or larger than 4,096 bytes issues no token, and the log says which', async () => {
    const server = await open()
    const client = await server.createClient()
    host.answer = () => ({})
    const made = await obtainTokens(server, client)
    const circle: Claims = {}
    circle.again = circle
    const wrong: [unknown, RegExp][] = [
      [['a'], /an object/],
      ['text', /an object/],
      [new Date(0), /an object/],
      [new Map([['roles', ['a']]]), /an object/],
      [{ toJSON: () => ['a'] }, /an object/],
      [{ toJSON: () => undefined }, /an object/],
      [circle, /JSON/],
      [{ big: 1n }, /JSON/],
      [{ text: 'é'.repeat(2_048) }, /4096/],
    ]
    for (const [answer, why] of wrong) {
      host.answer = () => answer
      lines.length = 0
      await assertError(await refresh(server, client, made.refresh_token!), 500, 'server_error')
      assert.match(lines.join('\n'), why)
      assert.match(lines.join('\n'), /tokens\.claims/)
    }
    for (const nothing of [null, undefined]) {
      host.answer = () => nothing
      const { refresh_token } = await readTokens(await refresh(server, client, made.refresh_token!))
      made.refresh_token = refresh_token!
    }
    host.answer = () => ({ text: 'x'.repeat(4_096 - '{"text":""}'.length) })
    assert.equal((await refresh(server, client, made.refresh_token!)).status, 200)
  })

  test('a host that throws issues no token: 503 where it cannot be asked, else 500, and the refresh token stays good', async () => {
    const server = await open()
    const client = await server.createClient()
    host.answer = () => ({})
    const made = await obtainTokens(server, client)
    host.answer = () => {
      throw new Error('the table of roles is gone')
    }
    lines.length = 0
    await assertError(await refresh(server, client, made.refresh_token!), 500, 'server_error')
    assert.match(lines.join('\n'), /tokens\.claims/)
    assert.match(lines.join('\n'), /the table of roles is gone/)
    host.answer = () => Promise.reject(new AccountsUnavailable('later'))
    const later = await refresh(server, client, made.refresh_token!)
    assert.ok(later.headers.get('retry-after'))
    await assertError(later, 503, 'temporarily_unavailable')
    host.answer = async () => ({ roles: ['a'] })
    assert.equal((await refresh(server, client, made.refresh_token!)).status, 200)
  })
})

test('RFC 7523 §3: an assertion is not spent where no token was issued', async () => {
  const { RS256: key } = clientKeys
  const server = await openTestServer('sqlite', {
    tokens,
    log,
    assertionIssuers: {
      [enterprise]: { jwks: { keys: [key.publicJwk] }, clients: ['agent'], unknownUsers: 'create' },
    },
  })
  try {
    const client = await server.createClient({ id: 'agent', redirectUris: [], grantTypes: [jwtBearerGrant] })
    const assertion = identityAssertion(key, 'agent', server.clock.now())
    host.answer = () => {
      throw new AccountsUnavailable('later')
    }
    await assertError(await bring(server, client, assertion), 503, 'temporarily_unavailable')
    host.answer = ({ account }) => ({ of: account })
    const { access_token } = await readTokens(await bring(server, client, assertion))
    assert.equal(payload(access_token).of, 'U019488227')
  } finally {
    await server.close()
  }
})

test('tokens.claims that is no function is refused at start', async () => {
  await assert.rejects(
    openTestServer('sqlite', { tokens: { claims: { roles: [] } } as unknown as Config['tokens'] }),
    (error: ConfigError) => error instanceof ConfigError && /tokens\.claims/.test(error.message),
  )
})
