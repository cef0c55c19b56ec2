// Starting and ending one server, whichever it is.
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Fixture, fixtureFile, readFixture } from './fixture.ts'
import { requestsFor } from './load/chains.ts'
import { Connection } from './load/connection.ts'

/** A server that can be measured. */
export type Server = {
  id: string
  label: string
  /** Whether an answer waits until its rows would survive a power cut. */
  durable: boolean
  /** Set for a server whose sessions end with its process, so that every start prepares them again. */
  forgets?: true
  /** Node's arguments and the environment of the server process, for a directory and a port of its own. */
  command(directory: string, port: number): { args: string[]; env?: Record<string, string>; cwd?: string }
  /** Makes what the first start needs. */
  beforeFirstStart?(directory: string, port: number): Promise<void>
  /** Makes people, sessions and the fixture over HTTP, for a server that does not do so itself. */
  afterFirstStart?(directory: string, port: number): Promise<void>
}

export type Running = {
  server: Server
  directory: string
  fixture: Fixture
  pid: number
  stop(): Promise<void>
}

const alive = new Set<ChildProcess>()

/** Ends every server still alive; for the end of a run, however it ends. */
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

function launch(server: Server, directory: string, port: number, extra: Record<string, string> = {}) {
  mkdirSync(directory, { recursive: true })
  const { args, env, cwd } = server.command(directory, port)
  const logFile = join(directory, 'log.txt')
  const log = openSync(logFile, 'a')
  const child = spawn(process.execPath, args, {
    cwd,
    env: {
      ...process.env,
      NODE_ENV: 'production',
      PORT: String(port),
      BENCH_DIR: directory,
      ...env,
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
  const patience = setTimeout(() => child.kill('SIGKILL'), 5000)
  await ended
  clearTimeout(patience)
}

async function until(
  ready: () => boolean | Promise<boolean>,
  mustLive: () => void,
  seconds: number,
  pause: number,
) {
  const deadline = Date.now() + seconds * 1000
  while (!(await ready())) {
    mustLive()
    if (Date.now() > deadline) throw new Error(`not ready after ${seconds} s`)
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
  const port = await freePort()
  if (server.forgets) rmSync(fixtureFile(directory), { force: true })
  const first = !existsSync(fixtureFile(directory))
  mkdirSync(directory, { recursive: true })
  if (first) await server.beforeFirstStart?.(directory, port)
  const { pid, mustLive, stop } = launch(server, directory, port)
  try {
    if (first && server.afterFirstStart) {
      await until(() => listens(port), mustLive, 30, 20)
      await server.afterFirstStart(directory, port)
    }
    const prepared = async () => existsSync(fixtureFile(directory)) && (await listens(port))
    await until(prepared, mustLive, 60, 50)
  } catch (error) {
    await stop()
    throw error
  }
  return { server, directory, fixture: readFixture(directory, port), pid, stop }
}

/** Milliseconds from spawning the process on a prepared directory to its first client-credentials token. */
export async function coldStart(server: Server, directory: string): Promise<number> {
  const port = await freePort()
  const request = requestsFor(readFixture(directory, port)).machine
  const before = performance.now()
  const { mustLive, stop } = launch(server, directory, port, { BENCH_COLD: '1' })
  try {
    await until(() => answersWithToken(port, request), mustLive, 30, 1)
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
