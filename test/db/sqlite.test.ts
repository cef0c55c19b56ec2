// Group commit on SQLite: nothing is answered before the log that holds it was forced to disk.

import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fdatasync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, afterEach, before, beforeEach, describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { type Database, Unavailable } from '../../src/db/database.ts'
import { sql } from '../../src/db/sql.ts'
import { openSqlite } from '../../src/db/sqlite.ts'
import { addThing, countThings, findThing, spendThing, thingsTable } from './things.ts'

const directory = mkdtempSync(join(tmpdir(), 'gatehouse-sqlite-'))
after(() => rmSync(directory, { recursive: true, force: true }))

let files = 0
const newFile = () => join(directory, `${files++}.db`)

async function withThings(db: Database): Promise<Database> {
  await db.connection((run) => run(thingsTable))
  return db
}

/** An `fdatasync` that waits to be let go, and counts. */
function heldDisk() {
  const waiting: (() => void)[] = []
  const disk = {
    calls: 0,
    held: false,
    failure: undefined as Error | undefined,
    release() {
      disk.held = false
      for (const go of waiting.splice(0)) go()
    },
    fdatasync(fd: number, done: (error: Error | null) => void) {
      disk.calls++
      const go = () => (disk.failure ? done(disk.failure) : fdatasync(fd, done))
      if (disk.held) waiting.push(go)
      else go()
    },
  }
  return disk
}

/** Lets everything that can happen happen. */
async function settle() {
  for (let n = 0; n < 50; n++) await turn()
}

describe('durability', () => {
  const disk = heldDisk()
  let db: Database
  before(async () => {
    db = await withThings(openSqlite(newFile(), disk))
  })
  after(() => db.close())

  test('no write resolves before the log that holds it was forced', async () => {
    disk.held = true
    disk.calls = 0
    let answered = 0
    const writes = ['a', 'b', 'c'].map((id) => db.write(addThing, { id, label: 'x' }).then(() => answered++))
    await settle()
    assert.equal(disk.calls, 1, 'one fdatasync for the whole group')
    assert.equal(answered, 0)
    const late = db.write(addThing, { id: 'd', label: 'x' }).then(() => answered++)
    await settle()
    assert.equal(disk.calls, 1, 'the next group waits for this one')
    disk.release()
    await Promise.all([...writes, late])
    assert.equal(disk.calls, 2)
    assert.equal(answered, 4)
  })

  test('a one-off query that writes waits for the disk too', async () => {
    disk.held = true
    let answered = false
    const deleted = db
      .query(
        sql`with old as (select 'd' as id) delete from things where id in (select id from old) returning id`,
      )
      .then((rows) => {
        answered = true
        return rows
      })
    await settle()
    assert.equal(answered, false)
    disk.release()
    assert.deepEqual(
      await deleted,
      [{ id: 'd' }].map((row) => Object.assign(Object.create(null), row)),
    )
  })

  test('an fdatasync that fails rejects the whole group, and every write after it', async () => {
    disk.failure = Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' })
    const group = await Promise.allSettled([
      db.write(addThing, { id: 'e', label: 'x' }),
      db.write(addThing, { id: 'f', label: 'x' }),
    ])
    for (const one of group) {
      assert.equal(one.status, 'rejected')
      assert.ok(one.reason instanceof Unavailable)
      assert.equal(one.reason.cause, disk.failure)
    }
    disk.failure = undefined
    await assert.rejects(db.write(addThing, { id: 'g', label: 'x' }), Unavailable)
    assert.equal(await db.one(findThing, { id: 'g' }), undefined, 'nothing is written any more')
    assert.ok(await db.one(findThing, { id: 'a' }), 'reads go on')
  })
})

