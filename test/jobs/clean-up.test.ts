// What is removed and when; and that nothing else is.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { jobsOf } from '../../src/app.ts'
import { deletedAtOnce, stepLimit } from '../../src/db/deletion.ts'
import { raw, sql } from '../../src/db/sql.ts'
import { recordEvent } from '../../src/events/record.ts'
import type { Result } from '../../src/jobs/job.ts'
import { runJob } from '../../src/jobs/scheduler.ts'
import { clearSalts } from '../../src/oauth/clean-up.ts'
import { fill } from '../db/rows.ts'
import {
  assertError,
  makePkce,
  obtainCode,
  obtainTokens,
  readTokens,
  redeem,
  refresh,
} from '../support/flow.ts'
import { onBothDatabases, openTestServer, type TestServer, testServerFor } from '../support/gatehouse.ts'

const minute = 60_000
const day = 86_400_000

/** Runs the clean-up now, whenever it last ran. */
async function cleanUp(testServer: TestServer): Promise<Result> {
  const { server } = testServer.app
  const job = jobsOf(server).find(({ name }) => name === 'clean_up')!
  return job.run({ previous: null, pause: async () => {} })
}

async function count(testServer: TestServer, table: string, where = 'true'): Promise<number> {
  const [row] = await testServer.app.server.db.query<{ count: number }>(
    sql`select count(*) as count from ${raw(table)} where ${raw(where)}`,
  )
  return row!.count
}

