// The schema changes while processes of two releases serve: none of them answers with a fault, none waits long, and an
// older one starts on what it may serve.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import pg from 'pg'
import { type Database, Unavailable } from '../../src/db/database.ts'
import {
  type Migration,
  migrateDown,
  migrateUp,
  migrationStatus,
  readMigrations,
  SchemaMismatch,
} from '../../src/db/migrate.ts'
import { openDatabase } from '../../src/db/open.ts'
import { sql } from '../../src/db/sql.ts'
import { type Dialect, freshDatabase, onBothDatabases, openTestServer } from '../support/gatehouse.ts'
import { addThing, findThing, spendThing, thingsTable } from './things.ts'

async function withDatabase(dialect: Dialect, work: (db: Database, url: string) => Promise<void>) {
  const { url, remove } = await freshDatabase(dialect)
  const db = await openDatabase(url)
  try {
    await work(db, url)
  } finally {
    await db.close()
    await remove()
  }
}

/** The steps of this release, and one of the next that adds a column. */
function nextRelease(dialect: Dialect, servedFrom?: number): { known: number; migrations: Migration[] } {
  const migrations = readMigrations(dialect)
  const known = migrations.at(-1)!.version
  const step = {
    version: known + 1,
    name: 'next_release',
    up: 'alter table users add column nickname text',
    down: 'alter table users drop column nickname',
    checksum: 'next',
    ...(servedFrom === undefined ? {} : { servedFrom }),
  }
  return { known, migrations: [...migrations, step] }
}

onBothDatabases('a schema that changes while it is served', (dialect) => {
  test('breaks no statement that was prepared before', () =>
    withDatabase(dialect, async (db, url) => {
      await db.connection((run) => run(thingsTable))
      const other = await openDatabase(url)
      await Promise.all(Array.from({ length: 200 }, (_, n) => db.write(addThing, { id: `${n}`, label: 'x' })))
      for (let round = 0; round < 10; round++) {
        const asked = Array.from({ length: 20 }, (_, n) => {
          const id = `${round * 20 + n}`
          return [db.one(findThing, { id }), db.write(spendThing, { id, now: 1, log_id: `log ${id}` })]
        }).flat()
        await other.connection((run) => run(`alter table things add column more_${round} text`))
        for (const answer of await Promise.all(asked)) assert.ok(answer)
        // One at a time: none can be saved by being run again alone.
        for (let n = 0; n < 4; n++) assert.ok(await db.one(findThing, { id: `${n}` }))
      }
      const spent = await db.query<{ n: number }>(sql`select count(*) as n from things where label = 'log'`)
      assert.equal(spent[0]!.n, 200, 'and each write was done once')
      await other.close()
    }))

  test('C19: a release that may serve a newer schema starts on it, and cannot take it back', async () => {
    const database = await freshDatabase(dialect)
    try {
      const db = await openDatabase(database.url)
      const { known, migrations } = nextRelease(dialect, readMigrations(dialect).at(-1)!.version)
      await migrateUp(db, { migrations })
      assert.deepEqual(await migrateUp(db), [], 'the older release finds nothing to do')
      const status = await migrationStatus(db)
      assert.deepEqual(
        status.filter((step) => step.ahead).map((step) => step.version),
        [known + 1],
      )
      await assert.rejects(migrateDown(db, { to: 0 }), SchemaMismatch)
      await db.close()
      const server = await openTestServer(dialect, { migrate: dialect === 'sqlite', database: database.url })
      assert.equal((await server.request('/.well-known/oauth-authorization-server')).status, 200)
      await server.createClient()
      await server.close()
    } finally {
      await database.remove()
    }
  })

  test('C19: a release that is too old for it, or of which nothing is said, does not start', () =>
    withDatabase(dialect, async (db) => {
      for (const servedFrom of [undefined, nextRelease(dialect).known + 1]) {
        const { known, migrations } = nextRelease(dialect, servedFrom)
        await migrateUp(db, { migrations })
        await assert.rejects(
          migrationStatus(db),
          (error: Error) =>
            error instanceof SchemaMismatch && error.message.includes(`version ${known + 1} (next_release)`),
        )
        await migrateDown(db, { to: known, migrations })
      }
    }))

  test('every step from 3 on says from which schema version on it can be served', () => {
    for (const { version, servedFrom } of readMigrations(dialect)) {
      if (version < 3) continue
      assert.ok(servedFrom !== undefined && servedFrom <= version, `step ${version}`)
    }
  })
})

