import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Config } from '../../../src/config.ts'
import { sql } from '../../../src/db/sql.ts'
import type { CreatedClient } from '../../../src/oauth/clients/client-operations.ts'
import { makeProofKey, proofFor } from '../../support/dpop.ts'
import { credentials, introspect, obtainTokens, readTokens, type Tokens } from '../../support/flow.ts'
import { onBothDatabases, openTestServer, type TestServer, testServerFor } from '../../support/gatehouse.ts'
import { assertJson, eventsOf, grantsNothing } from '../answers.ts'

const grant = 'urn:ietf:params:oauth:grant-type:token-exchange'
const type = (name: string) => `urn:ietf:params:oauth:token-type:${name}`
const [jobs, mail, pay] = ['https://jobs.example', 'https://mail.example', 'https://pay.example']

const config: Partial<Config> = {
  resources: { [jobs]: {}, [mail]: {}, [pay]: { tokenFormat: 'opaque' } },
  tokenExchange: {
    rules: [
      // The API of jobs sends mail for the user, reading only; the mail API pays, and may be used by nobody else.
      { client: 'jobs-api', resources: [mail], scope: ['jobs:read', 'applications:read'] },
      { client: 'jobs-api', resources: [pay], kind: 'impersonation', mayAct: 'ledger' },
      { client: 'mail-api', resources: [pay, mail], mayAct: 'pay-api' },
      { client: 'pay-api', resources: [pay, mail] },
      { client: 'app', resources: [jobs, mail], subjectClients: ['app'] },
      { client: 'looking-glass', resources: [jobs], kind: 'impersonation', subjectClients: ['other'] },
    ],
  },
}

interface Cast {
  app: CreatedClient
  jobsApi: CreatedClient
  mailApi: CreatedClient
  payApi: CreatedClient
}

async function cast(server: TestServer): Promise<Cast> {
  const api = (id: string, resource: string) =>
    server.createClient({
      id,
      name: id,
      redirectUris: [],
      grantTypes: [grant, 'client_credentials'],
      resourceServerFor: [resource],
    })
  return {
    app: await server.createClient({
      id: 'app',
      grantTypes: ['authorization_code', 'refresh_token', 'client_credentials', grant],
    }),
    jobsApi: await api('jobs-api', jobs),
    mailApi: await api('mail-api', mail),
    payApi: await api('pay-api', pay),
  }
}

function exchange(
  server: TestServer,
  created: CreatedClient,
  subject: string | undefined,
  more: Record<string, string | string[]> = {},
  headers: Record<string, string> = {},
): Promise<Response> {
  const by = credentials(created)
  return server.post(
    '/oauth/token',
    {
      grant_type: grant,
      ...(subject === undefined ? {} : { subject_token: subject, subject_token_type: type('access_token') }),
      ...by.form,
      ...more,
    },
    { ...by.headers, ...headers },
  )
}

type Exchanged = Tokens & { issued_token_type: string }
const readExchanged = async (response: Response) => (await readTokens(response)) as Exchanged
const claimsOf = (token: string) =>
  JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as Record<string, unknown>

