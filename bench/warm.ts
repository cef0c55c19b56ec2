import { closeSync, openSync, readdirSync, readSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import type { Running } from './server.ts'

/**
 * Brings a filled database to where it is on a machine that has served it for long: a SQLite file into the system's file
 * cache, tables and indexes of a PostgreSQL into its buffers. A machine that reclaims what was not read lately has dropped
 * them since they were filled, and would read the disk once for every token.
 */
export async function warm({ databaseUrl, tokens }: Running, directory: string): Promise<void> {
  if (tokens === undefined) return
  if (databaseUrl === undefined) return readWhole(directory)
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  await client.query('create extension if not exists pg_prewarm')
  await client.query(
    `select sum(pg_prewarm(oid::regclass)) from pg_class
       where relkind in ('r', 'i') and relnamespace = 'public'::regnamespace`,
  )
  await client.end()
}

function readWhole(directory: string) {
  const buffer = Buffer.allocUnsafe(4 * 2 ** 20)
  for (const name of readdirSync(directory).filter((name) => name.endsWith('.db'))) {
    const file = openSync(join(directory, name), 'r')
    while (readSync(file, buffer) > 0);
    closeSync(file)
  }
}
