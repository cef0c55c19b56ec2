// Migrations: up and down, each step whole or not at all, one process at a time, never over what is not understood.

import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { dumpFile, dumpSchema } from '../../scripts/dump-schema.ts'
import type { Database } from '../../src/db/database.ts'
import {
  type Migration,
  migrateDown,
  migrateUp,
  migrationStatus,
  readMigrations,
  SchemaMismatch,
} from '../../src/db/migrate.ts'
import { openDatabase } from '../../src/db/open.ts'
import { raw, sql } from '../../src/db/sql.ts'
import { type Dialect, freshDatabase, onBothDatabases } from '../support/gatehouse.ts'
import { fill, growingTables, rowId } from './rows.ts'

/** A database for one test, closed and removed after it. */
async function withDatabase(
  dialect: Dialect,
  work: (db: Database, url: string) => Promise<void>,
): Promise<void> {
  const { url, remove } = await freshDatabase(dialect)
  const db = await openDatabase(url)
  try {
    await work(db, url)
  } finally {
    await db.close()
    await remove()
  }
}

/** The first step, and two made up here that follow it. */
function stepsOf(dialect: Dialect): Migration[] {
  const [first] = readMigrations(dialect) as [Migration]
  const next = first.version + 1
  return [
    first,
    {
      version: next,
      name: 'notes',
      up: 'create table notes (id text primary key, session_id text references sessions (id) on delete cascade); alter table users add column note text',
      down: 'alter table users drop column note; drop table notes',
      checksum: 'notes',
    },
    {
      version: next + 1,
      name: 'broken',
      up: 'create table half (id text primary key); insert into half (id) values (1), (1)',
      down: 'drop table half',
      checksum: 'broken',
    },
  ]
}

const columnsOf = async (db: Database): Promise<string[]> => {
  const rows = await db.query<{ name: string }>(
    db.dialect === 'sqlite'
      ? sql`select m.name || '.' || c.name as name from sqlite_master m, pragma_table_xinfo(m.name) c
          where m.type in ('table', 'view') order by 1`
      : sql`select table_name || '.' || column_name as name from information_schema.columns
          where table_schema = 'public' order by 1`,
  )
  return rows.map((row) => row.name).sort()
}

const indexesOf = async (db: Database): Promise<string[]> => {
  const rows = await db.query<{ name: string }>(
    db.dialect === 'sqlite'
      ? sql`select tbl_name || '.' || name as name from sqlite_master where type = 'index' and sql is not null`
      : sql`select tablename || '.' || indexname as name from pg_indexes i where schemaname = 'public'
          and not exists (select 1 from pg_constraint c where c.conname = i.indexname)`,
  )
  return rows.map((row) => row.name).sort()
}