onBothDatabases('token exchange', (dialect) => {
  const open = testServerFor(dialect, config)
  let parties: Promise<Cast> | undefined
  const setUp = async () => {
    const server = await open()
    return { server, ...(await (parties ??= cast(server))) }
  }
  const scope = 'jobs:read applications:read applications:write'

  test('RFC 8693 §2.2.1: an API gets a token for the next one, in the name of its user, and says who acts', async () => {
    const { server, app, jobsApi } = await setUp()
    const { access_token: subject } = await obtainTokens(server, app, { resource: jobs, scope })
    server.clock.advance(60_000)
    const answer = await exchange(server, jobsApi, subject, { resource: mail })
    const body = await readExchanged(answer)
    assert.deepEqual(Object.keys(body).sort(), [
      'access_token',
      'expires_in',
      'issued_token_type',
      'scope',
      'token_type',
    ])
    assert.equal(body.issued_token_type, type('access_token'))
    assert.equal(body.token_type, 'Bearer')
    assert.equal(body.scope, 'applications:read jobs:read', 'what rule and token have in common')
    assert.equal(body.expires_in, 840, 'never longer than the token it came from')
    const { aud, sub, client_id, act, auth_time, ...rest } = claimsOf(body.access_token)
    assert.deepEqual([aud, sub, client_id, act], [mail, 'alice', 'jobs-api', { sub: 'jobs-api' }])
    assert.equal(auth_time, Math.floor(server.signedIn.account!.authTime! / 1_000))
    assert.equal('may_act' in rest, false)
    const [event] = await eventsOf(server, 'jobs-api', 'token_delegated')
    assert.ok(event!.user_id && event!.session_id)
    assert.deepEqual(JSON.parse(event!.body).data, {
      scope: 'applications:read jobs:read',
      resources: [mail],
      subject_client: 'app',
      actor: 'jobs-api',
    })
  })

  test('RFC 8693 §4.1: a chain of actors is nested, the one who acts now outermost; introspection shows it', async () => {
    const { server, app, jobsApi, mailApi, payApi } = await setUp()
    const { access_token: subject } = await obtainTokens(server, app, { resource: jobs, scope })
    const first = await readExchanged(await exchange(server, jobsApi, subject, { resource: mail }))
    const second = await readExchanged(await exchange(server, mailApi, first.access_token, { resource: pay }))
    assert.ok(!second.access_token.includes('.'), 'this API has opaque tokens')
    const seen = await introspect(server, payApi, second.access_token)
    assert.deepEqual(seen.act, { sub: 'mail-api', act: { sub: 'jobs-api' } })
    assert.deepEqual(seen.may_act, { sub: 'pay-api' })
    assert.deepEqual([seen.active, seen.client_id, seen.sub, seen.aud], [true, 'mail-api', 'alice', pay])

    // Who may act next is named (§4.4): the one, and no other.
    const third = await readExchanged(await exchange(server, payApi, second.access_token, { resource: mail }))
    assert.deepEqual(claimsOf(third.access_token).act, {
      sub: 'pay-api',
      act: { sub: 'mail-api', act: { sub: 'jobs-api' } },
    })
    const own = await grantsNothing(server, () =>
      exchange(server, mailApi, second.access_token, { resource: mail }),
    )
    await assertJson(own, 400, 'invalid_request')
  })

  test('RFC 8693 §1.1: impersonation only where a rule says so; the token then does not tell, the log does', async () => {
    const { server, app, jobsApi } = await setUp()
    const { access_token: subject } = await obtainTokens(server, app, { resource: jobs })
    const { access_token: token } = await readExchanged(
      await exchange(server, jobsApi, subject, { resource: pay }),
    )
    const payApi = (await parties!).payApi
    const seen = await introspect(server, payApi, token)
    assert.deepEqual([seen.sub, 'act' in seen, seen.client_id], ['alice', false, 'jobs-api'])
    const [event] = await eventsOf(server, 'jobs-api', 'token_impersonated')
    assert.equal(JSON.parse(event!.body).data.actor, 'jobs-api')
    // Who was acting before is not forgotten by it, and an actor token wants delegation.
    const actor = await readTokens(await ownToken(server, jobsApi))
    const asked = { actor_token: actor.access_token, actor_token_type: type('access_token') }
    await assertJson(
      await exchange(server, jobsApi, subject, { resource: pay, ...asked }),
      400,
      'invalid_target',
    )
  })

  test('RFC 8693 §2.1: an actor token says who acts', async () => {
    const { server, app, jobsApi } = await setUp()
    const { access_token: subject } = await obtainTokens(server, app, { resource: jobs })
    const service = await readTokens(await ownToken(server, jobsApi))
    const asked = { resource: mail, actor_token: service.access_token, actor_token_type: type('jwt') }
    const first = await readExchanged(await exchange(server, jobsApi, subject, asked))
    assert.deepEqual(claimsOf(first.access_token).act, { sub: 'jobs-api' })
    server.signedIn.account = { ...server.signedIn.account!, subject: 'bob', name: 'Bob' }
    const bobs = await obtainTokens(server, app, { resource: jobs })
    server.signedIn.account = { ...server.signedIn.account!, subject: 'alice', name: 'Alice' }
    const byBob = { ...asked, actor_token: bobs.access_token }
    const second = await readExchanged(await exchange(server, app, subject, byBob))
    assert.deepEqual(claimsOf(second.access_token).act, { sub: 'bob', client_id: 'app' })
    // Whoever was shown a token cannot say with it that its user acts.
    const said = await grantsNothing(server, () => exchange(server, jobsApi, subject, byBob))
    await assertJson(said, 400, 'invalid_request')
  })

  test('RFC 8693 §2.2.2: a subject or actor token that is expired, revoked, foreign or refused by policy is invalid_request (N90)', async () => {
    const { server, app, jobsApi, mailApi } = await setUp()
    const brief = await server.createClient({
      grantTypes: ['authorization_code', 'refresh_token'],
      accessTokenLifetime: 60,
    })
    const expired = await obtainTokens(server, brief, { resource: jobs })
    server.clock.advance(60_000)
    const good = await obtainTokens(server, app, { resource: jobs })
    const revoked = await obtainTokens(server, app, { resource: jobs })
    await server.post('/oauth/revoke', { token: revoked.access_token }, credentials(app).headers)
    const ended = await obtainTokens(server, app, { resource: jobs })
    await server.post('/oauth/revoke', { token: ended.refresh_token! }, credentials(app).headers)
    const forMail = await obtainTokens(server, app, { resource: mail })
    const service = await readTokens(await ownToken(server, jobsApi))
    const suspended = await server.createClient()
    const ofSuspended = await obtainTokens(server, suspended, { resource: jobs })
    await server.g.clients.suspend(suspended.client.id, 'a test')
    const forged = `${good.access_token.slice(0, -4)}AAAA`
    const messages = new Set<string>()
    const refusedAs = async (response: Response) => {
      messages.add(((await response.clone().json()) as { error_description: string }).error_description)
      await assertJson(response, 400, 'invalid_request')
    }
    const bad = {
      unknown: 'nonsense',
      opaque: `gh_at_${'0'.repeat(26)}${'A'.repeat(43)}`,
      forged,
      expired: expired.access_token,
      revoked: revoked.access_token,
      ended: ended.access_token,
      foreign: forMail.access_token,
      'refresh token': good.refresh_token!,
      'of a suspended client': ofSuspended.access_token,
    }
    await grantsNothing(server, async () => {
      for (const token of [...Object.values(bad), service.access_token]) {
        await refusedAs(await exchange(server, jobsApi, token, { resource: mail }))
      }
      assert.deepEqual([...messages], ['The subject_token is not valid'])
      messages.clear()
      for (const token of Object.values(bad)) {
        const actor = { actor_token: token, actor_token_type: type('access_token') }
        await refusedAs(await exchange(server, jobsApi, good.access_token, { resource: mail, ...actor }))
      }
      assert.deepEqual([...messages], ['The actor_token is not valid'])
      messages.clear()
      // No rule lets the mail API take what is for jobs; its own token it could.
      await refusedAs(await exchange(server, mailApi, good.access_token, { resource: pay }))
      assert.deepEqual([...messages], ['The subject_token is not valid'])
    })
    await readExchanged(await exchange(server, mailApi, forMail.access_token, { resource: pay }))
    await readExchanged(await exchange(server, jobsApi, good.access_token, { resource: mail }))
  })

  test('RFC 8693 §2.1, §2.2.2: a token without its type, a type without its token, or a type nobody knows is invalid_request (N91)', async () => {
    const { server, app, jobsApi } = await setUp()
    const { access_token: subject, refresh_token } = await obtainTokens(server, app, { resource: jobs })
    const at = type('access_token')
    await grantsNothing(server, async () => {
      for (const form of [
        { subject_token: subject },
        { subject_token_type: at },
        { subject_token: '', subject_token_type: at },
        { subject_token: subject, subject_token_type: 'urn:nobody' },
        { subject_token: subject, subject_token_type: type('saml2') },
        { subject_token: refresh_token!, subject_token_type: type('refresh_token') },
        { subject_token: subject, subject_token_type: at, actor_token: subject },
        { subject_token: subject, subject_token_type: at, actor_token_type: at },
        { subject_token: subject, subject_token_type: at, actor_token: subject, actor_token_type: 'urn:x' },
        {
          subject_token: subject,
          subject_token_type: at,
          actor_token: subject,
          actor_token_type: type('id_token'),
        },
        { subject_token: subject, subject_token_type: at, requested_token_type: 'urn:nobody' },
        { subject_token: subject, subject_token_type: at, requested_token_type: type('refresh_token') },
        { subject_token: subject, subject_token_type: at, requested_token_type: type('id_token') },
      ] as Record<string, string>[]) {
        await assertJson(
          await exchange(server, jobsApi, undefined, { resource: mail, ...form }),
          400,
          'invalid_request',
        )
      }
      const opaque = { resource: pay, requested_token_type: type('jwt') }
      await assertJson(await exchange(server, jobsApi, subject, opaque), 400, 'invalid_request')
    })
    const jwt = { resource: mail, subject_token_type: type('jwt'), requested_token_type: type('jwt') }
    const body = await readExchanged(await exchange(server, jobsApi, subject, jwt))
    assert.equal(body.issued_token_type, type('jwt'))
  })

  test('RFC 8693 §2.2.2: a refused target is invalid_target, a wider scope invalid_scope (N92)', async () => {
    const { server, app, jobsApi } = await setUp()
    const { access_token: subject } = await obtainTokens(server, app, { resource: jobs, scope })
    await grantsNothing(server, async () => {
      for (const [form, error] of [
        [{ resource: jobs }, 'invalid_target'],
        [{ resource: 'https://nobody.example' }, 'invalid_target'],
        [{ resource: 'nonsense' }, 'invalid_target'],
        [{ resource: [mail, jobs] }, 'invalid_target'],
        [{ resource: mail, audience: jobs }, 'invalid_target'],
        [{ audience: 'nobody' }, 'invalid_target'],
        [{ audience: 'app' }, 'invalid_target'],
        // Nothing is named, and no rule is about the API it was for.
        [{}, 'invalid_target'],
        [{ resource: mail, scope: 'resume:read' }, 'invalid_scope'],
        [{ resource: mail, scope: 'applications:write' }, 'invalid_scope'],
        [{ resource: mail, scope: 'jobs:read openid' }, 'invalid_scope'],
        [{ resource: mail, scope: 'jobs:read\u0000' }, 'invalid_request'],
      ] as const) {
        const answer = await exchange(server, jobsApi, subject, form as Record<string, string>)
        await assertJson(answer, 400, error)
      }
    })
    const narrow = { resource: mail, scope: 'jobs:read' }
    assert.equal((await readExchanged(await exchange(server, jobsApi, subject, narrow))).scope, 'jobs:read')
  })

  test('RFC 8693 §2.1: audience names an API or who serves it; audience and resource may repeat, nothing else (N56)', async () => {
    const { server, app, jobsApi } = await setUp()
    const { access_token: subject } = await obtainTokens(server, app, { resource: jobs })
    for (const form of [
      { audience: mail },
      { audience: 'mail-api' },
      { audience: [mail, 'mail-api'], resource: [mail, mail] },
    ] as Record<string, string>[]) {
      const body = await readExchanged(await exchange(server, jobsApi, subject, form))
      assert.equal(claimsOf(body.access_token).aud, mail)
    }
    const two = await readExchanged(await exchange(server, app, subject, { audience: [jobs, mail] }))
    assert.deepEqual(claimsOf(two.access_token).aud, [jobs, mail])
    const same = await readExchanged(await exchange(server, app, subject))
    assert.equal(claimsOf(same.access_token).aud, jobs, 'without a name: what it was for')
    const twice = { resource: mail, scope: ['jobs:read', 'jobs:read'] }
    await assertJson(await exchange(server, jobsApi, subject, twice), 400, 'invalid_request')
    const doubled = { resource: mail, subject_token: [subject, subject] }
    await assertJson(await exchange(server, jobsApi, undefined, doubled), 400, 'invalid_request')
    const other = { grant_type: 'client_credentials', audience: ['a', 'b'] }
    await assertJson(
      await server.post('/oauth/token', other, credentials(jobsApi).headers),
      400,
      'invalid_request',
    )
  })

  test('RFC 6749 §5.2: a client without the grant, a public one, one without a rule gets nothing (N58)', async () => {
    const { server, app } = await setUp()
    const { access_token: subject } = await obtainTokens(server, app, { resource: jobs })
    const without = await server.createClient({ resourceServerFor: [jobs] })
    await assertJson(await exchange(server, without, subject, { resource: mail }), 400, 'unauthorized_client')
    await assert.rejects(
      server.createClient({ tokenEndpointAuthMethod: 'none', grantTypes: [grant], redirectUris: [] }),
      /confidential/,
    )
    const open_ = await server.createClient({ tokenEndpointAuthMethod: 'none' })
    await assertJson(await exchange(server, open_, subject, { resource: mail }), 400, 'unauthorized_client')
    const unruled = await server.createClient({
      redirectUris: [],
      grantTypes: [grant],
      resourceServerFor: [jobs],
    })
    await assertJson(await exchange(server, unruled, subject, { resource: mail }), 400, 'invalid_request')
    const glass = await server.createClient({
      id: 'looking-glass',
      redirectUris: [],
      grantTypes: [grant],
      resourceServerFor: [jobs],
    })
    await assertJson(await exchange(server, glass, subject, { resource: jobs }), 400, 'invalid_request')
    const inQuery = await server.post(`/oauth/token?subject_token=${subject}`, {}, credentials(app).headers)
    await assertJson(inQuery, 400, 'invalid_request')
  })

  test('RFC 7009 §2.1: what was exchanged lives in the session of its user and dies with it (N115)', async () => {
    const { server, app, jobsApi, mailApi } = await setUp()
    const tokens = await obtainTokens(server, app, { resource: jobs })
    const first = await readExchanged(
      await exchange(server, jobsApi, tokens.access_token, { resource: mail }),
    )
    const second = await readExchanged(
      await exchange(server, mailApi, first.access_token, { resource: mail }),
    )
    const active = async (token: string) => (await introspect(server, mailApi, token)).active
    assert.deepEqual([await active(first.access_token), await active(second.access_token)], [true, true])
    // The client whose session it is, suspended, has no tokens, in whosever hands.
    await server.g.clients.suspend('app', 'a test')
    assert.equal(await active(first.access_token), false)
    await server.g.clients.restore('app')
    assert.equal(await active(first.access_token), true)
    const foreign = await server.post(
      '/oauth/revoke',
      { token: first.access_token },
      credentials(app).headers,
    )
    await assertJson(foreign, 400, 'invalid_request')
    await server.post('/oauth/revoke', { token: second.access_token }, credentials(mailApi).headers)
    assert.deepEqual([await active(first.access_token), await active(second.access_token)], [true, false])
    await server.post('/oauth/revoke', { token: tokens.refresh_token! }, credentials(app).headers)
    assert.equal(await active(first.access_token), false)
    const headers = { authorization: `Bearer ${first.access_token}` }
    assert.equal((await server.g.authenticate({ headers }, { resource: mail })).ok, false)
  })

  test('RFC 9449 §5: a bound token is exchanged with its key only, and the new one is bound as the request proves', async () => {
    const { server, app, jobsApi } = await setUp()
    const key = await makeProofKey()
    const other = await makeProofKey()
    const refreshed = await obtainTokens(server, app, { resource: [jobs, mail] })
    const bound = await readTokens(
      await server.post(
        '/oauth/token',
        { grant_type: 'refresh_token', refresh_token: refreshed.refresh_token! },
        { ...credentials(app).headers, dpop: await proofFor(server, key) },
      ),
    )
    assert.equal(bound.token_type, 'DPoP')
    await grantsNothing(server, async () => {
      for (const created of [app, jobsApi]) {
        await assertJson(
          await exchange(server, created, bound.access_token, { resource: mail }),
          400,
          'invalid_request',
        )
        const headers = { dpop: await proofFor(server, other) }
        await assertJson(
          await exchange(server, created, bound.access_token, { resource: mail }, headers),
          400,
          'invalid_request',
        )
      }
    })
    const proof = { dpop: await proofFor(server, key) }
    const same = await readExchanged(
      await exchange(server, app, bound.access_token, { resource: mail }, proof),
    )
    assert.equal(same.token_type, 'DPoP')
    assert.deepEqual(claimsOf(same.access_token).cnf, { jkt: key.jkt })
    const own = { dpop: await proofFor(server, other) }
    const plain = await obtainTokens(server, app, { resource: jobs })
    const fresh = await readExchanged(
      await exchange(server, jobsApi, plain.access_token, { resource: mail }, own),
    )
    assert.deepEqual(claimsOf(fresh.access_token).cnf, { jkt: other.jkt })
  })

  test('OpenID Connect Core §2: an ID token of the client’s own stands for the session that lives', async () => {
    const { server, app, jobsApi } = await setUp()
    server.clock.advance(1_000)
    const tokens = (await obtainTokens(server, app, {
      scope: `openid ${scope}`,
      resource: jobs,
    })) as Tokens & {
      id_token: string
    }
    const asked = { subject_token: tokens.id_token, subject_token_type: type('id_token'), resource: mail }
    const body = await readExchanged(await exchange(server, app, undefined, asked))
    assert.deepEqual(claimsOf(body.access_token).act, { sub: 'app' })
    assert.equal(body.scope, 'applications:read applications:write jobs:read', 'none of OpenID Connect')
    await grantsNothing(server, async () => {
      await assertJson(await exchange(server, jobsApi, undefined, asked), 400, 'invalid_request')
      const asAccess = { ...asked, subject_token_type: type('access_token') }
      await assertJson(await exchange(server, app, undefined, asAccess), 400, 'invalid_request')
      const access = { ...asked, subject_token: tokens.access_token }
      await assertJson(await exchange(server, app, undefined, access), 400, 'invalid_request')
      server.clock.advance(900_000)
      await assertJson(await exchange(server, app, undefined, asked), 400, 'invalid_request')
    })
    server.clock.advance(-900_000)
    await readExchanged(await exchange(server, app, undefined, asked))
    const { db } = server.app.server
    const userId = (await db.query(sql<{ id: string }>`select id from users where subject = 'alice'`))[0]!.id
    await db.query(sql`update sessions set revoked_at = 1 where user_id = ${userId} and revoked_at is null`)
    await assertJson(await exchange(server, app, undefined, asked), 400, 'invalid_request')
  })
})

