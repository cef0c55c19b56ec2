// Somebody else's server: the run comes to its end, and what it reports is so. The version is pinned, and so are the facts.

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { GivenClient } from '../../src/verify/clients.ts'
import type { Report } from '../../src/verify/run.ts'
import { emptyFolder, run } from '../cli/command-line.ts'

const program = fileURLToPath(new URL('../clients/oidc-provider/server.mjs', import.meta.url))
const children: ChildProcess[] = []
after(async () => {
  for (const child of children.filter(({ exitCode }) => exitCode === null)) {
    child.kill()
    await once(child, 'exit')
  }
})

async function start(...args: string[]): Promise<{ issuer: string; clients: GivenClient[] }> {
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'ignore'] })
  children.push(child)
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith('{')) return JSON.parse(line)
  }
  throw new Error('oidc-provider did not start')
}

const resultOf = ({ checks }: Report, id: string) => checks.find((check) => check.id === id)!
const withResult = ({ checks }: Report, wanted: string) =>
  checks.filter(({ result }) => result === wanted).map(({ id }) => id)

describe('gatehouse verify, oidc-provider', () => {
  test('in its default set-up, with clients from a file', async () => {
    const { issuer, clients } = await start()
    const folder = emptyFolder()
    writeFileSync(join(folder, 'clients.json'), JSON.stringify(clients))
    const args = ['verify', issuer, '--yes', '--json', '--client', 'clients.json']
    const { code, stdout, stderr } = await run(folder, args)
    const report = JSON.parse(stdout) as Report
    assert.equal(code, 1, stderr)
    assert.equal(report.issuer, issuer)
    assert.ok(report.complete)
    assert.ok(report.summary.held >= 70, JSON.stringify(report.summary))
    // Its pages for development let themselves be framed, and GET at the endpoint for pushed requests is 404.
    assert.deepEqual(withResult(report, 'fell_short'), ['N46', 'N51'])
    // No client that signs is in the file.
    const signing = ['N59', 'N65', 'N66', 'N67', 'N68', 'N69', 'N70']
    assert.deepEqual(withResult(report, 'not_shown'), ['N38', ...signing])
    const [finding] = resultOf(report, 'N46').findings!
    assert.match(finding!.what, /^the error page may be framed/)
    assert.equal(finding!.answer.status, 400)
    assert.equal(finding!.answer.headers['x-frame-options'], undefined)
    // Codes and refresh tokens are good once, in a race too.
    for (const id of ['N72', 'N73', 'N83', 'N85', 'N99'])
      assert.equal(resultOf(report, id).result, 'held', id)
    // Nobody may register, introspect or revoke unless it is switched on.
    for (const [id, endpoint] of Object.entries({
      N104: 'registration',
      N110: 'introspection',
      N112: 'revocation',
    })) {
      assert.equal(resultOf(report, id).reason, `the metadata names no ${endpoint}_endpoint`)
    }
    for (const { client_secret: secret } of clients) {
      if (secret !== undefined) assert.ok(!stdout.includes(secret), 'no secret is in the report')
    }
  })

  test('with its optional features on, and clients that register themselves', async () => {
    const { issuer } = await start('everything')
    const { code, stdout, stderr } = await run(emptyFolder(), ['verify', issuer, '--yes', '--json'])
    const report = JSON.parse(stdout) as Report
    assert.equal(code, 1, stderr)
    assert.ok(report.complete)
    assert.ok(report.summary.held >= 100, JSON.stringify(report.summary))
    assert.deepEqual(withResult(report, 'fell_short'), ['N46', 'N51', 'N58', 'N89', 'N104'])
    assert.deepEqual(withResult(report, 'not_shown'), [])
    assert.match(
      resultOf(report, 'N58').findings![0]!.what,
      /unauthorized_client was expected, 400 invalid_request/,
    )
    assert.match(resultOf(report, 'N104').findings![0]!.what, /^http on a host that is not loopback/)
    assert.deepEqual(resultOf(report, 'N94').notes, ['polling too fast is not answered by slow_down'])
  })
})
