// Running the command as a person does: a process of its own, in a folder of its own.

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after } from 'node:test'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(new URL('../../src/cli.ts', import.meta.url))
const scratch = mkdtempSync(join(tmpdir(), 'gatehouse-cli-'))
const running = new Set<ChildProcessWithoutNullStreams>()
after(async () => {
  for (const child of running) child.kill('SIGKILL')
  await Promise.all([...running].map((child) => once(child, 'exit')))
  rmSync(scratch, { recursive: true, force: true })
})

/** A new, empty folder; it goes with the test file. */
export function emptyFolder(): string {
  return mkdtempSync(join(scratch, 'project-'))
}

type Environment = Record<string, string>

/** Nothing of the tests' own surroundings reaches a command. */
function environment(more: Environment): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !/^(GATEHOUSE_|NODE_|PORT$|HOST$)/.test(name))
  return { ...Object.fromEntries(own), XDG_CACHE_HOME: join(scratch, 'cache'), ...more }
}

function launch(cwd: string, args: string[], env: Environment): ChildProcessWithoutNullStreams {
  const child = spawn(process.execPath, [program, ...args], { cwd, env: environment(env), stdio: 'pipe' })
  running.add(child)
  child.once('exit', () => running.delete(child))
  return child
}

export interface Result {
  code: number | null
  stdout: string
  stderr: string
  /** Standard output as JSON, a value a line. */
  lines<T = Record<string, unknown>>(): T[]
}

/** Runs a command to its end. */
export async function run(cwd: string, args: string[], env: Environment = {}): Promise<Result> {
  const child = launch(cwd, args, env)
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text))
  child.stdin.end()
  const [code] = await once(child, 'close')
  return {
    code,
    stdout,
    stderr,
    lines: () =>
      stdout
        .trim()
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line)),
  }
}

/** A command that stays up. */
export interface Process {
  child: ChildProcessWithoutNullStreams
  /** Resolves with the first line, from the start on, that fits; rejects when the process ends without one. */
  line(of: 'stdout' | 'stderr', fits: RegExp): Promise<string>
  /** Sends a signal and resolves with the exit code. */
  end(signal?: NodeJS.Signals): Promise<number | null>
  ended: Promise<number | null>
}

export function stay(cwd: string, args: string[], env: Environment = {}): Process {
  const child = launch(cwd, args, env)
  const seen = { stdout: [] as string[], stderr: [] as string[] }
  const ended = once(child, 'close').then(([code]) => code as number | null)
  let look = Promise.withResolvers<void>()
  let over = false
  const tell = () => {
    look.resolve()
    look = Promise.withResolvers()
  }
  for (const name of ['stdout', 'stderr'] as const) {
    createInterface({ input: child[name] }).on('line', (line) => {
      seen[name].push(line)
      tell()
    })
  }
  ended.then(() => {
    over = true
    tell()
  })
  return {
    child,
    ended,
    async line(of, fits) {
      for (;;) {
        const found = seen[of].find((line) => fits.test(line))
        if (found !== undefined) return found
        if (over) throw new Error(`ended without ${fits}:\n${[...seen.stdout, ...seen.stderr].join('\n')}`)
        await look.promise
      }
    },
    end(signal = 'SIGTERM') {
      child.kill(signal)
      return ended
    },
  }
}

/** Starts a server on a free port and waits until it serves. */
export async function serve(
  cwd: string,
  args: string[],
  env: Environment = {},
): Promise<Process & { url: string; issuer: string }> {
  const process = stay(cwd, [...args, '--json'], env)
  const { url, issuer } = JSON.parse(await process.line('stdout', /"ready":true/)) as {
    url: string
    issuer: string
  }
  return { ...process, url, issuer }
}

/** A port nobody listens on. */
export async function freePort(): Promise<string> {
  const { createServer } = await import('node:net')
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as { port: number }
  probe.close()
  await once(probe, 'close')
  return String(port)
}
