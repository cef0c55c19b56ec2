import type { StatementSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { settledWithin, within } from '../deadline.ts'
import type { Log } from '../log.ts'
import { type Database, type Run, Unavailable } from './database.ts'
import { keepPrivate } from './private-file.ts'
import { type Prepared, renderQuery, type Select, type Sql, type Write } from './sql.ts'
import { type Outcome, startCheckpoints } from './sqlite-checkpoint.ts'
import { becomeWal, busyLimit, openConnection } from './sqlite-connection.ts'
import { isBusy, isFull, unavailableOr } from './sqlite-errors.ts'
import { type ForceToDisk, type LogLimits, openLog } from './sqlite-log.ts'

/** Rows written after which the log is carried into the database file, off the request path, though it is small. */
const checkpointEvery = 4_000
/** After a vain try to carry the log over, the next one is so far away, in milliseconds. */
const tryAgainAfter = 1_000

export interface SqliteOptions {
  log?: Log
  /** Default: carried over at 16 MiB, no writes beyond 1 GiB. */
  logLimits?: LogLimits
  fdatasync?: ForceToDisk
  limits?: Partial<Limits>
}

/** How long anything is waited for, in milliseconds: the disk, a place in a batch, what is under way at the end. */
interface Limits {
  force: number
  queue: number
  close: number
}

const standardLimits: Limits = { force: 10_000, queue: 10_000, close: 5_000 }

interface Pending {
  /** When it began to wait. */
  since: number
  run: () => unknown[]
  resolve: (rows: never[]) => void
  reject: (reason: unknown) => void
  rows?: unknown[]
}

/**
 * SQLite in WAL mode with group commit. Writes that arrive together share one transaction; then the log is forced to
 * disk by `fdatasync` on a thread of the pool, and only then is any of them answered. This is what
 * `synchronous=FULL` does at each commit, without stopping the event loop for the disk.
 */
export function openSqlite(file: string, options: SqliteOptions = {}): Database {
  const limits = { ...standardLimits, ...options.limits }
  keepPrivate(file)
  const writer = openConnection(file)
  becomeWal(writer)
  // From here on a held lock never stops the event loop: `begin` waits for it beside other work.
  writer.exec('pragma wal_autocheckpoint = 0; pragma busy_timeout = 0')
  const reader = openConnection(file)
  reader.exec('pragma query_only = on; pragma busy_timeout = 50')
  writer.exec('pragma cache_size = -16000')
  const { limits: _, logLimits, ...given } = options
  const log = openLog(file, { ...given, ...(logLimits ? { limits: logLimits } : {}), onLost: rescue })
  // A log that begins anew is cut to this, so that its size tells how much is in it.
  writer.exec(`pragma journal_size_limit = ${log.limits.carry}`)
  const checkpoints = startCheckpoints(file)
  const reads = new Map<Select<never, unknown>, StatementSync>()
  const writes = new Map<Write<never, unknown>, { guard: StatementSync | null; effects: StatementSync[] }>()

  let queue: Pending[] = []
  let busy = false
  let scheduled = false
  /** The writer has a transaction open that is not a batch. */
  let apart = false
  let sinceCheckpoint = 0
  let carrying = false
  let nextTry = 0
  let full = false
  let closed = false
  let closing: Promise<void> | undefined
  let idle: (() => void) | undefined
  const sweeping = setInterval(() => refuseWaiting(performance.now() - limits.queue), limits.queue / 8)
  sweeping.unref()

  /** Refuses what has been waiting since before a moment; nothing of it was done. */
  function refuseWaiting(before: number) {
    while (queue.length > 0 && queue[0]!.since < before) {
      queue.shift()!.reject(new Unavailable('the disk is too slow, or does not answer'))
    }
  }

  function schedule() {
    if (scheduled || busy) return
    scheduled = true
    setImmediate(flush)
  }

  async function flush() {
    scheduled = false
    if (busy || queue.length === 0) return
    busy = true
    const batch = queue
    queue = []
    let forced: Promise<number> | undefined
    try {
      const failed = await execute(batch)
      forced = log.force()
      const size = await within(limits.force, forced, () => new Unavailable('the disk does not answer'))
      for (const pending of batch) {
        if (!pending.rows) continue
        pending.resolve(pending.rows as never[])
        sinceCheckpoint += pending.rows.length || 1
      }
      for (const { pending, reason } of failed) pending.reject(unavailableOr(reason))
      carryIfDue(size)
    } catch (reason) {
      for (const pending of batch) pending.reject(unavailableOr(reason))
    } finally {
      // Nothing more is given to a disk that holds the last.
      await forced?.catch(() => {})
      busy = false
      if (queue.length > 0) schedule()
      else idle?.()
    }
  }

  function carryIfDue(known?: number) {
    if (carrying || closed || performance.now() < nextTry) return
    const size = known ?? log.size()
    const short = log.isShort(size)
    if (!short && sinceCheckpoint < checkpointEvery && size <= log.limits.carry) return
    sinceCheckpoint = 0
    carrying = true
    carryLog(short)
      .catch(() => {})
      .finally(() => {
        carrying = false
      })
  }

  /** Only a log that was carried over whole can begin anew, and only between two writes. */
  async function carryLog(short: boolean) {
    log.mustBeThere()
    // Where space is short, everybody waits for it; otherwise only for what little was written meanwhile.
    let outcome: Outcome = short ? 'done' : await checkpoints.run('passive')
    if (outcome === 'done' && !closed) {
      const empty = short || log.size() > 2 * log.limits.carry
      outcome = await exclusive(() => checkpoints.run(empty ? 'truncate' : 'restart'))
    }
    if (outcome === 'done') return log.begunAnew()
    nextTry = performance.now() + tryAgainAfter
    if (outcome === 'held') log.held()
    // While writes are refused for it, or none come, a timer has to look again.
    setTimeout(() => carryIfDue(), tryAgainAfter + 10).unref()
  }

  /** Between two transactions: makes room on a full disk by what the log takes. False when that was in vain. */
  async function relieve(): Promise<boolean> {
    if (!full)
      options.log?.error('there is no space to write the database: what has to be written is refused')
    full = true
    if (performance.now() < nextTry || log.broken() !== undefined) return false
    const before = log.size()
    if ((await checkpoints.run('truncate')) === 'done' && log.size() < before) return true
    nextTry = performance.now() + tryAgainAfter
    return false
  }

  /** What was answered is in a log that no new start will find: into the database file with it, while it can be read. */
  function rescue() {
    if (writer.isTransaction) return
    try {
      writer.exec('pragma wal_checkpoint(full)')
    } catch {
      // Lost with its file.
    }
  }

  async function begin() {
    log.mustTakeWrites()
    const end = Date.now() + busyLimit
    for (;;) {
      try {
        writer.exec('begin immediate')
        return
      } catch (error) {
        if (!isBusy(error)) throw error
        if (Date.now() > end) throw new Unavailable('another process holds the database', { cause: error })
        await sleep(1 + Math.random() * 4)
      }
    }
  }

  /** Runs a batch in one transaction; if one fails, each runs again behind a savepoint of its own. */
  async function execute(batch: Pending[]) {
    const failed: { pending: Pending; reason: unknown }[] = []
    await begin()
    try {
      for (const pending of batch) pending.rows = pending.run()
      writer.exec('commit')
      written()
      return failed
    } catch (reason) {
      rollBack()
      const relieved = isFull(reason) && (await relieve())
      if (batch.length === 1 && !relieved) {
        batch[0]!.rows = undefined
        return [{ pending: batch[0]!, reason }]
      }
    }
    await begin()
    try {
      for (const pending of batch) {
        pending.rows = undefined
        writer.exec('savepoint one')
        try {
          pending.rows = pending.run()
        } catch (reason) {
          // A full disk may have ended the whole transaction, and the others with it.
          if (!writer.isTransaction) throw reason
          failed.push({ pending, reason })
          writer.exec('rollback to one')
        }
        writer.exec('release one')
      }
      writer.exec('commit')
      if (failed.length < batch.length) written()
    } catch (reason) {
      rollBack()
      throw reason
    }
    return failed
  }

  function written() {
    if (full) options.log?.info('there is space to write the database again')
    full = false
  }

  function rollBack() {
    if (writer.isTransaction) writer.exec('rollback')
  }

  /** Runs `work` between two batches. */
  async function exclusive<T>(work: () => Promise<T>): Promise<T> {
    while (busy && !closed) await new Promise<void>((resolve) => setImmediate(resolve))
    if (closed) throw new Unavailable('the database is closed')
    busy = true
    try {
      return await work()
    } finally {
      busy = false
      if (queue.length > 0) schedule()
      else idle?.()
    }
  }

  function enqueue(run: () => unknown[]): Promise<never[]> {
    if (closed) return Promise.reject(new Unavailable('the database is closed'))
    return new Promise((resolve, reject) => {
      queue.push({ since: performance.now(), run, resolve, reject })
      schedule()
    })
  }

  function prepareWrite(operation: Write<never, unknown>) {
    let prepared = writes.get(operation)
    if (!prepared) {
      const { guard, effects } = operation.sqlite
      prepared = {
        guard: guard && writer.prepare(guard.text),
        effects: effects.map((part) => writer.prepare(part.text)),
      }
      writes.set(operation, prepared)
    }
    return prepared
  }

  /**
   * Reads go over the writer as well: a commit of its own leaves its pages warm, while it empties the cache of every other
   * connection. Between two batches it sees what is committed, no less and no more.
   */
  function read(statement: Select<never, unknown>, input: unknown, method: 'get' | 'all'): unknown {
    if (closed) throw new Unavailable('the database is closed')
    log.mustBeThere()
    const values = bind(statement.sqlite, input)
    if (apart) return reader.prepare(statement.sqlite.text)[method](...values)
    let prepared = reads.get(statement)
    if (!prepared) {
      prepared = writer.prepare(statement.sqlite.text)
      reads.set(statement, prepared)
    }
    try {
      return prepared[method](...values)
    } catch (error) {
      // Another process recovers or begins the log anew: the reader waits a moment for it.
      if (!isBusy(error)) throw error
      return reader.prepare(statement.sqlite.text)[method](...values)
    }
  }

  async function close() {
    closed = true
    const ended = new Promise<void>((resolve) => (idle = resolve))
    const done = !(busy || queue.length > 0) || (await settledWithin(limits.close, ended))
    refuseWaiting(Number.POSITIVE_INFINITY)
    clearInterval(sweeping)
    // What a disk that hangs still holds is not touched; the next process to open the file recovers it.
    if (!done) return
    await checkpoints.stop()
    const lost = log.broken()
    log.close()
    reader.close()
    try {
      if (lost === undefined) writer.exec('pragma wal_checkpoint(truncate)')
      else rescue()
    } catch (error) {
      // It holds everything that was answered, and the next start reads it.
      options.log?.warn('the database log stays beside the database', { error: String(error) })
    }
    writer.close()
  }

  const database: Database = {
    dialect: 'sqlite',
    async one(statement, input) {
      const key = statement as unknown as Select<never, unknown>
      return read(key, input, 'get') as never
    },
    async all(statement, input) {
      const key = statement as unknown as Select<never, unknown>
      return read(key, input, 'all') as never
    },
    write(operation, input) {
      const key = operation as unknown as Write<never, unknown>
      return enqueue(() => {
        const prepared = prepareWrite(key)
        let rows: unknown[] = []
        if (prepared.guard) {
          rows = prepared.guard.all(...bind(key.sqlite.guard!, input))
          if (rows.length === 0) return rows
        }
        for (let part = 0; part < prepared.effects.length; part++) {
          prepared.effects[part]!.run(...bind(key.sqlite.effects[part]!, input))
        }
        return rows
      })
    },
    async query<R>(query: Sql<R>) {
      const { text, values } = renderQuery(query, 'sqlite')
      log.mustBeThere()
      if (onlyReads(text)) return reader.prepare(text).all(...(values as never[])) as R[]
      return (await enqueue(() => writer.prepare(text).all(...(values as never[])))) as R[]
    },
    connection(work) {
      const run: Run = async (text, values) => {
        if (!values) writer.exec(text)
        return values ? (writer.prepare(text).all(...(values as never[])) as never[]) : []
      }
      return exclusive(async () => {
        log.mustTakeWrites()
        writer.exec(`pragma busy_timeout = ${busyLimit}`)
        apart = true
        try {
          const result = await work(run)
          await log.force()
          return result
        } catch (error) {
          rollBack()
          if (isFull(error)) await relieve()
          throw unavailableOr(error)
        } finally {
          rollBack()
          apart = false
          writer.exec('pragma busy_timeout = 0')
          writes.clear()
          reads.clear()
          carryIfDue()
        }
      })
    },
    broken: () => log.broken(),
    close() {
      closing ??= close()
      return closing
    },
  }
  carryIfDue()
  return database
}

function bind(prepared: Prepared, input: unknown): never[] {
  const values: unknown[] = []
  for (const column of prepared.columns) values.push((input as Record<string, unknown>)[column] ?? null)
  return values as never[]
}

function onlyReads(text: string): boolean {
  return /^\s*(select|with|explain|values|pragma)\b/i.test(text) && !/\b(insert|update|delete)\b/i.test(text)
}
