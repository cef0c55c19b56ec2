// Batches on PostgreSQL: what travels together, what fails alone, and what a lost connection means.

import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import pg from 'pg'
import { type Database, Unavailable } from '../../src/db/database.ts'
import { openPostgres } from '../../src/db/postgres.ts'
import { andFrom, from, select, selecting, sql, write } from '../../src/db/sql.ts'
import { dropTestDatabase, type Postgres, startPostgres, testDatabaseUrl } from '../support/postgres.ts'
import { addThing, countThings, findThing, spendThing, thingsTable } from './things.ts'

const settings = select(
  'test_settings',
  { name: 'text' },
  (i) => sql<{ value: string }>`select current_setting(${i.name}) as value`,
)

/** How many requests shared the statement this one was in. */
const company = select(
  'test_company',
  { id: 'text' },
  (i) => sql<{ at: string }>`select statement_timestamp()::text as at where ${i.id} is not null`,
)

describe('on PostgreSQL', () => {
  let url: string
  let db: Database
  before(async () => {
    url = await testDatabaseUrl()
    db = await openPostgres({ url })
    await db.connection((run) => run(thingsTable))
  })
  beforeEach(() => db.query(sql`delete from things`))
  after(async () => {
    await db.close()
    await dropTestDatabase(url)
  })

  test('256 requests share a statement, the next ones the next', async () => {
    const answers = await Promise.all(
      Array.from({ length: 600 }, (_, n) => db.one(company, { id: String(n) })),
    )
    const sizes = [...Map.groupBy(answers, (row) => row!.at).values()].map((rows) => rows.length)
    assert.deepEqual(sizes, [256, 256, 88])
  })

  test('every answer finds its request', async () => {
    await Promise.all(
      Array.from({ length: 300 }, (_, n) => db.write(addThing, { id: `${n}`, label: `label ${n}` })),
    )
    const found = await Promise.all(Array.from({ length: 301 }, (_, n) => db.one(findThing, { id: `${n}` })))
    assert.deepEqual(
      found.map((row) => row?.label),
      [...Array.from({ length: 300 }, (_, n) => `label ${n}`), undefined],
    )
  })

  test('the same request may come twice in a batch', async () => {
    await db.write(addThing, { id: 'a', label: 'x' })
    const found = await Promise.all([db.one(findThing, { id: 'a' }), db.one(findThing, { id: 'a' })])
    assert.deepEqual(
      found.map((row) => row?.id),
      ['a', 'a'],
    )
  })

  test('exactly one of a batch spends the same row, and only its effects happen', async () => {
    await db.write(addThing, { id: 'a', label: 'x' })
    const spends = await Promise.all(
      Array.from({ length: 50 }, (_, n) => db.write(spendThing, { id: 'a', now: n, log_id: `log ${n}` })),
    )
    assert.equal(spends.filter((rows) => rows.length === 1).length, 1)
    assert.equal((await db.query(countThings()))[0]!.count, 2)
  })

  test('a guard that only looks holds for all that ask', async () => {
    const look = write('test_look', { id: 'text', log_id: 'text' }, (i) => ({
      guard: sql`${selecting} t.id from things t ${andFrom} where t.id = ${i.id}`,
      effects: [sql`insert into things (id, label) select ${i.log_id}, 'log' ${from} where true`],
    }))
    await db.write(addThing, { id: 'a', label: 'x' })
    const held = await Promise.all(['1', '2', '3'].map((log_id) => db.write(look, { id: 'a', log_id })))
    assert.deepEqual(
      held.map((rows) => rows.length),
      [1, 1, 1],
    )
    assert.equal((await db.query(countThings()))[0]!.count, 4)
  })

  test('a request that cannot be fails alone, wherever it stands in its batch', async () => {
    for (const bad of [0, 7, 63]) {
      await db.query(sql`delete from things`)
      const results = await Promise.allSettled(
        Array.from({ length: 64 }, (_, n) =>
          db.write(addThing, { id: `${n}`, label: n === bad ? 'poison' : 'good' }),
        ),
      )
      assert.deepEqual(
        results.flatMap((one, n) => (one.status === 'rejected' ? [[n, one.reason.code]] : [])),
        [[bad, '23514']],
      )
      assert.equal((await db.query(countThings()))[0]!.count, 63)
    }
  })

  test('an effect that fails takes its guard back', async () => {
    await db.write(addThing, { id: 'a', label: 'x' })
    await db.write(addThing, { id: 'log', label: 'x' })
    await assert.rejects(db.write(spendThing, { id: 'a', now: 1, log_id: 'log' }), { code: '23505' })
    assert.equal((await db.one(findThing, { id: 'a' }))!.used_at, null)
  })

  test('hot statements are planned for tables that grow', async () => {
    const value = async (name: string) => (await db.one(settings, { name }))!.value
    assert.equal(await value('plan_cache_mode'), 'force_generic_plan')
    assert.equal(await value('enable_seqscan'), 'off')
    assert.equal(await value('statement_timeout'), '8s')
    const [plain] = await db.query<{ value: string }>(sql`select current_setting('enable_seqscan') as value`)
    assert.equal(plain!.value, 'on', 'lists and reports are planned as ever')
  })

  test('a deadlock is run again and nobody hears of it', async () => {
    await Promise.all(['a', 'b'].map((id) => db.write(addThing, { id, label: 'x' })))
    const other = new pg.Client({ connectionString: url })
    await other.connect()
    // This one gives way last, so that the batch is the one that PostgreSQL chooses to end.
    await other.query("set deadlock_timeout = '60s'; begin; update things set used_at = 7 where id = 'b'")
    const both = write('test_spend_both', { first: 'text', second: 'text', now: 'int' }, (i) => ({
      guard: sql`update things set used_at = ${i.now} ${from}
        where things.id in (${i.first}, ${i.second}) and things.label = 'x' returning i.n, things.id`,
    }))
    let answered = false
    const spent = db.write(both, { first: 'a', second: 'b', now: 1 }).then((rows) => {
      answered = true
      return rows
    })
    await waitingForLock(url)
    assert.equal(answered, false)
    await other.query("update things set used_at = 7 where id = 'a'")
    await other.query('commit')
    assert.equal((await spent).length, 2)
    await other.end()
    const deadlocks = () =>
      db.query<{ deadlocks: number }>(
        sql`select deadlocks from pg_stat_database where datname = current_database()`,
      )
    // PostgreSQL publishes its counts about once a second.
    while ((await deadlocks())[0]!.deadlocks === 0);
  })

  test('close waits for what is under way and answers the rest as Unavailable', async () => {
    const own = await openPostgres({ url })
    const last = own.write(addThing, { id: 'last', label: 'x' })
    await Promise.all([own.close(), own.close()])
    assert.deepEqual(await last, [])
    assert.ok(await db.one(findThing, { id: 'last' }))
    await assert.rejects(own.write(addThing, { id: 'too late', label: 'x' }), Unavailable)
  })
})

