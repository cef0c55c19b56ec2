import { mkdirSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { Log } from '../log.ts'
import type { Database } from './database.ts'
import { openPostgres } from './postgres.ts'
import { openSqlite } from './sqlite.ts'

/** Opens the database a URL names: `postgres://…`, or a path (optionally after `sqlite:`). */
export async function openDatabase(
  url: string,
  options: { connections?: number; onError?: (error: Error) => void; log?: Log } = {},
): Promise<Database> {
  if (isPostgres(url)) return openPostgres({ url, ...options })
  const file = resolve(url.replace(/^sqlite:(\/\/)?/, ''))
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  return openSqlite(file, options.log ? { log: options.log } : {})
}

export function isPostgres(url: string): boolean {
  return /^postgres(ql)?:\/\//.test(url)
}
