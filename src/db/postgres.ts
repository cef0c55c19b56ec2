import { setTimeout as sleep } from 'node:timers/promises'
import type { Pool, PoolClient } from 'pg'
import { type Database, type Run, Unavailable } from './database.ts'
import { renderQuery, type Select, type Sql, type Write } from './sql.ts'

/** Requests one statement carries at most. */
const batchLimit = 256
/** Batches of one statement under way at once; more requests wait for the next batch. */
const lanes = 2
const attempts = 4

/** Every hot statement is an index look-up per request: a plan made while a table was small must not scan it later. */
export const hotSettings =
  'set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off; set jit = off; set plan_cache_mode = force_generic_plan'

type Statement = Select<never, unknown> | Write<never, unknown>

interface Pending {
  input: Record<string, unknown>
  resolve: (rows: never[]) => void
  reject: (reason: unknown) => void
}

interface Lane {
  waiting: Pending[]
  running: number
  scheduled: boolean
}

export interface PostgresOptions {
  url: string
  /** Most connections this process holds. */
  connections?: number
  /** Called for errors of idle connections. */
  onError?: (error: Error) => void
}

/**
 * PostgreSQL. Requests that run the same statement at the same time travel as one statement over arrays, a
 * transaction of its own: one round trip and one commit for the whole batch. Every guard sits inside its statement, so
 * read committed is enough for any number of processes.
 */
