// Gatehouse inside the real Next.js: its routes embed the packed tarball, `next build` bundles them and `next start` serves them.

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { cp } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { environment, type Packed, packProject, root, run } from '../../pack/tarball.ts'

/** Also named by `next start`, so that its port is the issuer's. */
async function freePort(): Promise<string> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as { port: number }
  probe.close()
  await once(probe, 'close')
  return String(port)
}

describe('Next.js', { timeout: 420_000 }, () => {
  let packed: Packed
  let folder: string
  let child: ChildProcess | undefined
  let exited: Promise<unknown> | undefined
  let printed = ''

  before(async () => {
    packed = await packProject()
    folder = await packed.unpacked()
    await cp(join(import.meta.dirname, 'app'), folder, { recursive: true })
  })
  after(async () => {
    child?.kill('SIGKILL')
    await exited
    await packed.remove()
  })

  for (const bundler of ['turbopack', 'webpack']) {
    test(`built by ${bundler} and started, issues a token, and its API takes it`, async () => {
      const port = await freePort()
      const env = {
        PORT: port,
        GATEHOUSE_SECRET: randomBytes(32).toString('base64'),
        DATABASE: join(folder, `${bundler}.db`),
        NEXT_TELEMETRY_DISABLED: '1',
      }
      const next = join(root, 'node_modules', 'next', 'dist', 'bin', 'next')
      await run(
        process.execPath,
        [next, 'build', ...(bundler === 'webpack' ? ['--webpack'] : [])],
        folder,
        env,
      )
      printed = ''
      child = spawn(process.execPath, [next, 'start', '--hostname', '127.0.0.1', '--port', port], {
        cwd: folder,
        env: { ...environment, ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      exited = once(child, 'exit')
      const ready = new Promise<void>((resolve) => {
        for (const stream of [child!.stdout!, child!.stderr!]) {
          stream.setEncoding('utf8').on('data', (text: string) => {
            printed += text
            if (/Ready in/.test(printed)) resolve()
          })
        }
      })
      await Promise.race([ready, exited])
      const origin = `http://127.0.0.1:${port}`
      const issuer = `http://localhost:${port}/api/auth`

      const metadata = await fetch(`${origin}/.well-known/oauth-authorization-server/api/auth`)
      assert.equal(metadata.status, 200, printed)
      assert.equal(((await metadata.json()) as { issuer: string }).issuer, issuer)

      const { id, secret } = JSON.parse(/^client (.*)$/m.exec(printed)![1]!) as { id: string; secret: string }
      const answer = await fetch(`${origin}/api/auth/oauth/token`, {
        method: 'POST',
        body: new URLSearchParams({ grant_type: 'client_credentials', client_id: id, client_secret: secret }),
      })
      const { access_token } = (await answer.json()) as { access_token: string }
      assert.equal(answer.status, 200, printed)
      const jobs = `${origin}/api/jobs`
      assert.equal((await fetch(jobs)).status, 401)
      const called = await fetch(jobs, { headers: { authorization: `Bearer ${access_token}` } })
      assert.deepEqual(await called.json(), { for: id }, printed)

      child.kill('SIGTERM')
      await exited
    })
  }
})