onBothDatabases('clean-up', (dialect) => {
  const open = testServerFor(dialect)

  test('RFC 6749 §4.1.2: a spent code is recognised for a day after it expired, then removed', async () => {
    const testServer = await open()
    const client = await testServer.createClient()
    const pkce = makePkce()
    const code = await obtainCode(testServer, client, pkce)
    await readTokens(await redeem(testServer, client, code, pkce))
    testServer.clock.advance(day)
    await cleanUp(testServer)
    assert.equal(await count(testServer, 'codes'), 1)
    await assertError(await redeem(testServer, client, code, pkce), 400, 'invalid_grant')
    assert.equal(await count(testServer, 'sessions', "revoked_reason = 'code_replayed'"), 1)
    testServer.clock.advance(6 * minute)
    assert.equal((await cleanUp(testServer)).codes, 1)
    assert.equal(await count(testServer, 'codes'), 0)
  })

  test('RFC 9700 §4.14.2: a rotated refresh token is recognised until it would have expired, then removed', async () => {
    const testServer = await openTestServer(dialect)
    try {
      const client = await testServer.createClient({ refreshTokenLifetime: 3_600 })
      const first = await obtainTokens(testServer, client)
      testServer.clock.advance(30 * minute)
      const second = await readTokens(await refresh(testServer, client, first.refresh_token!))
      testServer.clock.advance(29 * minute)
      await cleanUp(testServer)
      assert.equal(await count(testServer, 'refresh_tokens'), 2)
      testServer.clock.advance(2 * minute)
      await cleanUp(testServer)
      assert.equal(await count(testServer, 'refresh_tokens'), 1, 'the first has had its hour')
      await readTokens(await refresh(testServer, client, second.refresh_token!))
    } finally {
      await testServer.close()
    }
  })

  test('R75: a session stays readable for `sessions.keepDays` after its end, its access tokens until they expire', async () => {
    const testServer = await openTestServer(dialect, { sessions: { keepDays: 2 } })
    try {
      const client = await testServer.createClient()
      await obtainTokens(testServer, client)
      await testServer.g.clients.revoke(client.client.id, 'test')
      testServer.clock.advance(16 * minute)
      assert.equal((await cleanUp(testServer)).access_tokens, 1)
      testServer.clock.advance(2 * day - 17 * minute)
      await cleanUp(testServer)
      assert.equal(await count(testServer, 'sessions'), 1)
      testServer.clock.advance(2 * minute)
      assert.equal((await cleanUp(testServer)).revoked_sessions, 1)
      assert.equal(await count(testServer, 'sessions'), 0)
      assert.equal(
        await count(testServer, 'refresh_tokens'),
        1,
        'dead without its session; it goes by its own time',
      )
      testServer.clock.advance(30 * day)
      assert.equal((await cleanUp(testServer)).refresh_tokens, 1)
    } finally {
      await testServer.close()
    }
  })

  test('events: those of every token go after `keepTokenDays`, all others after `keepDays`, the host’s own too', async () => {
    const testServer = await openTestServer(dialect, { events: { keepDays: 100, keepTokenDays: 10 } })
    try {
      const { server } = testServer.app
      await server.db.query(sql`delete from events`)
      for (const type of [
        'token_refresh',
        'client_credentials',
        'token_exchange',
        'sign_in_failed',
        'job_search',
      ]) {
        await recordEvent(server, type, {})
      }
      const left = async () =>
        (await server.db.query<{ type: string }>(sql`select type from events order by type`)).map(
          (row) => row.type,
        )
      testServer.clock.advance(10 * day)
      await cleanUp(testServer)
      assert.equal((await left()).length, 5)
      testServer.clock.advance(1)
      await cleanUp(testServer)
      assert.deepEqual(await left(), ['job_search', 'sign_in_failed', 'token_exchange'])
      testServer.clock.advance(90 * day)
      assert.equal((await cleanUp(testServer)).events, 3)
    } finally {
      await testServer.close()
    }
  })

  test('a table that cannot be cleaned does not keep the others from it, and the run counts as failed', async () => {
    const testServer = await openTestServer(dialect)
    try {
      const { server } = testServer.app
      await fill(server.db, 10)
      testServer.clock.advance(200 * day)
      await server.db.query(
        dialect === 'sqlite'
          ? sql`create trigger no_codes before delete on codes begin select raise(abort, 'not now'); end`
          : sql`alter table codes rename column expires_at to elsewhere`,
      )
      const job = jobsOf(server).find(({ name }) => name === 'clean_up')!
      assert.equal(await runJob(server, job), true)
      const [row] = await server.db.query<{ last_outcome: string }>(sql`select last_outcome from jobs`)
      assert.match(row!.last_outcome, /^failed: /)
      assert.equal(await count(testServer, 'codes'), 10)
      assert.equal(await count(testServer, 'rate_limits'), 5)
      assert.equal(await count(testServer, 'sign_ins'), 5)
    } finally {
      await testServer.close()
    }
  })

  test('of everything that grows, what ended goes in small steps, and what lives stays', async () => {
    const testServer = await openTestServer(dialect)
    try {
      const { server } = testServer.app
      const rows = 2 * deletedAtOnce[dialect] + 100
      await fill(server.db, rows)
      testServer.clock.advance(200 * day)
      const job = jobsOf(server).find(({ name }) => name === 'clean_up')!
      let pauses = 0
      const removed = await job.run({
        previous: null,
        pause: async () => {
          pauses++
        },
      })
      const ended = rows / 2
      const tables = [
        'authorization_requests',
        'pushed_authorization_requests',
        'codes',
        'device_codes',
        'used_jtis',
        'initial_access_tokens',
        'password_links',
        'logout_deliveries',
        'access_tokens',
        'refresh_tokens',
        'sessions',
        'sign_ins',
        'rate_limits',
      ]
      for (const table of tables) {
        const steps = table === 'sessions' ? ['expired_sessions', 'revoked_sessions'] : [table]
        const gone = steps.reduce((sum, step) => sum + Number(removed[step] ?? 0), 0)
        assert.equal(gone, ended, table)
        assert.equal(await count(testServer, table), ended, table)
        assert.equal(await count(testServer, table, 'expires_at < 2000000000000'), 0, table)
      }
      assert.ok(pauses >= tables.length, 'a pause after every full step')
      for (const table of [
        'users',
        'identities',
        'clients',
        'consents',
        'local_accounts',
        'pairwise_subjects',
      ]) {
        assert.equal(await count(testServer, table), rows, table)
      }
    } finally {
      await testServer.close()
    }
  })
})

