// A few crashes of each kind. `npm run crashes` makes many and prints what was looked at.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Unavailable } from '../../src/db/database.ts'
import { openPostgres } from '../../src/db/postgres.ts'
import { sql } from '../../src/db/sql.ts'
import { startPostgres } from '../support/postgres.ts'
import { proveCrashes } from './proof.ts'

const rounds = 2

for (const [dialect, victim] of [
  ['sqlite', 'server'],
  ['sqlite', 'one of two'],
  ['postgres', 'server'],
  ['postgres', 'database'],
] as const) {
  test(`${dialect}: SIGKILL of ${victim} loses no answer, spends no code twice and leaves nothing half done`, async () => {
    const figures = await proveCrashes({ dialect, victim, rounds, load: 250 })
    assert.equal(figures.crashes, rounds)
    for (const looked of [
      'answered tokens looked at',
      'pushed requests opened after a crash',
      'registrations used after a crash',
      'approvals redeemed after a crash',
      'spent assertions and proofs refused after a crash',
    ]) {
      assert.ok(figures[looked]! >= rounds, looked)
    }
  })
}

test('a PostgreSQL that dies under a one-off query or a migration does not end the process', async () => {
  const server = await startPostgres({ fsync: true })
  const db = await openPostgres({ url: server.url })
  try {
    const asked = assert.rejects(db.query(sql`select pg_sleep(60)`), Unavailable)
    const begun = Promise.withResolvers<void>()
    const held = assert.rejects(
      db.connection(async (run) => {
        await run('begin')
        begun.resolve()
        await sleep(300)
        await run('commit')
      }),
    )
    await begun.promise
    await server.kill('SIGKILL')
    await Promise.all([asked, held])
    await server.restart()
    assert.deepEqual(await db.query(sql`select 1 as n`), [{ n: 1 }])
  } finally {
    await db.close()
    await server.stop()
  }
})
