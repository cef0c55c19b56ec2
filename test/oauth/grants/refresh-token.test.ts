import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rootSecrets } from '../../../src/crypto/secrets.ts'
import { readToken, sha256 } from '../../../src/crypto/tokens.ts'
import { raw, sql } from '../../../src/db/sql.ts'
import { clearSalts } from '../../../src/oauth/clean-up.ts'
import {
  credentials,
  introspect,
  obtainTokens,
  readTokens,
  refresh,
  type Tokens,
} from '../../support/flow.ts'
import {
  alice,
  formText,
  issuer,
  onBothDatabases,
  secret,
  type TestServer,
  testServerFor,
} from '../../support/gatehouse.ts'
import { assertJson, countGrants, eventsOf, grantsNothing } from '../answers.ts'

type Created = Awaited<ReturnType<TestServer['createClient']>>

interface StoredRefreshToken {
  id: string
  hash: string
  salt: string | null
  rotated_at: number | null
}

onBothDatabases('refresh token', (dialect) => {
  const jobs = 'https://jobs.example'
  const mail = 'https://mail.example'
  const open = testServerFor(dialect, { resources: { [jobs]: {}, [mail]: {} } })

  /** Asserts that a session is dead, that its user's other session lives, and that the reuse was said once. */
  async function assertRevoked(
    server: TestServer,
    client: Created,
    dead: Tokens[],
    alive: Tokens,
  ): Promise<void> {
    for (const tokens of dead) {
      assert.deepEqual(await introspect(server, client, tokens.access_token), { active: false })
      assert.deepEqual(await introspect(server, client, tokens.refresh_token!), { active: false })
      await assertJson(await refresh(server, client, tokens.refresh_token!), 400, 'invalid_grant')
    }
    assert.equal((await introspect(server, client, alive.refresh_token!)).active, true)
    const events = await eventsOf(server, client.client.id, 'reuse_detected')
    assert.equal(events.length, 1)
    assert.ok(events[0]!.session_id && events[0]!.user_id)
    assert.deepEqual(JSON.parse(events[0]!.body).data, { reason: 'reuse_detected' })
  }

  test('RFC 6749 §5.2: an unknown, expired or revoked refresh token is invalid_grant (N80)', async () => {
    const server = await open()
    const client = await server.createClient({ refreshTokenLifetime: 600 })
    const expired = await obtainTokens(server, client)
    const revoked = await obtainTokens(server, client)
    const { headers } = credentials(client)
    await server.post('/oauth/revoke', { token: revoked.refresh_token! }, headers)
    server.clock.advance(599_999)
    const alive = await obtainTokens(server, client)
    server.clock.advance(1)
    const texts = new Set<string>()
    for (const token of [
      expired.refresh_token!,
      revoked.refresh_token!,
      `${expired.refresh_token!.slice(0, -4)}AAAA`,
      alive.access_token,
      'gh_rt_',
      'x',
    ]) {
      const answer = await grantsNothing(server, () => refresh(server, client, token))
      texts.add(await answer.clone().text())
      await assertJson(answer, 400, 'invalid_grant')
    }
    assert.equal(texts.size, 1, 'one text for all of them')
    await assertJson(
      await server.post('/oauth/token', { grant_type: 'refresh_token' }, headers),
      400,
      'invalid_request',
    )
    await readTokens(await refresh(server, client, alive.refresh_token!))
    assert.deepEqual(await eventsOf(server, client.client.id, 'reuse_detected'), [])
  })

  test('RFC 6749 §5.2: another client’s living token is invalid_grant, is told to the owner’s log and stays usable (N81)', async () => {
    const server = await open()
    const owner = await server.createClient()
    for (const thief of [
      await server.createClient(),
      await server.createClient({ tokenEndpointAuthMethod: 'none' }),
    ]) {
      const { refresh_token } = await obtainTokens(server, owner)
      const answer = await grantsNothing(server, () => refresh(server, thief, refresh_token!))
      await assertJson(answer, 400, 'invalid_grant')
      const [event, ...more] = await eventsOf(server, thief.client.id, 'foreign_token')
      assert.equal(more.length, 0)
      assert.equal(JSON.parse(event!.body).data.owner, owner.client.id)
      assert.doesNotMatch(event!.body, /gh_rt_/)
      await readTokens(await refresh(server, owner, refresh_token!))
    }
    assert.deepEqual(await eventsOf(server, owner.client.id, 'reuse_detected'), [])
  })

  test('RFC 6749 §6: a wider scope is invalid_scope, a wider resource invalid_target, and neither spends the token (N82)', async () => {
    const server = await open()
    const client = await server.createClient()
    const { refresh_token } = await obtainTokens(server, client, { scope: 'jobs:read', resource: jobs })
    for (const scope of ['jobs:read resume:read', 'resume:read', 'unknown', 'jobs:read  jobs:read']) {
      const answer = await grantsNothing(server, () => refresh(server, client, refresh_token!, { scope }))
      await assertJson(answer, 400, 'invalid_scope')
    }
    for (const resource of [mail, issuer, [jobs, mail], 'x', `${jobs}#x`]) {
      const answer = await grantsNothing(server, () => refresh(server, client, refresh_token!, { resource }))
      await assertJson(answer, 400, 'invalid_target')
    }
    await readTokens(await refresh(server, client, refresh_token!, { scope: 'jobs:read', resource: jobs }))
  })

  test('RFC 9700 §4.14.2: a used token after the window, after its successor’s use or with a window of 0 ends the one session (N83)', async () => {
    const server = await open()
    const cases: [
      string,
      number | undefined,
      (server: TestServer, client: Created, first: Tokens) => Promise<Tokens[]>,
    ][] = [
      [
        'after the window',
        undefined,
        async (server, client, first) => {
          const second = await readTokens(await refresh(server, client, first.refresh_token!))
          server.clock.advance(60_000)
          return [second]
        },
      ],
      [
        'after the successor was used',
        undefined,
        async (server, client, first) => {
          const second = await readTokens(await refresh(server, client, first.refresh_token!))
          return [await readTokens(await refresh(server, client, second.refresh_token!)), second]
        },
      ],
      [
        'window of 0',
        0,
        async (server, client, first) => [
          await readTokens(await refresh(server, client, first.refresh_token!)),
        ],
      ],
      [
        'window of 300, a millisecond late',
        300,
        async (server, client, first) => {
          const second = await readTokens(await refresh(server, client, first.refresh_token!))
          server.clock.advance(299_999)
          await readTokens(await refresh(server, client, first.refresh_token!))
          server.clock.advance(1)
          return [second]
        },
      ],
    ]
    for (const [name, reuseWindow, prepare] of cases) {
      const client = await server.createClient({
        name,
        ...(reuseWindow === undefined ? {} : { reuseWindow }),
      })
      const other = await obtainTokens(server, client)
      const first = await obtainTokens(server, client)
      const later = await prepare(server, client, first)
      const answer = await grantsNothing(server, () => refresh(server, client, first.refresh_token!))
      await assertJson(answer, 400, 'invalid_grant')
      await assertRevoked(server, client, [...later, first], other)
    }
  })

  test('RFC 9700 §4.14.2: the same request again inside the window gets the very same successor, any other ends the session (N84)', async () => {
    const server = await open()
    const thief = await server.createClient()
    const repeats: [string, (client: Created, token: string) => Promise<Response>][] = [
      ['another client', (_, token) => refresh(server, thief, token)],
      [
        'another scope',
        (client, token) => refresh(server, client, token, { scope: 'resume:read', resource: jobs }),
      ],
      ['a wider scope', (client, token) => refresh(server, client, token, { scope: 'applications:write' })],
      ['the whole scope', (client, token) => refresh(server, client, token, { resource: jobs })],
      [
        'another resource',
        (client, token) => refresh(server, client, token, { scope: 'jobs:read', resource: mail }),
      ],
      [
        'a resource outside the grant',
        (client, token) => refresh(server, client, token, { scope: 'jobs:read', resource: issuer }),
      ],
    ]
    for (const [name, repeat] of repeats) {
      const client = await server.createClient({ name })
      const other = await obtainTokens(server, client)
      const first = await obtainTokens(server, client, {
        scope: 'jobs:read resume:read',
        resource: [jobs, mail],
      })
      const same = { scope: 'jobs:read', resource: jobs }
      const second = await readTokens(await refresh(server, client, first.refresh_token!, same))
      server.clock.advance(59_000)
      const before = await countGrants(server)
      const retried = await readTokens(await refresh(server, client, first.refresh_token!, same))
      assert.equal(retried.refresh_token, second.refresh_token, 'derived, not made anew')
      assert.notEqual(retried.access_token, second.access_token)
      assert.equal(retried.scope, second.scope)
      assert.deepEqual(await countGrants(server), { ...before, access_tokens: before.access_tokens! + 1 })
      assert.deepEqual(await eventsOf(server, client.client.id, 'reuse_detected'), [], 'a retry is no reuse')
      const answer = await grantsNothing(server, () => repeat(client, first.refresh_token!))
      await assertJson(answer, 400, 'invalid_grant')
      await assertRevoked(server, client, [second, retried], other)
    }
  })

  test('RFC 9700 §4.14.2: a retry does not prolong the window', async () => {
    const server = await open()
    const client = await server.createClient({ reuseWindow: 10 })
    const first = await obtainTokens(server, client)
    await readTokens(await refresh(server, client, first.refresh_token!))
    for (const wait of [6_000, 3_999]) {
      server.clock.advance(wait)
      await readTokens(await refresh(server, client, first.refresh_token!))
    }
    server.clock.advance(1)
    await assertJson(await refresh(server, client, first.refresh_token!), 400, 'invalid_grant')
  })

  test('RFC 9700 §4.14.2: many refreshes at once, on two processes, end in one successor; after a restart the rules hold (N85)', async () => {
    const server = await open()
    for (const reuseWindow of [60, 0]) {
      const client = await server.createClient({ reuseWindow })
      const { g: twin } = await server.twin()
      const first = await obtainTokens(server, client)
      const answers = await Promise.all(
        Array.from({ length: 16 }, (_, n) => send(n % 2 ? twin : server.g, client, first.refresh_token!)),
      )
      const bodies = await Promise.all(answers.map((answer) => answer.clone().json() as Promise<Tokens>))
      const [row] = await server.app.server.db.query(
        sql<{
          count: number
        }>`select count(*) as count from refresh_tokens t join sessions s on s.id = t.session_id
          where s.client_id = ${client.client.id}`,
      )
      assert.equal(Number(row!.count), 2, 'never a second successor')
      if (reuseWindow === 0) {
        assert.equal(answers.filter((answer) => answer.status === 200).length, 1)
        for (const answer of answers)
          if (answer.status !== 200) await assertJson(answer, 400, 'invalid_grant')
        continue
      }
      assert.deepEqual(new Set(answers.map((answer) => answer.status)), new Set([200]))
      assert.equal(new Set(bodies.map((body) => body.refresh_token)).size, 1)
      assert.equal(new Set(bodies.map((body) => body.access_token)).size, 16)

      // A process that starts now knows nothing but the database.
      const { g: restarted } = await server.twin()
      const again = await readTokens(await send(restarted, client, first.refresh_token!))
      assert.equal(again.refresh_token, bodies[0]!.refresh_token)
      await readTokens(await send(restarted, client, again.refresh_token!))
      await assertJson(await send(server.g, client, first.refresh_token!), 400, 'invalid_grant')
      assert.equal((await eventsOf(server, client.client.id, 'reuse_detected')).length, 1)
    }
  })

  test('RFC 9700 §4.14.2: a retry is answered across a rotation of the root secret', async () => {
    const server = await open()
    const client = await server.createClient()
    const first = await obtainTokens(server, client)
    const second = await readTokens(await refresh(server, client, first.refresh_token!))
    const { g } = await server.twin({ secret: ['a newer secret that is long enough, really', secret] })
    assert.equal(
      (await readTokens(await send(g, client, first.refresh_token!))).refresh_token,
      second.refresh_token,
    )
    const { g: without } = await server.twin({ secret: ['a newer secret that is long enough, really'] })
    await assertJson(await send(without, client, first.refresh_token!), 400, 'invalid_grant')
  })

  test('RFC 6749 §5.2: after consent was withdrawn or the user disabled the token is invalid_grant and the session dead (N86)', async () => {
    const server = await open()
    const { db, now } = server.app.server
    const { withdrawConsent } = await import('../../../src/oauth/records/consents.ts')
    const { disableUser } = await import('../../../src/accounts/records/users.ts')
    const { eventInput } = await import('../../../src/events/append.ts')
    const reason = 'test'
    for (const end of [
      (user_id: string, client_id: string) =>
        db.write(withdrawConsent, {
          user_id,
          client_id,
          now: now(),
          ...eventInput(now(), 'consent_withdrawn', {}),
        }),
      (id: string) =>
        db.write(disableUser, { id, reason, now: now(), ...eventInput(now(), 'user_disabled', {}) }),
    ]) {
      const client = await server.createClient()
      server.signedIn.account = { ...alice, subject: `ending-${client.client.id}` }
      const tokens = await obtainTokens(server, client)
      server.signedIn.account = { ...alice, authTime: now() }
      const other = await obtainTokens(server, client)
      const next = await readTokens(await refresh(server, client, tokens.refresh_token!))
      const [session] = await db.query(
        sql<{
          user_id: string
        }>`select user_id from sessions where client_id = ${client.client.id} order by subject desc`,
      )
      await end(session!.user_id, client.client.id)
      for (const token of [next.refresh_token!, tokens.refresh_token!]) {
        await assertJson(
          await grantsNothing(server, () => refresh(server, client, token)),
          400,
          'invalid_grant',
        )
      }
      assert.deepEqual(await introspect(server, client, next.access_token), { active: false })
      assert.equal(
        (await introspect(server, client, other.access_token)).active,
        true,
        'another user’s session lives',
      )
    }
  })

  test('RFC 6749 §6: a session slides with each refresh, up to its absolute end', async () => {
    const server = await open()
    const day = 86_400_000
    const client = await server.createClient()
    let tokens = await obtainTokens(server, client)
    for (let days = 0; days < 87; days += 29) {
      server.clock.advance(29 * day)
      tokens = await readTokens(await refresh(server, client, tokens.refresh_token!))
    }
    server.clock.advance(3 * day - 60_000)
    tokens = await readTokens(await refresh(server, client, tokens.refresh_token!))
    assert.equal(tokens.expires_in, 60, 'no access token outlives its session')
    server.clock.advance(59_999)
    assert.equal((await introspect(server, client, tokens.access_token)).active, true)
    server.clock.advance(1)
    assert.deepEqual(await introspect(server, client, tokens.access_token), { active: false })
    await assertJson(await refresh(server, client, tokens.refresh_token!), 400, 'invalid_grant')
    assert.deepEqual(await eventsOf(server, client.client.id, 'reuse_detected'), [])
    server.signedIn.account = { ...alice, authTime: server.clock.now() }
  })

  test('RFC 9700 §4.14.2: only hashes are stored, and neither key nor old token nor a later copy of the rows yields a living token', async () => {
    const server = await open()
    const client = await server.createClient()
    const rows = (...tokens: Tokens[]) =>
      Promise.all(
        tokens.map(async ({ refresh_token }) => {
          const { id, hash } = readToken('gh_rt', refresh_token!)!
          const found = await server.app.server.db.query(
            sql<StoredRefreshToken>`select id, hash, salt, rotated_at from refresh_tokens where id = ${id}`,
          )
          assert.equal(found[0]!.hash, hash)
          return found[0]!
        }),
      )
    /** What a thief can derive who has the key, an old token and a copy of the rows. */
    const derives = (old: Tokens, copy: StoredRefreshToken) =>
      copy.salt !== null &&
      sha256(
        `gh_rt_${copy.id}${rootSecrets([secret]).mac('refresh successor', `${copy.salt} ${old.refresh_token}`)}`,
      ) === copy.hash

    const first = await obtainTokens(server, client)
    const second = await readTokens(await refresh(server, client, first.refresh_token!))
    const [, during] = await rows(first, second)
    assert.equal(derives(first, during!), true, 'inside the window it is derived, not stored')

    const third = await readTokens(await refresh(server, client, second.refresh_token!))
    const used = await rows(first, second, third)
    assert.equal(used[1]!.salt, null, 'used: forgotten in the same transaction')
    assert.equal(derives(first, used[1]!), false)

    let previous: Awaited<ReturnType<typeof clearSalts>> | null = null
    const forget = async () => {
      previous = await clearSalts(server.app.server, { previous, pause: () => Promise.resolve() })
    }
    server.clock.advance(60_000)
    await forget()
    assert.equal(derives(second, (await rows(third))[0]!), true, 'a clock may be five seconds ahead')
    server.clock.advance(5_001)
    await forget()
    assert.equal(derives(second, (await rows(third))[0]!), false, 'the window ended: forgotten')

    const slow = await server.createClient({ reuseWindow: 300 })
    const never = await server.createClient({ reuseWindow: 0 })
    const slowFirst = await obtainTokens(server, slow)
    const slowSecond = await readTokens(await refresh(server, slow, slowFirst.refresh_token!))
    const neverSecond = await readTokens(
      await refresh(server, never, (await obtainTokens(server, never)).refresh_token!),
    )
    assert.equal((await rows(neverSecond))[0]!.salt, null, 'no window, no salt')
    server.clock.advance(300_000)
    await forget()
    assert.equal(derives(slowFirst, (await rows(slowSecond))[0]!), true, 'each client has its own window')
    server.clock.advance(5_001)
    await forget()
    assert.equal(derives(slowFirst, (await rows(slowSecond))[0]!), false)

    const everything: string[] = []
    for (const table of [
      'refresh_tokens',
      'access_tokens',
      'codes',
      'sessions',
      'clients',
      'events',
      'authorization_requests',
    ]) {
      const all = await server.app.server.db.query(sql<object>`select * from ${raw(table)}`)
      everything.push(JSON.stringify(all))
    }
    for (const tokens of [first, second, third, slowFirst, slowSecond]) {
      for (const token of [tokens.access_token, tokens.refresh_token!, tokens.refresh_token!.slice(-43)]) {
        assert.ok(!everything.some((rows) => rows.includes(token)))
      }
    }
    assert.ok(!everything.some((rows) => rows.includes(client.secret!)))
    await readTokens(await refresh(server, client, third.refresh_token!))
  })

  test('RFC 9700 §4.14.2: one client may have a window of a day, and the rules inside it are those of every window', async () => {
    const server = await open()
    const hour = 3_600_000
    const patient = await server.createClient({ reuseWindow: 86_400 })
    const first = await obtainTokens(server, patient)
    const second = await readTokens(await refresh(server, patient, first.refresh_token!))
    let previous: Awaited<ReturnType<typeof clearSalts>> | null = null
    const sweep = async () => {
      previous = await clearSalts(server.app.server, { previous, pause: () => Promise.resolve() })
    }
    await sweep()
    server.clock.advance(24 * hour - 1)
    await sweep()
    const repeated = await readTokens(await refresh(server, patient, first.refresh_token!))
    assert.equal(repeated.refresh_token, second.refresh_token)
    // Once the successor was used, the old token is reuse, a day or not.
    await readTokens(await refresh(server, patient, second.refresh_token!))
    await assertJson(await refresh(server, patient, first.refresh_token!), 400, 'invalid_grant')

    const late = await obtainTokens(server, patient)
    await readTokens(await refresh(server, patient, late.refresh_token!))
    server.clock.advance(24 * hour)
    await assertJson(await refresh(server, patient, late.refresh_token!), 400, 'invalid_grant')

    const salts = async () => {
      const [row] = await server.app.server.db.query(
        sql<{
          count: number
        }>`select count(*) as count from refresh_tokens t join sessions s on s.id = t.session_id
          where s.client_id = ${patient.client.id} and t.salt is not null`,
      )
      return Number(row!.count)
    }
    await sweep()
    const kept = await obtainTokens(server, patient)
    await readTokens(await refresh(server, patient, kept.refresh_token!))
    server.clock.advance(24 * hour - 10_000)
    await sweep()
    assert.ok((await salts()) > 0, 'the window is open')
    server.clock.advance(15_001)
    await sweep()
    assert.equal(await salts(), 0, 'the window ended: forgotten')
  })

  function send(g: TestServer['g'], created: Created, token: string): Promise<Response> {
    const { headers, form } = credentials(created)
    return g.fetch(
      new Request(`${issuer}/oauth/token`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
        body: formText({ grant_type: 'refresh_token', refresh_token: token, ...form }),
      }),
    )
  }
})
