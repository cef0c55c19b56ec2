// Processes that tell clients of logouts, over one database.

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

export interface LogoutOrder {
  database: string
  /** Of the client's endpoint. */
  ca: string
}

/** A process of its own; it does one thing when told. */
export interface Teller {
  /** Tells whoever is to be told now. Never answers where the process is killed. */
  deliver(): Promise<{ delivered: number; failed: number }>
  /** Disables a user and dies before it does anything else. */
  disableAndDie(userId: string): Promise<void>
  kill(): Promise<void>
  close(): Promise<void>
}

const script = fileURLToPath(new URL('logout-worker.ts', import.meta.url))

export async function startTeller(order: LogoutOrder): Promise<Teller> {
  const child = fork(script, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  await message(child)
  child.send(order)
  await message(child)
  const end = async (act: () => void) => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exit = once(child, 'exit')
    act()
    await exit
  }
  return {
    async deliver() {
      const answer = message(child)
      child.send('deliver')
      return (await answer) as { delivered: number; failed: number }
    },
    disableAndDie: (userId) => end(() => child.send({ disable: userId })),
    kill: () => end(() => child.kill('SIGKILL')),
    close: () => end(() => child.send('close')),
  }
}

async function message(child: ChildProcess): Promise<unknown> {
  const [received] = await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code]) => {
      throw new Error(`a process ended with code ${code}`)
    }),
  ])
  return received
}
