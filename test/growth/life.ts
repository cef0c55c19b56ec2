// A database in use for a year or more, at the speed of its clock: people connect apps, apps refresh, workers fetch
// tokens, some requests are abandoned, some secrets wrong. The scheduler's jobs run along, and every table is counted.

import { beginSignIn } from '../../src/accounts/records/sign-ins.ts'
import { resolveUser } from '../../src/accounts/users.ts'
import { jobsOf } from '../../src/app.ts'
import type { Config } from '../../src/config.ts'
import { timeOrderedId } from '../../src/crypto/ids.ts'
import type { Database } from '../../src/db/database.ts'
import { openDatabase } from '../../src/db/open.ts'
import { raw, sql } from '../../src/db/sql.ts'
import { openSqlite } from '../../src/db/sqlite.ts'
import { eventInput } from '../../src/events/append.ts'
import { runJob } from '../../src/jobs/scheduler.ts'
import type { CreatedClient } from '../../src/oauth/clients/client-operations.ts'
import {
  authorizeParameters,
  credentials,
  makePkce,
  obtainTokens,
  readTokens,
  refresh,
  type Tokens,
} from '../support/flow.ts'
import { alice, basic, type Dialect, openTestServer, type TestServer } from '../support/gatehouse.ts'
import { type Occasions, withOccasions } from './occasions.ts'

const hour = 3_600_000
const day = 24 * hour

/** What one user does. Everything else follows from it and from the settings. */
export const habits = {
  /** Uses of a Custom GPT on a working day, far enough apart that each needs a refresh. */
  gptUsesPerWorkday: 3,
  /** Refreshes a day of an automation that runs on its own. */
  automationRefreshesPerDay: 4,
  /** Days between connecting the GPT on one more device. */
  newDeviceEvery: 30,
  /** Days between disconnecting the automation and connecting it again. */
  reconnectEvery: 120,
  /** Days between sign-ins at our own pages. */
  signInEvery: 7,
  /** Days between consent pages that are left open. */
  abandonEvery: 10,
  /** Access tokens a worker without a user takes a day, for each user. */
  workerTokensPerDay: 2,
  /** Days between authentications of a client with a wrong secret. */
  wrongSecretEvery: 2,
}

export interface Sample {
  day: number
  /** Rows by table. */
  rows: Record<string, number>
  /** Bytes the database uses, free pages left out. */
  bytes: number
}

export interface Life {
  dialect: Dialect
  users: number
  days: number
  samples: Sample[]
  /** Rows inserted by table, over the whole time. */
  inserted: Record<string, number>
}

export interface LifeOptions {
  users: number
  days: number
  /** Days between two counts. */
  sampleEvery: number
  config?: Partial<Config>
  /** Leave the jobs out, to see what they are for. */
  neglected?: boolean
  onSample?: (sample: Sample) => void
}

interface Connection {
  client: CreatedClient
  tokens: Tokens
}

