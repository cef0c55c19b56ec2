// Ages a database and prints what it holds: the table that docs/storage.md carries.
//
//   node test/growth/run.ts                                       3 users, 800 days, on both databases
//   node test/growth/run.ts --users 20 --days 1500 --database sqlite
//   node test/growth/run.ts --neglect                             without the clean-up, to see what it is for

import { parseArgs } from 'node:util'
import { type Dialect, dialects } from '../support/gatehouse.ts'
import { live } from './life.ts'
import { growing, table } from './report.ts'

const { values } = parseArgs({
  options: {
    users: { type: 'string', default: '3' },
    days: { type: 'string', default: '800' },
    database: { type: 'string', default: 'both' },
    neglect: { type: 'boolean', default: false },
  },
})
const [users, days] = [Number(values.users), Number(values.days)]
const chosen = dialects.filter((dialect) => values.database === 'both' || values.database === dialect)
if (!Number.isInteger(users) || users < 1 || !Number.isInteger(days) || days < 60 || chosen.length === 0) {
  console.error('--users: at least 1; --days: at least 60; --database: sqlite, postgres or both')
  process.exit(2)
}

for (const dialect of chosen) await age(dialect)

async function age(dialect: Dialect): Promise<void> {
  const life = await live(dialect, {
    users,
    days,
    sampleEvery: 10,
    neglected: values.neglect,
    onSample: ({ day, bytes }) => {
      if (process.stderr.isTTY)
        process.stderr.write(`\r${dialect}: day ${day} of ${days}, ${kilobytes(bytes)} `)
    },
  })
  if (process.stderr.isTTY) process.stderr.write('\n')
  console.log(`\n${dialect}, ${users} users, ${days} days\n`)
  console.log(table(life).join('\n'))
  const half = life.samples.at(Math.floor(life.samples.length / 2))!
  const last = life.samples.at(-1)!
  console.log(`\nday ${half.day}: ${kilobytes(half.bytes)}; day ${last.day}: ${kilobytes(last.bytes)}`)
  const still = growing(life, Math.floor(days * 0.75))
  console.log(still.length === 0 ? 'Nothing grows any more.' : `Still growing: ${still.join(', ')}`)
}

function kilobytes(bytes: number): string {
  return `${Math.round(bytes / 1024).toLocaleString('en')} KiB`
}