describe('a step that others are in the way of (postgres)', () => {
  test('waits for its lock in short turns, in which requests go on, and is whole at last', () =>
    withDatabase('postgres', async (db, url) => {
      const { known, migrations } = nextRelease('postgres')
      await migrateUp(db)
      const reader = new pg.Client({ connectionString: url })
      await reader.connect()
      await reader.query('begin; select count(*) from users')
      const waits = Promise.withResolvers<string>()
      const done = migrateUp(db, { migrations, onWait: (why) => waits.resolve(why) })
      assert.match(await waits.promise, /idle in transaction/)
      // The reader is still there, and so is the step that waits; a request gets through between two turns.
      await db.query(sql`select count(*) as n from users`)
      await reader.query('commit')
      assert.deepEqual(
        (await done).map((step) => step.version),
        [known + 1],
      )
      await reader.end()
    }))

  test('gives up in the end, says who was in the way, and leaves nothing', () =>
    withDatabase('postgres', async (db, url) => {
      const { migrations } = nextRelease('postgres')
      await migrateUp(db)
      const reader = new pg.Client({ connectionString: url })
      await reader.connect()
      await reader.query('begin; select count(*) from users')
      await assert.rejects(
        migrateUp(db, { migrations, patience: 100 }),
        (error: Error) =>
          error instanceof Unavailable && /next_release.*idle in transaction/s.test(error.message),
      )
      await reader.query('commit')
      await reader.end()
      assert.deepEqual(
        (await migrationStatus(db)).filter((step) => step.ahead),
        [],
      )
    }))

  test('a migrator that died in a step holds nobody up', () =>
    withDatabase('postgres', async (db, url) => {
      const { migrations } = nextRelease('postgres')
      await migrateUp(db)
      const dead = new pg.Client({ connectionString: url })
      dead.on('error', () => {})
      await dead.connect()
      await dead.query('begin; select pg_advisory_xact_lock(727416001)')
      const waits = Promise.withResolvers<string>()
      const done = migrateUp(db, { migrations, onWait: (why) => waits.resolve(why) })
      assert.match(await waits.promise, /another process/)
      await dead.query('select pg_terminate_backend(pg_backend_pid())').catch(() => {})
      assert.equal((await done).length, 1)
    }))
})

describe('a primary that became a standby (postgres)', () => {
  test('SQLSTATE 25006: its connections are left, and the write goes to the new one', () =>
    withDatabase('postgres', async (db, url) => {
      await db.connection((run) => run(thingsTable))
      await db.close()
      const name = new URL(url).pathname.slice(1)
      const operator = new pg.Client({ connectionString: url })
      await operator.connect()
      await operator.query(`alter database ${name} set default_transaction_read_only = on`)
      const served = await openDatabase(url)
      // Every connection of the pool leads to where nothing may be written.
      await Promise.all(Array.from({ length: 8 }, (_, n) => served.one(findThing, { id: `${n}` })))
      await assert.rejects(served.write(addThing, { id: 'a', label: 'x' }), Unavailable)
      await Promise.all(Array.from({ length: 8 }, (_, n) => served.one(findThing, { id: `${n}` })))
      await served.query(sql`select count(*) as n from things`)
      await operator.query(`alter database ${name} reset default_transaction_read_only`)
      await operator.end()
      await Promise.all(
        Array.from({ length: 300 }, (_, n) => served.write(addThing, { id: `${n}`, label: 'x' })),
      )
      await served.query(sql`insert into things (id, label) values ('report', 'x')`)
      await served.close()
    }))
})