onBothDatabases('token exchange by policy', (dialect) => {
  test('RFC 8693 §2.2.2: the deployment’s own function is asked after the rules and may refuse (N90)', async () => {
    const asked: unknown[] = []
    const server = await openTestServer(dialect, {
      ...config,
      tokenExchange: {
        rules: config.tokenExchange!.rules,
        allows: async (exchange) => {
          asked.push(exchange)
          return exchange.scope.includes('jobs:read')
        },
      },
    })
    try {
      const { app, jobsApi } = await cast(server)
      const { access_token: subject } = await obtainTokens(server, app, {
        resource: jobs,
        scope: 'jobs:read applications:read',
      })
      const refused = await grantsNothing(server, () =>
        exchange(server, jobsApi, subject, { resource: mail, scope: 'applications:read' }),
      )
      await assertJson(refused, 400, 'invalid_request')
      await assertJson(await exchange(server, jobsApi, subject, { resource: jobs }), 400, 'invalid_target')
      await readExchanged(await exchange(server, jobsApi, subject, { resource: mail }))
      const facts = {
        client: 'jobs-api',
        kind: 'delegation',
        subject: 'alice',
        subjectClient: 'app',
        actor: 'jobs-api',
        resources: [mail],
      }
      assert.deepEqual(asked, [
        { ...facts, scope: ['applications:read'] },
        { ...facts, scope: ['applications:read', 'jobs:read'] },
      ])
    } finally {
      await server.close()
    }
  })

  test('RFC 8414 §2: it is advertised where it is on; with no rule nothing is allowed, off it is not there', async () => {
    for (const tokenExchange of [{ rules: [] }, undefined]) {
      const server = await openTestServer(dialect, {
        resources: config.resources!,
        ...(tokenExchange ? { tokenExchange } : {}),
      })
      try {
        const document = await server.request('/.well-known/oauth-authorization-server')
        const { grant_types_supported: grants } = (await document.json()) as {
          grant_types_supported: string[]
        }
        assert.equal(grants.includes(grant), tokenExchange !== undefined)
        const client = await server.createClient(
          tokenExchange ? { grantTypes: ['authorization_code', grant] } : {},
        )
        const { access_token } = await obtainTokens(server, client, { resource: jobs })
        const answer = await exchange(server, client, access_token, { resource: jobs })
        await assertJson(answer, 400, tokenExchange ? 'invalid_request' : 'unsupported_grant_type')
      } finally {
        await server.close()
      }
    }
  })
})

function ownToken(server: TestServer, created: CreatedClient): Promise<Response> {
  const { headers } = credentials(created)
  return server.post('/oauth/token', { grant_type: 'client_credentials', resource: jobs }, headers)
}
