// Starting and ending one server, whichever it is, with its database if it has one of its own.
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { totalmem } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startPostgres } from '../test/support/postgres.ts'
import { type Fixture, fixtureFile, readFixture, type StoredTokens } from './fixture.ts'
import { requestsFor } from './load/chains.ts'
import { Connection } from './load/connection.ts'

/** Where a server is to run. */
export type Place = {
  directory: string
  /** The port of this process, and of the first one, which is the issuer's. */
  port: number
  issuerPort: number
  /** The PostgreSQL it is to use, for a server with `postgres`. */
  databaseUrl: string | undefined
}

/** A server that can be measured. */
export type Server = {
  id: string
  label: string
  /** Whether an answer waits until its rows would survive a power cut. */
  durable: boolean
  /** Set for a server whose sessions end with its process, so that every start prepares them again. */
  forgets?: true
  /** Gives it a PostgreSQL of its own, whose CPU counts as the server's. */
  postgres?: true
  /** Identical processes beside one database. Default 1. */
  processes?: number
  /** What one server process executes, node itself unless it says otherwise, with which arguments and environment. */
  command(place: Place): { file?: string; args: string[]; env?: Record<string, string> }
  /** More of the environment of its processes. */
  environment?: Record<string, string>
  /** Makes what the first start needs. */
  beforeFirstStart?(place: Place): Promise<void>
  /** Makes people, sessions and the fixture over HTTP, for a server that does not do so itself. */
  afterFirstStart?(place: Place): Promise<void>
  /** Puts many living tokens into the database, of a stopped server where it is a file, and names some of them. */
  fill?: ((place: Pick<Place, 'directory' | 'databaseUrl'>) => Promise<StoredTokens>) | undefined
}

export type Running = {
  server: Server
  fixture: Fixture
  roots: number[]
  /** Of its PostgreSQL, where it has one. */
  databaseUrl: string | undefined
  /** The file that names some of the tokens the database was filled with. */
  tokens: string | undefined
  stop(): Promise<void>
}

/** As PostgreSQL's documentation advises for a machine of its own: https://www.postgresql.org/docs/current/runtime-config-resource.html */
const quarterOfMemory = `${Math.floor(totalmem() / 4 / 2 ** 20)}MB`

const alive = new Set<ChildProcess>()

/** Ends every server process still alive; for the end of a run, however it ends. */
export function killAll() {
  for (const child of alive) child.kill('SIGKILL')
}
process.once('exit', killAll)

async function freePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>((listening) => probe.listen(0, '127.0.0.1', listening))
  const { port } = probe.address() as { port: number }
  await new Promise((closed) => probe.close(closed))
  return port
}

function launch(server: Server, place: Place, extra: Record<string, string> = {}) {
  const { directory, port } = place
  const { file = process.execPath, args, env } = server.command(place)
  const logFile = join(directory, 'log.txt')
  const log = openSync(logFile, 'a')
  const child = spawn(file, args, {
    cwd: directory,
    env: {
      ...process.env,
      NODE_ENV: 'production',
      PORT: String(port),
      BENCH_DIR: directory,
      ...env,
      ...server.environment,
      ...extra,
    },
    stdio: ['ignore', log, log],
  })
  closeSync(log)
  alive.add(child)
  child.once('exit', () => alive.delete(child))
  const mustLive = () => {
    if (child.exitCode === null && child.signalCode === null) return
    const tail = readFileSync(logFile, 'utf8').slice(-2000)
    throw new Error(`${server.label} ended with ${child.exitCode ?? child.signalCode}:\n${tail}`)
  }
  return { pid: child.pid!, mustLive, stop: () => end(child) }
}

async function end(child: ChildProcess) {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  const patience = setTimeout(() => child.kill('SIGKILL'), 10_000)
  await ended
  clearTimeout(patience)
}

async function until(ready: () => boolean | Promise<boolean>, mustLive: () => void, pause: number) {
  const deadline = Date.now() + 60_000
  while (!(await ready())) {
    mustLive()
    if (Date.now() > deadline) throw new Error('a server was not ready after a minute')
    await sleep(pause)
  }
}

async function listens(port: number): Promise<boolean> {
  const connection = new Connection(port)
  try {
    const answer = await connection.send('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
    return answer.status > 0
  } catch {
    return false
  } finally {
    connection.close()
  }
}

/** Starts a server, prepares it when its directory is new, and resolves once it can be measured. */
export async function start(server: Server, directory: string): Promise<Running> {
  mkdirSync(directory, { recursive: true })
  if (server.forgets) rmSync(fixtureFile(directory), { force: true })
  const first = !existsSync(fixtureFile(directory))
  const tokens = server.fill && join(directory, 'tokens.json')
  const fill = async (databaseUrl?: string) => {
    if (tokens) writeFileSync(tokens, JSON.stringify(await server.fill!({ directory, databaseUrl })))
  }
  const roots: number[] = []
  const stops: (() => Promise<void>)[] = []
  const stop = async () => {
    for (const each of stops.splice(0).reverse()) await each()
  }
  try {
    let databaseUrl: string | undefined
    if (server.postgres) {
      const postgres = await startPostgres({ settings: { shared_buffers: quarterOfMemory } })
      stops.push(() => postgres.stop())
      roots.push(postgres.pid)
      databaseUrl = postgres.url
    } else if (!first) await fill()
    const ports: number[] = []
    for (let nth = 0; nth < (server.processes ?? 1); nth += 1) {
      const port = await freePort()
      ports.push(port)
      const place = { directory, port, issuerPort: ports[0]!, databaseUrl }
      if (first && nth === 0) await server.beforeFirstStart?.(place)
      const { pid, mustLive, stop } = launch(server, place)
      stops.push(stop)
      roots.push(pid)
      await until(() => listens(port), mustLive, 20)
      if (first && nth === 0) await server.afterFirstStart?.(place)
      await until(() => existsSync(fixtureFile(directory)), mustLive, 50)
    }
    if (databaseUrl) await fill(databaseUrl)
    return { server, fixture: readFixture(directory, ports), roots, databaseUrl, tokens, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Milliseconds from spawning the process on a prepared directory to its first client-credentials token. */
export async function coldStart(server: Server, directory: string): Promise<number> {
  const port = await freePort()
  const request = requestsFor(readFixture(directory, [port])).machine
  const place = { directory, port, issuerPort: port, databaseUrl: undefined }
  const before = performance.now()
  const { mustLive, stop } = launch(server, place, { BENCH_COLD: '1' })
  try {
    await until(() => answersWithToken(port, request), mustLive, 1)
    return performance.now() - before
  } finally {
    await stop()
  }
}

async function answersWithToken(port: number, request: string): Promise<boolean> {
  const connection = new Connection(port)
  try {
    const answer = await connection.send(request)
    if (answer.status === 200) return true
    throw new Error(`the first token was refused: ${answer.status} ${answer.body.slice(0, 300)}`)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ECONNREFUSED') return false
    throw error
  } finally {
    connection.close()
  }
}