/** Lives `days` days on a new database. */
export async function live(dialect: Dialect, options: LifeOptions): Promise<Life> {
  // What is proved here is how much is kept, not how safely: the disk is not waited for.
  const open = async (url: string) =>
    dialect === 'sqlite'
      ? openSqlite(url, { fdatasync: (_log, done) => setImmediate(done, null) })
      : openDatabase(url)
  const beside = await withOccasions(options.config ?? {})
  const server = await openTestServer(dialect, beside.config, open)
  let occasions: Occasions | undefined
  try {
    const tables = await tablesOf(server)
    await countInserts(server, tables)
    occasions = await beside.open(server)
    const samples: Sample[] = []
    const users = await Promise.all(
      Array.from({ length: options.users }, (_, n) => ({
        ...alice,
        subject: `user ${n}`,
        email: undefined,
      })).map(async (account) => ({ account, row: await resolveUser(server.app.server, account) })),
    )
    const [gpt, automation, worker] = [
      await server.createClient({ name: 'Custom GPT', profile: 'gpt_action', reuseWindow: 120 }),
      await server.createClient({ name: 'Automation' }),
      await server.createClient({ name: 'Worker', redirectUris: [], grantTypes: ['client_credentials'] }),
    ]
    const connections = users.map(() => ({}) as Partial<Record<'gpt' | 'automation', Connection>>)

    /** The app's next tokens; where its session is over, the person connects it anew. */
    const use = async (n: number, app: 'gpt' | 'automation', client: CreatedClient) => {
      const known = connections[n]![app]
      if (known) {
        const answer = await refresh(server, client, known.tokens.refresh_token!)
        if (answer.status === 200) {
          known.tokens = await readTokens(answer)
          return
        }
        await answer.body?.cancel()
      }
      connect.push(async () => {
        server.signedIn.account = { ...users[n]!.account, authTime: server.clock.now() }
        connections[n]![app] = { client, tokens: await obtainTokens(server, client) }
      })
    }
    /** Only one person at a time sits before the browser of the server under test. */
    const connect: (() => Promise<void>)[] = []

    for (let today = 0; today < options.days; today++) {
      for (let quarter = 0; quarter < 4; quarter++) {
        server.clock.advance(6 * hour)
        const refreshes: Promise<unknown>[] = []
        for (let n = 0; n < users.length; n++) {
          const atWork = today % 7 < 5 && quarter < habits.gptUsesPerWorkday
          if (atWork) {
            refreshes.push(use(n, 'gpt', gpt))
            refreshes.push(
              server.g.events.append('job_search', { userId: users[n]!.row.id, clientId: gpt.client.id }),
            )
          }
          if (quarter < habits.automationRefreshesPerDay) refreshes.push(use(n, 'automation', automation))
          if (quarter < habits.workerTokensPerDay) refreshes.push(takeWorkerToken(server, worker))
        }
        await Promise.all(refreshes)
        for (const one of connect.splice(0)) await one()
      }
      for (let n = 0; n < users.length; n++) {
        const at = today + n
        const { account, row } = users[n]!
        server.signedIn.account = { ...account, authTime: server.clock.now() }
        if (at % habits.newDeviceEvery === 0) await obtainTokens(server, gpt)
        if (at % habits.reconnectEvery === 0) await disconnect(server, automation, connections[n]!.automation)
        if (at % habits.abandonEvery === 0) {
          const parameters = authorizeParameters(gpt, makePkce(), { prompt: 'consent' })
          await (await server.request(`/oauth/authorize?${parameters}`)).text()
        }
        if (at % habits.signInEvery === 0) await signIn(server, row.id)
        if (at % habits.wrongSecretEvery === 0)
          await failAuthentication(server, worker, `198.51.100.${n % 250}`)
        await occasions.happen(at, account, row.id)
      }
      await server.app.server.activity.flush()
      await server.app.server.counters.flush()
      if (!options.neglected) {
        // On a real clock they run every few seconds; a day's worth at once is the same work.
        for (const job of jobsOf(server.app.server)) await runJob(server.app.server, job)
        const [failed] = await server.app.server.db.query<{ name: string; last_outcome: string }>(
          sql`select name, last_outcome from jobs where last_outcome <> 'ok'`,
        )
        if (failed) throw new Error(`${failed.name}: ${failed.last_outcome}`)
      }
      if ((today + 1) % options.sampleEvery === 0) {
        const sample = { day: today + 1, ...(await measure(server, tables)) }
        samples.push(sample)
        options.onSample?.(sample)
      }
    }
    const { users: count, days } = options
    return { dialect, users: count, days, samples, inserted: await insertsOf(server) }
  } finally {
    await server.close()
    await occasions?.close()
  }
}

async function takeWorkerToken(server: TestServer, worker: CreatedClient): Promise<void> {
  const { headers } = credentials(worker)
  await readTokens(await server.post('/oauth/token', { grant_type: 'client_credentials' }, headers))
}

