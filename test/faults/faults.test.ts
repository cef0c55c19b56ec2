// One fault. `npm run faults` does all of them and prints what was answered.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasNginx } from '../support/nginx.ts'
import { faults } from './faults.ts'
import { proveFaults } from './proof.ts'

// Processes that start beside a load take their time on a small machine.
const options = { timeout: 240_000 }

test(
  'kill -9 behind nginx loses no answered token, ends no session and is never a 500',
  options,
  async (t) => {
    if (!hasNginx)
      return t.skip('there is no nginx on this machine: install one to prove faults behind a proxy')
    const fault = faults.find(({ name }) => name.startsWith('kill -9 of one process'))!
    const { rows } = await proveFaults('sqlite', [fault], { processes: 2, people: 4, lasts: 500 })
    const [row] = rows
    assert.ok(row!.requests > 0 && row!.tokens > 0)
    assert.deepEqual([row!.lost, row!.deadSessions, row!.errors['500'] ?? 0], [0, 0, 0], JSON.stringify(row))
    assert.notEqual(row!.recovery, undefined, 'it recovers')
  },
)