onBothDatabases('migrations', (dialect) => {
  test('R85: up applies every step once and records it with time and checksum; status changes nothing', () =>
    withDatabase(dialect, async (db) => {
      const before = await migrationStatus(db)
      assert.ok(before.every((step) => step.appliedAt === null))
      assert.deepEqual(await columnsOf(db), [], 'asking leaves no trace')
      const known = readMigrations(dialect)
      const seen: number[] = []
      const applied = await migrateUp(db, { now: 1_234, onStep: (step) => seen.push(step.version) })
      assert.deepEqual(
        applied.map((step) => step.version),
        known.map((step) => step.version),
      )
      assert.deepEqual(
        seen,
        known.map((step) => step.version),
      )
      assert.deepEqual(
        (await migrationStatus(db)).map((step) => ({ ...step })),
        known.map(({ version, name, checksum }) => ({ version, name, checksum, appliedAt: 1_234 })),
      )
      assert.deepEqual(await migrateUp(db), [])
    }))

  test('R51: up, down and up again on a database in use ends where it began', () =>
    withDatabase(dialect, async (db) => {
      await migrateUp(db)
      const schema = await dumpSchema(db)
      await fill(db, 20)
      const undone = await migrateDown(db, { to: 0 })
      assert.deepEqual(
        undone.map((step) => step.version),
        readMigrations(dialect)
          .map((step) => step.version)
          .reverse(),
      )
      const left = (await columnsOf(db)).filter((column) => !column.startsWith('schema_migrations.'))
      assert.deepEqual(left, [], 'nothing stays behind')
      await migrateUp(db)
      assert.equal(await dumpSchema(db), schema)
      await fill(db, 20)
    }))

  test('R51: taking back a later step keeps the rows that were there before it', () =>
    withDatabase(dialect, async (db) => {
      const migrations = stepsOf(dialect).slice(0, 2)
      const first = migrations[0]!.version
      const count = async () => {
        const counts: Record<string, number> = {}
        const tables = new Set((await columnsOf(db)).map((column) => column.split('.')[0]!))
        for (const table of growingTables.filter((one) => tables.has(one))) {
          const [row] = await db.query<{ count: number }>(sql`select count(*) as count from ${raw(table)}`)
          counts[table] = row!.count
        }
        return counts
      }
      await migrateUp(db, { migrations, to: first })
      await fill(db, 20)
      const before = await count()
      await migrateUp(db, { migrations })
      await db.query(sql`update users set note = 'kept'`)
      await db.query(sql`insert into notes (id, session_id) select id, id from sessions`)
      assert.deepEqual(await count(), before)
      await migrateDown(db, { migrations, to: first })
      assert.deepEqual(await count(), before)
      assert.deepEqual(
        (await migrationStatus(db, migrations)).map((step) => step.appliedAt !== null),
        [true, false],
      )
    }))

  test('R51: the second step keeps every row of the first, up and down, but those the first cannot hold', () =>
    withDatabase(dialect, async (db) => {
      await migrateUp(db, { to: 1 })
      await fill(db, 20)
      const all = async () => ({
        clients: await db.query<{ n: number }>(
          sql`select count(*) as n, count(secret_hash) as secrets from clients`,
        ),
        sessions: await db.query<{ n: number }>(sql`select count(*) as n from sessions`),
        consents: await db.query<{ n: number }>(sql`select count(*) as n from consents`),
      })
      const before = await all()
      await migrateUp(db)
      assert.deepEqual(await all(), before)
      await db.query(
        sql`update clients set token_endpoint_auth_method = 'private_key_jwt', secret_hash = null, jwks = '{"keys":[]}' where id = ${rowId(4)}`,
      )
      await db.query(sql`update clients set profile = 'fapi2' where id = ${rowId(6)}`)
      await migrateDown(db, { to: 1 })
      const after = await all()
      assert.equal(after.clients[0]!.n, 19, 'the client with a key is gone')
      assert.equal(after.sessions[0]!.n, 19, 'and its session with it')
      const [fapi] = await db.query<{ profile: string }>(
        sql`select profile from clients where id = ${rowId(6)}`,
      )
      assert.equal(fapi?.profile, 'default')
      await migrateUp(db)
      assert.deepEqual(await all(), after)
    }))

  test('R51: the step of consents remembers a consent for every host of a client that was registered here, and for no host of any other', () =>
    withDatabase(dialect, async (db) => {
      await migrateUp(db, { to: 3 })
      await fill(db, 4)
      await db.query(sql`update clients set source = 'dcr' where id in (${rowId(1)}, ${rowId(2)})`)
      const all = () =>
        db.query<{ client_id: string; redirect_host: string; scope: string }>(
          sql`select client_id, redirect_host, scope from consents order by client_id, redirect_host`,
        )
      const before = await all()
      await migrateUp(db, { to: 4 })
      const scope = before[0]!.scope
      assert.deepEqual(
        (await all()).map((row) => ({ ...row })),
        before.map(({ client_id }) => ({
          client_id,
          redirect_host: [rowId(1), rowId(2)].includes(client_id) ? '' : '*',
          scope,
        })),
      )
      await db.query(
        sql`insert into consents (user_id, client_id, scope, resources, redirect_host, created_at, updated_at)
          select user_id, client_id, 'wide', resources, 'trusted.example', 1, 1 from consents where client_id = ${rowId(1)}`,
      )
      await db.query(sql`update authorization_requests set user_id = 'somebody', sid = 'a sid'`)
      await migrateDown(db, { to: 3 })
      const down = await all()
      assert.equal(down.length, before.length, 'one row for a user and a client')
      assert.deepEqual(
        down.filter((row) => row.scope === 'wide'),
        [],
        'the newest is kept, and no scope comes to another host',
      )
      await migrateUp(db, { to: 4 })
      assert.equal((await all()).length, before.length)
    }))

  test('R51: the step of long reuse windows takes a day, and on its way down leaves what was allowed before', () =>
    withDatabase(dialect, async (db) => {
      const before = readMigrations(dialect).find(({ name }) => name === 'long_reuse_windows')!.version - 1
      await migrateUp(db, { to: before })
      await fill(db, 4)
      const windows = async () =>
        (
          await db.query<{ reuse_window: number | null }>(sql`select reuse_window from clients order by id`)
        ).map((row) => (row.reuse_window === null ? null : Number(row.reuse_window)))
      await db.query(sql`update clients set reuse_window = null`)
      await db.query(sql`update clients set reuse_window = 17000 where id = ${rowId(1)}`)
      await assert.rejects(db.query(sql`update clients set reuse_window = 300001 where id = ${rowId(2)}`))
      await migrateUp(db)
      await db.query(sql`update clients set reuse_window = 86400000 where id = ${rowId(2)}`)
      await assert.rejects(db.query(sql`update clients set reuse_window = 86400001 where id = ${rowId(2)}`))
      await assert.rejects(db.query(sql`update clients set reuse_window = -1 where id = ${rowId(2)}`))
      assert.deepEqual(await windows(), [null, 17_000, 86_400_000, null])
      const sessions = await db.query(sql`select id, client_id from sessions order by id`)
      await migrateDown(db, { to: before })
      assert.deepEqual(await windows(), [null, 17_000, 300_000, null])
      await assert.rejects(db.query(sql`update clients set reuse_window = 300001 where id = ${rowId(2)}`))
      assert.deepEqual(await db.query(sql`select id, client_id from sessions order by id`), sessions)
      await migrateUp(db)
      assert.deepEqual(await windows(), [null, 17_000, 300_000, null])
    }))

  test('R51: the step of decisions leaves every form open and no client invited; without it what is decided is gone', () =>
    withDatabase(dialect, async (db) => {
      await migrateUp(db, { to: 7 })
      await fill(db, 4)
      await migrateUp(db, { to: 8 })
      const forms = () =>
        db.query<{ id: string; decision: string | null }>(
          sql`select id, decision from authorization_requests order by id`,
        )
      assert.deepEqual(
        (await forms()).map(({ decision }) => decision),
        [null, null, null, null],
      )
      assert.equal((await db.query(sql`select id from clients where invited_at is not null`)).length, 0)
      await db.query(sql`update authorization_requests set decision = 'allow' where id = ${rowId(1)}`)
      await db.query(sql`update authorization_requests set decision = 'deny' where id = ${rowId(2)}`)
      await assert.rejects(
        db.query(sql`update authorization_requests set decision = 'perhaps'`),
        /check|CHECK/,
      )
      await db.query(sql`update clients set invited_at = 1`)
      await migrateDown(db, { to: 7 })
      const left = await db.query<{ id: string }>(sql`select id from authorization_requests order by id`)
      assert.deepEqual(
        left.map(({ id }) => id),
        [rowId(0), rowId(3)],
        'what was answered is not open again',
      )
      await migrateUp(db, { to: 8 })
    }))

  test('a step that fails leaves nothing of itself, and what came before it stays', () =>
    withDatabase(dialect, async (db) => {
      const migrations = stepsOf(dialect)
      await assert.rejects(migrateUp(db, { migrations }), /UNIQUE|duplicate key/)
      assert.deepEqual(
        (await migrationStatus(db, migrations)).map((step) => step.appliedAt !== null),
        [true, true, false],
      )
      const columns = await columnsOf(db)
      assert.ok(columns.includes('notes.id'))
      assert.ok(!columns.includes('half.id'))
      await fill(db, 3)
    }))

  test('a step that fails on its way down stays applied, whole', () =>
    withDatabase(dialect, async (db) => {
      const [first, notes] = stepsOf(dialect) as [Migration, Migration]
      const migrations = [first, { ...notes, down: 'drop table notes; drop table nowhere' }]
      await migrateUp(db, { migrations })
      await assert.rejects(migrateDown(db, { migrations, to: first.version }), /nowhere/)
      assert.ok((await columnsOf(db)).includes('notes.id'))
      assert.ok((await migrationStatus(db, migrations))[1]!.appliedAt)
    }))

  test('C19: a database that is ahead of this code is refused, and so is one whose step was edited', () =>
    withDatabase(dialect, async (db) => {
      await migrateUp(db, { now: 1 })
      await db.query(
        sql`insert into schema_migrations (version, name, checksum, applied_at) values (9000, 'the_future', 'x', 1)`,
      )
      const newest = readMigrations(dialect).at(-1)!.version
      const attempts = [() => migrateUp(db), () => migrationStatus(db), () => migrateDown(db, { to: 0 })]
      for (const attempt of attempts) {
        await assert.rejects(
          attempt(),
          (error: Error) =>
            error instanceof SchemaMismatch &&
            error.message.includes('version 9000 (the_future)') &&
            error.message.includes(`up to ${newest}`),
        )
      }
      await db.query(sql`delete from schema_migrations where version = 9000`)
      await db.query(sql`update schema_migrations set checksum = 'another' where version = 1`)
      for (const attempt of attempts) {
        await assert.rejects(attempt(), /never edited/)
      }
      assert.ok((await columnsOf(db)).includes('sessions.id'), 'nothing was changed')
    }))

  test('processes that migrate at the same moment apply each step once, and none fails', () =>
    withDatabase(dialect, async (db, url) => {
      const children = Array.from({ length: 3 }, () =>
        fork(join(import.meta.dirname, 'migrate-process.ts'), [url]),
      )
      await Promise.all(children.map((child) => once(child, 'message')))
      for (const child of children) child.send('go')
      const ends = await Promise.all(
        children.map(async (child) => {
          const [[applied], [code]] = await Promise.all([once(child, 'message'), once(child, 'exit')])
          return { applied: applied as number[], code }
        }),
      )
      assert.deepEqual(
        ends.map((end) => end.code),
        [0, 0, 0],
      )
      assert.deepEqual(
        ends.flatMap((end) => end.applied),
        readMigrations(dialect).map((step) => step.version),
      )
      assert.deepEqual(await migrateUp(db), [])
    }))

  test('the committed dump is what the migrations make', () =>
    withDatabase(dialect, async (db) => {
      await migrateUp(db)
      const [made, committed] = [await dumpSchema(db), readFileSync(dumpFile(dialect), 'utf8')]
      assert.equal(made, committed, 'run: node scripts/dump-schema.ts')
    }))
})

