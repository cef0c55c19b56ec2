import { DatabaseSync } from 'node:sqlite'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { isBusy } from './sqlite-errors.ts'

/**
 * `passive` copies what no reader needs any more, beside running writers. The others copy everything, and no write may run
 * meanwhile: `restart` lets the log begin anew in the same file, `truncate` empties the file as well.
 */
export type CheckpointMode = 'passive' | 'restart' | 'truncate'

/**
 * `done`: everything that was in the log is in the database file, and the log begins anew if that was asked. `held`: a
 * reader or another process needs it. `failed`: the database file cannot be written, for want of space for instance.
 */
export type Outcome = 'done' | 'held' | 'failed'

/** Carries the write-ahead log into the database file on a thread of its own, so that no request waits for it. */
export interface Checkpoints {
  run(mode: CheckpointMode): Promise<Outcome>
  stop(): Promise<void>
}

const role = 'gatehouse-checkpoint'
/** How long the writers stand still for a reader or another process, in milliseconds. */
const patience = 100

export function startCheckpoints(file: string): Checkpoints {
  let worker: Worker | undefined
  let waiting: ((outcome: Outcome) => void)[] = []
  let stopped = false

  function start(): Worker {
    const thread = new Worker(new URL(import.meta.url), { workerData: { role, file } })
    thread.on('message', (outcome: Outcome) => {
      waiting.shift()?.(outcome)
      if (waiting.length === 0) thread.unref()
    })
    // A checkpoint that fails is made up for by the next one; a dead thread is started again then.
    thread.on('error', () => {})
    thread.on('exit', () => {
      if (worker === thread) worker = undefined
      for (const resolve of waiting) resolve('failed')
      waiting = []
    })
    return thread
  }

  return {
    async run(mode) {
      if (stopped) return 'failed'
      worker ??= start()
      // Writes may wait for the answer, so the process must not end before it; otherwise the thread holds nothing.
      worker.ref()
      return new Promise((resolve) => {
        waiting.push(resolve)
        worker!.postMessage(mode)
      })
    },
    async stop() {
      stopped = true
      await worker?.terminate()
    },
  }
}

if (!isMainThread && workerData?.role === role) {
  let database: DatabaseSync | undefined
  parentPort!.on('message', (mode: CheckpointMode) => {
    let outcome: Outcome = 'failed'
    try {
      database ??= new DatabaseSync(workerData.file, { timeout: patience })
      const row = database.prepare(`pragma wal_checkpoint(${mode})`).get() as Record<string, number>
      outcome = row.busy === 0 && row.log === row.checkpointed ? 'done' : 'held'
    } catch (error) {
      if (isBusy(error)) outcome = 'held'
    }
    parentPort!.postMessage(outcome)
  })
}
