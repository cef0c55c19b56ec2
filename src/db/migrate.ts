import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { sha256 } from '../crypto/tokens.ts'
import type { Database, Run } from './database.ts'

/** One step of the schema: plain SQL per dialect, up and down. A step that has landed is never edited. */
export interface Migration {
  version: number
  name: string
  up: string
  down: string
  /** SHA-256 of the up text; an applied step whose text changed is refused. */
  checksum: string
}

export interface MigrationStatus extends Omit<Migration, 'up' | 'down'> {
  appliedAt: number | null
}

/** The database holds what this version of Gatehouse does not know. Nothing was changed. */
export class SchemaMismatch extends Error {
  override name = 'SchemaMismatch'
}

const directory = join(import.meta.dirname, 'migrations')

/** A first line of `-- transaction: false` keeps a step out of a transaction (concurrent index builds). */
const outsideTransaction = /^-- transaction: false\b/
/** A first line of `-- foreign_keys: off` lets a step on SQLite make a table anew that others refer to; all keys are checked at its end. */
const withoutForeignKeys = /^-- foreign_keys: off\b/

export function readMigrations(dialect: Database['dialect']): Migration[] {
  return readdirSync(directory)
    .filter((name) => /^\d{4}_/.test(name))
    .sort()
    .map((folder) => {
      const up = readFileSync(join(directory, folder, `${dialect}.up.sql`), 'utf8')
      const down = readFileSync(join(directory, folder, `${dialect}.down.sql`), 'utf8')
      return {
        version: Number(folder.slice(0, 4)),
        name: folder.slice(5),
        up,
        down,
        checksum: sha256(up),
      }
    })
}

/** Every known step and when it was applied; refuses a database that is ahead of this code or was altered. Changes nothing. */
export function migrationStatus(
  db: Database,
  migrations: Migration[] = readMigrations(db.dialect),
): Promise<MigrationStatus[]> {
  return db.connection((run) => status(db.dialect, run, migrations))
}

interface Steps {
  onStep?: (step: Migration) => void
  /** The known steps; default: those this package brings. */
  migrations?: Migration[]
}

/** Applies what is missing up to `to` (default: all), each step in a transaction of its own. Returns the applied steps. */
export function migrateUp(
  db: Database,
  options: Steps & { to?: number; now?: number } = {},
): Promise<Migration[]> {
  const migrations = options.migrations ?? readMigrations(db.dialect)
  const { to = Number.POSITIVE_INFINITY } = options
  return db.connection((run) =>
    locked(db, run, async () => {
      const known = await status(db.dialect, run, migrations)
      const missing = migrations.filter(({ version }) => version <= to && !isApplied(known, version))
      const applied: Migration[] = []
      if (missing.length > 0) await run(table)
      for (const step of missing) {
        const done = await inTransaction(db, run, step.up, async () => {
          // Another process may have been faster.
          if (isApplied(await status(db.dialect, run, migrations), step.version)) return false
          options.onStep?.(step)
          await run(step.up)
          await run(
            `insert into schema_migrations (version, name, checksum, applied_at) values (${step.version}, '${step.name}', '${step.checksum}', ${options.now ?? Date.now()})`,
          )
          return true
        })
        if (done) applied.push(step)
      }
      return applied
    }),
  )
}

/** Takes back every applied step above `to`, newest first. Returns them. */
export function migrateDown(db: Database, options: Steps & { to: number }): Promise<Migration[]> {
  const migrations = options.migrations ?? readMigrations(db.dialect)
  return db.connection((run) =>
    locked(db, run, async () => {
      const known = await status(db.dialect, run, migrations)
      const surplus = migrations
        .filter(({ version }) => version > options.to && isApplied(known, version))
        .reverse()
      const takenBack: Migration[] = []
      for (const step of surplus) {
        const done = await inTransaction(db, run, step.down, async () => {
          if (!isApplied(await status(db.dialect, run, migrations), step.version)) return false
          options.onStep?.(step)
          await run(step.down)
          await run(`delete from schema_migrations where version = ${step.version}`)
          return true
        })
        if (done) takenBack.push(step)
      }
      return takenBack
    }),
  )
}

const table =
  'create table if not exists schema_migrations (version integer primary key, name text not null, checksum text not null, applied_at bigint not null)'

async function status(
  dialect: Database['dialect'],
  run: Run,
  migrations: Migration[],
): Promise<MigrationStatus[]> {
  const [found] = await run<{ present: unknown }>(
    dialect === 'sqlite'
      ? "select name as present from sqlite_master where type = 'table' and name = 'schema_migrations'"
      : "select to_regclass('schema_migrations') as present",
    [],
  )
  const rows = found?.present
    ? await run<{ version: number; name: string; checksum: string; applied_at: number }>(
        'select version, name, checksum, applied_at from schema_migrations order by version',
        [],
      )
    : []
  const newest = migrations.at(-1)?.version ?? 0
  const ahead = rows.find((row) => row.version > newest)
  if (ahead) {
    throw new SchemaMismatch(
      `the database has schema version ${ahead.version} (${ahead.name}); this Gatehouse knows versions up to ${newest}: use the newer release, or take the newer steps back with it first`,
    )
  }
  for (const row of rows) {
    const known = migrations.find((one) => one.version === row.version)
    if (known && known.checksum !== row.checksum) {
      throw new SchemaMismatch(
        `schema version ${row.version} (${row.name}) was applied with another text than this Gatehouse holds: a landed migration is never edited`,
      )
    }
  }
  return migrations.map(({ version, name, checksum }) => ({
    version,
    name,
    checksum,
    appliedAt: rows.find((row) => row.version === version)?.applied_at ?? null,
  }))
}

function isApplied(known: MigrationStatus[], version: number): boolean {
  return known.some((one) => one.version === version && one.appliedAt !== null)
}

async function inTransaction<T>(db: Database, run: Run, text: string, work: () => Promise<T>): Promise<T> {
  if (outsideTransaction.test(text)) return work()
  const rebuilds = db.dialect === 'sqlite' && withoutForeignKeys.test(text)
  // Inside a transaction the pragma would do nothing.
  if (rebuilds) await run('pragma foreign_keys = off')
  await run(db.dialect === 'sqlite' ? 'begin immediate' : 'begin')
  try {
    const result = await work()
    if (rebuilds) await checkForeignKeys(run)
    await run('commit')
    return result
  } catch (error) {
    await run('rollback').catch(() => {})
    throw error
  } finally {
    if (rebuilds) await run('pragma foreign_keys = on')
  }
}

async function checkForeignKeys(run: Run): Promise<void> {
  const [broken] = await run<{ table: string; parent: string }>('pragma foreign_key_check', [])
  if (broken)
    throw new Error(`the step leaves rows of ${broken.table} that refer to no row of ${broken.parent}`)
}

/** On PostgreSQL only one process migrates at a time; on SQLite each step takes the write lock first. */
async function locked<T>(db: Database, run: Run, work: () => Promise<T>): Promise<T> {
  if (db.dialect === 'sqlite') return work()
  await run('select pg_advisory_lock(727416001)')
  try {
    return await work()
  } finally {
    await run('select pg_advisory_unlock(727416001)')
  }
}
