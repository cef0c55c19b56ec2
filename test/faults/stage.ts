// A deployment as it stands somewhere: processes of the command line behind nginx over one database.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { openApp } from '../../src/app.ts'
import { embed } from '../../src/gatehouse.ts'
import { processConfig } from '../races/config.ts'
import type { Dialect } from '../support/gatehouse.ts'
import { freePort, type Nginx, startNginx } from '../support/nginx.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import { faultConfig } from './gatehouse.config.ts'
import { Load } from './load.ts'
import { startProxy, type TcpProxy } from './proxy.ts'

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url))

/** One process of the deployment. */
export class Process {
  readonly port: number
  readonly #database: string
  #child: ChildProcess | undefined
  #said = ''

  constructor(port: number, database: string) {
    this.port = port
    this.#database = database
  }

  get pid(): number {
    return this.#child!.pid!
  }

  async start(clockOffset = 0): Promise<void> {
    const child = spawn(
      process.execPath,
      [
        '--conditions=gatehouse-source',
        ...(clockOffset === 0 ? [] : [`--import=${new URL('clock.ts', import.meta.url)}`]),
        path('../../src/cli.ts'),
        'serve',
        `--config=${path('gatehouse.config.ts')}`,
        `--port=${this.port}`,
        '--json',
      ],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: {
          PATH: process.env['PATH'],
          GATEHOUSE_DATABASE_URL: this.#database,
          GATEHOUSE_LOG: 'error',
          GATEHOUSE_DRAIN: '1',
          TEST_CLOCK_OFFSET: String(clockOffset),
        },
      },
    )
    this.#child = child
    child.stderr!.on('data', (text) => {
      this.#said = (this.#said + text).slice(-20_000)
    })
    const started = await Promise.race([
      once(child.stdout!, 'data').then(() => true),
      once(child, 'exit').then(() => false),
    ])
    if (!started) throw new Error(`a process could not start:\n${this.#said}`)
  }

  /** What it logged last. */
  get said(): string {
    return this.#said
  }

  /** Resolves once it has ended, by force when it does not within a minute. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#child
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill(signal)
    const force = setTimeout(() => child.kill('SIGKILL'), 60_000)
    await ended
    clearTimeout(force)
  }
}

export interface Stage {
  readonly dialect: Dialect
  readonly processes: readonly Process[]
  readonly load: Load
  /** The journal of answered tokens, and where an SQLite database is. */
  readonly folder: string
  readonly database: string
  /** PostgreSQL itself, what stands before it, and a connection that bypasses that. */
  readonly postgres?: Postgres
  readonly proxy?: TcpProxy
  query<R>(text: string): Promise<R[]>
  close(keep: boolean): Promise<void>
}

export async function openStage(dialect: Dialect, count: number): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-faults-'))
  const postgres =
    dialect === 'postgres' ? await startPostgres({ settings: { max_connections: '60' } }) : undefined
  const proxy =
    postgres && (await startProxy({ host: '127.0.0.1', port: Number(new URL(postgres.url).port) }))
  const database = postgres ? throughProxy(postgres.url, proxy!.port) : join(folder, 'gatehouse.db')

  const app = await openApp(processConfig({ database, port: 0, config: { ...faultConfig, jobs: false } }))
  const client = await embed(app).clients.create({
    name: 'Load',
    redirectUris: ['https://client.example/callback'],
    grantTypes: ['authorization_code', 'refresh_token', 'client_credentials'],
  })
  await app.close()

  const processes: Process[] = []
  for (let n = 0; n < count; n++) processes.push(new Process(await freePort(), database))
  await Promise.all(processes.map((one) => one.start()))
  const nginx: Nginx = await startNginx(processes.map((one) => one.port))
  const load = new Load({ port: nginx.port, client, journal: join(folder, 'journal.jsonl') })
  return {
    dialect,
    processes,
    load,
    folder,
    database,
    ...(postgres ? { postgres } : {}),
    ...(proxy ? { proxy } : {}),
    async query<R>(text: string) {
      const connection = new pg.Client({ connectionString: postgres!.url })
      await connection.connect()
      try {
        return (await connection.query(text)).rows as R[]
      } finally {
        await connection.end()
      }
    },
    async close(keep) {
      await Promise.all(processes.map((one) => one.end('SIGKILL')))
      await nginx.stop()
      await proxy?.close()
      await postgres?.stop()
      if (!keep) rmSync(folder, { recursive: true, force: true })
    },
  }
}

function throughProxy(url: string, port: number): string {
  const through = new URL(url)
  through.port = String(port)
  return through.href
}