describe('both schemas', () => {
  const open: { db: Database; remove: () => Promise<void> }[] = []
  before(async () => {
    for (const dialect of ['sqlite', 'postgres'] as const) {
      const { url, remove } = await freshDatabase(dialect)
      const db = await openDatabase(url)
      open.push({ db, remove })
      await migrateUp(db)
    }
  })
  after(async () => {
    for (const { db, remove } of open) {
      await db.close()
      await remove()
    }
  })

  test('have the same tables, views and columns by name', async () => {
    const [sqlite, postgres] = await Promise.all(open.map(({ db }) => columnsOf(db)))
    assert.deepEqual(sqlite, postgres)
  })

  test('have the same indexes by name', async () => {
    const [sqlite, postgres] = await Promise.all(open.map(({ db }) => indexesOf(db)))
    assert.deepEqual(sqlite, postgres)
  })

  test('R8, R17: each growing table has these indexes beside its primary key, and no other', async () => {
    const names = Map.groupBy(await indexesOf(open[0]!.db), (name) => name.split('.')[0]!)
    const found = Object.fromEntries(
      [...names].map(([table, all]) => [table, all.map((name) => name.split('.')[1])]),
    )
    assert.deepEqual(found, {
      authorization_requests: [
        'authorization_requests_client',
        'authorization_requests_expiry',
        'authorization_requests_user',
      ],
      access_tokens: ['access_tokens_expiry'],
      clients: ['clients_reuse_window', 'clients_source'],
      codes: ['codes_expiry', 'codes_user'],
      consents: ['consents_client'],
      device_codes: ['device_codes_client', 'device_codes_expiry', 'device_codes_user'],
      events: ['events_client', 'events_type', 'events_user'],
      identities: ['identities_user'],
      initial_access_tokens: ['initial_access_tokens_expiry'],
      logout_deliveries: ['logout_deliveries_client', 'logout_deliveries_due', 'logout_deliveries_expiry'],
      password_links: ['password_links_expiry', 'password_links_user'],
      pushed_authorization_requests: [
        'pushed_authorization_requests_client',
        'pushed_authorization_requests_expiry',
      ],
      rate_limits: ['rate_limits_expiry'],
      refresh_tokens: ['refresh_tokens_expiry'],
      sessions: ['sessions_client', 'sessions_expiry', 'sessions_revoked', 'sessions_user'],
      sign_ins: ['sign_ins_expiry', 'sign_ins_user'],
      used_jtis: ['used_jtis_expiry'],
    })
  })

  test('C18: every foreign key is led by an index, so that a deletion finds its children', async () => {
    for (const { db } of open) {
      const rows = await db.query<{ key: string; led: number }>(
        db.dialect === 'sqlite'
          ? sql`select m.name || '.' || f."from" as key, exists (
                select 1 from pragma_index_list(m.name) l, pragma_index_info(l.name) x
                where x.seqno = 0 and x.name = f."from") as led
              from sqlite_master m, pragma_foreign_key_list(m.name) f where m.type = 'table' order by 1`
          : sql`select c.conrelid::regclass || '.' || a.attname as key, (exists (
                select 1 from pg_index i where i.indrelid = c.conrelid and i.indkey[0] = c.conkey[1] and i.indpred is null
              ))::int as led
              from pg_constraint c join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
              where c.contype = 'f' order by 1`,
      )
      assert.ok(rows.length >= 9)
      assert.deepEqual(
        rows.filter((row) => !row.led).map((row) => row.key),
        [],
        db.dialect,
      )
    }
  })

  test('C1: no index depends on the clock, only on state', async () => {
    for (const dialect of ['sqlite', 'postgres'] as const) {
      const predicates = [
        ...readFileSync(dumpFile(dialect), 'utf8').matchAll(/create index[^;]* where ([^;]+);/gi),
      ]
      assert.ok(predicates.length > 0)
      for (const [, predicate] of predicates) assert.match(predicate!, /^\(?\w+ is (not )?null\)?$/i)
    }
  })

  test('D: the views answer with readable times, alike on both', async () => {
    const answers = await Promise.all(
      open.map(async ({ db }) => {
        await fill(db, 10)
        const all = async (view: string, order: string) =>
          (await db.query<object>(sql`select * from ${raw(view)} order by ${raw(order)}`)).map((row) => ({
            ...row,
          }))
        return {
          active_clients: await all('active_clients', 'id'),
          user_sessions: await all('user_sessions', 'id'),
          sessions_per_user: await all('sessions_per_user', 'subject'),
          tokens_by_state: await all('tokens_by_state', 'kind, state'),
          recent_events: await all('recent_events', 'id'),
        }
      }),
    )
    const [sqlite, postgres] = answers as Record<string, object[]>[] as [
      Record<string, object[]>,
      Record<string, object[]>,
    ]
    assert.deepEqual(sqlite, postgres)
    const iso = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/
    for (const [view, rows] of Object.entries(sqlite)) {
      assert.ok(rows.length > 0, view)
      const times = Object.entries(rows[0]!).filter(([name]) =>
        ['at', 'since', 'created', 'last_used', 'last_active', 'expires', 'oldest', 'newest'].includes(name),
      )
      assert.ok(times.length > 0, view)
      for (const [name, value] of times) assert.match(String(value), iso, `${view}.${name}`)
    }
  })
})
