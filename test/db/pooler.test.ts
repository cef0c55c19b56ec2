// Behind PgBouncer in transaction mode: no statement may count on finding the connection it had before.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type Database, Unavailable } from '../../src/db/database.ts'
import { migrateDown, migrateUp } from '../../src/db/migrate.ts'
import { openDatabase } from '../../src/db/open.ts'
import { select, sql } from '../../src/db/sql.ts'
import { obtainTokens, readTokens, refresh } from '../support/flow.ts'
import { openTestServer } from '../support/gatehouse.ts'
import { noPgbouncer, startPgbouncer } from '../support/pgbouncer.ts'
import { dropTestDatabase, testDatabaseUrl } from '../support/postgres.ts'
import { addThing, findThing, spendThing, thingsTable } from './things.ts'

const settings = select(
  'test_pooled_settings',
  { name: 'text' },
  (i) => sql<{ value: string }>`select current_setting(${i.name}) as value`,
)

describe('behind PgBouncer in transaction mode', { skip: noPgbouncer }, () => {
  let url: string
  let pooler: Awaited<ReturnType<typeof startPgbouncer>>
  let db: Database
  before(async () => {
    url = await testDatabaseUrl()
    pooler = await startPgbouncer(url, 3)
    db = await openDatabase(`${pooler.url}?pooler=transaction`)
    await db.connection((run) => run(thingsTable))
  })
  after(async () => {
    await db.close()
    await pooler.stop()
    await dropTestDatabase(url)
  })

  test('the schema goes up and down, and the whole flow runs', async () => {
    await migrateUp(db)
    await migrateDown(db, { to: 6 })
    await migrateUp(db)
    const testServer = await openTestServer('postgres', {}, () =>
      openDatabase(`${pooler.url}?pooler=transaction`),
    )
    const created = await testServer.createClient()
    for (const tokens of await Promise.all(
      Array.from({ length: 8 }, () => obtainTokens(testServer, created)),
    )) {
      await readTokens(await refresh(testServer, created, tokens.refresh_token!))
    }
    await testServer.close()
  })

  test('requests share statements, and their planner settings and time limit end with them', async () => {
    const values = await Promise.all(
      ['enable_seqscan', 'jit', 'statement_timeout'].map((name) => db.one(settings, { name })),
    )
    assert.deepEqual(
      values.map((row) => row!.value),
      ['off', 'off', '8s'],
    )
    for (let n = 0; n < 10; n++) {
      const [plain] = await db.query<{ value: string }>(
        sql`select current_setting('enable_seqscan') as value`,
      )
      assert.equal(plain!.value, 'on')
    }
  })

  test('a request that cannot be fails alone, and takes back what it did', async () => {
    const results = await Promise.allSettled(
      Array.from({ length: 32 }, (_, n) =>
        db.write(addThing, { id: `${n}`, label: n === 7 ? 'poison' : 'good' }),
      ),
    )
    assert.deepEqual(
      results.flatMap((one, n) => (one.status === 'rejected' ? [[n, one.reason.code]] : [])),
      [[7, '23514']],
    )
    await assert.rejects(db.write(spendThing, { id: '1', now: 1, log_id: '2' }), { code: '23505' })
    assert.equal((await db.one(findThing, { id: '1' }))!.used_at, null)
    assert.equal((await db.write(spendThing, { id: '1', now: 1, log_id: 'log' })).length, 1)
  })

  test('without being told of it, a server says what to say', async () => {
    const plain = await openDatabase(pooler.url)
    await assert.rejects(
      plain.one(settings, { name: 'jit' }),
      (error: Error) =>
        error instanceof Unavailable && /pooler=transaction/.test(`${error.message} ${error.cause}`),
    )
    await plain.close()
  })
})
