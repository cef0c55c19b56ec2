// `npm test` runs every test, with the PostgreSQL and the Chromium of the project's packages. Nothing else has to be running
// or installed.
//
//   npm test                                       everything
//   npm test -- test/oauth/token.test.ts           one file; a folder, a glob or a part of a path works too
//   npm test -- --test-name-pattern='RFC 7636'     options of `node --test`, written with "="
//
// TEST_POSTGRES_URL (a superuser's, or that of a role with CREATEDB) and CHROME_PATH select your own instead.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism, constants, tmpdir } from 'node:os'
import { join, matchesGlob, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { chromiumExecutable } from '../test/support/browser.ts'
import { startPostgres } from '../test/support/postgres.ts'

const TEST_TIMEOUT_MS = 240_000
const RUN_DEADLINE_MS = 35 * 60_000
const KILL_DELAY_MS = 10_000

const root = fileURLToPath(new URL('..', import.meta.url))
const asked = process.argv.slice(2)
const options = asked.filter((argument) => argument.startsWith('-'))
const files = selectFiles(asked.filter((argument) => !argument.startsWith('-')))

const cleanups: (() => unknown)[] = []
let interruptedBy: NodeJS.Signals | undefined
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    interruptedBy ??= signal
  })
}

process.exitCode = await main().finally(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup()
})

async function main(): Promise<number> {
  const scratch = mkdtempSync(join(tmpdir(), 'gatehouse-test-'))
  cleanups.push(() => rmSync(scratch, { recursive: true, force: true }))
  const [postgresUrl] = await Promise.all([postgres(), chromiumExecutable()])
  if (interruptedBy) return 128 + constants.signals[interruptedBy]

  const summary = join(scratch, 'summary.tap')
  const code = await runNode(
    [
      '--test',
      '--conditions=gatehouse-source',
      `--import=${new URL('../test/support/deadline.ts', import.meta.url)}`,
      `--test-concurrency=${availableParallelism()}`,
      `--test-timeout=${TEST_TIMEOUT_MS}`,
      '--test-reporter=spec',
      '--test-reporter-destination=stdout',
      '--test-reporter=tap',
      `--test-reporter-destination=${summary}`,
      ...options,
      ...files,
    ],
    {
      ...process.env,
      TEST_POSTGRES_URL: postgresUrl,
      // Hundreds of processes load the same files: they are stripped of types and compiled once.
      NODE_COMPILE_CACHE: join(scratch, 'compiled'),
    },
  )
  printSummary(summary)
  return code
}

/** The test files that the arguments name; all of them when there are none. */
function selectFiles(wanted: string[]): string[] {
  const all = globSync('test/**/*.test.ts', {
    cwd: root,
    exclude: (path) => path.endsWith('node_modules'),
  }).sort()
  const chosen = new Set<string>()
  for (const each of wanted.length === 0 ? ['test/'] : wanted) {
    const path = relative(root, join(process.cwd(), each)) || 'test/'
    const found = all.filter((file) => file.includes(each) || file === path || matchesGlob(file, each))
    if (found.length === 0) {
      console.error(
        `${each}: no test file matches.\n` +
          'Give a file (test/oauth/token.test.ts), a folder, a glob, a part of a path, ' +
          'or an option of node --test written with "=" (--test-name-pattern=\'RFC 7636\').',
      )
      process.exit(2)
    }
    for (const file of found) chosen.add(file)
  }
  return [...chosen]
}

/** The URL of the server that the tests share. It is thrown away afterwards, so it does not wait for the disk. */
async function postgres(): Promise<string> {
  const given = process.env['TEST_POSTGRES_URL']
  if (!given) {
    const server = await startPostgres({ fsync: false })
    cleanups.push(() => server.stop())
    return server.url
  }
  const client = new pg.Client({ connectionString: given })
  try {
    await client.connect()
    await client.end()
  } catch (error) {
    throw new Error(
      `TEST_POSTGRES_URL names a PostgreSQL that does not let us in: ${(error as Error).message}`,
    )
  }
  return given
}

/** Runs node until it ends, the run's deadline passes or a signal arrives; resolves to the exit code. */
async function runNode(flags: string[], env: NodeJS.ProcessEnv): Promise<number> {
  const child = spawn(process.execPath, flags, { cwd: root, env, stdio: 'inherit' })
  let kill: NodeJS.Timeout | undefined
  const end = (signal: NodeJS.Signals): void => {
    child.kill(signal)
    kill ??= setTimeout(() => child.kill('SIGKILL'), KILL_DELAY_MS)
  }
  const deadline = setTimeout(() => {
    console.error(`The run took longer than ${RUN_DEADLINE_MS / 60_000} minutes and is ended.`)
    end('SIGTERM')
  }, RUN_DEADLINE_MS)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => end(signal))

  const [code] = (await once(child, 'exit')) as [number | null]
  clearTimeout(deadline)
  clearTimeout(kill)
  if (interruptedBy) return 128 + constants.signals[interruptedBy]
  return code ?? 1
}

/** Prints node's own closing lines: `# tests 12` and so on. */
function printSummary(file: string): void {
  const lines = readFileSync(file, 'utf8').split('\n')
  const closing = /^# (tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+$/
  console.log(`\n${lines.filter((line) => closing.test(line)).join('\n')}`)
}
