import { closeSync, fdatasync, openSync } from 'node:fs'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Database, type Run, Unavailable } from './database.ts'
import { keepPrivate } from './private-file.ts'
import { type Prepared, renderQuery, type Select, type Sql, type Write } from './sql.ts'
import { startCheckpoints } from './sqlite-checkpoint.ts'

/** How long a write waits for another process's transaction before it is refused, in milliseconds. */
const busyLimit = 10_000
/** Rows written after which the log is carried into the database file, off the request path. */
const checkpointEvery = 4_000

const sqliteBusy = 5
/** busy, locked, read-only, I/O error, full, cannot open: https://sqlite.org/rescode.html */
const storageFailures = new Set([sqliteBusy, 6, 8, 10, 13, 14])

/** Calls back once what was written to the file is on the disk. */
type ForceToDisk = (file: number, done: (error: Error | null) => void) => void

interface Pending {
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
export function openSqlite(file: string, options: { fdatasync?: ForceToDisk } = {}): Database {
  const sync: ForceToDisk = options.fdatasync ?? fdatasync
  keepPrivate(file)
  const writer = open(file)
  becomeWal(writer)
  // From here on a held lock never stops the event loop: `begin` waits for it beside other work.
  writer.exec('pragma wal_autocheckpoint = 0; pragma busy_timeout = 0')
  const reader = open(file)
  reader.exec('pragma query_only = on; pragma busy_timeout = 50')
  writer.exec('pragma cache_size = -16000')
  const log = openSync(`${file}-wal`, 'r+')
  const checkpoints = startCheckpoints(file)
  const reads = new Map<Select<never, unknown>, StatementSync>()
  const writes = new Map<Write<never, unknown>, { guard: StatementSync | null; effects: StatementSync[] }>()

  let queue: Pending[] = []
  let busy = false
  let scheduled = false
  let broken: unknown
  /** The writer has a transaction open that is not a batch. */
  let apart = false
  let sinceCheckpoint = 0
  let closed = false
  let closing: Promise<void> | undefined
  let idle: (() => void) | undefined

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
    try {
      const failed = await execute(batch)
      await force()
      for (const pending of batch) {
        if (!pending.rows) continue
        pending.resolve(pending.rows as never[])
        sinceCheckpoint += pending.rows.length || 1
      }
      for (const { pending, reason } of failed) pending.reject(unavailableOr(reason))
      if (sinceCheckpoint >= checkpointEvery) {
        sinceCheckpoint = 0
        void carryLog()
      }
    } catch (reason) {
      for (const pending of batch) pending.reject(unavailableOr(reason))
    } finally {
      busy = false
      if (queue.length > 0) schedule()
      else idle?.()
    }
  }

  /** Only a log that was carried over whole can begin anew, and only while nobody writes. */
  async function carryLog() {
    await checkpoints.passive()
    if (!closed) await exclusive(() => checkpoints.restart()).catch(() => {})
  }

  async function begin() {
    if (broken) throw new Unavailable('the database log could not be forced to disk', { cause: broken })
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
      return failed
    } catch (reason) {
      rollBack()
      if (batch.length === 1) {
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
    } catch (reason) {
      rollBack()
      throw reason
    }
    return failed
  }

  function rollBack() {
    if (writer.isTransaction) writer.exec('rollback')
  }

  function force() {
    return new Promise<void>((resolve, reject) => {
      sync(log, (error) => {
        if (!error) return resolve()
        // What the kernel dropped cannot be forced again: nothing after this may be called durable.
        broken = error
        reject(new Unavailable('the database log could not be forced to disk', { cause: error }))
      })
    })
  }

  /** Runs `work` between two batches. */
  async function exclusive<T>(work: () => Promise<T>): Promise<T> {
    while (busy) await new Promise<void>((resolve) => setImmediate(resolve))
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
      queue.push({ run, resolve, reject })
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
    if (busy || queue.length > 0) await new Promise<void>((resolve) => (idle = resolve))
    await checkpoints.stop()
    closeSync(log)
    reader.close()
    try {
      writer.exec('pragma wal_checkpoint(truncate)')
    } finally {
      writer.close()
    }
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
      if (onlyReads(text)) return reader.prepare(text).all(...(values as never[])) as R[]
      return (await enqueue(() => writer.prepare(text).all(...(values as never[])))) as R[]
    },
    connection(work) {
      const run: Run = async (text, values) => {
        if (!values) writer.exec(text)
        return values ? (writer.prepare(text).all(...(values as never[])) as never[]) : []
      }
      return exclusive(async () => {
        writer.exec(`pragma busy_timeout = ${busyLimit}`)
        apart = true
        try {
          const result = await work(run)
          await force()
          return result
        } catch (error) {
          throw unavailableOr(error)
        } finally {
          rollBack()
          apart = false
          writer.exec('pragma busy_timeout = 0')
          writes.clear()
          reads.clear()
        }
      })
    },
    close() {
      closing ??= close()
      return closing
    },
  }
  return database
}

function open(file: string): DatabaseSync {
  const database = new DatabaseSync(file, { timeout: busyLimit })
  // NORMAL leaves the log unforced at commit, because `force` does it for the whole batch before any answer.
  database.exec('pragma synchronous = normal; pragma foreign_keys = on')
  return database
}

function bind(prepared: Prepared, input: unknown): never[] {
  const values: unknown[] = []
  for (const column of prepared.columns) values.push((input as Record<string, unknown>)[column] ?? null)
  return values as never[]
}

/** Two processes that open a new file at once both want to be the one that turns it to WAL. */
function becomeWal(database: DatabaseSync) {
  const end = Date.now() + busyLimit
  for (;;) {
    try {
      database.exec('pragma journal_mode = wal')
      database.exec('begin immediate; commit')
      return
    } catch (error) {
      if (!isBusy(error) || Date.now() > end) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5)
    }
  }
}

function onlyReads(text: string): boolean {
  return /^\s*(select|with|explain|values|pragma)\b/i.test(text) && !/\b(insert|update|delete)\b/i.test(text)
}

function isBusy(error: unknown): boolean {
  return code(error) === sqliteBusy
}

/** SQLite's primary result code; the extended ones carry it in their low byte. */
function code(error: unknown): number | undefined {
  const errcode = (error as { errcode?: number } | null)?.errcode
  return errcode === undefined ? undefined : errcode & 0xff
}

/** Locks, a full or failing disk: storage cannot answer now. What is wrong with one request stays as it is. */
function unavailableOr(error: unknown): unknown {
  const reason = code(error)
  return reason === undefined || !storageFailures.has(reason)
    ? error
    : new Unavailable('SQLite could not write', { cause: error })
}
