import { hash } from 'node:crypto'
import { DatabaseSync } from 'node:sqlite'
import type { StoredTokens } from '../fixture.ts'

/** Tokens named to the load generator; the rest only fill the table. */
export const namedTokens = 131_072

const sha256 = (text: string) => hash('sha256', text, 'base64url')

/** Writes so many living refresh tokens, each with its session, and as many access tokens. */
export async function fillFloor(file: string, rows: number): Promise<StoredTokens> {
  const db = new DatabaseSync(file)
  db.exec('pragma journal_mode = off; pragma synchronous = off; pragma cache_size = -1000000; begin')
  const now = Date.now()
  const session = db.prepare('insert into session (subject, client, scope, created_at) values (?, ?, ?, ?)')
  const refresh = db.prepare('insert into refresh_token values (?, ?, ?, null)')
  const access = db.prepare('insert into access_token values (?, ?, ?, ?, ?)')
  const named: StoredTokens = { refresh: [], introspection: [] }
  const every = Math.max(1, Math.floor(rows / namedTokens))
  for (let row = 0; row < rows; row += 1) {
    const subject = `person-${row % 100_000}`
    const { lastInsertRowid } = session.run(subject, 'bench', 'jobs:read', now)
    const refreshToken = sha256(`refresh ${row}`)
    const accessToken = sha256(`access ${row}`)
    refresh.run(sha256(refreshToken), lastInsertRowid, now + 2_592_000_000)
    access.run(sha256(accessToken), 'bench', subject, 'jobs:read', now + 86_400_000)
    if (row % every > 0) continue
    named.refresh.push(refreshToken)
    named.introspection.push(accessToken)
  }
  db.exec('commit; pragma journal_mode = wal')
  db.close()
  return named
}