export async function openPostgres(options: PostgresOptions): Promise<Database> {
  const { default: pg } = await import('pg')
  const onError = options.onError ?? (() => {})
  const shared = {
    connectionString: options.url,
    connectionTimeoutMillis: 5_000,
    statement_timeout: 15_000,
    application_name: 'gatehouse',
    types: { getTypeParser: parserFor(pg.types) },
  }
  const hot: Pool = new pg.Pool({
    ...shared,
    max: options.connections ?? 10,
    onConnect: async (client) => {
      await client.query(hotSettings)
    },
  })
  const cold: Pool = new pg.Pool({ ...shared, max: 2, statement_timeout: 0, idleTimeoutMillis: 10_000 })
  for (const pool of [hot, cold]) {
    pool.on('error', onError)
    // A connection that is lost between two statements, or in the moment it is handed out, says so here and to the next
    // statement; unheard it would end the process.
    pool.on('connect', (client) => client.on('error', onError))
  }
  const queues = new Map<Statement, Lane>()
  let closed = false
  let closing: Promise<void> | undefined
  let underWay = 0
  let idle: (() => void) | undefined

  function enqueue(statement: Statement, input: unknown): Promise<never[]> {
    if (closed) return Promise.reject(new Unavailable('the database is closed'))
    let lane = queues.get(statement)
    if (!lane) {
      lane = { waiting: [], running: 0, scheduled: false }
      queues.set(statement, lane)
    }
    const queue = lane
    underWay++
    return new Promise<never[]>((resolve, reject) => {
      queue.waiting.push({ input: input as Record<string, unknown>, resolve, reject })
      schedule(statement, queue)
    })
  }

  function schedule(statement: Statement, lane: Lane) {
    if (lane.scheduled || lane.running >= lanes) return
    lane.scheduled = true
    setImmediate(() => {
      lane.scheduled = false
      void runBatch(statement, lane)
    })
  }

  async function runBatch(statement: Statement, lane: Lane) {
    const batch = lane.waiting.splice(0, batchLimit)
    if (batch.length === 0) return
    lane.running++
    if (lane.waiting.length > 0) schedule(statement, lane)
    try {
      await settle(statement, batch)
    } finally {
      lane.running--
      underWay -= batch.length
      if (lane.waiting.length > 0) schedule(statement, lane)
      if (underWay === 0) idle?.()
    }
  }

  /**
   * Answers every request of a batch. When the batch fails for what one request holds, halves of it are run again until
   * that one stands alone. When the connection is lost nobody knows what was committed: then nothing runs twice.
   */
  async function settle(statement: Statement, batch: Pending[]): Promise<void> {
    try {
      const rows = await run(statement, batch)
      const results: unknown[][] = batch.map(() => [])
      for (const row of rows) results[row.n - 1]!.push(row)
      batch.forEach((pending, n) => {
        pending.resolve(results[n] as never[])
      })
    } catch (reason) {
      if (batch.length === 1 || (reason instanceof Unavailable && !isContention(reason.cause))) {
        for (const pending of batch) pending.reject(reason)
        return
      }
      const half = batch.length >> 1
      await settle(statement, batch.slice(0, half))
      await settle(statement, batch.slice(half))
    }
  }

  async function run(statement: Statement, batch: Pending[]): Promise<{ n: number }[]> {
    const columns = Object.keys(statement.columns)
    const values = columns.map((column) => batch.map((pending) => pending.input[column] ?? null))
    return repeated(statement.kind === 'select', async () => {
      const { rows } = await hot.query({ name: statement.name, text: statement.postgres, values })
      return rows
    })
  }

  /** Runs again what a deadlock rolled back, and what only read when the connection was lost. */
  async function repeated<T>(onlyReads: boolean, work: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await work()
      } catch (error) {
        const again = isContention(error) || (onlyReads && isConnection(error))
        if (again && attempt < attempts && !closed) await sleep(attempt * 20 * Math.random())
        else if (again || isConnection(error) || isOverdue(error)) {
          throw new Unavailable('PostgreSQL did not answer', { cause: error })
        } else throw error
      }
    }
  }

  async function onConnection<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    const client = await cold.connect().catch((cause) => {
      throw new Unavailable('PostgreSQL could not be reached', { cause })
    })
    try {
      const result = await work(client)
      client.release()
      return result
    } catch (error) {
      // Whatever state it was left in, a transaction or a lock, ends with the connection.
      client.release(true)
      throw error
    }
  }

  async function close() {
    closed = true
    while (underWay > 0) await new Promise<void>((resolve) => (idle = resolve))
    await Promise.all([hot.end(), cold.end()])
  }

  return {
    dialect: 'postgres',
    async one(statement, input) {
      return (await enqueue(statement as unknown as Statement, input))[0]
    },
    all: (statement, input) => enqueue(statement as unknown as Statement, input),
    write: (operation, input) => enqueue(operation as unknown as Statement, input),
    async query<R>(query: Sql<R>) {
      const { text, values } = renderQuery(query, 'postgres')
      return repeated(false, () =>
        onConnection(async (client) => (await client.query(text, values)).rows as R[]),
      )
    },
    connection: (work) =>
      onConnection((client) => {
        const execute: Run = async (text, values) => (await client.query(text, values)).rows ?? []
        return work(execute)
      }),
    close() {
      closing ??= close()
      return closing
    },
  }
}

const [bigint, timestamptz] = [20, 1184]

/**
 * bigint (epoch milliseconds, counts) as a number and the readable times of views as ISO 8601, as on SQLite;
 * everything else as the driver does it.
 */
function parserFor(types: typeof import('pg').types) {
  return ((oid: number, format?: 'text' | 'binary') => {
    if (oid === bigint) return Number
    const parse = types.getTypeParser(oid, format as 'text')
    return oid === timestamptz ? (text: string) => (parse(text) as unknown as Date).toISOString() : parse
  }) as typeof types.getTypeParser
}

function isContention(error: unknown): boolean {
  const code = (error as { code?: string }).code
  return code === '40P01' || code === '40001' || code === '55P03'
}

/** Cancelled after `statement_timeout`; rolled back. */
function isOverdue(error: unknown): boolean {
  return (error as { code?: string }).code === '57014'
}

function isConnection(error: unknown): boolean {
  const code = (error as { code?: string }).code ?? ''
  return (
    /^(08|57P0|53)/.test(code) ||
    /^(ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EHOST)/.test(code) ||
    /Connection terminated|timeout exceeded|Client has encountered|not queryable/i.test(String(error))
  )
}
