import { setTimeout as sleep } from 'node:timers/promises'
import { settledWithin } from '../deadline.ts'
import { type Database, type Run, Unavailable } from './database.ts'
import {
  type Generation,
  type Limits,
  onPool,
  openConnections,
  standardLimits,
} from './postgres-connections.ts'
import { concernsAll, failureOf, mayRunAgain, Unreached } from './postgres-errors.ts'
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
  /** When it began to wait. */
  since: number
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
  /** Most connections this process holds for requests. */
  connections?: number
  /** Called for errors of idle connections. */
  onError?: (error: Error) => void
  limits?: Partial<Limits>
}

/**
 * PostgreSQL. Requests that run the same statement at the same time travel as one statement over arrays, a
 * transaction of its own: one round trip and one commit for the whole batch. Every guard sits inside its statement, so
 * read committed is enough for any number of processes.
 */
export async function openPostgres(options: PostgresOptions): Promise<Database> {
  const limits = { ...standardLimits, ...options.limits }
  const connections = await openConnections({
    url: options.url,
    hot: options.connections ?? 6,
    limits,
    onError: options.onError ?? (() => {}),
  })
  const queues = new Map<Statement, Lane>()
  let closed = false
  let closing: Promise<void> | undefined
  let underWay = 0
  let idle: (() => void) | undefined
  const sweeping = setInterval(() => refuseWaiting(performance.now() - limits.queue), limits.queue / 8)
  sweeping.unref()

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
      const since = performance.now()
      queue.waiting.push({ input: input as Record<string, unknown>, since, resolve, reject })
      schedule(statement, queue)
    })
  }

  /** Refuses what has been waiting since before a moment; nothing of it was sent. */
  function refuseWaiting(before: number) {
    for (const { waiting } of queues.values()) {
      while (waiting.length > 0 && waiting[0]!.since < before) {
        underWay--
        waiting.shift()!.reject(new Unavailable('PostgreSQL is too slow, or does not answer'))
      }
    }
    if (underWay === 0) idle?.()
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
    if (statement.kind === 'write' && statement.order) sortBy(batch, statement.order)
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
   * that one stands alone. When the connection is lost it is not known what was committed: then nothing runs twice.
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
      if (batch.length === 1 || (reason instanceof Unavailable && failureOf(reason.cause) !== 'contention')) {
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
    const query = { name: statement.name, text: statement.postgres, values }
    const lock =
      statement.kind === 'write' && statement.postgresLock !== undefined
        ? { name: `${statement.name}_lock`, text: statement.postgresLock, values }
        : undefined
    return repeated(statement.kind === 'select', (generation) => connections.run(generation, query, lock))
  }

  /** Runs again what certainly changed nothing, and what only reads; over other connections when all may suffer the same. */
  async function repeated<T>(onlyReads: boolean, work: (generation: Generation) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const generation = connections.current()
      try {
        return await work(generation)
      } catch (error) {
        const failure = failureOf(error)
        if (failure === 'fault') throw error
        if (concernsAll(failure) && !closed) connections.renew(generation)
        if (!mayRunAgain(failure, onlyReads) || attempt === attempts || closed) throw unavailable(error)
        await sleep(attempt * 20 * Math.random())
      }
    }
  }

  async function close() {
    closed = true
    const answered = new Promise<void>((resolve) => (idle = resolve))
    if (underWay > 0) await settledWithin(limits.close, answered)
    refuseWaiting(Number.POSITIVE_INFINITY)
    clearInterval(sweeping)
    await connections.close()
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
      return repeated(false, ({ cold }) =>
        onPool(cold, async (client) => (await client.query(text, values)).rows as R[]),
      )
    },
    async connection(work) {
      if (closed) throw new Unavailable('the database is closed')
      try {
        return await connections.apart((client) => {
          const execute: Run = async (text, values) => (await client.query(text, values)).rows ?? []
          return work(execute)
        })
      } catch (error) {
        throw failureOf(error) === 'fault' ? error : unavailable(error)
      }
    },
    close() {
      closing ??= close()
      return closing
    },
  }
}

function unavailable(error: unknown): Unavailable {
  const cause = error instanceof Unreached ? error.cause : error
  if (/unsupported startup parameter/.test(String(cause))) {
    return new Unavailable('a pooler stands before PostgreSQL: add ?pooler=transaction to the URL', { cause })
  }
  return new Unavailable('PostgreSQL did not answer', { cause })
}

function sortBy(batch: Pending[], column: string): void {
  const key = ({ input }: Pending) => String(input[column] ?? '')
  batch.sort((one, other) => (key(one) < key(other) ? -1 : key(one) > key(other) ? 1 : 0))
}
