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

/** Every known step and when it was applied; refuses a database that is ahead of this code or was altered. */
export function migrationStatus(db: Database): Promise<MigrationStatus[]> {
  return db.connection((run) => status(run, readMigrations(db.dialect)))
}

/** Applies what is missing up to `to` (default: all), each step in a transaction of its own. Returns the applied steps. */
export function migrateUp(
  db: Database,
  options: { to?: number; now?: number; onStep?: (step: Migration) => void } = {},
): Promise<Migration[]> {
  const migrations = readMigrations(db.dialect)
  const to = options.to ?? Number.POSITIVE_INFINITY
  return db.connection((run) =>
    locked(db, run, async () => {
      const applied = new Set(
        (await status(run, migrations)).filter((one) => one.appliedAt).map((one) => one.version),
      )
      const missing = migrations.filter((one) => !applied.has(one.version) && one.version <= to)
      for (const step of missing) {
        options.onStep?.(step)
        await inTransaction(run, step.up, async () => {
          await run(step.up)
          await run(
            `insert into schema_migrations (version, name, checksum, applied_at) values (${step.version}, '${step.name}', '${step.checksum}', ${options.now ?? Date.now()})`,
          )
        })
      }
      return missing
    }),
  )
}

/** Takes back every applied step above `to`, newest first. Returns them. */
export function migrateDown(
  db: Database,
  options: { to: number; onStep?: (step: Migration) => void },
): Promise<Migration[]> {
  const migrations = readMigrations(db.dialect)
  return db.connection((run) =>
    locked(db, run, async () => {
      const applied = new Set(
        (await status(run, migrations)).filter((one) => one.appliedAt).map((one) => one.version),
      )
      const surplus = migrations
        .filter((one) => applied.has(one.version) && one.version > options.to)
        .reverse()
      for (const step of surplus) {
        options.onStep?.(step)
        await inTransaction(run, step.down, async () => {
          await run(step.down)
          await run(`delete from schema_migrations where version = ${step.version}`)
        })
      }
      return surplus
    }),
  )
}

async function status(run: Run, migrations: Migration[]): Promise<MigrationStatus[]> {
  await run(
    'create table if not exists schema_migrations (version integer primary key, name text not null, checksum text not null, applied_at bigint not null)',
  )
  const rows = await run<{ version: number; name: string; checksum: string; applied_at: number }>(
    'select version, name, checksum, applied_at from schema_migrations order by version',
    [],
  )
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

async function inTransaction(run: Run, text: string, work: () => Promise<void>): Promise<void> {
  if (outsideTransaction.test(text)) return work()
  await run('begin')
  try {
    await work()
    await run('commit')
  } catch (error) {
    await run('rollback')
    throw error
  }
}

/** On PostgreSQL only one process migrates at a time; on SQLite the write lock of each step sees to it. */
async function locked<T>(db: Database, run: Run, work: () => Promise<T>): Promise<T> {
  if (db.dialect === 'sqlite') return work()
  await run('select pg_advisory_lock(727416001)')
  try {
    return await work()
  } finally {
    await run('select pg_advisory_unlock(727416001)')
  }
}
