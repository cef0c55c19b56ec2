// The package inside a host's own bundle: one file, with nothing of it beside.

import assert from 'node:assert/strict'
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { build } from 'esbuild'
import { type Packed, packProject, run } from './tarball.ts'

/**
 * Issues so many tokens that the write-ahead log is carried into the database by the thread that does so, and says when that
 * was done. It says first that it runs, since a thread must not run it again.
 */
const host = `import { statSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { gatehouse } from 'gatehouse-auth'

async function main() {
  console.log('the host runs')
  const issuer = 'http://localhost:4400'
  const auth = await gatehouse({ issuer, secret: 'x'.repeat(43), database: 'host.db', log: 'error', scopes: { 'jobs:read': 'Jobs' } })
  const { client, secret } = await auth.clients.create({ name: 'Host', grantTypes: ['client_credentials'] })
  const token = async () => {
    const body = new URLSearchParams({ grant_type: 'client_credentials', client_id: client.id, client_secret: secret })
    const answer = await auth.fetch(new Request(issuer + '/oauth/token', { method: 'POST', body }), { address: '127.0.0.1' })
    if (answer.status !== 200) throw new Error(await answer.text())
    return (await answer.json()).access_token
  }
  console.log((await token()).split('.').length, 'parts')
  const before = statSync('host.db').size
  for (let n = 0; n < 90; n++) await Promise.all(Array.from({ length: 50 }, token))
  for (let n = 0; statSync('host.db').size === before; n++) {
    if (n > 2_000) throw new Error('the log was not carried into the file')
    await sleep(10)
  }
  console.log('carried')
  await auth.close()
}
main().catch((error) => { console.error(error); process.exitCode = 1 })
`

describe('a bundle of a host', { timeout: 300_000 }, () => {
  let packed: Packed
  let project: string
  let elsewhere: string

  before(async () => {
    packed = await packProject()
    project = await packed.unpacked()
    await writeFile(join(project, 'host.mjs'), host)
    elsewhere = await mkdtemp(join(tmpdir(), 'gatehouse-bundle-'))
  })
  after(async () => {
    await packed.remove()
    await rm(elsewhere, { recursive: true, force: true })
  })

  for (const [format, extension] of [
    ['esm', 'mjs'],
    ['cjs', 'cjs'],
  ] as const) {
    test(`as one ${format} file, away from the package, issues tokens, keeps its log short and runs once`, async () => {
      const folder = join(elsewhere, format)
      await mkdir(folder)
      const file = `host.${extension}`
      const { warnings } = await build({
        entryPoints: [join(project, 'host.mjs')],
        outfile: join(folder, file),
        bundle: true,
        format,
        platform: 'node',
        target: 'node24',
        // Native ones cannot be bundled, and PostgreSQL is not used.
        external: ['@node-rs/*', 'pg'],
        logLevel: 'silent',
        // This project's own says where its sources are.
        tsconfigRaw: '{}',
      })
      assert.deepEqual(
        warnings.map(({ text }) => text),
        [],
      )
      // The package is gone, as on the machine that a bundle is brought to.
      const printed = await run(process.execPath, [file], folder)
      assert.deepEqual(printed.trim().split('\n'), ['the host runs', '3 parts', 'carried'])
    })
  }

  test('runs its thread although Node was told to take modules from a text, and preloads nothing there', async () => {
    const folder = join(elsewhere, 'flags')
    await mkdir(folder)
    await cp(join(elsewhere, 'esm', 'host.mjs'), join(folder, 'host.mjs'))
    await writeFile(join(folder, 'preload.mjs'), "console.log('preloaded')\n")
    const flags = ['--import', './preload.mjs', 'host.mjs']
    const printed = await run(process.execPath, flags, folder)
    assert.deepEqual(printed.trim().split('\n'), ['preloaded', 'the host runs', '3 parts', 'carried'])
    const NODE_OPTIONS = '--import ./preload.mjs'
    const optioned = await run(process.execPath, ['host.mjs'], folder, { NODE_OPTIONS })
    assert.deepEqual(optioned.trim().split('\n'), ['preloaded', 'the host runs', '3 parts', 'carried'])
    const program = "await import('./host.mjs')"
    const evaluated = await run(process.execPath, ['--input-type=module', '-e', program], folder, {})
    assert.deepEqual(evaluated.trim().split('\n'), ['the host runs', '3 parts', 'carried'])
  })
})
