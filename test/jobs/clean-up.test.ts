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
import { type House, houseFor, onBothDatabases, openHouse } from '../support/gatehouse.ts'

const minute = 60_000
const day = 86_400_000

/** Runs the clean-up now, whenever it last ran. */
async function cleanUp(house: House): Promise<Result> {
  const { server } = house.app
  const job = jobsOf(server).find(({ name }) => name === 'clean_up')!
  return job.run({ previous: null, pause: async () => {} })
}

async function count(house: House, table: string, where = 'true'): Promise<number> {
  const [row] = await house.app.server.db.query<{ count: number }>(
    sql`select count(*) as count from ${raw(table)} where ${raw(where)}`,
  )
  return row!.count
}

onBothDatabases('clean-up', (dialect) => {
  const open = houseFor(dialect)

  test('RFC 6749 §4.1.2: a spent code is recognised for a day after it expired, then removed', async () => {
    const house = await open()
    const client = await house.createClient()
    const pkce = makePkce()
    const code = await obtainCode(house, client, pkce)
    await readTokens(await redeem(house, client, code, pkce))
    house.clock.advance(day)
    await cleanUp(house)
    assert.equal(await count(house, 'codes'), 1)
    await assertError(await redeem(house, client, code, pkce), 400, 'invalid_grant')
    assert.equal(await count(house, 'sessions', "revoked_reason = 'code_replayed'"), 1)
    house.clock.advance(6 * minute)
    assert.equal((await cleanUp(house)).codes, 1)
    assert.equal(await count(house, 'codes'), 0)
  })

  test('RFC 9700 §4.14.2: a rotated refresh token is recognised until it would have expired, then removed', async () => {
    const house = await openHouse(dialect)
    try {
      const client = await house.createClient({ refreshTokenLifetime: 3_600 })
      const first = await obtainTokens(house, client)
      house.clock.advance(30 * minute)
      const second = await readTokens(await refresh(house, client, first.refresh_token!))
      house.clock.advance(29 * minute)
      await cleanUp(house)
      assert.equal(await count(house, 'refresh_tokens'), 2)
      house.clock.advance(2 * minute)
      await cleanUp(house)
      assert.equal(await count(house, 'refresh_tokens'), 1, 'the first has had its hour')
      await readTokens(await refresh(house, client, second.refresh_token!))
    } finally {
      await house.close()
    }
  })

  test('R75: a session stays readable for `sessions.keepDays` after its end, its access tokens until they expire', async () => {
    const house = await openHouse(dialect, { sessions: { keepDays: 2 } })
    try {
      const client = await house.createClient()
      await obtainTokens(house, client)
      await house.g.clients.revoke(client.client.id, 'test')
      house.clock.advance(16 * minute)
      assert.equal((await cleanUp(house)).access_tokens, 1)
      house.clock.advance(2 * day - 17 * minute)
      await cleanUp(house)
      assert.equal(await count(house, 'sessions'), 1)
      house.clock.advance(2 * minute)
      assert.equal((await cleanUp(house)).revoked_sessions, 1)
      assert.equal(await count(house, 'sessions'), 0)
      assert.equal(
        await count(house, 'refresh_tokens'),
        1,
        'dead without its session; it goes by its own time',
      )
      house.clock.advance(30 * day)
      assert.equal((await cleanUp(house)).refresh_tokens, 1)
    } finally {
      await house.close()
    }
  })

  test('events: those of every token go after `keepTokenDays`, all others after `keepDays`, the host’s own too', async () => {
    const house = await openHouse(dialect, { events: { keepDays: 100, keepTokenDays: 10 } })
    try {
      const { server } = house.app
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
      house.clock.advance(10 * day)
      await cleanUp(house)
      assert.equal((await left()).length, 5)
      house.clock.advance(1)
      await cleanUp(house)
      assert.deepEqual(await left(), ['job_search', 'sign_in_failed', 'token_exchange'])
      house.clock.advance(90 * day)
      assert.equal((await cleanUp(house)).events, 3)
    } finally {
      await house.close()
    }
  })

  test('a table that cannot be cleaned does not keep the others from it, and the run counts as failed', async () => {
    const house = await openHouse(dialect)
    try {
      const { server } = house.app
      await fill(server.db, 10)
      house.clock.advance(200 * day)
      await server.db.query(
        dialect === 'sqlite'
          ? sql`create trigger no_codes before delete on codes begin select raise(abort, 'not now'); end`
          : sql`alter table codes rename column expires_at to elsewhere`,
      )
      const job = jobsOf(server).find(({ name }) => name === 'clean_up')!
      assert.equal(await runJob(server, job), true)
      const [row] = await server.db.query<{ last_outcome: string }>(sql`select last_outcome from jobs`)
      assert.match(row!.last_outcome, /^failed: /)
      assert.equal(await count(house, 'codes'), 10)
      assert.equal(await count(house, 'rate_limits'), 5)
      assert.equal(await count(house, 'sign_ins'), 5)
    } finally {
      await house.close()
    }
  })

  test('of everything that grows, what ended goes in small steps, and what lives stays', async () => {
    const house = await openHouse(dialect)
    try {
      const { server } = house.app
      const rows = 2 * deletedAtOnce[dialect] + 100
      await fill(server.db, rows)
      house.clock.advance(200 * day)
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
        assert.equal(await count(house, table), ended, table)
        assert.equal(await count(house, table, 'expires_at < 2000000000000'), 0, table)
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
        assert.equal(await count(house, table), rows, table)
      }
    } finally {
      await house.close()
    }
  })
})

