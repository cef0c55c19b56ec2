// Every prepared statement of the project, and inputs under which each finds row k of what test/db/rows.ts made.

import { globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { findUser, identitiesOf } from '../../src/accounts/user-list.ts'
import type { Database } from '../../src/db/database.ts'
import type { Deletion } from '../../src/db/deletion.ts'
import type { Prepared, Select, Sql, Write } from '../../src/db/sql.ts'
import { eventsOf } from '../../src/events/clean-up.ts'
import { eventsAfter, listEvents } from '../../src/events/list.ts'
import { listSessions } from '../../src/sessions/sessions.ts'
import { firstRowAt, rowHash, rowId } from './rows.ts'

export type Statement = Select<never, unknown> | Write<never, unknown>

const source = fileURLToPath(new URL('../../src/', import.meta.url))

/** The statements and deletions that the modules of src export, and the names that their text gives to statements. */
export async function collectStatements(): Promise<{
  statements: Statement[]
  named: string[]
  deletions: Deletion[]
}> {
  const found = new Map<string, Statement[]>()
  const named: string[] = []
  const deletions: Deletion[] = [eventsOf('token_refresh')]
  for (const file of globSync('**/*.ts', { cwd: source }).sort()) {
    const text = readFileSync(`${source}${file}`, 'utf8')
    const names = [...text.matchAll(/\b(?:select|write)\(\s*'([a-z0-9]+_[a-z0-9_]+)'/g)].map(
      (match) => match[1]!,
    )
    if (names.length === 0 && !/\bdeletion\(\s*'/.test(text)) continue
    named.push(...names)
    const exported = (await import(`${source}${file}`)) as Record<string, unknown>
    for (const value of Object.values(exported)) {
      if (typeof value !== 'object' || value === null) continue
      if ('table' in value && 'column' in value) deletions.push(value as Deletion)
      if (!('kind' in value && 'postgres' in value)) continue
      const statement = value as Statement
      const same = found.get(statement.name) ?? []
      if (!same.includes(statement)) found.set(statement.name, [...same, statement])
    }
  }
  return { statements: [...found.values()].flat(), named, deletions }
}

/** The SQLite texts of a statement. */
export function preparedIn(statement: Statement): Prepared[] {
  if (statement.kind === 'select') return [statement.sqlite]
  const { guard, effects } = statement.sqlite
  return guard ? [guard, ...effects] : effects
}

/** Columns that name a row about to be inserted. */
const fresh: Record<string, string[]> = {
  '': ['access_id', 'successor_id', 'event_id', 'sign_in_id', 'user_subject', 'code_id', 'refresh_id'],
  redeem_code: ['access_id', 'event_id', 'refresh_id', 'session_id'],
  redeem_code_within_quota: ['access_id', 'event_id', 'refresh_id', 'session_id'],
  redeem_device_within_quota: ['access_id', 'event_id', 'refresh_id', 'session_id'],
  begin_asserted_session: ['access_id', 'event_id', 'refresh_id', 'session_id'],
  redeem_device: ['access_id', 'event_id', 'refresh_id', 'session_id'],
  insert_device: ['id', 'user_code_hash'],
  rotate_refresh_token: ['access_id', 'event_id', 'successor_id'],
  repeat_rotation: ['access_id', 'event_id'],
  use_refresh_token: ['access_id', 'event_id'],
  insert_pushed_request: ['id'],
  insert_client: ['id', 'event_id'],
  register_invited: ['id', 'event_id'],
  insert_initial_access_token: ['id', 'event_id'],
  insert_user: ['id', 'user_subject', 'subject'],
  insert_signing_key: ['kid', 'event_id'],
  insert_used_jti: ['id'],
  hold_authorization_request: ['id'],
  add_to_counter: ['key'],
  sign_up: ['user_id', 'user_subject', 'login', 'sign_in_id', 'event_id', 'subject'],
  create_local_user: ['user_id', 'login', 'link_id', 'event_id'],
  create_password_link: ['link_id', 'event_id'],
  set_password: ['event_id'],
  name_job: ['name'],
}

/** Values that a column's name alone does not tell. */
const values: Record<string, string | number | null> = {
  alg: 'ES256',
  provider: 'test',
  issuer: '',
  source: 'admin',
  profile: 'default',
  token_endpoint_auth_method: 'client_secret_basic',
  require_pkce: 1,
  token_format: null,
  client_method: 'client_secret_basic',
  consent_scope: 'jobs:read',
  consent_resources: '',
  redirect_host: 'client.example',
  checked_hash: null,
  jwks: null,
  jwks_uri: null,
  uses_left: 1,
  decision: 'approved',
  reuse_window: 60_000,
  standard: 60_000,
  quota: 0,
  type: 'authorize',
  first: rowId(0),
  last: rowId(1_000_000),
}

const ids =
  /^(id|key|kid|login|subject|sid|ended_sid|sign_in_row|(code|refresh|request|pushed|link|token|user|client|session|ended|ended_user|event_user|event_client)(_id)?)$/

let made = 0

/** Input of a statement, one value per declared column, so that it finds row k. */
export function inputFor(statement: Statement, k: number): Record<string, string | number | null> {
  const time = firstRowAt + k
  const input: Record<string, string | number | null> = {}
  for (const [column, type] of Object.entries(statement.columns)) {
    if (statement.name === 'insert_signing_key' && column === 'source') input[column] = 'generated'
    else if ((fresh[statement.name] ?? fresh['']!).includes(column)) input[column] = `new ${made++}`
    else if (column in values) input[column] = values[column]!
    else if (/(^|_)hash$/.test(column) && !/secret|password/.test(column)) input[column] = rowHash(k)
    else if (ids.test(column)) input[column] = rowId(k)
    else if (column === 'after') input[column] = type === 'text' ? '' : 0
    else if (column === 'before' && type === 'text') input[column] = rowId(k)
    else if (column === 'seen_at') input[column] = time
    else if (/^(now|ahead)$|_at$|before$|until$/.test(column)) input[column] = time + 1_000_000
    else if (type.startsWith('int')) input[column] = 1
    else input[column] = 'x'
  }
  return input
}

/** The lists an operator asks for, as they are queried: recorded, not run. */
export const lists: [string, Sql][] = (() => {
  const recorded: Sql[] = []
  const db = {
    query: async (query: Sql) => {
      recorded.push(query)
      return []
    },
  } as unknown as Database
  const [userId, clientId] = [rowId(500), rowId(500)]
  const asked: [string, () => unknown][] = [
    ['events of a user', () => listEvents(db, { userId, limit: 50 })],
    ['events of a client', () => listEvents(db, { clientId, limit: 50 })],
    ['events of a type', () => listEvents(db, { type: 'reuse_detected', limit: 50 })],
    ['events of a time', () => listEvents(db, { since: firstRowAt, until: firstRowAt + 1, limit: 50 })],
    ['events that follow one', () => eventsAfter(db, { after: rowId(500), limit: 50 })],
    ['sessions of a user', () => listSessions({ db }, { userId, limit: 50 })],
    ['sessions of a client', () => listSessions({ db }, { clientId, limit: 50 })],
    ['a user by any name', () => findUser({ db }, rowId(500))],
    ['the accounts of a user', () => identitiesOf({ db }, userId)],
  ]
  return asked.map(([name, ask]) => {
    ask()
    return [name, recorded.pop()!]
  })
})()