describe('settings', () => {
  let db: Database
  const file = newFile()
  before(async () => {
    db = await withThings(openSqlite(file))
  })
  after(() => db.close())

  test('the log is written ahead, and SQLite itself leaves forcing it to us', async () => {
    await db.connection(async (run) => {
      const one = async (name: string) => Object.values((await run<object>(`pragma ${name}`, []))[0]!)[0]
      assert.equal(await one('journal_mode'), 'wal')
      assert.equal(await one('synchronous'), 1)
      assert.equal(await one('wal_autocheckpoint'), 0)
    })
  })

  test('C18: foreign keys are on for every connection', async () => {
    const [reader] = await db.query<{ foreign_keys: number }>(sql`pragma foreign_keys`)
    assert.equal(reader!.foreign_keys, 1)
    await db.connection(async (run) => {
      const [writer] = await run<{ foreign_keys: number }>('pragma foreign_keys', [])
      assert.equal(writer!.foreign_keys, 1)
      await run(
        'create table parents (id text primary key); create table children (id text references parents (id))',
      )
    })
    await assert.rejects(db.query(sql`insert into children (id) values ('orphan')`), /FOREIGN KEY/)
  })

  test('the connection that reads cannot write', async () => {
    await assert.rejects(db.query(sql`pragma user_version = 7`), /readonly/)
  })
})

describe('a disk that does not come back', () => {
  test('is answered as Unavailable to what it holds and to what waits behind, and served again when it does', async () => {
    const disk = heldDisk()
    const brief = { fdatasync: disk.fdatasync, limits: { force: 200, queue: 200, close: 200 } }
    const db = await withThings(openSqlite(newFile(), brief))
    disk.held = true
    const held = db.write(addThing, { id: 'held', label: 'x' })
    await settle()
    const behind = [
      db.write(addThing, { id: 'behind', label: 'x' }),
      db.query(sql`delete from things where id = 'nothing' returning id`),
    ]
    for (const one of [held, ...behind]) await assert.rejects(one, Unavailable)
    assert.equal(disk.calls, 2, 'one of the table, one of the write; nothing more goes to a disk that hangs')
    disk.release()
    await db.connection(async () => {})
    assert.ok(await db.one(findThing, { id: 'held' }), 'what was committed may stay')
    assert.equal(
      await db.one(findThing, { id: 'behind' }),
      undefined,
      'what was refused in the queue is not done',
    )
    await db.write(addThing, { id: 'after', label: 'x' })
    await db.close()
  })

  test('does not keep close() from resolving', async () => {
    const disk = heldDisk()
    const brief = { fdatasync: disk.fdatasync, limits: { force: 200, queue: 200, close: 200 } }
    const db = await withThings(openSqlite(newFile(), brief))
    disk.held = true
    const held = db.write(addThing, { id: 'held', label: 'x' })
    const refused = assert.rejects(held, Unavailable)
    await db.close()
    await refused
    disk.release()
  })
})

describe('a group', () => {
  let db: Database
  beforeEach(async () => {
    db = await withThings(openSqlite(newFile()))
  })
  afterEach(() => db.close())

  test('holds writes of any kind, and one that fails fails alone', async () => {
    const [good, poison, twin, spent] = await Promise.allSettled([
      db.write(addThing, { id: 'a', label: 'good' }),
      db.write(addThing, { id: 'b', label: 'poison' }),
      db.write(addThing, { id: 'a', label: 'twin' }),
      db.write(spendThing, { id: 'a', now: 1, log_id: 'log' }),
    ])
    assert.equal(good.status, 'fulfilled')
    assert.match(String((poison as PromiseRejectedResult).reason), /CHECK/)
    assert.match(String((twin as PromiseRejectedResult).reason), /UNIQUE/)
    assert.deepEqual((spent as PromiseFulfilledResult<unknown[]>).value.length, 1)
    assert.equal((await db.one(findThing, { id: 'a' }))!.used_at, 1)
    assert.equal((await db.query(countThings()))[0]!.count, 2)
  })

  test('lets exactly one of many spend the same row', async () => {
    await db.write(addThing, { id: 'a', label: 'x' })
    const spends = await Promise.all(
      Array.from({ length: 20 }, (_, n) => db.write(spendThing, { id: 'a', now: n, log_id: `log ${n}` })),
    )
    assert.equal(spends.filter((rows) => rows.length === 1).length, 1)
    assert.equal((await db.query(countThings()))[0]!.count, 2, 'no effect of a guard that held nothing')
  })

  test('an effect that fails takes its guard back', async () => {
    await db.write(addThing, { id: 'a', label: 'x' })
    await db.write(addThing, { id: 'log', label: 'x' })
    await assert.rejects(db.write(spendThing, { id: 'a', now: 1, log_id: 'log' }), /UNIQUE/)
    assert.equal((await db.one(findThing, { id: 'a' }))!.used_at, null)
  })
})