onBothDatabases('salts of refresh tokens (RFC 9700 §4.14.2)', (dialect) => {
  /** Runs the sweep as the scheduler does, from where the last one came to. */
  function sweeper(house: House) {
    let previous: Record<string, unknown> | null = null
    return async () => {
      const result = await clearSalts(house.app.server, { previous, pause: async () => {} })
      previous = result
      return result.cleared
    }
  }
  const salts = (house: House) => count(house, 'refresh_tokens', 'salt is not null')

  test('a salt ends with the reuse window of its client, at most half a minute later', async () => {
    const house = await openHouse(dialect)
    try {
      const sweep = sweeper(house)
      const usual = await house.createClient()
      const patient = await house.createClient({ id: 'patient', reuseWindow: 120 })
      const tokens = await Promise.all([usual, patient].map((client) => obtainTokens(house, client)))
      await sweep()
      const next = await readTokens(await refresh(house, usual, tokens[0]!.refresh_token!))
      await readTokens(await refresh(house, patient, tokens[1]!.refresh_token!))
      assert.equal(await salts(house), 2)

      house.clock.advance(minute - 1)
      assert.equal(await sweep(), 0)
      const retried = await readTokens(await refresh(house, usual, tokens[0]!.refresh_token!))
      assert.equal(retried.refresh_token, next.refresh_token, 'inside the window a retry still works')

      house.clock.advance(10_000)
      assert.equal(await sweep(), 1)
      assert.equal(await salts(house), 1, 'the patient one is still inside its own')
      house.clock.advance(minute)
      assert.equal(await sweep(), 1)
      assert.equal(await salts(house), 0)
      await readTokens(await refresh(house, usual, next.refresh_token!))
    } finally {
      await house.close()
    }
  })

  test('a salt ends when its token is first used', async () => {
    const house = await openHouse(dialect)
    try {
      const client = await house.createClient()
      const first = await obtainTokens(house, client)
      const second = await readTokens(await refresh(house, client, first.refresh_token!))
      await readTokens(await refresh(house, client, second.refresh_token!))
      assert.equal(await salts(house), 1, 'that of the newest alone')
    } finally {
      await house.close()
    }
  })

  test('a client with a window of 0 never has one', async () => {
    const house = await openHouse(dialect)
    try {
      const client = await house.createClient({ reuseWindow: 0 })
      const tokens = await obtainTokens(house, client)
      await readTokens(await refresh(house, client, tokens.refresh_token!))
      assert.equal(await salts(house), 0)
    } finally {
      await house.close()
    }
  })

  test('a window that was shortened, a row that was committed late, a day without sweeps: none leaves a salt', async () => {
    const house = await openHouse(dialect)
    try {
      const { db } = house.app.server
      const sweep = sweeper(house)
      const client = await house.createClient({ reuseWindow: 300 })
      const tokens = await obtainTokens(house, client)
      await readTokens(await refresh(house, client, tokens.refresh_token!))
      house.clock.advance(2 * minute)
      await sweep()
      await house.g.clients.change(client.client.id, { reuseWindow: 0 })
      for (let passed = 0; passed < 5 * minute; passed += 10_000) {
        house.clock.advance(10_000)
        await sweep()
      }
      assert.equal(await salts(house), 0, 'shortened')

      // A commit that took 19 seconds: the sweep has passed its place when the row becomes visible.
      await house.g.clients.change(client.client.id, { reuseWindow: 1 })
      const more = await obtainTokens(house, client)
      const late = await readTokens(await refresh(house, client, more.refresh_token!))
      const id = late.refresh_token!.slice(6, 32)
      await db.query(sql`update refresh_tokens set salt = null where id = ${id}`)
      for (let passed = 0; passed < 20_000; passed += 10_000) {
        house.clock.advance(9_500)
        assert.equal(await sweep(), 0)
      }
      await db.query(sql`update refresh_tokens set salt = 'late' where id = ${id}`)
      house.clock.advance(10_000)
      assert.equal(await sweep(), 1, 'late')

      const last = await obtainTokens(house, client)
      await readTokens(await refresh(house, client, last.refresh_token!))
      house.clock.advance(day)
      assert.equal(await sweep(), 1, 'a day later')
    } finally {
      await house.close()
    }
  })

  test('a sweep goes in pages and does not go over the same rows for ever', async () => {
    const house = await openHouse(dialect)
    try {
      const { server } = house.app
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
      house.clock.advance(10_000)
      const second = await clearSalts(counting, { ...turn, previous: first })
      assert.equal(second.cleared, 0)
      assert.equal(pages, 4, 'one empty page for each window: 60 s, 120 s, 300 s, a day')
    } finally {
      await house.close()
    }
  })
})
