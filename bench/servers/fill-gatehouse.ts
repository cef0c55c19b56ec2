import { DatabaseSync } from 'node:sqlite'
import pg from 'pg'
import { timeOrderedId } from '../../src/crypto/ids.ts'
import { makeToken } from '../../src/crypto/tokens.ts'
import { eventInput } from '../../src/events/append.ts'
import type { StoredTokens } from '../fixture.ts'
import { namedTokens } from './fill-floor.ts'
import { jwtResource, opaqueResource, scope } from './gatehouse-fixture.ts'

const hour = 3_600_000
const day = 24 * hour
/** Made over so long, so that even the oldest access token, of a client whose tokens live a day, is alive. */
const span = 20 * hour
const people = 100_000

type Value = string | number

/** A database that rows are written to, a table at a time. */
export interface Sink {
  into(table: string, columns: string): { run(...row: Value[]): void }
  /** Called now and then between two rows. */
  pause(): Promise<void>
  end(): Promise<void>
}

function sqliteSink(file: string): Sink {
  const db = new DatabaseSync(file)
  db.exec('pragma journal_mode = off; pragma synchronous = off; pragma cache_size = -2000000; begin')
  return {
    into: (table, columns) =>
      db.prepare(`insert into ${table} (${columns}) values (${columns.replaceAll(/\w+/g, '?')})`),
    pause: async () => {},
    async end() {
      db.exec('commit; pragma journal_mode = wal')
      db.close()
    },
  }
}

/** Rows travel as arrays; in the end the statistics and the visibility map are what autovacuum would make of them. */
async function postgresSink(url: string): Promise<Sink> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query('set synchronous_commit = off')
  const flushes: (() => Promise<unknown>)[] = []
  const pause = async () => {
    for (const flush of flushes) await flush()
  }
  return {
    into(table, columns) {
      const names = columns.split(', ')
      let arrays: Value[][] = names.map(() => [])
      const types = names.map((name) => (name === 'version' || name.endsWith('_at') ? 'bigint' : 'text'))
      const given = types.map((type, at) => `$${at + 1}::${type}[]`).join(', ')
      flushes.push(async () => {
        const full = arrays
        arrays = names.map(() => [])
        if (full[0]!.length === 0) return
        await client.query(`insert into ${table} (${columns}) select * from unnest(${given})`, full)
      })
      return { run: (...row) => row.forEach((value, at) => void arrays[at]!.push(value)) }
    },
    pause,
    async end() {
      await pause()
      await client.query('vacuum (analyze)')
      await client.query('checkpoint')
      await client.end()
    },
  }
}

/** `database` is a file or a PostgreSQL URL. */
export async function sinkFor(database: string): Promise<Sink> {
  return database.startsWith('postgres') ? postgresSink(database) : sqliteSink(database)
}

/**
 * Writes so many sessions, each with its refresh token and an event, and as many access tokens of the client itself,
 * in the order and with the keys a server would have given them.
 */
export async function fillGatehouse(database: string, clientId: string, rows: number): Promise<StoredTokens> {
  const sink = await sinkFor(database)
  const { into } = sink
  const user = into('users', 'id, subject, name, created_at')
  const session = into(
    'sessions',
    'id, client_id, user_id, subject, scope, granted_scope, resources, last_active_at, created_at, expires_at',
  )
  const refresh = into('refresh_tokens', 'id, hash, session_id, scope, resources, created_at, expires_at')
  const access = into(
    'access_tokens',
    'id, hash, client_id, subject, scope, resources, created_at, expires_at',
  )
  const event = into('events', 'id, type, version, user_id, client_id, session_id, body, created_at')

  const start = Date.now() - span
  const persons = Array.from({ length: Math.min(people, rows) }, (_, nth) => {
    const person = { id: timeOrderedId(start), subject: `stored-person-${nth}` }
    user.run(person.id, person.subject, `Stored person ${nth}`, start)
    return person
  })
  await sink.pause()
  const named: StoredTokens = { refresh: [], introspection: [] }
  const every = Math.max(1, Math.floor(rows / namedTokens))
  for (let row = 0; row < rows; row += 1) {
    const at = start + Math.floor((row * span) / rows)
    const { id: userId, subject } = persons[(row * 7919) % persons.length]!
    const sessionId = timeOrderedId(at)
    session.run(sessionId, clientId, userId, subject, scope, scope, jwtResource, at, at, at + 90 * day)
    const refreshToken = makeToken('gh_rt', at)
    refresh.run(refreshToken.id, refreshToken.hash, sessionId, scope, jwtResource, at, at + 30 * day)
    const accessToken = makeToken('gh_at', at)
    const { id, hash } = accessToken
    access.run(id, hash, clientId, clientId, scope, opaqueResource, at, at + day)
    const made = eventInput(at, 'token_refresh', { userId, clientId, sessionId }, { scope })
    event.run(made.event_id, made.event_type, 1, userId, clientId, sessionId, made.event_body, at)
    if (row % 5_000 === 0) await sink.pause()
    if (row % every > 0) continue
    named.refresh.push(refreshToken.token)
    named.introspection.push(accessToken.token)
  }
  await sink.end()
  return named
}
