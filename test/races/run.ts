// `npm run races`: several processes over one database are asked the same thing at one moment, many times.
//
//   npm run races -- --rounds 500 --processes 4 --database sqlite
//
// Prints what was answered; ends with 1 at the first answer that must not be.

import { parseArgs } from 'node:util'
import { type Dialect, dialects } from '../support/gatehouse.ts'
import { localRaces, races } from './all.ts'
import { type Field, openField } from './field.ts'
import { raceForJob } from './leader.ts'
import { type Race, run } from './race.ts'
import { checkStart } from './start.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '100' },
    processes: { type: 'string', default: '4' },
    database: { type: 'string', default: 'both' },
  },
})
const [rounds, processes] = [values.rounds, values.processes].map(Number) as [number, number]
const chosen = dialects.filter((dialect) => values.database === 'both' || values.database === dialect)
if (!(rounds > 0 && processes > 0) || chosen.length === 0) {
  console.error(
    'races: --rounds and --processes take a number from 1, --database takes sqlite, postgres or both',
  )
  process.exit(2)
}

for (const dialect of chosen) {
  console.log(`\n${dialect}, ${processes} processes`)
  await starts(dialect, Math.ceil(rounds / 25))
  await leaders(dialect, rounds * 20)
  await onField(dialect, races, false)
  await onField(dialect, localRaces, true)
}

async function starts(dialect: Dialect, times: number): Promise<void> {
  const started = performance.now()
  for (let n = 0; n < times; n++) {
    const field = await openField(dialect, { processes })
    await checkStart(field).finally(() => field.close())
  }
  print(
    'RFC 7517 §5: a first start of all at once makes one schema and one signing key',
    times,
    { starts: times },
    started,
  )
}

async function leaders(dialect: Dialect, duration: number): Promise<void> {
  const started = performance.now()
  const figures = await raceForJob(dialect, processes, duration)
  print('one process at a time runs a job, and when it dies another one does', 1, figures, started)
}

async function onField(dialect: Dialect, all: readonly Race[], localAccounts: boolean): Promise<void> {
  const field: Field = await openField(dialect, { processes, order: { localAccounts } })
  try {
    for (const race of all) {
      const started = performance.now()
      print(race.name, rounds, await run(race, field, rounds), started)
    }
  } finally {
    await field.close()
  }
}

function print(name: string, times: number, figures: Record<string, number>, started: number): void {
  const answers = Object.entries(figures).map(([answer, count]) => `${answer} ${count.toLocaleString('en')}`)
  const seconds = ((performance.now() - started) / 1_000).toFixed(1)
  console.log(`  ${name}\n    ${times} rounds in ${seconds} s: ${answers.join(', ')}`)
}
