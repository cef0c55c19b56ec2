// The database under a crashing server: where it is, what its tables say, and how it is killed itself.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import pg from 'pg'
import type { Dialect } from '../support/gatehouse.ts'
import { startPostgres } from '../support/postgres.ts'

export interface Storage {
  readonly url: string
  /** Every row that breaks one of the questions, and every damage the database itself finds. */
  check(questions: Readonly<Record<string, string>>): Promise<string[]>
  /** Ends the database's own processes by SIGKILL; undefined where the database has none. */
  readonly kill?: () => Promise<void>
  readonly restart?: () => Promise<void>
  close(): Promise<void>
}

export async function openStorage(dialect: Dialect): Promise<Storage> {
  return dialect === 'sqlite' ? sqliteFile() : postgresServer()
}

function sqliteFile(): Storage {
  const directory = mkdtempSync(join(tmpdir(), 'gatehouse-crash-'))
  const url = join(directory, 'gatehouse.db')
  return {
    url,
    async check(questions) {
      const database = new DatabaseSync(url, { readOnly: true, timeout: 10_000 })
      try {
        const found = broken(questions, (text) => database.prepare(text).all())
        const [integrity] = database.prepare('pragma integrity_check').all() as { integrity_check: string }[]
        if (integrity!.integrity_check !== 'ok') found.push(`integrity_check: ${integrity!.integrity_check}`)
        for (const row of database.prepare('pragma foreign_key_check').all())
          found.push(`foreign_key_check: ${JSON.stringify(row)}`)
        return found
      } finally {
        database.close()
      }
    },
    async close() {
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

async function postgresServer(): Promise<Storage> {
  const server = await startPostgres({ fsync: true })
  return {
    url: server.url,
    async check(questions) {
      const client = new pg.Client({ connectionString: server.url })
      await client.connect()
      try {
        const answers = new Map<string, unknown[]>()
        for (const text of Object.values(questions)) answers.set(text, (await client.query(text)).rows)
        return broken(questions, (text) => answers.get(text)!)
      } finally {
        await client.end()
      }
    },
    kill: () => server.kill('SIGKILL'),
    restart: () => server.restart(),
    close: () => server.stop(),
  }
}

function broken(questions: Readonly<Record<string, string>>, ask: (text: string) => unknown[]): string[] {
  return Object.entries(questions).flatMap(([name, text]) => {
    const rows = ask(text)
    return rows.length === 0
      ? []
      : [`${name}: not so for ${JSON.stringify(rows.slice(0, 3))} and ${rows.length} in all`]
  })
}
