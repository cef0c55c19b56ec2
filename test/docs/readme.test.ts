// The README shows what the first run really prints.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** The text without what differs from run to run. */
function lasting(text: string): string[] {
  return (
    text
      // From a clone the program calls itself otherwise.
      .replaceAll('node src/cli.ts', 'npx gatehouse-auth')
      .replaceAll(/localhost(:|%3A)\d+/g, 'localhost$14400')
      .replaceAll(/\b\d+(\.\d+)? ms/g, 'N ms')
      .replaceAll(/demo-[0-9a-f]+@/g, 'demo-…@')
      .replaceAll(/\b(gh_[a-z]+_|usr_)[0-9a-z]+/g, '$1…')
      .replaceAll(/"(kid|jti)": ?"[^"]+"/g, '"$1":"…"')
      .replaceAll(/"(iat|exp|auth_time)": \d+/g, '"$1": …')
      .replaceAll(/\b(state|nonce|code_challenge)=[\w-]+/g, '$1=…')
      .split('\n')
      .map((line) => line.replaceAll(/\s+/g, ' ').trim())
      .filter((line) => line !== '')
  )
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

test('README.md shows what npm start prints the first time', async (t) => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8')
  const shown = /<!-- first-run -->\n```\n([\s\S]*?)```\n/.exec(readme)?.[1]
  assert.ok(shown)

  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-readme-'))
  const { GATEHOUSE_ISSUER, GATEHOUSE_SECRET, GATEHOUSE_DATABASE_URL, NODE_ENV, ...env } = process.env
  const child = spawn(process.execPath, [join(root, 'src/cli.ts'), 'dev'], {
    cwd: folder,
    env: { ...env, PORT: String(await freePort()) },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(async () => {
    if (child.exitCode === null) {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    rmSync(folder, { recursive: true, force: true })
  })
  let printed = ''
  for await (const chunk of child.stdout.setEncoding('utf8')) {
    printed += chunk
    if (printed.includes('Ctrl+C')) break
  }
  assert.deepEqual(lasting(shown), lasting(printed))
})
