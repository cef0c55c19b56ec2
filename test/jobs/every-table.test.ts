// Every table of the schema has something that removes its rows, or a reason why it needs nothing; a new table without an
// answer fails here.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { jobsOf } from '../../src/app.ts'
import { readMigrations } from '../../src/db/migrate.ts'
import { raw, sql } from '../../src/db/sql.ts'
import type { Result } from '../../src/jobs/job.ts'
import { fill } from '../db/rows.ts'
import {
  type Dialect,
  dialects,
  onBothDatabases,
  openTestServer,
  type TestServer,
} from '../support/gatehouse.ts'

/** What removes the rows of a table. */
type Answer =
  /** Steps of the clean-up, once the rows have had their time. */
  | { steps: readonly string[] }
  /** A job of its own. */
  | { job: string; of: string }
  /** The end of the row they belong to. */
  | { with: 'users' }
  /** Nothing: why it does not grow with use. */
  | { stays: string }

const answers: Readonly<Record<string, Answer>> = {
  access_tokens: { steps: ['access_tokens'] },
  authorization_requests: { steps: ['authorization_requests'] },
  clients: { job: 'reap_clients', of: 'those that registered themselves' },
  codes: { steps: ['codes'] },
  consents: { with: 'users' },
  device_codes: { steps: ['device_codes'] },
  events: { steps: ['events'] },
  identities: { with: 'users' },
  initial_access_tokens: { steps: ['initial_access_tokens'] },
  jobs: { stays: 'one row a job' },
  local_accounts: { with: 'users' },
  logout_deliveries: { steps: ['logout_deliveries'] },
  pairwise_subjects: { with: 'users' },
  password_links: { steps: ['password_links'] },
  pushed_authorization_requests: { steps: ['pushed_authorization_requests'] },
  rate_limits: { steps: ['rate_limits'] },
  refresh_tokens: { steps: ['refresh_tokens'] },
  schema_migrations: { stays: 'one row a step of the schema' },
  sessions: { steps: ['expired_sessions', 'revoked_sessions'] },
  sign_ins: { steps: ['sign_ins'] },
  signing_keys: { steps: ['signing_keys'] },
  used_jtis: { steps: ['used_jtis'] },
  users: { stays: 'they are whom it is for; an operator deletes them' },
}

const day = 86_400_000
const rows = 10

onBothDatabases('every table', (dialect) => {
  test('D: names what removes its rows, and no table is forgotten', async () => {
    const server = await openTestServer(dialect)
    try {
      assert.deepEqual(Object.keys(answers).sort(), await tablesOf(server, dialect))
      const known = Object.values(answers)
      const jobs = jobsOf(server.app.server).map(({ name }) => name)
      for (const answer of known) if ('job' in answer) assert.ok(jobs.includes(answer.job))
    } finally {
      await server.close()
    }
  })

  test('D: what has had its time goes from every one of them, and leaves with its user or client what belongs to them', async () => {
    const server = await openTestServer(dialect)
    try {
      const { db } = server.app.server
      await fill(db, rows)
      await db.query(sql`update clients set source = case when id < 'r000000005' then 'dcr' else 'cimd' end`)
      // Whose end came before their time.
      await db.query(sql`update sessions set expires_at = 9000000000000 where revoked_at is not null`)
      // As old as their ids say, which is what the clean-up goes by.
      await db.query(sql`update events set id = 'evt_0' || substr(id, 2) where id like 'r%'`)
      await db.query(
        sql`insert into signing_keys (kid, generation, alg, public_jwk, sealed_private, source, created_at, not_before,
            retired_at, expires_at)
          select 'retired', 99, alg, public_jwk, sealed_private, source, created_at, not_before, created_at, created_at
          from signing_keys where alg = 'ES256'`,
      )
      const before = await countAll(server)
      for (const [table, answer] of Object.entries(answers)) {
        if (!('stays' in answer)) assert.ok(before[table]! > 0, `${table} has rows`)
      }

      server.clock.advance(60 * 365 * day)
      const removed = await runJobOf(server, 'clean_up')
      const after = await countAll(server)
      for (const [table, answer] of Object.entries(answers)) {
        const steps = 'steps' in answer ? answer.steps : []
        const gone = steps.reduce((sum, step) => sum + Number(removed[step] ?? 0), 0)
        assert.equal(
          gone,
          before[table]! - after[table]!,
          `${table}: its own steps, and nothing else, removed them`,
        )
        if (steps.length > 0) assert.equal(after[table], table === 'signing_keys' ? 1 : 0, table)
      }
      assert.deepEqual(
        Object.keys(removed).sort(),
        Object.values(answers)
          .flatMap((answer) => ('steps' in answer ? answer.steps : []))
          .sort(),
        'every step of the clean-up belongs to a table',
      )

      assert.deepEqual(await runJobOf(server, 'reap_clients'), { removed: rows })
      assert.deepEqual(await countRows(server, ['clients', 'consents']), { clients: 0, consents: 0 })
      await fill(db, 2 * rows, rows)
      await db.query(sql`delete from users`)
      for (const [table, answer] of Object.entries(answers)) {
        if ('with' in answer) assert.equal((await countRows(server, [table]))[table], 0, table)
      }
    } finally {
      await server.close()
    }
  })

  test('D: an administrator’s clients are never reaped', async () => {
    const server = await openTestServer(dialect)
    try {
      await fill(server.app.server.db, rows)
      server.clock.advance(60 * 365 * day)
      await runJobOf(server, 'clean_up')
      assert.deepEqual(await runJobOf(server, 'reap_clients'), { removed: 0 })
      assert.equal((await countRows(server, ['clients'])).clients, rows)
    } finally {
      await server.close()
    }
  })
})

const text = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')

test('D: the migration that creates a table with a clean-up says what removes its rows', () => {
  for (const dialect of dialects) {
    const steps = readMigrations(dialect).map(({ up }) => up)
    for (const [table, answer] of Object.entries(answers)) {
      if (!('steps' in answer)) continue
      const said = steps.some((step) =>
        new RegExp(`^-- .*Removed .*\\n(-- .*\\n)*create table ${table} \\(`, 'm').test(step),
      )
      assert.ok(said, `${dialect}: ${table}`)
    }
  }
})

test('D: docs/storage.md names every table', () => {
  const page = text('docs/storage.md')
  for (const table of Object.keys(answers)) assert.ok(page.includes(`\`${table}\``), table)
})

async function runJobOf(server: TestServer, name: string): Promise<Result> {
  const job = jobsOf(server.app.server).find((one) => one.name === name)!
  return job.run({ previous: null, pause: async () => {} })
}

async function tablesOf(server: TestServer, dialect: Dialect): Promise<string[]> {
  const found = await server.app.server.db.query<{ name: string }>(
    dialect === 'sqlite'
      ? sql`select name from sqlite_master where type = 'table' and name not like 'sqlite%'`
      : sql`select tablename as name from pg_tables where schemaname = 'public'`,
  )
  return found.map(({ name }) => name).sort()
}

const countAll = (server: TestServer) => countRows(server, Object.keys(answers))

async function countRows(server: TestServer, tables: readonly string[]): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const table of tables) {
    const [row] = await server.app.server.db.query<{ count: number }>(
      sql`select count(*) as count from ${raw(table)}`,
    )
    counts[table] = row!.count
  }
  return counts
}
