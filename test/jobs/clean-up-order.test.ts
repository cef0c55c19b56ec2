// In which order what is due goes, and what going through it costs. No time is measured: steps and index entries are counted.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import pg from 'pg'
import { jobsOf } from '../../src/app.ts'
import type { Database } from '../../src/db/database.ts'
import { migrateUp } from '../../src/db/migrate.ts'
import { openPostgres } from '../../src/db/postgres.ts'
import { raw, sql } from '../../src/db/sql.ts'
import type { Job } from '../../src/jobs/job.ts'
import { cleanUpOauth } from '../../src/oauth/clean-up.ts'
import { fill } from '../db/rows.ts'
import { onBothDatabases, openTestServer, type TestServer } from '../support/gatehouse.ts'
import { dropTestDatabase, testDatabaseUrl } from '../support/postgres.ts'

const day = 86_400_000
const backlog = 40_000

const cleanUpOf = (server: TestServer): Job =>
  jobsOf(server.app.server).find(({ name }) => name === 'clean_up')!

const series = (db: Database, rows: number) =>
  db.dialect === 'sqlite'
    ? `(with recursive n(k) as (select 1 union all select k + 1 from n where k < ${rows}) select k from n)`
    : `(select generate_series(1, ${rows}) as k)`

/** Access tokens that expired long ago, each a millisecond after the one before. */
async function addExpired(db: Database, rows: number): Promise<void> {
  await db.connection(async (run) => {
    await run(`insert into access_tokens (id, hash, client_id, subject, scope, resources, created_at, expires_at)
      select 'x' || k, 'x', 'x', 'x', '', '', k, k from ${series(db, rows)} as series`)
  })
}

async function count(db: Database, table: string, where: string): Promise<number> {
  const [row] = await db.query<{ count: number }>(
    sql`select count(*) as count from ${raw(table)} where ${raw(where)}`,
  )
  return row!.count
}

onBothDatabases('the order of the clean-up', (dialect) => {
  test('a table with a backlog keeps no other waiting', async () => {
    const server = await openTestServer(dialect)
    try {
      const { db } = server.app.server
      await fill(db, 10)
      await addExpired(db, backlog)
      server.clock.advance(200 * day)
      let pauses = 0
      const stopped = cleanUpOf(server).run({
        previous: null,
        async pause() {
          pauses++
          if (pauses === 3) throw new Error('stopped')
        },
      })
      await assert.rejects(stopped, /stopped/)
      assert.ok((await count(db, 'access_tokens', "id like 'x%'")) > 0, 'the backlog is not gone')
      for (const table of ['refresh_tokens', 'sessions', 'sign_ins', 'rate_limits', 'used_jtis']) {
        assert.equal(await count(db, table, 'expires_at < 2000000000000'), 0, table)
      }
    } finally {
      await server.close()
    }
  })

  test('types of events that are due take turns as well', async () => {
    const server = await openTestServer(dialect)
    try {
      const { db } = server.app.server
      await db.connection(async (run) => {
        await run(`insert into events (id, type, version, body, created_at)
          select 'evt_00' || k, 'a_backlog', 1, '{}', 0 from ${series(db, backlog)} as series`)
        await run(`insert into events (id, type, version, body, created_at)
          values ('evt_00b', 'b_few', 1, '{}', 0), ('evt_00c', 'c_few', 1, '{}', 0)`)
      })
      let pauses = 0
      const stopped = cleanUpOf(server).run({
        previous: null,
        async pause() {
          pauses++
          if (pauses === 3) throw new Error('stopped')
        },
      })
      await assert.rejects(stopped, /stopped/)
      assert.ok((await count(db, 'events', "type = 'a_backlog'")) > 0, 'the backlog is not gone')
      assert.equal(await count(db, 'events', "type in ('b_few', 'c_few')"), 0)
    } finally {
      await server.close()
    }
  })

  test('what was written late with an early expiry goes within an hour, and when the clock went back at once', async () => {
    const server = await openTestServer(dialect)
    try {
      const { db } = server.app.server
      const job = cleanUpOf(server)
      const run = () => job.run({ previous: null, pause: async () => {} })
      await addExpired(db, 1_000)
      assert.equal((await run()).access_tokens, 1_000)
      await addExpired(db, 10)
      server.clock.advance(3_600_000)
      assert.equal((await run()).access_tokens, 10, 'an hour later')
      await addExpired(db, 10)
      server.clock.advance(-60_000)
      assert.equal((await run()).access_tokens, 10, 'after the clock went back')
    } finally {
      await server.close()
    }
  })
})

test('PostgreSQL: no step walks over the index entries of what the steps before it deleted', async () => {
  const url = await testDatabaseUrl()
  const holder = new pg.Client({ connectionString: url })
  try {
    const db = await openPostgres({ url })
    await migrateUp(db)
    await addExpired(db, backlog)
    await db.query(sql`analyze access_tokens`)
    // While this snapshot is held, nothing can be vacuumed, nor marked as dead in an index.
    await holder.connect()
    await holder.query('begin isolation level repeatable read; select count(*) from jobs')
    const { access_tokens: step } = cleanUpOauth({
      db,
      now: Date.now,
      settings: { sessions: { keep: day } } as never,
    })
    for (let more = true; more; ) more = (await step!()).more
    assert.equal(await count(db, 'access_tokens', 'true'), 0)
    // The end of a connection writes down what it counted.
    await db.close()
    const read = await holder.query(
      "select pg_stat_get_tuples_returned(indexrelid) as entries from pg_index where indexrelid = 'access_tokens_expiry'::regclass",
    )
    const entries = Number(read.rows[0].entries)
    assert.ok(entries >= backlog, `${entries} entries read, so the count counts`)
    assert.ok(entries <= 1.1 * backlog, `${entries} index entries were read to delete ${backlog} rows`)
  } finally {
    await holder.end()
    await dropTestDatabase(url)
  }
})
