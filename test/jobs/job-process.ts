// A process of its own that runs one job and never ends it: node job-process.ts URL. Says when it runs.

import { openDatabase } from '../../src/db/open.ts'
import { runJob } from '../../src/jobs/scheduler.ts'
import { jsonLog } from '../../src/log.ts'

const db = await openDatabase(process.argv[2]!)
const core = { db, log: jsonLog('error'), now: Date.now }
const ran = await runJob(core, {
  name: 'endless',
  every: 1_000,
  run: () =>
    new Promise(() => {
      process.send!('running')
      setInterval(() => {}, 60_000)
    }),
})
process.send!(ran)
