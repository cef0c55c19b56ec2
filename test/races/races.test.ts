// Each race a few times, in four processes. `npm run races` runs them by the hundred and prints the figures.

import { after, before, describe, test } from 'node:test'
import { onBothDatabases } from '../support/gatehouse.ts'
import { localRaces, races } from './all.ts'
import { type Field, openField } from './field.ts'
import { raceForJob } from './leader.ts'
import { run } from './race.ts'
import { checkStart } from './start.ts'

const processes = 4
const rounds = 3

onBothDatabases('four processes at once', (dialect) => {
  test('one process at a time runs a job, and when it dies another one does', async () => {
    await raceForJob(dialect, processes, 1_000)
  })

  for (const localAccounts of [false, true]) {
    describe(localAccounts ? 'with accounts of our own' : "with the host's accounts", () => {
      let field: Field
      before(async () => {
        field = await openField(dialect, { processes, order: { localAccounts } })
      })
      after(() => field?.close())

      test('RFC 7517 §5: a first start of all at once makes one schema and one signing key', async () => {
        await checkStart(field)
      })
      for (const race of localAccounts ? localRaces : races) {
        test(race.name, async () => {
          await run(race, field, rounds)
        })
      }
    })
  }
})
