// A year of use with the clean-up running: every table becomes as large as it will ever be, and stays so.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { dialects } from '../support/gatehouse.ts'
import { live } from './life.ts'
import { growing, removedBy } from './report.ts'

const timeout = 300_000
const config = { events: { keepDays: 180, keepTokenDays: 60 } }

describe('storage stays bounded', () => {
  for (const dialect of dialects) {
    test(`D: after a year no table is larger than it was after nine months (${dialect})`, {
      timeout,
    }, async () => {
      const life = await live(dialect, { users: 2, days: 365, sampleEvery: 9, config })
      assert.deepEqual(growing(life, 270), [])
      for (const table of Object.keys(removedBy)) {
        const most = Math.max(...life.samples.map((sample) => sample.rows[table]!))
        const written = life.inserted[table]!
        assert.ok(written > 20, `${table} was written to: ${written} rows`)
        assert.ok(most < written / 2, `${table} was cleaned: at most ${most} of ${written} rows were kept`)
      }
      const { rows } = life.samples.at(-1)!
      assert.ok(rows['access_tokens']! <= 2 * 10, 'access tokens live for minutes')
      assert.ok(
        rows['signing_keys']! <= 12,
        'for each of four algorithms a key, its successor, its predecessor',
      )
    })
  }

  test('D: without the clean-up all of these tables grow', { timeout }, async () => {
    const life = await live('sqlite', { users: 2, days: 120, sampleEvery: 10, config, neglected: true })
    const grown = growing(life, 60)
    assert.deepEqual(
      Object.keys(removedBy).filter((table) => !grown.includes(table)),
      [],
    )
    assert.ok(grown.some((one) => one.startsWith('bytes')))
  })

  test('D: docs/storage.md names every table that grows, and what removes its rows', () => {
    const text = readFileSync(new URL('../../docs/storage.md', import.meta.url), 'utf8')
    for (const [table, what] of Object.entries(removedBy)) {
      assert.match(text, new RegExp(`^\\| \`${table}\` \\|.*\\| ${what} \\|$`, 'm'))
    }
  })
})
