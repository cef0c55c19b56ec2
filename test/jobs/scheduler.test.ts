// R82: one leader among many processes, for each job by itself.

import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { after, before, beforeEach, mock, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { Database } from '../../src/db/database.ts'
import { migrateUp } from '../../src/db/migrate.ts'
import { openDatabase } from '../../src/db/open.ts'
import { sql } from '../../src/db/sql.ts'
import type { Job, Turn } from '../../src/jobs/job.ts'
import type { JobRow } from '../../src/jobs/records.ts'
import { leaseTime, runJob, startScheduler } from '../../src/jobs/scheduler.ts'
import type { Log } from '../../src/log.ts'
import { freshDatabase, onBothDatabases } from '../support/gatehouse.ts'

const minute = 60_000

onBothDatabases('jobs', (dialect) => {
  let url: string
  let remove: () => Promise<void>
  const databases: Database[] = []
  let time = 0
  const errors: string[] = []
  const log: Log = {
    info() {},
    warn: (message) => void errors.push(message),
    error: (message) => void errors.push(message),
  }
  const core = (n = 0) => ({ db: databases[n]!, log, now: () => time })

  before(async () => {
    ;({ url, remove } = await freshDatabase(dialect))
    for (let n = 0; n < 3; n++) databases.push(await openDatabase(url, { connections: 2 }))
    await migrateUp(databases[0]!)
  })
  after(async () => {
    for (const db of databases) await db.close()
    await remove()
  })
  beforeEach(() => {
    time = 1_000_000 * minute
    errors.length = 0
    return databases[0]!.query(sql`delete from jobs`)
  })
  const rowOf = async (name: string) => {
    const [row] = await databases[0]!.query<JobRow>(sql`select * from jobs where name = ${name}`)
    return row!
  }

  /** A job that waits inside its run until told to go on. */
  function heldJob(name = 'held', every = minute) {
    const runs: {
      turn: Turn
      end: (result?: Record<string, number>) => void
      fail: (why: unknown) => void
    }[] = []
    const waiting: (() => void)[] = []
    const job: Job = {
      name,
      every,
      run: (turn) =>
        new Promise((resolve, reject) => {
          runs.push({ turn, end: (result = {}) => resolve(result), fail: reject })
          for (const go of waiting.splice(0)) go()
        }),
    }
    const began = async (count: number) => {
      while (runs.length < count) await new Promise<void>((resolve) => waiting.push(resolve))
    }
    return { job, runs, began }
  }

  test('a job that has nothing to do takes no turn, and writes nothing', async () => {
    let [due, runs] = [false, 0]
    const job: Job = {
      name: 'seldom',
      every: minute,
      due: async () => due,
      run: async () => ({ runs: ++runs }),
    }
    assert.equal(await runJob(core(), job), false)
    assert.equal(await rowOf('seldom'), undefined)
    due = true
    assert.equal(await runJob(core(), job), true)
    assert.equal(runs, 1)
    assert.equal(await runJob(core(), job), false, 'its interval holds all the same')
  })

  test('of many processes that try at once, one runs the job', async () => {
    let runs = 0
    const job: Job = { name: 'count', every: minute, run: async () => ({ runs: ++runs }) }
    const ran = await Promise.all(Array.from({ length: 12 }, (_, n) => runJob(core(n % 3), job)))
    assert.equal(ran.filter(Boolean).length, 1)
    assert.equal(runs, 1)
    const row = await rowOf('count')
    assert.deepEqual(
      { ...row },
      {
        name: 'count',
        holder: null,
        lease_until: 0,
        last_started_at: time,
        last_finished_at: time,
        last_outcome: 'ok',
        last_result: '{"runs":1}',
      },
    )
  })

  test('it is due again an interval after it began, not before', async () => {
    let runs = 0
    const job: Job = { name: 'count', every: minute, run: async () => ({ runs: ++runs }) }
    assert.equal(await runJob(core(0), job), true)
    time += minute - 1
    assert.equal(await runJob(core(1), job), false)
    time += 1
    assert.equal(await runJob(core(1), job), true)
    assert.equal(runs, 2)
  })

  test('one that runs longer than its interval is not begun a second time', async () => {
    const { job, runs, began } = heldJob('slow', 1)
    const first = runJob(core(0), job)
    await began(1)
    time += 1_000
    assert.equal(await runJob(core(0), job), false)
    assert.equal(await runJob(core(1), job), false)
    runs[0]!.end()
    assert.equal(await first, true)
  })

  test('a run is told what the last one that succeeded returned; a failure is logged, recorded and tried again', async () => {
    const seen: unknown[] = []
    let failing = false
    const job: Job = {
      name: 'careful',
      every: minute,
      async run({ previous }) {
        seen.push(previous)
        if (failing) throw new Error('the disk is away')
        return { until: time }
      },
    }
    await runJob(core(), job)
    const first = time
    time += minute
    failing = true
    assert.equal(await runJob(core(), job), true)
    assert.deepEqual(errors, ['job failed'])
    const failed = await rowOf('careful')
    assert.equal(failed.last_outcome, 'failed: the disk is away')
    assert.equal(failed.lease_until, 0, 'the lease is given back')
    time += minute
    failing = false
    await runJob(core(1), job)
    assert.deepEqual(seen, [null, { until: first }, { until: first }])
    assert.equal((await rowOf('careful')).last_outcome, 'ok')
  })

  test('a process killed while it runs a job is replaced when its lease ends', async () => {
    const child = fork(join(import.meta.dirname, 'job-process.ts'), [url])
    assert.deepEqual(await once(child, 'message'), ['running', undefined])
    child.kill('SIGKILL')
    await once(child, 'exit')
    const { lease_until } = await rowOf('endless')
    const job: Job = { name: 'endless', every: 1_000, run: async () => ({}) }
    time = lease_until - 1
    assert.equal(await runJob(core(), job), false, 'nobody knows yet that it is dead')
    time = lease_until
    assert.equal(await runJob(core(), job), true)
  })

  test('a lease is renewed while the job runs', async () => {
    mock.timers.enable({ apis: ['setInterval'] })
    try {
      const { job, runs, began } = heldJob()
      const run = runJob(core(0), job)
      await began(1)
      for (let n = 0; n < 4; n++) {
        time += leaseTime - 1
        mock.timers.tick(leaseTime / 3)
        while ((await rowOf('held')).lease_until !== time + leaseTime) await turn()
        assert.equal(await runJob(core(1), job), false)
      }
      await runs[0]!.turn.pause()
      runs[0]!.end()
      await run
      assert.equal((await rowOf('held')).last_outcome, 'ok')
    } finally {
      mock.timers.reset()
    }
  })

  test('whoever lost the lease ends at its next pause and records nothing over its successor', async () => {
    const { job, runs, began } = heldJob()
    const slept = runJob(core(0), job)
    await began(1)
    time += minute
    const awake = runJob(core(1), job)
    await began(2)
    await assert.rejects(runs[0]!.turn.pause(), /lost its lease/)
    runs[0]!.fail(new Error('cut off'))
    await slept
    assert.notEqual((await rowOf('held')).holder, null, 'the successor holds it still')
    runs[1]!.end({ done: 1 })
    await awake
    assert.equal((await rowOf('held')).last_result, '{"done":1}')
  })

  test('a clock that was far ahead holds nobody off once it is gone', async () => {
    const job: Job = { name: 'clock', every: minute, run: async () => ({}) }
    const right = time
    time += 365 * 86_400_000
    await runJob(core(0), job)
    time = right
    assert.equal(await runJob(core(1), job), true)
  })

  test('the scheduler runs each job again and again, one run at a time, and ends cleanly', async () => {
    let [runs, active, most] = [0, 0, 0]
    const enough = Promise.withResolvers<void>()
    const job: Job = {
      name: 'often',
      every: 1,
      async run({ pause }) {
        most = Math.max(most, ++active)
        for (let n = 0; n < 3; n++) await pause().catch(() => {})
        active--
        if (++runs === 5) enough.resolve()
        return { runs }
      },
    }
    const moving = (n: number) => ({ ...core(n), now: () => (time += 10) })
    const schedulers = [0, 1, 2].map((n) => startScheduler(moving(n), [job]))
    await enough.promise
    await Promise.all(schedulers.map((scheduler) => scheduler.close()))
    const after = runs
    for (let n = 0; n < 50; n++) await turn()
    assert.equal(runs, after)
    assert.equal(most, 1)
  })

  test('close cuts a long run at its next pause, gives the lease back and keeps the last result', async () => {
    const begun = Promise.withResolvers<void>()
    const job: Job = {
      name: 'long',
      every: 1,
      async run({ pause }) {
        begun.resolve()
        for (;;) await pause()
      },
    }
    const scheduler = startScheduler(core(), [job])
    await begun.promise
    await scheduler.close()
    const row = await rowOf('long')
    assert.equal(row.last_outcome, 'stopped')
    assert.equal(row.lease_until, 0)
    assert.equal(row.last_result, null)
    assert.deepEqual(errors, [])
  })
})
