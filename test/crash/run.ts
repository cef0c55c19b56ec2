// `npm run crashes`: load, SIGKILL of the server or of its database, restart, and a look at everything that was answered.
//
//   npm run crashes -- --rounds 50 --database postgres
//
// Prints what was answered and looked at; ends with 1 at the first thing that was lost or half done.

import { parseArgs } from 'node:util'
import { type Dialect, dialects } from '../support/gatehouse.ts'
import { proveCrashes, type Victim } from './proof.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '20' },
    database: { type: 'string', default: 'both' },
  },
})
const rounds = Number(values.rounds)
const chosen = dialects.filter((dialect) => values.database === 'both' || values.database === dialect)
if (!(rounds > 0) || chosen.length === 0) {
  console.error('crashes: --rounds takes a number from 1, --database takes sqlite, postgres or both')
  process.exit(2)
}

const victims: Record<Dialect, Victim[]> = {
  sqlite: ['server', 'one of two', 'both of two'],
  postgres: ['server', 'one of two', 'both of two', 'database'],
}
for (const dialect of chosen) {
  for (const victim of victims[dialect]) {
    const started = performance.now()
    const figures = await proveCrashes({ dialect, victim, rounds })
    console.log(`\n${dialect}, SIGKILL of ${victim}: ${((performance.now() - started) / 1_000).toFixed(0)} s`)
    for (const [what, count] of Object.entries(figures)) {
      console.log(`  ${count.toLocaleString('en').padStart(9)}  ${what}`)
    }
  }
}
