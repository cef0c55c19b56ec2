// `node --import test/mutants/hook.ts`: loads one source file as the mutant in MUTANT has it. No file on disk changes, and
// processes and threads that are started from here load the same.

import { registerHooks } from 'node:module'
import { type Edit, edited, fileOf } from './mutant.ts'

const edits = JSON.parse(process.env['MUTANT'] ?? '[]') as Edit[]
if (edits.length > 0) {
  const files = Map.groupBy(edits, (edit) => fileOf(edit).href)
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context)
      const mine = files.get(url.split('?')[0]!)
      return mine
        ? { ...loaded, source: edited(mine, Buffer.from(loaded.source as Uint8Array).toString()) }
        : loaded
    },
  })
}
