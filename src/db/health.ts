import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Database } from './database.ts'
import { raw, select, sql } from './sql.ts'

/** The newest step of the schema that this release knows. */
export function newestStep(): number {
  const steps = readdirSync(join(import.meta.dirname, 'migrations')).map((name) => Number.parseInt(name, 10))
  return Math.max(...steps.filter((version) => version > 0))
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
