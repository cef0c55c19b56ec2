import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Account, Accounts } from '../../../src/accounts/account.ts'
import { disableUser } from '../../../src/accounts/user-operations.ts'
import { type Config, resolveConfig } from '../../../src/config.ts'
import { ConfigError } from '../../../src/config-error.ts'
import { sql } from '../../../src/db/sql.ts'
import type { AssertionIssuerConfig } from '../../../src/oauth/config/assertion-issuers.ts'
import { clientKeys } from '../../support/assertions.ts'
import { openDocuments } from '../../support/documents.ts'
import { makeProofKey, proofFor } from '../../support/dpop.ts'
import { bring, enterprise, identityAssertion, jwtBearerGrant } from '../../support/enterprise.ts'
import { credentials, introspect, obtainTokens, readTokens } from '../../support/flow.ts'
import {
  alice,
  issuer,
  onBothDatabases,
  openTestServer,
  scopes,
  secret,
  type TestServer,
  testServerFor,
} from '../../support/gatehouse.ts'
import { assertJson, eventsOf, grantsNothing } from '../answers.ts'

const { RS256: key, ES256: otherKey } = clientKeys
const [jobs, mail] = ['https://jobs.example', 'https://mail.example']
const trusted: AssertionIssuerConfig = {
  jwks: { keys: [key.publicJwk] },
  clients: ['agent', 'other-agent', 'desk'],
  unknownUsers: 'create',
}
const config = { resources: { [jobs]: {}, [mail]: {} }, assertionIssuers: { [enterprise]: trusted } }

const agent = (server: TestServer, input: Parameters<TestServer['createClient']>[0] = {}) =>
  server.createClient({
    id: 'agent',
    redirectUris: [],
    grantTypes: [jwtBearerGrant, 'client_credentials'],
    ...input,
  })
const claimsOf = (token: string) =>
  JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as Record<string, unknown>

