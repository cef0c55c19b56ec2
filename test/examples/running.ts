import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** An example in a process of its own, started as its README says. */
export interface Running {
  origin: string
  /** Everything it printed. */
  output(): string
  /** Asks it to end; answers its exit code. */
  stop(): Promise<number | null>
}

export async function run(script: string, env: Record<string, string> = {}): Promise<Running> {
  const directory = mkdtempSync(join(tmpdir(), 'gatehouse-example-'))
  const port = await freePort()
  const child = spawn(process.execPath, ['--conditions=gatehouse-source', script], {
    cwd: root,
    env: {
      ...process.env,
      GATEHOUSE_SECRET: randomBytes(32).toString('base64'),
      PORT: String(port),
      DATABASE: join(directory, 'gatehouse.db'),
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let printed = ''
  const exited = once(child, 'exit')
  const started = new Promise<void>((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        printed += text
        if (/^Listening on /m.test(printed)) resolve()
      })
    }
  })
  const failed = exited.then(() => {
    throw new Error(`${script} ended before it listened:\n${printed}`)
  })
  failed.catch(() => {})
  await Promise.race([started, failed])
  return {
    origin: `http://localhost:${port}`,
    output: () => printed,
    async stop() {
      child.kill('SIGTERM')
      const [code] = (await exited) as [number | null]
      rmSync(directory, { recursive: true, force: true })
      return code
    },
  }
}

/** The issuer must be known before the server listens, so a port is taken and given back. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
