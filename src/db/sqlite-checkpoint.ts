import type { Worker } from 'node:worker_threads'
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

/** How long the writers stand still for a reader or another process, in milliseconds. */
const patience = 100

/**
 * What the thread runs, as a text: it depends on no file, so a bundle of the host needs none beside it, and nothing of the host
 * runs there once more. It answers each mode with what SQLite said, or with the code of its refusal.
 */
const program = `
const { DatabaseSync } = process.getBuiltinModule('node:sqlite')
const { parentPort, workerData: { file, patience } } = process.getBuiltinModule('node:worker_threads')
let database
parentPort.on('message', (mode) => {
  try {
    database ??= new DatabaseSync(file, { timeout: patience })
    const { busy, log, checkpointed } = database.prepare('pragma wal_checkpoint(' + mode + ')').get()
    parentPort.postMessage({ all: busy === 0 && log === checkpointed })
  } catch ({ errcode }) {
    parentPort.postMessage({ errcode })
  }
})
`

type Answer = { all: boolean } | { errcode: number | undefined }

function outcomeOf(answer: Answer): Outcome {
  if ('all' in answer) return answer.all ? 'done' : 'held'
  return isBusy(answer) ? 'held' : 'failed'
}

export function startCheckpoints(file: string): Checkpoints {
  let worker: Worker | undefined
  let waiting: ((outcome: Outcome) => void)[] = []
  let stopped = false

  function start(): Worker {
    const { Worker } = process.getBuiltinModule('node:worker_threads')
    // No flag of the host's comes along: --import would run its modules, --input-type would read the text as another kind.
    const alone = { eval: true, execArgv: [], env: {} }
    const thread = new Worker(program, { ...alone, workerData: { file, patience } })
    thread.on('message', (answer: Answer) => {
      waiting.shift()?.(outcomeOf(answer))
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
