import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { type App, openApp } from '../app.ts'
import type { Database } from '../db/database.ts'
import { isPostgres, openDatabase } from '../db/open.ts'
import type { Call } from './command.ts'
import { forgetMadeSecret, loadConfig, loadDatabaseUrl } from './config-file.ts'
import { Failure } from './failures.ts'

/** Works on the house beside a running server: its schema stays as it is, and no job is started. */
export async function withApp<T>(call: Call, work: (app: App) => Promise<T>): Promise<T> {
  mustExist(call, await loadDatabaseUrl(call))
  const loaded = await loadConfig(call, 'admin')
  const app = await openApp({ ...loaded.config, migrate: false, jobs: false }).catch((error) => {
    if ((error as Error).name === 'UnknownSecret') forgetMadeSecret(loaded)
    throw error
  })
  try {
    return await work(app)
  } finally {
    await app.close()
  }
}

/** Works on the database alone; no secret is needed. `create` makes an SQLite file that is not there yet. */
export async function withDatabase<T>(
  call: Call,
  work: (db: Database) => Promise<T>,
  options: { create?: boolean } = {},
): Promise<T> {
  const url = await loadDatabaseUrl(call)
  if (!options.create) mustExist(call, url)
  const db = await openDatabase(url, { connections: 2 })
  try {
    return await work(db)
  } finally {
    await db.close()
  }
}

/** False for an SQLite file that is not there yet. */
export async function databaseExists(call: Call): Promise<boolean> {
  const file = sqliteFile(call, await loadDatabaseUrl(call))
  return file === undefined || existsSync(file)
}

/** Whether another process has the SQLite file of this call open; false for PostgreSQL, which says it itself. */
export async function isOpenElsewhere(call: Call): Promise<boolean> {
  const file = sqliteFile(call, await loadDatabaseUrl(call))
  if (file === undefined || !existsSync(file)) return false
  return (await import('../db/sqlite-connection.ts')).isOpenElsewhere(file)
}

/** In the wrong folder a command shall say so, not make an empty database and call it good. */
function mustExist(call: Call, url: string): void {
  const file = sqliteFile(call, url)
  if (file === undefined || existsSync(file)) return
  throw new Failure(
    `there is no database ${file}: run ${call.program} migrate up to make it, or run this in the folder of the server`,
  )
}

function sqliteFile(call: Call, url: string): string | undefined {
  return isPostgres(url) ? undefined : resolve(call.cwd, url.replace(/^sqlite:(\/\/)?/, ''))
}