async function failAuthentication(server: TestServer, worker: CreatedClient, address: string): Promise<void> {
  const authorization = basic(worker.client.id, 'a wrong secret')
  const answer = await server.request('/oauth/token', {
    method: 'POST',
    address,
    headers: { authorization, 'content-type': 'application/x-www-form-urlencoded' },
    body: 'grant_type=client_credentials',
  })
  await answer.text()
}

async function disconnect(
  server: TestServer,
  client: CreatedClient,
  known: Connection | undefined,
): Promise<void> {
  if (!known) return
  const { headers, form } = credentials(client)
  await server.post('/oauth/revoke', { token: known.tokens.refresh_token!, ...form }, headers)
}

async function signIn(server: TestServer, userId: string): Promise<void> {
  const { db, now } = server.app.server
  const time = now()
  await db.write(beginSignIn, {
    sign_in_id: timeOrderedId(time),
    sign_in_hash: 'x',
    user_id: userId,
    ended_id: null,
    ended_hash: null,
    ended_user: null,
    checked_hash: null,
    ended_sid: null,
    auth_time: time,
    acr: null,
    amr: 'pwd',
    now: time,
    sign_in_expires_at: time + 30 * day,
    ...eventInput(time, 'sign_in', { userId }),
  })
}

async function tablesOf(server: TestServer): Promise<string[]> {
  const { db } = server.app.server
  const rows = await db.query<{ name: string }>(
    db.dialect === 'sqlite'
      ? sql`select name from sqlite_master where type = 'table' order by name`
      : sql`select tablename as name from pg_tables where schemaname = 'public' order by tablename`,
  )
  return rows.map((row) => row.name).filter((name) => name !== 'schema_migrations')
}

async function measure(server: TestServer, tables: string[]): Promise<Omit<Sample, 'day'>> {
  const { db } = server.app.server
  const rows: Record<string, number> = {}
  for (const table of tables) {
    const [row] = await db.query<{ count: number }>(sql`select count(*) as count from ${raw(table)}`)
    rows[table] = row!.count
  }
  if (db.dialect === 'postgres') await db.connection((run) => run('vacuum'))
  const [size] = await db.query<{ bytes: number }>(
    db.dialect === 'sqlite'
      ? sql`select (page_count - freelist_count) * page_size as bytes
          from pragma_page_count, pragma_freelist_count, pragma_page_size`
      : sql`select sum(pg_total_relation_size(relid))::bigint as bytes from pg_stat_user_tables`,
  )
  return { rows, bytes: size!.bytes }
}

/** SQLite keeps no statistics of inserts: a trigger counts them. PostgreSQL keeps its own. */
async function countInserts(server: TestServer, tables: string[]): Promise<void> {
  const { db } = server.app.server
  if (db.dialect === 'postgres') return
  await db.connection(async (run) => {
    await run('create table inserted (name text primary key, count integer not null) strict')
    for (const table of tables) {
      await run(`insert into inserted values ('${table}', 0);
        create trigger count_${table} after insert on ${table}
        begin update inserted set count = count + 1 where name = '${table}'; end`)
    }
  })
}

async function insertsOf(server: TestServer): Promise<Record<string, number>> {
  if (server.app.server.db.dialect === 'sqlite') return readInserts(server.app.server.db)
  // A connection's statistics are complete once it has ended.
  await server.app.server.db.close()
  const db = await openDatabase(server.app.settings.database)
  try {
    return await readInserts(db)
  } finally {
    await db.close()
  }
}

async function readInserts(db: Database): Promise<Record<string, number>> {
  const rows = await db.query<{ name: string; count: number }>(
    db.dialect === 'sqlite'
      ? sql`select name, count from inserted order by name`
      : sql`select relname as name, n_tup_ins as count from pg_stat_user_tables order by relname`,
  )
  return Object.fromEntries(rows.map((row) => [row.name, row.count]))
}
