// `npm run faults`: processes behind nginx over a PostgreSQL that forces its commits, then over an SQLite file; each fault in
// turn, under load; and a look at every token that was answered.
//
//   npm run faults -- --processes 3 --only 'rolling|kill' --database postgres --long
//
// Prints a table; ends with 1 when an answered token or session is gone, or anything was answered 500.

import { parseArgs } from 'node:util'
import { type Dialect, dialects } from '../support/gatehouse.ts'
import { hasNginx } from '../support/nginx.ts'
import { faults } from './faults.ts'
import { heading, isBad, proveFaults, tableRow } from './proof.ts'

const { values } = parseArgs({
  options: {
    processes: { type: 'string', default: '3' },
    people: { type: 'string', default: '12' },
    database: { type: 'string', default: 'both' },
    only: { type: 'string', default: '' },
    /** PostgreSQL stands still for 45 seconds, and so does everything else that lasts. */
    long: { type: 'boolean', default: false },
  },
})
const processes = Number(values.processes)
const chosen = dialects.filter(
  (dialect: Dialect) => values.database === 'both' || values.database === dialect,
)
if (!(processes > 0) || !(Number(values.people) > 0) || chosen.length === 0) {
  console.error(
    'faults: --processes and --people take a number from 1, --database takes sqlite, postgres or both',
  )
  process.exit(2)
}
if (!hasNginx) {
  console.error('faults: there is no nginx on this machine')
  process.exit(2)
}

const wanted = faults.filter((fault) => new RegExp(values.only).test(fault.name))
console.log(heading)
let bad = false
for (const dialect of chosen) {
  const { rows, journal } = await proveFaults(dialect, wanted, {
    processes,
    people: Number(values.people),
    lasts: values.long ? 45_000 : 5_000,
    onRow: (row) => console.log(tableRow(row)),
  })
  bad ||= rows.some(isBad)
  if (journal !== undefined) console.error(`what was answered is in ${journal}/journal.jsonl`)
}
process.exit(bad ? 1 : 0)
