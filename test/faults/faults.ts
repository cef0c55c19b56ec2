// What goes wrong: each fault is done to a deployment under load, and undone.

import { execFileSync } from 'node:child_process'
import { readFileSync, unlinkSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import type { Dialect } from '../support/gatehouse.ts'
import type { Stage } from './stage.ts'

export interface Fault {
  name: string
  on: readonly Dialect[]
  /** Resolves when nothing is wrong any more; how long it lasts is in milliseconds. */
  run(stage: Stage, lasts: number): Promise<void>
}

const [both, postgres, sqlite] = [['sqlite', 'postgres'], ['postgres'], ['sqlite']] as const

export const faults: readonly Fault[] = [
  {
    name: 'kill -9 of one process after another',
    on: both,
    async run({ processes }) {
      for (const one of processes) {
        await one.end('SIGKILL')
        await one.start()
      }
    },
  },
  {
    name: 'rolling restart (SIGTERM)',
    on: both,
    async run({ processes }) {
      for (const one of processes) {
        await one.end('SIGTERM')
        await one.start()
      }
    },
  },
  {
    name: 'kill -9 of PostgreSQL',
    on: postgres,
    async run({ postgres: server }) {
      await server!.kill('SIGKILL')
      await server!.restart()
    },
  },
  {
    name: 'PostgreSQL stands still (SIGSTOP)',
    on: postgres,
    async run({ postgres: server }, lasts) {
      const all = withChildren(server!.pid)
      signal(all, 'SIGSTOP')
      await sleep(lasts)
      signal(all, 'SIGCONT')
    },
  },
  {
    name: 'established connections go silent',
    on: postgres,
    async run({ proxy }) {
      proxy!.silence()
    },
  },
  ...[10, -10].map(
    (minutes): Fault => ({
      name: `one clock is ${minutes > 0 ? '+' : ''}${minutes} min wrong`,
      on: both,
      async run({ processes }, lasts) {
        const one = processes[0]!
        await one.end('SIGTERM')
        // A process may refuse to start with such a clock.
        await one.start(minutes * 60_000).catch(() => {})
        await sleep(lasts)
        await one.end('SIGTERM')
        await one.start()
      },
    }),
  ),
  {
    name: 'a table is changed, twice',
    on: postgres,
    async run({ query }, lasts) {
      await query('alter table refresh_tokens add column fault text')
      await query('alter table clients add column fault text')
      await sleep(lasts / 4)
      await query('alter table refresh_tokens drop column fault')
      await query('alter table clients drop column fault')
    },
  },
  {
    name: 'a table is locked',
    on: postgres,
    async run({ query }, lasts) {
      await query(
        `begin; lock table access_tokens in access exclusive mode; select pg_sleep(${lasts / 1_000}); commit`,
      )
    },
  },
  {
    name: 'the primary takes no writes',
    on: postgres,
    async run({ query }, lasts) {
      await query('alter system set default_transaction_read_only = on')
      await query('select pg_reload_conf()')
      await sleep(lasts)
      await query('alter system reset default_transaction_read_only')
      await query('select pg_reload_conf()')
    },
  },
  {
    name: 'no connection is to be had',
    on: postgres,
    async run({ postgres: server, query }, lasts) {
      const taken: pg.Client[] = []
      // What the server gives up is taken before the processes can have it again.
      await query(
        "alter role postgres connection limit -1; select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'gatehouse'",
      )
      const take = async () => {
        for (;;) {
          const client = new pg.Client({ connectionString: server!.url })
          client.on('error', () => {})
          try {
            await client.connect()
          } catch {
            return
          }
          taken.push(client)
        }
      }
      await Promise.all([take(), take(), take(), take()])
      await sleep(lasts)
      await Promise.all(taken.map((client) => client.end().catch(() => {})))
    },
  },
  {
    name: 'the disk is full',
    on: sqlite,
    async run({ processes }, lasts) {
      const limit = (to: string) => {
        for (const { pid } of processes)
          execFileSync('prlimit', ['--pid', String(pid), `--fsize=${to}:unlimited`])
      }
      limit('1')
      await sleep(lasts)
      limit('unlimited')
    },
  },
  {
    name: 'the log is unlinked, then a restart',
    on: sqlite,
    async run({ processes, database }, lasts) {
      unlinkSync(`${database}-wal`)
      await sleep(lasts)
      // All of them, so that none works on the files of before beside one that works on those of after.
      await Promise.all(processes.map((one) => one.end('SIGTERM')))
      await Promise.all(processes.map((one) => one.start()))
    },
  },
]

function withChildren(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return [pid, ...children.trim().split(/\s+/).filter(Boolean).map(Number)]
}

function signal(pids: number[], name: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name)
    } catch {
      // It ended meanwhile.
    }
  }
}
