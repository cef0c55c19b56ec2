// Loaded into every test process by `npm test`, so that no test file can hang the run: a file has ten minutes in all,
// and ten seconds to end by itself once its tests are done. Both failures say what kept the process alive.

import { after } from 'node:test'

const FILE_DEADLINE_MS = 10 * 60_000
const EXIT_DEADLINE_MS = 10_000

// Processes that a test starts inherit the option that loads this file, but are not tests.
if (process.env['NODE_TEST_CONTEXT'] && process.argv[1]?.endsWith('.test.ts')) {
  endAfter(FILE_DEADLINE_MS, 'the file took too long')
  after(() => endAfter(EXIT_DEADLINE_MS, 'its tests are done, but something it opened was never closed'))
}

function endAfter(milliseconds: number, why: string): void {
  setTimeout(() => {
    const alive = process.getActiveResourcesInfo().filter((resource) => resource !== 'PipeWrap')
    console.error(
      `${process.argv[1]}: ended after ${milliseconds / 1000} s: ${why}. Still open: ${alive.join(', ')}`,
    )
    process.exit(1)
  }, milliseconds).unref()
}
