// What the mission asks of storage and no single section of an RFC proves.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Database } from '../../src/db/database.ts'
import { raw, sql } from '../../src/db/sql.ts'
import { listEvents } from '../../src/events/list.ts'
import {
  assertError,
  authorize,
  authorizeParameters,
  makePkce,
  obtainCode,
  obtainTokens,
  readConsent,
  readRedirect,
  readTokens,
  redeem,
  refresh,
} from '../support/flow.ts'
import { alice, basic, bob, onBothDatabases, testServerFor } from '../support/gatehouse.ts'

const tables = [
  'users',
  'identities',
  'local_accounts',
  'sign_ins',
  'clients',
  'consents',
  'authorization_requests',
  'codes',
  'sessions',
  'refresh_tokens',
  'access_tokens',
  'signing_keys',
  'events',
  'rate_limits',
  'jobs',
]

/** Every row of every table, as text. */
async function dump(db: Database): Promise<string> {
  const rows = await Promise.all(tables.map((name) => db.query(sql`select * from ${raw(name)}`)))
  return JSON.stringify(rows)
}

onBothDatabases('what is stored', (dialect) => {
  const open = testServerFor(dialect)

  test('C4: no token, code, client secret or private key stands in the database', async () => {
    const server = await open()
    const { db } = server.app.server
    for (const tokenFormat of ['jwt', 'opaque'] as const) {
      const created = await server.createClient({ tokenFormat })
      const pkce = makePkce()
      const shown = await readConsent(
        await server.request(`/oauth/authorize?${authorizeParameters(created, pkce)}`),
      )
      const code = await obtainCode(server, created, pkce)
      const tokens = await readTokens(await redeem(server, created, code, pkce))
      const next = await readTokens(await refresh(server, created, tokens.refresh_token!))
      const stored = await dump(db)
      assert.ok(stored.includes(created.client.id))
      const secrets = {
        client: created.secret!,
        code,
        verifier: pkce.verifier,
        access: tokens.access_token,
        refresh: tokens.refresh_token!,
        successor: next.refresh_token!,
        'consent form': shown.fields.request!,
        'form token': shown.fields.form_token!,
        'key in PEM': 'PRIVATE KEY',
        'key in JWK': '"d":',
      }
      for (const [name, secret] of Object.entries(secrets)) {
        assert.ok(secret.length > 3)
        assert.ok(!stored.includes(secret), `${name} is stored as it is`)
      }
    }
  })

  test('R79, R80: a signing key has kid, algorithm and times, and its private part names the root that seals it', async () => {
    const { db, secrets } = (await open()).app.server
    const [key] = await db.query(sql<Record<string, string | number | null>>`select * from signing_keys`)
    assert.equal(key!.alg, 'ES256')
    assert.ok(Number.isInteger(key!.not_before) && key!.retired_at === null)
    assert.match(String(key!.sealed_private), new RegExp(`^v1\\.${secrets.newestId}\\.[A-Za-z0-9_-]+$`))
    const context = `signing_keys ${key!.kid} sealed_private`
    assert.match(secrets.open(String(key!.sealed_private), context), /^-----BEGIN PRIVATE KEY-----/)
    assert.throws(() => secrets.open(String(key!.sealed_private), 'signing_keys another sealed_private'))
  })

  test('R76: a token has a session, a client and an audience, and a JWT is known by its jti', async () => {
    const server = await open()
    const created = await server.createClient({ tokenFormat: 'jwt' })
    const tokens = await obtainTokens(server, created)
    const claims = JSON.parse(Buffer.from(tokens.access_token.split('.')[1]!, 'base64url').toString())
    const { db } = server.app.server
    const [access] = await db.query(
      sql<Record<string, unknown>>`select * from access_tokens where id = ${claims.jti}`,
    )
    assert.equal(access!.client_id, created.client.id)
    assert.equal(access!.resources, claims.aud)
    const [session] = await db.query(
      sql<Record<string, unknown>>`select * from sessions where id = ${access!.session_id}`,
    )
    assert.equal(session!.client_id, created.client.id)
    assert.equal(session!.granted_scope, 'jobs:read')
    const family = await db.query(sql`select id from refresh_tokens where session_id = ${access!.session_id}`)
    assert.equal(family.length, 1)
  })

  test('C6: the database itself refuses a code_challenge_method other than S256', async () => {
    const server = await open()
    await obtainCode(server, await server.createClient())
    const { db } = server.app.server
    await assert.rejects(db.query(sql`update codes set code_challenge_method = 'plain'`), /check/i)
    await db.query(sql`update codes set code_challenge_method = 'S256'`)
  })

  test('C12: a refresh token without an end cannot be stored', async () => {
    const server = await open()
    await obtainTokens(server, await server.createClient())
    await assert.rejects(
      server.app.server.db.query(sql`update refresh_tokens set expires_at = null`),
      /null/i,
    )
  })

  test('R74: a client says where it came from and what kind it is', async () => {
    const server = await open()
    const { client } = await server.createClient({ profile: 'gpt_action' })
    assert.deepEqual([client.source, client.profile, client.requirePkce], ['admin', 'gpt_action', false])
    const { db } = server.app.server
    await assert.rejects(db.query(sql`update clients set source = 'elsewhere'`), /check/i)
    await assert.rejects(db.query(sql`update clients set profile = 'elsewhere'`), /check/i)
  })

  test('C8: a rotated refresh token may go while its successor lives; with its user everything goes', async () => {
    const server = await open()
    const created = await server.createClient()
    server.signedIn.account = { ...bob, authTime: server.clock.now() }
    const tokens = await obtainTokens(server, created)
    const next = await readTokens(await refresh(server, created, tokens.refresh_token!))
    const { db } = server.app.server
    await db.query(sql`delete from refresh_tokens where rotated_at is not null`)
    const last = await readTokens(await refresh(server, created, next.refresh_token!))
    await db.query(sql`delete from users where subject = ${bob.subject}`)
    await assertError(await refresh(server, created, last.refresh_token!), 400, 'invalid_grant')
    for (const table of ['sessions', 'consents', 'codes']) {
      const left = await db.query(sql`select * from ${raw(table)} where client_id = ${created.client.id}`)
      assert.deepEqual(left, [], table)
    }
    server.signedIn.account = { ...alice, authTime: server.clock.now() }
  })

  test('C23: what ended stays, with the time and the reason', async () => {
    const server = await open()
    const created = await server.createClient()
    const tokens = await obtainTokens(server, created)
    const form = { token: tokens.refresh_token! }
    const headers = { authorization: basic(created.client.id, created.secret!) }
    assert.equal((await server.post('/oauth/revoke', form, headers)).status, 200)
    const { db } = server.app.server
    const [session] = await db.query(
      sql<Record<string, unknown>>`select * from sessions where client_id = ${created.client.id}`,
    )
    assert.equal(session!.revoked_at, server.clock.now())
    assert.equal(session!.revoked_reason, 'token_revoked')
    const [shown] = await db.query(
      sql<Record<string, unknown>>`select state, revoked_reason from user_sessions where id = ${session!.id}`,
    )
    assert.deepEqual({ ...shown }, { state: 'revoked', revoked_reason: 'token_revoked' })
  })

  test('R15, R73, C24: a user is who provider, issuer and subject say, never who has the e-mail', async () => {
    const server = await open()
    const created = await server.createClient()
    const at = { authTime: server.clock.now(), email: 'one@example.com' }
    const subjects: string[] = []
    for (const account of [
      { ...at, provider: 'clerk', issuer: 'https://one.clerk.example', subject: 'user_1' },
      { ...at, provider: 'clerk', issuer: 'https://two.clerk.example', subject: 'user_1' },
      { ...at, provider: 'jwt', issuer: 'https://one.clerk.example', subject: 'user_1' },
      {
        ...at,
        provider: 'clerk',
        issuer: 'https://one.clerk.example',
        subject: 'user_1',
        email: 'new@example.com',
      },
    ]) {
      server.signedIn.account = account
      const { access_token } = await obtainTokens(server, created)
      subjects.push(JSON.parse(Buffer.from(access_token.split('.')[1]!, 'base64url').toString()).sub)
    }
    server.signedIn.account = { ...alice, authTime: server.clock.now() }
    assert.equal(subjects[0], 'user_1')
    assert.equal(subjects[3], subjects[0])
    assert.equal(new Set(subjects).size, 3)
  })

  test('R7, R9: events have address and user agent, an open set of types, and are found by user, client, type and time', async () => {
    const server = await open()
    const created = await server.createClient()
    const before = server.clock.now()
    server.clock.advance(1_000)
    const context = {
      clientId: created.client.id,
      userId: null,
      address: '203.0.113.9',
      userAgent: 'a browser',
    }
    await server.g.events.append('job_search', context, { query: 'nurse' })
    await server.g.events.append('resume_analyze', context)
    server.clock.advance(1_000)
    const { db } = server.app.server
    const list = (filter: Parameters<typeof listEvents>[1]) => listEvents(db, filter)
    const [event, ...others] = await list({ type: 'job_search', limit: 10 })
    assert.deepEqual(others, [])
    assert.deepEqual([event!.ip_address, event!.user_agent], ['203.0.113.9', 'a browser'])
    assert.deepEqual(JSON.parse(event!.body).data, { query: 'nurse' })
    const mine = await list({ clientId: created.client.id, since: before + 1, limit: 10 })
    assert.deepEqual(mine.map(({ type }) => type).sort(), ['job_search', 'resume_analyze'])
    assert.deepEqual(await list({ type: 'job_search', until: before, limit: 10 }), [])
  })

  test('R16, C21: a change whose event cannot be written does not happen, and happens with it', async () => {
    const server = await open()
    const created = await server.createClient()
    const pkce = makePkce()
    const code = await obtainCode(server, created, pkce)
    const { db } = server.app.server
    await db.query(sql`alter table events rename to events_away`)
    try {
      assert.equal((await redeem(server, created, code, pkce)).status, 500)
    } finally {
      await db.query(sql`alter table events_away rename to events`)
    }
    const tokens = await readTokens(await redeem(server, created, code, pkce))
    assert.ok(tokens.refresh_token)
    const events = await listEvents(db, { clientId: created.client.id, type: 'token_exchange', limit: 10 })
    assert.equal(events.length, 1)
    assert.ok(events[0]!.session_id)
  })

  test('R13: by default an access token lives 900 s, a code 300 s, a refresh token 30 days', async () => {
    const server = await open()
    const created = await server.createClient()
    const pkce = makePkce()
    const [kept, late] = [await obtainCode(server, created, pkce), await obtainCode(server, created, pkce)]
    server.clock.advance(299_000)
    const tokens = await readTokens(await redeem(server, created, kept, pkce))
    assert.equal(tokens.expires_in, 900)
    server.clock.advance(2_000)
    await assertError(await redeem(server, created, late, pkce), 400, 'invalid_grant')
    const day = 86_400_000
    server.clock.advance(29 * day)
    const next = await readTokens(await refresh(server, created, tokens.refresh_token!))
    server.clock.advance(30 * day)
    await assertError(await refresh(server, created, next.refresh_token!), 400, 'invalid_grant')
  })

  test('R10: what is granted is kept in full, so a returning user is not asked again', async () => {
    const server = await open()
    server.signedIn.account = { ...alice, authTime: server.clock.now() }
    const created = await server.createClient()
    await obtainTokens(server, created, { scope: 'jobs:read' })
    await obtainTokens(server, created, { scope: 'applications:read' })
    const silent = authorizeParameters(created, makePkce(), {
      scope: 'jobs:read applications:read',
      prompt: 'none',
    })
    assert.ok(readRedirect(await authorize(server, silent)).parameters.code)
    const [consent] = await server.app.server.db.query(
      sql<{ scope: string }>`select scope from consents where client_id = ${created.client.id}`,
    )
    assert.equal(consent!.scope, 'applications:read jobs:read')
  })
})