describe('a PostgreSQL that dies', () => {
  let server: Postgres
  let db: Database
  const lost: string[] = []
  before(async () => {
    server = await startPostgres()
    db = await openPostgres({ url: server.url, onError: (error) => lost.push(error.message) })
    await db.connection((run) => run(thingsTable))
  })
  after(async () => {
    await db.close()
    await server.stop()
  })

  test('is Unavailable while it is away, and served again once it is back, with everything it answered', async () => {
    const answered: string[] = []
    for (const signal of ['SIGKILL', 'SIGINT'] as const) {
      const id = `before ${signal}`
      await db.write(addThing, { id, label: 'x' })
      await server.kill(signal)
      const writes = Array.from({ length: 300 }, (_, n) => ({ id: `${signal} ${n}`, label: 'x' }))
      const [written, others] = await Promise.all([
        Promise.allSettled(writes.map((row) => db.write(addThing, row))),
        Promise.allSettled([
          ...writes.map(() => db.one(findThing, { id })),
          db.query(countThings()),
          db.connection((run) => run('select 1')),
        ]),
      ])
      const refused = [...written, ...others].filter((one) => one.status === 'rejected')
      for (const { reason } of refused) assert.ok(reason instanceof Unavailable, String(reason))
      // After SIGKILL its children may answer for a moment longer.
      if (signal === 'SIGINT') assert.equal(refused.length, 602)
      answered.push(...writes.filter((_, n) => written[n]!.status === 'fulfilled').map((row) => row.id))
      await server.restart()
      answered.push(id)
      for (const one of answered) assert.ok(await db.one(findThing, { id: one }), `${one} was answered`)
      await db.write(addThing, { id: `after ${signal}`, label: 'x' })
    }
    assert.ok(lost.length > 0, 'lost idle connections are reported, not thrown')
  })

  test('a write whose connection is lost is never run a second time', async () => {
    await db.query(sql`delete from things`)
    await Promise.all(['a', 'b', 'c'].map((id) => db.write(addThing, { id, label: 'x' })))
    const blocker = new pg.Client({ connectionString: server.url })
    blocker.on('error', () => {})
    await blocker.connect()
    await blocker.query("begin; select * from things where id = 'a' for update")
    const spends = Promise.allSettled(
      ['a', 'b', 'c'].map((id, n) => db.write(spendThing, { id, now: n, log_id: `log ${id}` })),
    )
    await waitingForLock(server.url)
    // Ends the waiting statement's connection as a crash would, before it has touched a row.
    await blocker.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where wait_event_type = 'Lock' and pid <> pg_backend_pid()",
    )
    for (const one of await spends) {
      assert.equal(one.status, 'rejected')
      assert.ok(one.reason instanceof Unavailable, String(one.reason))
    }
    await blocker.query('rollback')
    await blocker.end()
    assert.equal((await db.query(countThings()))[0]!.count, 3)
  })
})

/** Resolves once some statement of the database waits for a row another transaction holds. */
async function waitingForLock(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    for (;;) {
      const { rows } = await client.query(
        "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
      )
      if (rows.length > 0) return
    }
  } finally {
    await client.end()
  }
}
