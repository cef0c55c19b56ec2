// Rate counters: counted in memory, added up in the database, the same for every process.

import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { addToCounter, openCounters } from '../../src/db/counters.ts'
import type { Database } from '../../src/db/database.ts'
import { migrateUp } from '../../src/db/migrate.ts'
import { openDatabase } from '../../src/db/open.ts'
import { sql } from '../../src/db/sql.ts'
import { freshDatabase, onBothDatabases } from '../support/house.ts'

const minute = 60_000

onBothDatabases('counters', (dialect) => {
  let db: Database
  let remove: () => Promise<void>
  let time = 0
  const now = () => time
  before(async () => {
    const database = await freshDatabase(dialect)
    remove = database.remove
    db = await openDatabase(database.url)
    await migrateUp(db)
  })
  after(async () => {
    await db.close()
    await remove()
  })
  beforeEach(() => {
    time = 1_000_000 * minute
    return db.query(sql`delete from rate_limits`)
  })
  const rows = () =>
    db.query<{ key: string; count: number; expires_at: number }>(sql`select * from rate_limits order by key`)

  test('count in fixed windows and block until the window ends', async () => {
    const counters = openCounters(db, now)
    time += 10_000
    for (let n = 0; n < 3; n++) await counters.count('a', minute)
    assert.equal(counters.blockedFor('a', 4), 0)
    assert.equal(counters.blockedFor('a', 3), 50_000)
    assert.equal(counters.blockedFor('other', 1), 0)
    time += 50_000
    assert.equal(counters.blockedFor('a', 3), 0)
    await counters.count('a', minute)
    assert.equal(counters.blockedFor('a', 1), minute, 'a new window begins from nothing')
  })

  test('write nothing until flushed, then one row a window', async () => {
    const counters = openCounters(db, now)
    for (let n = 0; n < 5; n++) await counters.count('a', minute)
    assert.deepEqual(await rows(), [])
    await counters.flush()
    await counters.flush()
    assert.deepEqual(
      (await rows()).map((row) => ({ ...row })),
      [{ key: `a@${time + minute}`, count: 5, expires_at: time + minute }],
    )
  })

  test('learn from each other when a count is urgent', async () => {
    const [here, there] = [openCounters(db, now), openCounters(db, now)]
    for (let n = 0; n < 4; n++) await here.count('a', minute, true)
    assert.equal(there.blockedFor('a', 5), 0)
    await there.count('a', minute, true)
    assert.equal(there.blockedFor('a', 5), minute)
  })

  test('lose nothing when many count the same key at once', async () => {
    const all = Array.from({ length: 4 }, () => openCounters(db, now))
    await Promise.all(
      all.flatMap((counters) => Array.from({ length: 25 }, () => counters.count('a', minute, true))),
    )
    assert.equal((await rows())[0]!.count, 100)
  })

  test('the same key twice in one batch counts twice', async () => {
    const add = { key: 'k', amount: 2, expires_at: 1 }
    const totals = await Promise.all([
      db.write(addToCounter, add),
      db.write(addToCounter, { ...add, amount: 3 }),
    ])
    assert.deepEqual(totals.map(([row]) => row!.count).sort(), [2, 5])
  })

  test('keep what could not be sent for the next flush', async () => {
    let fails = true
    const flaky: Database = {
      ...db,
      write: (operation, input) => (fails ? Promise.reject(new Error('away')) : db.write(operation, input)),
    }
    const counters = openCounters(flaky, now)
    await counters.count('a', minute)
    await assert.rejects(counters.flush(), /away/)
    await assert.rejects(counters.count('a', minute, true), /away/)
    fails = false
    time += 2 * minute
    await counters.flush()
    assert.equal((await rows())[0]!.count, 2)
    await counters.flush()
  })

  test('a lock-out outlives a flood of other keys', async () => {
    const counters = openCounters(db, now)
    for (let n = 0; n < 10; n++) await counters.count('sign-in:victim', minute, true)
    for (let n = 0; n < 120_000; n++) void counters.count(`sign-in:${n}`, minute)
    assert.equal(counters.blockedFor('sign-in:victim', 10), minute)
  })
})