onBothDatabases('JWT bearer', (dialect) => {
  const open = testServerFor(dialect, config)
  let created: Promise<Awaited<ReturnType<typeof agent>>> | undefined
  const setUp = async () => {
    const server = await open()
    const client = await (created ??= agent(server))
    const make = (overrides: Record<string, unknown> = {}, header: Record<string, unknown> = {}) =>
      identityAssertion(key, 'agent', server.clock.now(), overrides, header)
    return { server, client, make }
  }

  test('RFC 7523 §2.1; ID-JAG §4.4: an identity assertion is good for one access token, and for no refresh token', async () => {
    const { server, client, make } = await setUp()
    const authTime = Math.floor(server.clock.now() / 1_000) - 3_600
    const assertion = make({
      resource: mail,
      scope: 'jobs:read applications:read',
      auth_time: authTime,
      acr: 'phrh',
      amr: ['hwk', 'user'],
      act: { sub: 'assistant' },
      name: 'Maya',
      email: 'maya@acme.example',
    })
    const answer = await bring(server, client, assertion)
    const body = await readTokens(answer)
    assert.deepEqual(Object.keys(body).sort(), ['access_token', 'expires_in', 'scope', 'token_type'])
    assert.deepEqual([body.token_type, body.scope], ['Bearer', 'applications:read jobs:read'])
    const { iss, sub, aud, client_id, auth_time, acr, amr, act } = claimsOf(body.access_token)
    assert.match(String(sub), /^usr_/)
    assert.deepEqual([iss, aud, client_id], [issuer, mail, 'agent'])
    assert.deepEqual([auth_time, acr, amr, act], [authTime, 'phrh', ['hwk', 'user'], { sub: 'assistant' }])
    const [user] = await server.app.server.db.query(
      sql<
        Record<string, unknown>
      >`select i.provider, i.issuer, i.subject, u.name, u.email, u.id from identities i
        join users u on u.id = i.user_id where i.issuer = ${enterprise}`,
    )
    const { id: userId, ...account } = user!
    assert.deepEqual(
      { ...account },
      {
        provider: 'openid',
        issuer: enterprise,
        subject: 'U019488227',
        name: 'Maya',
        email: 'maya@acme.example',
      },
    )
    const [event] = await eventsOf(server, 'agent', 'assertion_granted')
    assert.deepEqual([event!.user_id, event!.session_id === null], [userId, false])
    assert.deepEqual(JSON.parse(event!.body).data, {
      scope: 'applications:read jobs:read',
      issuer: enterprise,
    })
    const seen = await introspect(server, client, body.access_token)
    assert.deepEqual([seen.active, seen.act, seen.acr], [true, { sub: 'assistant' }, 'phrh'])
    // The session is as brief as its token, so nothing of it is left over.
    server.clock.advance(body.expires_in * 1_000)
    assert.equal((await introspect(server, client, body.access_token)).active, false)
    const [living] = await server.app.server.db.query(
      sql<{ count: number }>`select count(*) as count from sessions where client_id = 'agent'
        and expires_at > ${server.clock.now()}`,
    )
    assert.equal(Number(living!.count), 0)
  })

  test('RFC 9068 §5: an issuer of assertions owns no bare subject, and its tokens say who vouched', async () => {
    const { server, client, make } = await setUp()
    const asserted = claimsOf(
      (await readTokens(await bring(server, client, make({ sub: 'alice' })))).access_token,
    )
    assert.match(String(asserted['sub']), /^usr_/)
    assert.equal(asserted['asserted_by'], enterprise)
    server.signedIn.account = { ...alice, authTime: server.clock.now() }
    const site = await server.createClient()
    const own = claimsOf((await obtainTokens(server, site)).access_token)
    assert.equal(own['sub'], 'alice', 'the primary adapter owns it, whoever came first')
    assert.equal(own['asserted_by'], undefined)
    const again = claimsOf(
      (await readTokens(await bring(server, client, make({ sub: 'alice' })))).access_token,
    )
    assert.equal(again['sub'], asserted['sub'])
  })

  test('RFC 9068 §5: an assertion of the very issuer whose people the adapter signs in names them as the adapter does', async () => {
    const accounts: Accounts = {
      authority: { provider: 'openid', issuer: enterprise },
      authenticate: () => null,
    }
    const server = await openTestServer(dialect, { ...config, accounts })
    try {
      const client = await agent(server)
      const assertion = identityAssertion(key, 'agent', server.clock.now(), { sub: 'maya' })
      const { sub, asserted_by } = claimsOf(
        (await readTokens(await bring(server, client, assertion))).access_token,
      )
      assert.deepEqual([sub, asserted_by], ['maya', enterprise])
    } finally {
      await server.close()
    }
  })

  test('RFC 9068 §5: of an adapter that signs in people of several issuers only the primary one owns bare subjects', async () => {
    const state: { account: Account | null } = { account: null }
    const accounts: Accounts = {
      authority: { provider: 'test', issuer: '' },
      authenticate: () => state.account,
    }
    const server = await openTestServer(dialect, { ...config, accounts })
    try {
      const site = await server.createClient()
      state.account = { ...alice, issuer: 'https://other.example', authTime: server.clock.now() }
      assert.match(String(claimsOf((await obtainTokens(server, site)).access_token)['sub']), /^usr_/)
      state.account = { ...alice, authTime: server.clock.now() }
      assert.equal(claimsOf((await obtainTokens(server, site)).access_token)['sub'], 'alice')
    } finally {
      await server.close()
    }
  })

  test('RFC 7523 §3, §3.1: a bad signature, aud, exp or any other claim is invalid_grant (N93)', async () => {
    const { server, client, make } = await setUp()
    const now = Math.floor(server.clock.now() / 1_000)
    const [head, body, signature] = make().split('.') as [string, string, string]
    const unsigned = Buffer.from('{"alg":"none","typ":"oauth-id-jag+jwt"}').toString('base64url')
    const claims = Buffer.from(body, 'base64url').toString()
    const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`
    const deepActors = Buffer.from(`${claims.slice(0, -1)},"act":{"sub":"x","act":${deep}}}`).toString(
      'base64url',
    )
    const bad: Record<string, string> = {
      'no JWT': 'nonsense',
      'signature cut': `${head}.${body}.${signature.slice(0, -4)}`,
      'signature of another': `${head}.${body}.${make().split('.')[2]}`,
      'no algorithm': `${unsigned}.${body}.x`,
      'another key': identityAssertion(otherKey, 'agent', server.clock.now()),
      'another algorithm in the header': `${Buffer.from('{"alg":"ES256","typ":"oauth-id-jag+jwt"}').toString('base64url')}.${body}.${signature}`,
      'a critical extension': make({}, { crit: ['b64'], b64: true }),
      'another issuer': make({ iss: 'https://idp.evil.example' }),
      'no issuer': make({ iss: undefined }),
      'an issuer that is no text': make({ iss: { toString: 1, valueOf: 1 } }),
      'an algorithm that is no text': make({}, { alg: { toString: 1, valueOf: 1 } }),
      'our own word': make({ iss: issuer }),
      'another audience': make({ aud: 'https://other.example' }),
      'issuer with a slash': make({ aud: `${issuer}/` }),
      'token endpoint': make({ aud: `${issuer}/oauth/token` }),
      'two audiences': make({ aud: [issuer, 'https://other.example'] }),
      'no audience': make({ aud: undefined }),
      'empty audience': make({ aud: [] }),
      'another client': make({ client_id: 'other-agent' }),
      'no client': make({ client_id: undefined }),
      'no exp': make({ exp: undefined }),
      'exp passed': make({ exp: now }),
      'exp of zero': make({ exp: 0 }),
      'exp as text': make({ exp: String(now + 60) }),
      'exp too far': make({ exp: now + 601 }),
      'iat ahead': make({ iat: now + 31 }),
      'no iat': make({ iat: undefined }),
      'nbf ahead': make({ nbf: now + 31 }),
      'no jti': make({ jti: undefined }),
      'empty jti': make({ jti: '' }),
      'no sub': make({ sub: undefined }),
      'sub too long': make({ sub: 'x'.repeat(256) }),
      'sub with a NUL': make({ sub: 'U\0' }),
      'sub that is no Unicode': make({ sub: 'U\ud800' }),
      'a name with a NUL': make({ name: 'Ma\0ya' }),
      'acr with a NUL': make({ acr: 'phr\0' }),
      'amr with a NUL': make({ amr: ['hwk\0'] }),
      'a tenant nobody trusts': make({ tenant: 'acme' }),
      'scope as a list': make({ scope: ['jobs:read'] }),
      'malformed scope': make({ scope: 'jobs:read  "' }),
      'act without sub': make({ act: {} }),
      'amr as text': make({ amr: 'hwk' }),
      'auth_time as text': make({ auth_time: 'now' }),
      'auth_time ahead': make({ auth_time: now + 31 }),
      'a chain of actors without end': make({ act: { sub: 'x'.repeat(2_048) } }),
      'a chain of actors that cannot be written': `${head}.${deepActors}.${signature}`,
      'a JWT for another purpose': make({}, { typ: 'at+jwt' }),
      'a plain JWT': make({}, { typ: 'JWT' }),
    }
    const texts = new Set<string>()
    await grantsNothing(server, async () => {
      for (const [what, assertion] of Object.entries(bad)) {
        const answer = await bring(server, client, assertion)
        const text = (await answer.clone().json()) as { error: string; error_description: string }
        assert.equal(text.error, 'invalid_grant', what)
        texts.add(text.error_description)
        await assertJson(answer, 400, 'invalid_grant')
      }
    })
    assert.deepEqual([...texts], ['The assertion is not valid'])
    for (const good of [
      make({ aud: [issuer] }),
      make({}, { typ: 'application/OAuth-ID-JAG+jwt' }),
      make({ exp: now + 600, iat: now + 30, nbf: now + 30 }),
      make({ scope: undefined }),
      make({ exp: now + 60.0004, iat: now - 0.5, auth_time: now - 1.25 }),
    ]) {
      await readTokens(await bring(server, client, good))
    }
    await assertJson(
      await server.post('/oauth/token', { grant_type: jwtBearerGrant }, credentials(client).headers),
      400,
      'invalid_request',
    )
  })

  test('RFC 7523 §3: an assertion is good once, in whatever process, and what is refused is not spent (N93)', async () => {
    const { server, client, make } = await setUp()
    const twin = await server.twin()
    const assertion = make({ resource: jobs })
    await assertJson(await bring(server, client, assertion, { resource: mail }), 400, 'invalid_target')
    await assertJson(await bring(server, client, assertion, { scope: 'resume:read' }), 400, 'invalid_scope')
    await readTokens(await bring(server, client, assertion))
    const there: Pick<TestServer, 'post'> = {
      post: (path, form, headers = {}) =>
        twin.g.fetch(
          new Request(new URL(path, issuer), {
            method: 'POST',
            headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
            body: new URLSearchParams(form as Record<string, string>),
          }),
        ),
    }
    await grantsNothing(server, async () => {
      await assertJson(await bring(server, client, assertion), 400, 'invalid_grant')
      await assertJson(await bring(there, client, assertion), 400, 'invalid_grant')
      server.clock.advance(299_000)
      await assertJson(await bring(there, client, assertion), 400, 'invalid_grant')
    })
    // The same jti of another issuer, or a new one, is another assertion.
    await readTokens(await bring(there, client, make()))
  })

  test('RFC 8707 §2, RFC 6749 §3.3: issuer, assertion, client and request only ever narrow', async () => {
    const { server, make } = await setUp()
    const desk = await agent(server, {
      id: 'desk',
      scope: ['jobs:read', 'applications:read'],
      resources: [jobs],
    })
    const asked = (claims: Record<string, unknown>, more: Record<string, string> = {}) =>
      bring(server, desk, make({ client_id: 'desk', ...claims }), more)
    const got = async (answer: Promise<Response>) => {
      const body = await readTokens(await answer)
      return [claimsOf(body.access_token).aud, body.scope]
    }
    const all = 'jobs:read applications:read applications:write openid offline_access'
    assert.deepEqual(await got(asked({ scope: all, resource: [jobs, mail] })), [
      jobs,
      'applications:read jobs:read',
    ])
    assert.deepEqual(await got(asked({ scope: undefined })), [jobs, 'applications:read jobs:read'])
    assert.deepEqual(await got(asked({ scope: all }, { scope: 'jobs:read' })), [jobs, 'jobs:read'])
    assert.deepEqual(await got(asked({}, { resource: jobs })), [jobs, 'jobs:read'])
    await grantsNothing(server, async () => {
      for (const [claims, more, error] of [
        [{ scope: 'resume:read' }, {}, 'invalid_scope'],
        [{ scope: 'openid' }, {}, 'invalid_scope'],
        [{}, { scope: 'applications:read' }, 'invalid_scope'],
        [{ resource: mail }, {}, 'invalid_target'],
        [{ resource: 'https://nobody.example' }, {}, 'invalid_target'],
        [{}, { resource: mail }, 'invalid_target'],
      ] as [Record<string, unknown>, Record<string, string>, string][]) {
        await assertJson(await asked(claims, more), 400, error)
      }
    })
  })

  test('RFC 6749 §5.2: a client that is not named, has not the grant, or proves nothing gets nothing (N58)', async () => {
    const { server, make } = await setUp()
    const stranger = await agent(server, { id: 'stranger' })
    const answer = await grantsNothing(server, () => bring(server, stranger, make({ client_id: 'stranger' })))
    await assertJson(answer, 400, 'invalid_grant')
    const without = await server.createClient({ id: 'other-agent' })
    await assertJson(
      await bring(server, without, make({ client_id: 'other-agent' })),
      400,
      'unauthorized_client',
    )
    await assert.rejects(agent(server, { id: 'open', tokenEndpointAuthMethod: 'none' }), /confidential/)
    const spent = { grant_type: jwtBearerGrant, assertion: make(), client_id: 'agent' }
    await assertJson(await server.post('/oauth/token', spent), 401, 'invalid_client')
  })

  test('RFC 6749 §5.2: a disabled user gets no token, and what one had ends at once (N86)', async () => {
    const { server, client, make } = await setUp()
    const mine = (more: Record<string, unknown> = {}) => make({ sub: 'U-leaves', ...more })
    const { access_token: token } = await readTokens(await bring(server, client, mine()))
    const { db } = server.app.server
    const [user] = await db.query(
      sql<{ user_id: string }>`select user_id from identities where subject = 'U-leaves'`,
    )
    await disableUser(server.app.server, user!.user_id, 'left')
    assert.equal((await introspect(server, client, token)).active, false)
    const refused = await grantsNothing(server, () => bring(server, client, mine()))
    await assertJson(refused, 400, 'invalid_grant')
    await readTokens(await bring(server, client, make()))
  })

  test('RFC 7800 §3.1: an assertion bound to a key is good with a proof of that key only', async () => {
    const { server, client, make } = await setUp()
    const [mine, other] = [await makeProofKey(), await makeProofKey()]
    const bound = () => make({ cnf: { jkt: mine.jkt } })
    await grantsNothing(server, async () => {
      await assertJson(await bring(server, client, bound()), 400, 'invalid_grant')
      const wrong = { dpop: await proofFor(server, other) }
      await assertJson(await bring(server, client, bound(), {}, wrong), 400, 'invalid_grant')
      const strange = { dpop: await proofFor(server, mine) }
      await assertJson(
        await bring(server, client, make({ cnf: { jwe: 'x' } }), {}, strange),
        400,
        'invalid_grant',
      )
    })
    const proof = { dpop: await proofFor(server, mine) }
    const body = await readTokens(await bring(server, client, bound(), {}, proof))
    assert.equal(body.token_type, 'DPoP')
    assert.deepEqual(claimsOf(body.access_token).cnf, { jkt: mine.jkt })
  })
})

onBothDatabases('JWT bearer by configuration', (dialect) => {
  async function inTestServer(
    issuerConfig: Partial<AssertionIssuerConfig>,
    run: (server: TestServer) => Promise<void>,
    more: Partial<Config> = {},
  ) {
    const server = await openTestServer(dialect, {
      ...config,
      assertionIssuers: { [enterprise]: { ...trusted, ...issuerConfig } },
      ...more,
    })
    try {
      await run(server)
    } finally {
      await server.close()
    }
  }

  test('RFC 7523 §3: a user nobody has seen is refused unless they may be made; one who signed in here is the same', () =>
    inTestServer({ unknownUsers: 'refuse', provider: 'test' }, async (server) => {
      const client = await agent(server)
      const make = (sub: string) => identityAssertion(key, 'agent', server.clock.now(), { sub })
      const before = await countUsers(server)
      await grantsNothing(server, async () => {
        await assertJson(await bring(server, client, make('alice')), 400, 'invalid_grant')
      })
      assert.equal(await countUsers(server), before)
      server.signedIn.account = { ...alice, issuer: enterprise, authTime: server.clock.now() }
      await server.request('/account/apps')
      await readTokens(await bring(server, client, make('alice')))
      assert.equal(await countUsers(server), before + 1)
      await assertJson(await bring(server, client, make('bob')), 400, 'invalid_grant')
    }))

  test('ID-JAG §6: of an issuer with tenants only the one that is named is believed', () =>
    inTestServer({ tenant: 'acme' }, async (server) => {
      const client = await agent(server)
      const make = (tenant?: string) => identityAssertion(key, 'agent', server.clock.now(), { tenant })
      for (const tenant of [undefined, 'other', '']) {
        await assertJson(await bring(server, client, make(tenant)), 400, 'invalid_grant')
      }
      await readTokens(await bring(server, client, make('acme')))
    }))

  test('RFC 7523 §3: where other JWTs are taken, the token endpoint is an audience and a client need not be named', () =>
    inTestServer(
      { accepts: ['jwt'], scope: ['jobs:read'], resources: [jobs], longestLife: 60 },
      async (server) => {
        const client = await agent(server)
        const plain = (overrides: Record<string, unknown> = {}, typ: unknown = 'JWT') =>
          identityAssertion(
            key,
            'agent',
            server.clock.now(),
            {
              exp: Math.floor(server.clock.now() / 1_000) + 60,
              client_id: undefined,
              iat: undefined,
              scope: undefined,
              ...overrides,
            },
            { typ },
          )
        for (const overrides of [{}, { aud: `${issuer}/oauth/token` }, { client_id: 'agent' }]) {
          const body = await readTokens(await bring(server, client, plain(overrides)))
          assert.deepEqual([body.scope, claimsOf(body.access_token).aud], ['jobs:read', jobs])
        }
        await readTokens(await bring(server, client, plain({}, 'authorization-grant+jwt')))
        await grantsNothing(server, async () => {
          for (const assertion of [
            plain({ client_id: 'other-agent' }),
            plain({ exp: Math.floor(server.clock.now() / 1_000) + 61 }),
            plain({}, 'oauth-id-jag+jwt'),
            identityAssertion(key, 'agent', server.clock.now()),
            plain({ aud: [issuer, `${issuer}/oauth/token`] }),
          ]) {
            await assertJson(await bring(server, client, assertion), 400, 'invalid_grant')
          }
        })
      },
    ))

  test('RFC 7517 §5: keys that are published are read; where they cannot be it is trouble of ours, not of the grant', async () => {
    const documents = await openDocuments()
    documents.serve('/jwks.json', { keys: [otherKey.publicJwk, key.publicJwk] })
    const { jwks: _, ...withoutKeys } = trusted
    const published = (path: string) => ({ ...withoutKeys, jwksUri: documents.origin + path })
    const outbound = { outbound: { ca: documents.ca } }
    const bringOne = async (server: TestServer) =>
      bring(server, await agent(server), identityAssertion(key, 'agent', server.clock.now()))
    try {
      for (const [path, passes] of [
        ['/jwks.json', true],
        ['/nothing.json', false],
      ] as const) {
        const assertionIssuers = { [enterprise]: published(path) }
        await inTestServer(
          {},
          async (server) => {
            const answer = await bringOne(server)
            if (passes) return void (await readTokens(answer))
            assert.ok(Number(answer.headers.get('retry-after')) > 0)
            await assertJson(answer, 503, 'temporarily_unavailable')
          },
          { ...outbound, assertionIssuers },
        )
      }
      // An address inside is no place for keys, and is not asked (rule 17).
      const inside = { ...withoutKeys, jwksUri: 'https://10.0.0.1/jwks.json' }
      await inTestServer(
        {},
        async (server) => {
          await assertJson(await bringOne(server), 400, 'invalid_grant')
        },
        { ...outbound, assertionIssuers: { [enterprise]: inside } },
      )
    } finally {
      await documents.close()
    }
  })

  test('ID-JAG §7.2: the profile is advertised with its grant where it is on', async () => {
    const read = async (server: TestServer) =>
      (await (await server.request('/.well-known/oauth-authorization-server')).json()) as {
        grant_types_supported: string[]
        authorization_grant_profiles_supported?: string[]
      }
    await inTestServer({}, async (server) => {
      const metadata = await read(server)
      assert.deepEqual(metadata.authorization_grant_profiles_supported, [
        'urn:ietf:params:oauth:grant-profile:id-jag',
      ])
      assert.ok(metadata.grant_types_supported.includes(jwtBearerGrant))
      assert.ok(!JSON.stringify(metadata).includes(enterprise), 'whom it trusts is nobody’s business')
    })
    await inTestServer({ accepts: ['jwt'] }, async (server) => {
      const metadata = await read(server)
      assert.equal(metadata.authorization_grant_profiles_supported, undefined)
      assert.ok(metadata.grant_types_supported.includes(jwtBearerGrant))
    })
    const without = await openTestServer(dialect)
    try {
      const metadata = await read(without)
      assert.ok(!metadata.grant_types_supported.includes(jwtBearerGrant))
      const client = await without.createClient()
      const assertion = identityAssertion(key, client.client.id, without.clock.now())
      await assertJson(await bring(without, client, assertion), 400, 'unsupported_grant_type')
    } finally {
      await without.close()
    }
  })
})

async function countUsers(server: TestServer): Promise<number> {
  const [row] = await server.app.server.db.query(sql<{ count: number }>`select count(*) as count from users`)
  return Number(row!.count)
}

test('sections of exchange, assertions and devices say everything that is wrong with them at once', () => {
  const wrong = (more: object) => {
    try {
      resolveConfig({ issuer, secret, scopes, resources: { [jobs]: {} }, ...more })
    } catch (error) {
      assert.ok(error instanceof ConfigError)
      return error.problems.map((one) => one.path)
    }
    return []
  }
  assert.deepEqual(wrong({ device: { lifetime: 1, interval: 0, perNetwork: 0 } }), [
    'device.lifetime',
    'device.interval',
    'device.perNetwork',
  ])
  assert.deepEqual(
    wrong({
      tokenExchange: {
        allows: true,
        rules: [
          { client: '', resources: [] },
          {
            client: 'a',
            kind: 'magic',
            resources: ['https://no.example'],
            scope: ['no'],
            subjectClients: [''],
            mayAct: '',
          },
        ],
      },
    }),
    [
      'tokenExchange.rules[0].client',
      'tokenExchange.rules[0].resources',
      'tokenExchange.rules[1].kind',
      'tokenExchange.rules[1].subjectClients[0]',
      'tokenExchange.rules[1].mayAct',
      'tokenExchange.allows',
      'tokenExchange.rules[1].resources',
      'tokenExchange.rules[1].scope',
    ],
  )
  const one = (more: object) => wrong({ assertionIssuers: { [enterprise]: { ...trusted, ...more } } })
  const path = (name: string) => `assertionIssuers.${enterprise}${name}`
  assert.deepEqual(wrong({ assertionIssuers: { [issuer]: trusted } }), [`assertionIssuers.${issuer}`])
  assert.deepEqual(one({ jwksUri: 'https://idp.acme.example/jwks' }), [path('')])
  assert.deepEqual(one({ jwks: undefined, jwksUri: 'http://idp.acme.example/jwks' }), [path('.jwksUri')])
  assert.deepEqual(one({ jwks: { keys: [{ kty: 'oct', k: 'x' }] } }), [path('.jwks')])
  assert.deepEqual(
    one({
      clients: [1],
      accepts: ['saml'],
      scope: ['no'],
      resources: ['https://no.example'],
      provider: 'No',
      unknownUsers: 'perhaps',
      tenant: '',
      algorithms: ['HS256'],
      longestLife: 1,
    }),
    [
      'clients[0]',
      'accepts[0]',
      'provider',
      'unknownUsers',
      'tenant',
      'algorithms[0]',
      'longestLife',
      'scope',
      'resources',
    ].map((name) => path(`.${name}`)),
  )
  assert.deepEqual(one({}), [])
})
