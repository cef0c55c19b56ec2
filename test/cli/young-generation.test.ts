// What the command does to V8's young generation, in processes of their own: it is set for a whole process.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'

const source = new URL('../../src/cli/process/young-generation.ts', import.meta.url)

/** Megabytes of the young generation of a process in which much outlives a collection. */
function megabytesAfterLoad(before: string, ...flags: string[]): number {
  const program = `
    import { getHeapSpaceStatistics } from 'node:v8'
    import { holdYoungGeneration } from ${JSON.stringify(source.href)}
    ${before}
    const kept = []
    const began = performance.now()
    for (let round = 0; round < 60 || performance.now() - began < 2_500; round++) {
      for (let n = 0; n < 20_000; n++) kept[(round * 20_000 + n) % 200_000] = { n, more: [n] }
      await new Promise((resolve) => setImmediate(resolve))
    }
    console.log(getHeapSpaceStatistics().find((space) => space.space_name === 'new_space').space_size)`
  const env = { ...process.env, NODE_OPTIONS: '' }
  const args = [...flags, '--input-type=module', '-e', program]
  return Number(execFileSync(process.execPath, args, { env, encoding: 'utf8' })) / 1_048_576
}

test('the young generation stays at 8 MB under load, where V8 would let it grow to four times as much', () => {
  assert.ok(megabytesAfterLoad('') >= 32)
  assert.equal(megabytesAfterLoad('holdYoungGeneration()'), 8)
})

test('a size that the command line gives is left alone', () => {
  assert.equal(megabytesAfterLoad('holdYoungGeneration()', '--max-semi-space-size=1'), 2)
})
