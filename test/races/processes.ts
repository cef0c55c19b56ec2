// Starting and ending real processes of one deployment.

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { WorkerOrder } from './config.ts'

const script = fileURLToPath(new URL('worker.ts', import.meta.url))

/** A process that serves. */
export interface Worker {
  readonly port: number
  /** Ends it as a power switch would end the process: nothing is flushed, nothing is said goodbye to. */
  kill(): Promise<void>
  close(): Promise<void>
  /** What it wrote to stderr so far: its log at level error. */
  said(): string
}

/** Starts as many processes; all have loaded their code before the first of them opens the database. */
export async function startTogether(count: number, order: WorkerOrder): Promise<Worker[]> {
  const loaded = await Promise.all(Array.from({ length: count }, load))
  const opened = await Promise.allSettled(loaded.map((one) => open(one, order)))
  const failed = opened.find((one) => one.status === 'rejected')
  if (failed) {
    for (const { child } of loaded) child.kill('SIGKILL')
    throw failed.reason
  }
  return opened.map((one) => (one as PromiseFulfilledResult<Worker>).value)
}

export async function startWorker(order: WorkerOrder): Promise<Worker> {
  return open(await load(), order)
}

interface Loaded {
  child: ChildProcess
  said: () => string
}

async function load(): Promise<Loaded> {
  const child = fork(script, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] })
  let text = ''
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.on('data', (chunk) => {
      text += chunk
    })
  }
  const said = () => text
  await next(child, said)
  return { child, said }
}

async function open({ child, said }: Loaded, order: WorkerOrder): Promise<Worker> {
  const answer = next(child, said)
  child.send(order)
  const port = (await answer) as number
  const end = async (act: () => void) => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exit = once(child, 'exit')
    act()
    await exit
  }
  return {
    port,
    kill: () => end(() => child.kill('SIGKILL')),
    close: () => end(() => child.send('close')),
    said,
  }
}

/** The next message of a process, or why it ended instead. */
async function next(child: ChildProcess, said: () => string): Promise<unknown> {
  const ended = new AbortController()
  try {
    return await Promise.race([
      once(child, 'message', { signal: ended.signal }).then(([message]) => message),
      once(child, 'exit', { signal: ended.signal }).then(([code]) => {
        throw new Error(`a process ended with code ${code}:\n${said()}`)
      }),
    ])
  } finally {
    ended.abort()
  }
}
