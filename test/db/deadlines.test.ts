// What is waited for has an end: a PostgreSQL that says nothing any more is answered as Unavailable, the next requests
// go over connections of their own, and close() resolves.

import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, test } from 'node:test'
import pg from 'pg'
import { openApp } from '../../src/app.ts'
import { type Database, Unavailable } from '../../src/db/database.ts'
import { openPostgres } from '../../src/db/postgres.ts'
import { sql } from '../../src/db/sql.ts'
import { embed } from '../../src/gatehouse.ts'
import { issuer, secret } from '../support/gatehouse.ts'
import { dropTestDatabase, type Postgres, startPostgres, testDatabaseUrl } from '../support/postgres.ts'
import { type SilentProxy, startSilentProxy } from '../support/silent-proxy.ts'
import { signalTree } from '../support/stopped.ts'
import { addThing, countThings, findThing, spendThing, thingsTable } from './things.ts'

/** Waits in milliseconds, short enough for a test. */
const brief = { limits: { connect: 2_000, statement: 1_500, answer: 2_000, report: 2_000, queue: 4_000 } }

describe('connections to PostgreSQL that fall silent', () => {
  let url: string
  let proxy: SilentProxy
  let db: Database
  before(async () => {
    url = await testDatabaseUrl()
    const direct = await openPostgres({ url })
    await direct.connection((run) => run(thingsTable))
    await direct.close()
  })
  beforeEach(async () => {
    proxy = await startSilentProxy(url)
    db = await openPostgres({ url: proxy.url, ...brief })
    await db.query(sql`delete from things`)
    // Several connections are open, of every kind.
    await Promise.all([
      ...Array.from({ length: 8 }, (_, n) => db.write(addThing, { id: `${n}`, label: 'x' })),
      ...Array.from({ length: 8 }, (_, n) => db.one(findThing, { id: `${n}` })),
      db.query(countThings()),
    ])
  })
  afterEach(async () => {
    await db.close()
    await proxy.close()
  })
  after(() => dropTestDatabase(url))

  test('are Unavailable, and the requests after them are answered over new ones', async () => {
    proxy.silence()
    const before = proxy.accepted
    const silent = await Promise.allSettled([
      db.one(findThing, { id: '1' }),
      db.write(addThing, { id: 'lost', label: 'x' }),
      db.query(countThings()),
    ])
    for (const one of silent) {
      assert.equal(one.status, 'rejected')
      assert.ok(one.reason instanceof Unavailable, String(one.reason))
      assert.ok(one.reason.retryAfter > 0)
    }
    // Whatever lay idle in the pool beside those that were asked is as old, and nobody finds it out again.
    const next = await Promise.all([
      db.one(findThing, { id: '1' }),
      db.one(findThing, { id: 'lost' }),
      ...Array.from({ length: 12 }, (_, n) => db.write(spendThing, { id: '1', now: n, log_id: `l${n}` })),
      db.query(countThings()),
    ])
    assert.equal((next[0] as { id: string }).id, '1')
    assert.equal(next[1], undefined)
    assert.ok(proxy.accepted > before)
  })

  test('hold nobody who comes later: what waits behind them is answered, too', async () => {
    proxy.silence()
    const held = Promise.allSettled(
      Array.from({ length: 600 }, (_, n) => db.write(addThing, { id: `held ${n}`, label: 'x' })),
    )
    const results = await held
    for (const one of results) {
      if (one.status === 'rejected') assert.ok(one.reason instanceof Unavailable, String(one.reason))
    }
    assert.equal(results[0]!.status, 'rejected', 'the first went over a silent connection')
    assert.equal(results.at(-1)!.status, 'fulfilled', 'the last waited for it, and went over a new one')
  })

  test('a write whose answer was lost is neither answered as done nor done again', async () => {
    await db.write(addThing, { id: 'once', label: 'x' })
    const blocker = new pg.Client({ connectionString: url })
    await blocker.connect()
    await blocker.query("begin; select * from things where id = 'once' for update")
    const spent = db.write(spendThing, { id: 'once', now: 1, log_id: 'log once' })
    await waitingForLock(url)
    proxy.silence()
    await blocker.query('rollback')
    await blocker.end()
    // PostgreSQL has done it by now, and its answer goes nowhere.
    await assert.rejects(spent, Unavailable)
    const logged = await db.query<{ n: number }>(sql`select count(*) as n from things where id = 'log once'`)
    assert.equal(logged[0]!.n, 1)
  })

  test('do not keep close() from resolving, with requests under way and waiting', async () => {
    proxy.silence('new')
    const asked = Promise.allSettled([
      ...Array.from({ length: 600 }, (_, n) => db.write(addThing, { id: `c${n}`, label: 'x' })),
      db.query(countThings()),
      db.connection((run) => run('select 1')),
    ])
    await db.close()
    for (const one of await asked) {
      assert.equal(one.status, 'rejected')
      assert.ok(one.reason instanceof Unavailable, String(one.reason))
    }
  })
})

describe('a PostgreSQL that is stopped where it stands', () => {
  let server: Postgres
  before(async () => {
    server = await startPostgres({ fsync: false })
  })
  after(() => server.stop())

  test('is answered 503 with Retry-After, served again when it goes on, and close() resolves while it stands', async () => {
    const database = await openPostgres({ url: server.url, ...brief })
    const app = await openApp(
      {
        issuer,
        secret,
        database: server.url,
        migrate: true,
        jobs: true,
        log: 'silent',
        accounts: { authenticate: async () => null },
      },
      { database },
    )
    const g = embed(app)
    const ask = () =>
      g.fetch(
        new Request(`${issuer}/oauth/token`, {
          method: 'POST',
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
          body: 'grant_type=client_credentials&client_id=gh_client_unknown&client_secret=none',
        }),
        { address: '203.0.113.7' },
      )
    assert.equal((await ask()).status, 401)
    signalTree(server.pid, 'SIGSTOP')
    try {
      for (const answer of await Promise.all([ask(), ask(), ask()])) {
        assert.equal(answer.status, 503)
        assert.match(answer.headers.get('retry-after') ?? '', /^[1-9]\d*$/)
      }
      signalTree(server.pid, 'SIGCONT')
      for (let answer = await ask(); answer.status !== 401; answer = await ask()) {
        assert.equal(answer.status, 503)
      }
      signalTree(server.pid, 'SIGSTOP')
      const last = ask()
      await app.close()
      await database.close()
      assert.equal((await last).status, 503)
    } finally {
      signalTree(server.pid, 'SIGCONT')
    }
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
