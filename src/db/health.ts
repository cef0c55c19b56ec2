import { findCounter } from './counters.ts'
import type { Database } from './database.ts'
import { sqlite } from './migrations/sqlite.ts'
import { raw, select, sql } from './sql.ts'

/** The newest step of the schema that this release knows. */
export function newestStep(): number {
  return Number.parseInt(sqlite.at(-1)!.folder, 10)
}

/** Whether a step of the schema is there: a read that shows that the database answers. */
export const findSchemaStep = select(
  'find_schema_step',
  { version: 'int' },
  (i) => sql<{ version: number }>`select version from schema_migrations where version = ${i.version}`,
)

/** What the database's own clock says, in epoch milliseconds. SQLite runs on ours. */
export async function databaseClock(db: Database): Promise<number> {
  const clock =
    db.dialect === 'sqlite'
      ? raw("cast(unixepoch('subsec') * 1000 as integer)")
      : raw('(extract(epoch from clock_timestamp()) * 1000)::bigint')
  const [row] = await db.query(sql<{ now: number }>`select ${clock} as now`)
  return row!.now
}

/** Asks as a request does: over its connections, with their settings. Rejects when that cannot be answered. */
export async function answersRequests(db: Database): Promise<void> {
  await db.one(findCounter, { key: '' })
}

/** Writes a row and takes it back. Rejects with what the database says when it may not. */
export async function tryWriting(db: Database): Promise<void> {
  await db.connection(async (run) => {
    await run(db.dialect === 'sqlite' ? 'begin immediate' : 'begin')
    try {
      await run("insert into rate_limits (key, count, expires_at) values ('write check', 0, 0)")
    } finally {
      await run('rollback')
    }
  })
}

/**
 * How many connections other Gatehouse processes have to this database, none on SQLite. Behind a pooler only those are seen
 * that are in use.
 */
export async function othersConnected(db: Database): Promise<number> {
  if (db.dialect === 'sqlite') return 0
  const [row] = await db.query(
    sql<{ others: number }>`select count(*) as others from pg_stat_activity where datname = current_database()
      and application_name = 'gatehouse' and pid <> pg_backend_pid()`,
  )
  return row!.others
}
