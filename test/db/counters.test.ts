// Rate counters: counted in memory, added up in the database, the same for every process.

import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { addToCounter, type Limit, openCounters } from '../../src/db/counters.ts'
import type { Database } from '../../src/db/database.ts'
import { migrateUp } from '../../src/db/migrate.ts'
import { openDatabase } from '../../src/db/open.ts'
import { sql } from '../../src/db/sql.ts'
import { freshDatabase, onBothDatabases } from '../support/gatehouse.ts'

const minute = 60_000
const limit = (key: string, most = 1_000): Limit => ({ key, most, window: minute })
const a = limit('a')

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
    for (let n = 0; n < 3; n++) await counters.count(a)
    assert.equal(counters.blockedFor(limit('a', 4)), 0)
    assert.equal(counters.blockedFor(limit('a', 3)), 50_000)
    assert.equal(counters.blockedFor(limit('other', 1)), 0)
    time += 50_000
    assert.equal(counters.blockedFor(limit('a', 3)), 0)
    await counters.count(a)
    assert.equal(counters.blockedFor(limit('a', 1)), minute, 'a new window begins from nothing')
  })

  test('write nothing until flushed, then one row a window', async () => {
    const counters = openCounters(db, now)
    for (let n = 0; n < 5; n++) await counters.count(a)
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
    for (let n = 0; n < 4; n++) await here.count(a, true)
    assert.equal(there.blockedFor(limit('a', 5)), 0)
    await there.count(a, true)
    assert.equal(there.blockedFor(limit('a', 5)), minute)
  })

  test('lose nothing when many count the same key at once', async () => {
    const all = Array.from({ length: 4 }, () => openCounters(db, now))
    await Promise.all(all.flatMap((counters) => Array.from({ length: 25 }, () => counters.count(a, true))))
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
    await counters.count(a)
    await assert.rejects(counters.flush(), /away/)
    await assert.rejects(counters.count(a, true), /away/)
    fails = false
    time += 2 * minute
    await counters.flush()
    assert.equal((await rows())[0]!.count, 2)
    await counters.flush()
  })

  test('a lock-out outlives a flood of other keys', async () => {
    const counters = openCounters(db, now)
    const victim = limit('sign-in:victim', 10)
    for (let n = 0; n < 10; n++) await counters.count(victim, true)
    for (let n = 0; n < 120_000; n++) void counters.count(limit(`sign-in:${n}`, 10))
    assert.equal(counters.blockedFor(victim), minute)
    assert.ok(counters.size <= 100_001, String(counters.size))
  })

  test('hold a bounded number of keys, and learn again what they forgot below its limit', async () => {
    const counters = openCounters(db, now, { keys: 50, rows: 100_000 })
    const victim = limit('victim', 10)
    for (let n = 0; n < 9; n++) await counters.count(victim, true)
    for (let n = 0; n < 300; n++) await counters.count(limit(`other ${n}`, 10), true)
    assert.ok(counters.size <= 50, String(counters.size))
    await counters.count(victim, true)
    assert.equal(await counters.blockedFor(victim), minute, 'no try more than without the flood')
  })

  test('look a key at its limit up where memory has no room for it', async () => {
    const counters = openCounters(db, now, { keys: 50, rows: 100_000 })
    const keys = Array.from({ length: 200 }, (_, n) => limit(`key ${n}`, 2))
    for (const key of keys) {
      await counters.count(key, true)
      await counters.count(key, true)
    }
    assert.ok(counters.size <= 100, String(counters.size))
    const waits = await Promise.all(keys.map((key) => counters.blockedFor(key)))
    assert.deepEqual(waits, Array(200).fill(minute))
    assert.equal(await counters.blockedFor(limit('another', 2)), 0)
    assert.equal(await counters.take([keys[0]!, limit('another', 2)], true), minute)
    assert.equal(counters.countOf(limit('another', 2)), 0, 'refused by one, counted for none')
    time += minute
    assert.equal(counters.blockedFor(keys[0]!), 0, 'the window is over')
  })

  test('count what is not written yet on its way out, when memory is full', async () => {
    const counters = openCounters(db, now, { keys: 50, rows: 100_000 })
    for (let n = 0; n < 300; n++) {
      void counters.count(limit(`key ${n}`, 10))
      if (n % 10 === 0) await counters.flush()
    }
    await counters.flush()
    assert.equal(
      (await rows()).reduce((sum, row) => sum + row.count, 0),
      300,
    )
    assert.ok(counters.size <= 50, String(counters.size))
  })

  test('write a bounded number of rows: a flood is counted by the party around it', async () => {
    const counters = openCounters(db, now, { keys: 50, rows: 100 })
    const address = (n: number): Limit => ({ ...limit(`address ${n}`, 3), wider: limit('region', 20) })
    for (let n = 0; n < 115; n++) await counters.count(address(n), true)
    assert.ok((await rows()).length <= 101, String((await rows()).length))
    assert.equal(await counters.blockedFor(address(999)), 0)
    for (let n = 115; n < 120; n++) await counters.count(address(n), true)
    assert.equal(await counters.blockedFor(address(999)), minute, 'the region has used up its own')
    assert.equal(await counters.blockedFor(limit('elsewhere', 3)), 0)
  })

  test('take together what is free for all, many at once or one after the other', async () => {
    const counters = openCounters(db, now)
    const waits = await Promise.all(
      Array.from({ length: 20 }, () => counters.take([limit('one', 7), limit('other', 9)], true)),
    )
    assert.equal(waits.filter((wait) => wait === 0).length, 7)
    assert.equal(counters.countOf(limit('other')), 7)
  })

  test('a database that takes nothing makes them hold no more than twice as many', async () => {
    const dead: Database = { ...db, write: () => Promise.reject(new Error('away')) }
    const counters = openCounters(dead, now, { keys: 50, rows: 100_000 })
    for (let n = 0; n < 1_000; n++) await counters.count(limit(`key ${n}`))
    assert.ok(counters.size <= 100, String(counters.size))
    await assert.rejects(counters.count(limit('urgent'), true), /away/)
  })
})
