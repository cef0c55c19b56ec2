import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(new URL('../../../src/cli.ts', import.meta.url))

/** Runs a block of a shell that begins with `npx gatehouse-auth`, beside a running server; answers what it printed. */
export async function runShell(
  block: string,
  server: { issuer: string; secret: string; database: string },
): Promise<string> {
  assert.match(block, /^npx gatehouse-auth /)
  // `npx` is played, the command is not.
  const script = `set -e; npx() { test "$1" = gatehouse-auth; shift; "$NODE" "$PROGRAM" "$@"; }\n${block}`
  const child = spawn('sh', ['-c', script], {
    env: {
      PATH: process.env['PATH'],
      NODE: process.execPath,
      PROGRAM: program,
      GATEHOUSE_ISSUER: server.issuer,
      GATEHOUSE_SECRET: server.secret,
      GATEHOUSE_DATABASE_URL: server.database,
      GATEHOUSE_LOG: 'warn',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const printed = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr'] as const)
    child[stream].setEncoding('utf8').on('data', (text) => (printed[stream] += text))
  const [code] = (await once(child, 'close')) as [number | null]
  assert.equal(code, 0, printed.stderr)
  return printed.stdout
}