describe('another process', () => {
  test('that holds the write lock is waited for without stopping this one', async () => {
    const file = newFile()
    const db = await withThings(openSqlite(file))
    const other = new DatabaseSync(file)
    other.exec('begin immediate')
    let answered = false
    const write = db.write(addThing, { id: 'a', label: 'x' }).then(() => {
      answered = true
    })
    await settle()
    assert.equal(answered, false)
    assert.equal(await db.one(findThing, { id: 'a' }), undefined, 'reads go on meanwhile')
    other.exec('commit')
    await write
    other.close()
    await db.close()
  })

  test('may open the same new file at the same moment', async () => {
    const file = newFile()
    const script = join(import.meta.dirname, 'open-sqlite.ts')
    const children = Array.from({ length: 4 }, (_, n) =>
      fork(script, [file, String(n)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }),
    )
    const codes = await Promise.all(children.map(async (child) => (await once(child, 'exit'))[0]))
    assert.deepEqual(codes, [0, 0, 0, 0])
    const db = openSqlite(file)
    assert.equal(
      (await db.query<{ count: number }>(sql`select count(*) as count from opened`))[0]!.count,
      200,
    )
    await db.close()
  })
})

describe('the log', () => {
  test('is carried over on another thread and begins anew, so that it stays small under load', async () => {
    const file = newFile()
    const db = await withThings(openSqlite(file))
    let [next, largest] = [0, 0]
    const rows = 40_000
    // Some write is always waiting, so the log never comes to rest by itself.
    const load = async () => {
      while (next < rows) {
        await Promise.all(
          Array.from({ length: 50 }, () => db.write(addThing, { id: `${next++}`, label: 'x'.repeat(200) })),
        )
        largest = Math.max(largest, statSync(`${file}-wal`).size)
      }
    }
    await Promise.all([load(), load(), load(), load()])
    assert.ok(statSync(file).size > 5_000_000, 'the database file grows while it is open')
    assert.ok(largest < 20_000_000, `the log reached ${largest} bytes`)
    await db.close()
  })

  test('keeps no process alive', async () => {
    const child = fork(join(import.meta.dirname, 'open-sqlite.ts'), [newFile(), 'left open', '5000'], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    assert.deepEqual(await once(child, 'exit'), [0, null])
  })

  test('is gone after close, and the file alone holds everything', async () => {
    const file = newFile()
    const db = await withThings(openSqlite(file))
    await db.write(addThing, { id: 'a', label: 'x' })
    await Promise.all([db.close(), db.close()])
    assert.throws(() => statSync(`${file}-wal`), { code: 'ENOENT' })
    await assert.rejects(db.write(addThing, { id: 'b', label: 'x' }), Unavailable)
    const again = openSqlite(file)
    assert.ok(await again.one(findThing, { id: 'a' }))
    await again.close()
  })
})

describe('a full disk', () => {
  test('refuses what does not fit, says so as Unavailable, and goes on when there is room', async () => {
    const file = newFile()
    const db = await withThings(openSqlite(file))
    const limit = (pages: string) =>
      db.connection(async (run) => void (await run(`pragma max_page_count = ${pages}`)))
    await limit('12')
    const big = 'x'.repeat(3_000)
    const results = await Promise.allSettled(
      Array.from({ length: 40 }, (_, n) => db.write(addThing, { id: `row ${n}`, label: big })),
    )
    const refused = results.filter((one) => one.status === 'rejected')
    assert.ok(refused.length > 0)
    for (const { reason } of refused) assert.ok(reason instanceof Unavailable, String(reason))
    const answered = results.length - refused.length
    assert.equal((await db.query(countThings()))[0]!.count, answered, 'what was answered is there, no more')
    await limit('100000')
    await db.write(addThing, { id: 'after', label: big })
    await db.close()
  })
})
