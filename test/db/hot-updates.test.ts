// PostgreSQL writes a row anew for every update. Where no index holds what changed, and the page has room, the indexes stay as
// they are (HOT, a heap-only tuple); otherwise each of the table's indexes gets another entry, for vacuum to take away.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import pg from 'pg'
import { openPostgres } from '../../src/db/postgres.ts'
import { raw, sql } from '../../src/db/sql.ts'
import { makePkce, obtainCode, readTokens, redeem, refresh, type Tokens } from '../support/flow.ts'
import { openTestServer } from '../support/gatehouse.ts'

const sessions = 120
const rounds = 12

interface Updates {
  table: string
  all: number
  hot: number
}

test('PostgreSQL: what is counted and marked with every use stands in no index: nearly all updates are HOT', async () => {
  let url = ''
  const testServer = await openTestServer('postgres', { sessions: { quota: 500 } }, (given) => {
    url = given
    return openPostgres({ url: given })
  })
  const watcher = new pg.Client({ connectionString: url })
  try {
    const { server } = testServer.app
    // While it looks at a table, it keeps old versions of the rows from making room.
    for (const table of ['sessions', 'refresh_tokens']) {
      await server.db.query(sql`alter table ${raw(table)} set (autovacuum_enabled = false)`)
    }
    const rotating = await testServer.createClient({ reuseWindow: 60 })
    const chains: Tokens[] = []
    for (let n = 0; n < sessions; n++) {
      const pkce = makePkce()
      chains.push(
        await readTokens(
          await redeem(testServer, rotating, await obtainCode(testServer, rotating, pkce), pkce),
        ),
      )
    }
    for (let round = 0; round < rounds; round++) {
      testServer.clock.advance(61_000)
      for (const [n, { refresh_token }] of chains.entries()) {
        chains[n] = await readTokens(await refresh(testServer, rotating, refresh_token!))
      }
      await Promise.all([server.activity.flush(), server.counters.flush()])
    }
    await watcher.connect()
    // The end of a connection writes down what it counted.
    await server.db.close()
    const { rows } = await watcher.query<Updates>(
      `select relname as table, n_tup_upd::int as all, n_tup_hot_upd::int as hot from pg_stat_user_tables
       where n_tup_upd > 0 order by relname`,
    )
    const of = (table: string) => rows.find((row) => row.table === table) ?? { table, all: 0, hot: 0 }
    assert.ok(of('sessions').all >= sessions * rounds, `${of('sessions').all} updates of sessions`)
    assert.ok(of('refresh_tokens').all >= sessions * rounds)
    for (const table of ['sessions', 'refresh_tokens', 'clients', 'codes']) {
      const { all, hot } = of(table)
      // Other work on the server holds back what could be pruned; with an index on such a column none is HOT.
      assert.ok(hot >= 0.5 * all, `${table}: ${hot} of ${all} updates were HOT`)
    }
  } finally {
    await watcher.end()
    await testServer.close().catch(() => {})
  }
})

test('PostgreSQL: no index holds a column that activity changes', async () => {
  const testServer = await openTestServer('postgres')
  try {
    const indexed = await testServer.app.server.db.query<{ column: string }>(
      sql`select c.relname || '.' || a.attname as column from pg_index x join pg_class c on c.oid = x.indrelid
        join pg_attribute a on a.attrelid = x.indrelid and a.attnum = any (x.indkey)
        where c.relnamespace = 'public'::regnamespace`,
    )
    const columns = new Set(indexed.map(({ column }) => column))
    assert.ok(columns.has('sessions.user_id'), 'the query finds indexed columns')
    for (const column of changedByActivity) assert.ok(!columns.has(column), column)
  } finally {
    await testServer.close()
  }
})

/** What requests change again and again, or once in the life of nearly every row. */
const changedByActivity = [
  'clients.total_authorizations',
  'clients.total_tokens_issued',
  'clients.last_used_at',
  'codes.used_at',
  'codes.session_id',
  'device_codes.polled_at',
  'device_codes.poll_interval',
  'initial_access_tokens.uses_left',
  'pushed_authorization_requests.used_at',
  'rate_limits.count',
  'refresh_tokens.rotated_at',
  'refresh_tokens.rotated_to',
  'refresh_tokens.salt',
  'sessions.uses',
  'sessions.last_active_at',
  'sign_ins.last_seen_at',
]
