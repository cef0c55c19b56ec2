// Gatehouse passes its own suite: on both databases with everything it offers, and as the command starts it.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Report, verify } from '../../src/verify/run.ts'
import { emptyFolder, freePort, run, serve } from '../cli/command-line.ts'
import { onBothDatabases } from '../support/gatehouse.ts'
import { openFullServer } from './full-house.ts'

/** A server on loopback may fetch from loopback; one on a public address may not (`test/http/guarded-fetch.test.ts`). */
const expectedNotes = ['sector_identifier_uri: the server connected to 127.0.0.1']

/** What fell short or was noted, in a form that says where to look. */
function troubles({ checks }: Report): unknown[] {
  return checks.flatMap(({ id, findings = [], notes = [] }) => [
    ...findings.map((finding) => ({ id, ...finding })),
    ...notes.filter((note) => !expectedNotes.includes(note)).map((note) => ({ id, note })),
  ])
}

const withResult = ({ checks }: Report, wanted: string) =>
  checks.filter(({ result }) => result === wanted).map(({ id }) => id)

const notApplicable = ({ checks }: Report) =>
  checks.filter(({ result }) => result === 'not_applicable').map(({ id, reason }) => `${id}: ${reason}`)

onBothDatabases('gatehouse verify, Gatehouse itself', (dialect) => {
  test('with everything switched on nothing falls short, and every rule but one is tried', async () => {
    const testServer = await openFullServer(dialect)
    try {
      const report = await verify(testServer)
      assert.deepEqual(troubles(report), [])
      assert.deepEqual(notApplicable(report), ['N108: everybody may register'])
      assert.equal(report.summary.not_shown, 0)
      assert.ok(report.complete)
    } finally {
      await testServer.close()
    }
  })
})

describe('gatehouse verify, an issuer with a path', () => {
  test('RFC 8414 §3.1: its metadata is found between host and path', async () => {
    const testServer = await openFullServer('sqlite', (port) => `http://localhost:${port}/auth`)
    try {
      const report = await verify({ ...testServer, only: ['RFC 6749', 'RFC 9126', 'RFC 9449'] })
      assert.deepEqual(troubles(report), [])
      assert.deepEqual(notApplicable(report), [])
    } finally {
      await testServer.close()
    }
  })
})

describe('gatehouse verify, the development server', () => {
  const patience = { timeout: 240_000 }
  test(
    'as it starts without a configuration nothing falls short, however often it is tried',
    patience,
    async () => {
      const folder = emptyFolder()
      const server = await serve(folder, ['dev', '--no-demo'], { PORT: await freePort() })
      try {
        for (let at = 0; at < 3; at++) {
          const { code, stdout, stderr } = await run(folder, ['verify', server.issuer, '--yes', '--json'])
          const report = JSON.parse(stdout) as Report
          assert.deepEqual(troubles(report), [])
          // Nobody registers a client without users there, so what concerns one is not shown.
          assert.deepEqual(withResult(report, 'not_shown'), ['N21', 'N88', 'N89'])
          assert.equal(code, 3, stderr)
          assert.ok(report.summary.held >= 100, JSON.stringify(report.summary))
        }
      } finally {
        await server.end()
      }
    },
  )
})
