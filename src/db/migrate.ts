import { sha256 } from '../crypto/tokens.ts'
import type { Database, Run } from './database.ts'
import { inStep } from './migrate-step.ts'
import { postgres } from './migrations/postgres.ts'
import { sqlite } from './migrations/sqlite.ts'

/** One step of the schema: plain SQL per dialect, up and down. A step that has landed is never edited. */
export interface Migration {
  version: number
  name: string
  up: string
  down: string
  /** SHA-256 of the up text; an applied step whose text changed is refused. */
  checksum: string
  /** The oldest schema version whose release may still serve once this step is applied. Default: this one. */
  servedFrom?: number
}

export interface MigrationStatus extends Omit<Migration, 'up' | 'down' | 'servedFrom'> {
  appliedAt: number | null
  /** Applied by a newer release, which says that this one may serve beside it. */
  ahead?: true
}

/** The database holds what this version of Gatehouse does not know. Nothing was changed. */
export class SchemaMismatch extends Error {
  override name = 'SchemaMismatch'
}

const texts = { sqlite, postgres }

/** Every step from 3 on says in its first lines from which schema version on a release may serve it. */
const servedFrom = /^(?:--[^\n]*\n)*-- served_from: (\d+)\n/

export function readMigrations(dialect: Database['dialect']): Migration[] {
  return texts[dialect].map(({ folder, up, down }) => ({
    version: Number(folder.slice(0, 4)),
    name: folder.slice(5),
    up,
    down,
    checksum: sha256(up),
    ...(servedFrom.test(up) ? { servedFrom: Number(servedFrom.exec(up)![1]) } : {}),
  }))
}

/**
 * Every known step and when it was applied, and steps of a newer release that lets this one serve; refuses a database that
 * is ahead of this code otherwise, or was altered. Changes nothing.
 */
export function migrationStatus(
  db: Database,
  migrations: Migration[] = readMigrations(db.dialect),
): Promise<MigrationStatus[]> {
  return db.connection((run) => status(db.dialect, run, migrations))
}

interface Steps {
  onStep?: (step: Migration) => void
  /** Told why a step has to wait, on PostgreSQL. */
  onWait?: (why: string) => void
  /** How long a step tries to get its locks, on PostgreSQL, in milliseconds. Default 3 minutes. */
  patience?: number
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
  return db.connection(async (run) => {
    const known = await status(db.dialect, run, migrations)
    const missing = migrations.filter(({ version }) => version <= to && !isApplied(known, version))
    const applied: Migration[] = []
    for (const step of missing) {
      const done = await inStep(db.dialect, run, { ...step, text: step.up }, options, async () => {
        await run(table)
        // Another process may have been faster.
        if (isApplied(await status(db.dialect, run, migrations), step.version)) return false
        options.onStep?.(step)
        await run(step.up)
        await run(
          `insert into schema_migrations (version, name, checksum, applied_at) values (${step.version}, '${step.name}', '${step.checksum}', ${options.now ?? Date.now()})`,
        )
        await sayServedFrom(db.dialect, run, migrations)
        return true
      })
      if (done) applied.push(step)
    }
    return applied
  })
}

/** Takes back every applied step above `to`, newest first. Returns them. */
export function migrateDown(db: Database, options: Steps & { to: number }): Promise<Migration[]> {
  const migrations = options.migrations ?? readMigrations(db.dialect)
  return db.connection(async (run) => {
    const known = await status(db.dialect, run, migrations)
    const ahead = known.find((step) => step.ahead)
    if (ahead) throw tooNew(ahead, migrations)
    const surplus = migrations
      .filter(({ version }) => version > options.to && isApplied(known, version))
      .reverse()
    const takenBack: Migration[] = []
    for (const step of surplus) {
      const done = await inStep(db.dialect, run, { ...step, text: step.down }, options, async () => {
        if (!isApplied(await status(db.dialect, run, migrations), step.version)) return false
        options.onStep?.(step)
        await run(step.down)
        await run(`delete from schema_migrations where version = ${step.version}`)
        return true
      })
      if (done) takenBack.push(step)
    }
    return takenBack
  })
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
    ? await run<{
        version: number
        name: string
        checksum: string
        applied_at: number
        served_from?: number | null
      }>('select * from schema_migrations order by version', [])
    : []
  const newest = migrations.at(-1)?.version ?? 0
  const ahead = rows.filter((row) => row.version > newest)
  const refused = ahead.find((row) => (row.served_from ?? row.version) > newest)
  if (refused) throw tooNew(refused, migrations)
  for (const row of rows) {
    const known = migrations.find((one) => one.version === row.version)
    if (known && known.checksum !== row.checksum) {
      throw new SchemaMismatch(
        `schema version ${row.version} (${row.name}) was applied with another text than this Gatehouse holds: a landed migration is never edited`,
      )
    }
  }
  return [
    ...migrations.map(({ version, name, checksum }) => ({
      version,
      name,
      checksum,
      appliedAt: rows.find((row) => row.version === version)?.applied_at ?? null,
    })),
    ...ahead.map(({ version, name, checksum, applied_at }) => ({
      version,
      name,
      checksum,
      appliedAt: applied_at,
      ahead: true as const,
    })),
  ]
}

function tooNew({ version, name }: { version: number; name: string }, migrations: Migration[]) {
  return new SchemaMismatch(
    `the database has schema version ${version} (${name}); this Gatehouse knows versions up to ${migrations.at(-1)?.version ?? 0}: use the newer release, or take the newer steps back with it first`,
  )
}

/** The column that says it came with a later step than the first ones. */
async function sayServedFrom(dialect: Database['dialect'], run: Run, migrations: Migration[]): Promise<void> {
  const [column] = await run(
    dialect === 'sqlite'
      ? "select 1 from pragma_table_info('schema_migrations') where name = 'served_from'"
      : "select 1 from pg_attribute where attrelid = 'schema_migrations'::regclass and attname = 'served_from' and not attisdropped",
    [],
  )
  if (!column) return
  for (const { version, servedFrom } of migrations) {
    if (servedFrom === undefined) continue
    await run(
      `update schema_migrations set served_from = ${servedFrom} where version = ${version} and served_from is null`,
    )
  }
}

function isApplied(known: MigrationStatus[], version: number): boolean {
  return known.some((one) => one.version === version && one.appliedAt !== null)
}
