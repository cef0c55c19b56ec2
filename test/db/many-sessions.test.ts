// What a statement costs where one user has thousands of sessions with a hundred apps, and one client a hundred thousand. On
// PostgreSQL buffers are counted, with the settings of the hot pool; nothing is timed.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import pg from 'pg'
import { migrateUp } from '../../src/db/migrate.ts'
import { openPostgres } from '../../src/db/postgres.ts'
import { hotSettings } from '../../src/db/postgres-connections.ts'
import { dropTestDatabase, testDatabaseUrl } from '../support/postgres.ts'
import { fill, rowId } from './rows.ts'
import { collectStatements, inputFor, type Statement } from './statements.ts'

const users = 1_000
const apps = 102
const sessionsOfUser = 5_000
const sessionsOfClient = 100_000

const { statements } = await collectStatements()

/** What ends sessions has to look at each that may be meant: so many. */
const goesToAll: Record<string, number> = {
  begin_sign_in: sessionsOfUser,
  close_user: sessionsOfUser,
  disable_user: sessionsOfUser,
  end_sessions_of_sign_in: sessionsOfUser,
  end_sessions_of_user: sessionsOfUser,
  end_sign_in: sessionsOfUser,
  revoke_client: sessionsOfClient,
  save_document: sessionsOfClient,
  set_password: sessionsOfUser,
  sign_up: sessionsOfUser,
  withdraw_consent: sessionsOfClient / users,
}

/** Buffers of a statement that reads some sessions and their tokens, however many there are. */
const bounded = 2_000
/** Buffers a row of a list. */
const perApp = 5
/** Buffers of one that ends each session of the user, or of the client. */
const perSession = 60

describe('many sessions, on PostgreSQL', () => {
  let url: string
  let client: pg.Client
  /** Before the tables were first analyzed. */
  const unknown = new Map<Statement, number>()

  before(async () => {
    url = await testDatabaseUrl()
    const db = await openPostgres({ url })
    await migrateUp(db)
    await fill(db, users)
    const user = rowId(0)
    await db.connection(async (run) => {
      const sessions = `insert into sessions (id, client_id, user_id, subject, scope, granted_scope, resources, last_active_at,
        created_at, expires_at)`
      const row = (text: string) => `'r' || lpad((${text})::text, 9, '0')`
      await run(`${sessions} select 'u' || lpad(k::text, 9, '0'), ${row(`k % ${apps}`)}, '${user}', 's', '', '', '', k, k,
        9000000000000 from generate_series(1, ${sessionsOfUser}) k`)
      await run(`${sessions} select 'c' || lpad(k::text, 9, '0'), '${user}', ${row(`k % ${users}`)}, 's', '', '', '', k, k,
        9000000000000 from generate_series(1, ${sessionsOfClient}) k`)
      await run(`insert into consents (user_id, client_id, scope, resources, redirect_host, created_at, updated_at)
        select '${user}', ${row('k')}, '', '', '', 0, 0 from generate_series(1, ${apps - 1}) k`)
    })
    await db.close()
    client = new pg.Client({ connectionString: url })
    await client.connect()
    await client.query(hotSettings)
    for (const statement of statements) {
      await client.query(`prepare ${statement.name} as ${statement.postgres}`)
      unknown.set(statement, await buffersOf(statement))
    }
    await client.query('vacuum analyze')
  })
  after(async () => {
    await client.end()
    await dropTestDatabase(url)
  })

  async function buffersOf(statement: Statement): Promise<number> {
    const input = inputFor(statement, 0)
    const values = Object.entries(statement.columns).map(([name, type]) => {
      const value = input[name] ?? null
      const array = type.startsWith('int') ? 'bigint' : 'text'
      return `array[${value === null ? 'null' : pg.escapeLiteral(String(value))}]::${array}[]`
    })
    await client.query('begin')
    const { rows } = await client.query(
      `explain (analyze, buffers, timing off, format json) execute ${statement.name}(${values.join(', ')})`,
    )
    await client.query('rollback')
    return buffersIn(rows[0]['QUERY PLAN'][0].Plan)
  }

  for (const statement of statements) {
    test(`${statement.name} touches no more than it must`, async () => {
      const all = goesToAll[statement.name]
      const most = statement.name === 'connected_apps' ? perApp * apps : bounded + perSession * (all ?? 0)
      const [before, later] = [unknown.get(statement)!, await buffersOf(statement)]
      assert.ok(before <= most, `${before} buffers before the tables are analyzed`)
      assert.ok(later <= most, `${later} buffers`)
    })
  }
})

interface Plan {
  'Node Type': string
  'Shared Hit Blocks': number
  'Shared Read Blocks': number
  Plans?: Plan[]
}

/** Of the root, and of each change beside it, which counts by itself. */
function buffersIn(plan: Plan): number {
  const nodes = (one: Plan): Plan[] => [one, ...(one.Plans ?? []).flatMap(nodes)]
  const counted = [plan, ...nodes(plan).filter((node) => node['Node Type'] === 'ModifyTable')]
  return counted.reduce((sum, node) => sum + node['Shared Hit Blocks'] + node['Shared Read Blocks'], 0)
}
