import { DatabaseSync } from 'node:sqlite'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'

/** Carries the write-ahead log into the database file on a thread of its own, so that no request waits for it. */
export interface Checkpoints {
  /** Copies what no reader needs any more, beside running writers. */
  passive(): Promise<void>
  /** Copies the rest and lets the log begin anew; no write may run meanwhile. */
  restart(): Promise<void>
  stop(): Promise<void>
}

const role = 'gatehouse-checkpoint'

export function startCheckpoints(file: string): Checkpoints {
  let worker: Worker | undefined
  let waiting: (() => void)[] = []
  let stopped = false

  async function ask(mode: 'passive' | 'restart'): Promise<void> {
    if (stopped) return
    worker ??= start()
    // Writes may wait for the answer, so the process must not end before it; otherwise the thread holds nothing.
    worker.ref()
    return new Promise((resolve) => {
      waiting.push(resolve)
      worker!.postMessage(mode)
    })
  }

  function start(): Worker {
    const thread = new Worker(new URL(import.meta.url), { workerData: { role, file } })
    thread.on('message', () => {
      waiting.shift()?.()
      if (waiting.length === 0) thread.unref()
    })
    // A checkpoint that fails is made up for by the next one; a dead thread is started again then.
    thread.on('error', () => {})
    thread.on('exit', () => {
      if (worker === thread) worker = undefined
      for (const resolve of waiting) resolve()
      waiting = []
    })
    return thread
  }

  return {
    passive: () => ask('passive'),
    restart: () => ask('restart'),
    async stop() {
      stopped = true
      await worker?.terminate()
    },
  }
}

if (!isMainThread && workerData?.role === role) {
  const database = new DatabaseSync(workerData.file, { timeout: 1_000 })
  parentPort!.on('message', (mode: 'passive' | 'restart') => {
    try {
      database.exec(`pragma wal_checkpoint(${mode})`)
    } catch {
      // Busy with another process: the next round does it.
    }
    parentPort!.postMessage('done')
  })
}