onBothDatabases('salts of refresh tokens (RFC 9700 §4.14.2)', (dialect) => {
  /** Runs the sweep as the scheduler does, from where the last one came to. */
  function sweeper(testServer: TestServer) {
    let previous: Record<string, unknown> | null = null
    return async () => {
      const result = await clearSalts(testServer.app.server, { previous, pause: async () => {} })
      previous = result
      return result.cleared
    }
  }
  const salts = (testServer: TestServer) => count(testServer, 'refresh_tokens', 'salt is not null')

  test('a salt ends with the reuse window of its client, at most half a minute later', async () => {
    const testServer = await openTestServer(dialect)
    try {
      const sweep = sweeper(testServer)
      const usual = await testServer.createClient()
      const patient = await testServer.createClient({ id: 'patient', reuseWindow: 120 })
      const tokens = await Promise.all([usual, patient].map((client) => obtainTokens(testServer, client)))
      await sweep()
      const next = await readTokens(await refresh(testServer, usual, tokens[0]!.refresh_token!))
      await readTokens(await refresh(testServer, patient, tokens[1]!.refresh_token!))
      assert.equal(await salts(testServer), 2)

      testServer.clock.advance(minute - 1)
      assert.equal(await sweep(), 0)
      const retried = await readTokens(await refresh(testServer, usual, tokens[0]!.refresh_token!))
      assert.equal(retried.refresh_token, next.refresh_token, 'inside the window a retry still works')

      testServer.clock.advance(10_000)
      assert.equal(await sweep(), 1)
      assert.equal(await salts(testServer), 1, 'the patient one is still inside its own')
      testServer.clock.advance(minute)
      assert.equal(await sweep(), 1)
      assert.equal(await salts(testServer), 0)
      await readTokens(await refresh(testServer, usual, next.refresh_token!))
    } finally {
      await testServer.close()
    }
  })

  test('a salt ends when its token is first used', async () => {
    const testServer = await openTestServer(dialect)
    try {
      const client = await testServer.createClient()
      const first = await obtainTokens(testServer, client)
      const second = await readTokens(await refresh(testServer, client, first.refresh_token!))
      await readTokens(await refresh(testServer, client, second.refresh_token!))
      assert.equal(await salts(testServer), 1, 'that of the newest alone')
    } finally {
      await testServer.close()
    }
  })

  test('a client with a window of 0 never has one', async () => {
    const testServer = await openTestServer(dialect)
    try {
      const client = await testServer.createClient({ reuseWindow: 0 })
      const tokens = await obtainTokens(testServer, client)
      await readTokens(await refresh(testServer, client, tokens.refresh_token!))
      assert.equal(await salts(testServer), 0)
    } finally {
      await testServer.close()
    }
  })

  test('a window that was shortened, a row that was committed late, a day without sweeps: none leaves a salt', async () => {
    const testServer = await openTestServer(dialect)
    try {
      const { db } = testServer.app.server
      const sweep = sweeper(testServer)
      const client = await testServer.createClient({ reuseWindow: 300 })
      const tokens = await obtainTokens(testServer, client)
      await readTokens(await refresh(testServer, client, tokens.refresh_token!))
      testServer.clock.advance(2 * minute)
      await sweep()
      await testServer.g.clients.change(client.client.id, { reuseWindow: 0 })
      for (let passed = 0; passed < 5 * minute; passed += 10_000) {
        testServer.clock.advance(10_000)
        await sweep()
      }
      assert.equal(await salts(testServer), 0, 'shortened')

      // A commit that took 19 seconds: the sweep has passed its place when the row becomes visible.
      await testServer.g.clients.change(client.client.id, { reuseWindow: 1 })
      const more = await obtainTokens(testServer, client)
      const late = await readTokens(await refresh(testServer, client, more.refresh_token!))
      const id = late.refresh_token!.slice(6, 32)
      await db.query(sql`update refresh_tokens set salt = null where id = ${id}`)
      for (let passed = 0; passed < 20_000; passed += 10_000) {
        testServer.clock.advance(9_500)
        assert.equal(await sweep(), 0)
      }
      await db.query(sql`update refresh_tokens set salt = 'late' where id = ${id}`)
      testServer.clock.advance(10_000)
      assert.equal(await sweep(), 1, 'late')

      const last = await obtainTokens(testServer, client)
      await readTokens(await refresh(testServer, client, last.refresh_token!))
      testServer.clock.advance(day)
      assert.equal(await sweep(), 1, 'a day later')
    } finally {
      await testServer.close()
    }
  })

  test('a sweep goes in pages and does not go over the same rows for ever', async () => {
    const testServer = await openTestServer(dialect)
    try {
      const { server } = testServer.app
      await fill(server.db, 2 * stepLimit + 1)
      await server.db.query(sql`delete from refresh_tokens where id = 'r000000000'`)
      await server.db.query(sql`update refresh_tokens set id = '0' || substr(id, 2)`)
      let pages = 0
      const counting = {
        ...server,
        db: {
          ...server.db,
          all: ((statement, input) => {
            if (statement.name === 'salts_between') pages++
            return server.db.all(statement, input)
          }) as typeof server.db.all,
        },
      }
      const turn = { pause: async () => {} }
      const first = await clearSalts(counting, { ...turn, previous: null })
      assert.equal(first.cleared, 2 * stepLimit)
      assert.ok(pages >= 3)
      pages = 0
      testServer.clock.advance(10_000)
      const second = await clearSalts(counting, { ...turn, previous: first })
      assert.equal(second.cleared, 0)
      assert.equal(pages, 4, 'one empty page for each window: 60 s, 120 s, 300 s, a day')
    } finally {
      await testServer.close()
    }
  })
})
