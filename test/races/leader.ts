// Of all processes one runs a job at a time, and when it dies another one takes over.

import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { migrateUp } from '../../src/db/migrate.ts'
import { openDatabase } from '../../src/db/open.ts'
import { leaseTime } from '../../src/jobs/scheduler.ts'
import { type Dialect, freshDatabase } from '../support/gatehouse.ts'

export interface JobOrder {
  database: string
  /** The file that says who runs the job. */
  witness: string
  /** The clock of all of them runs so much faster than ours since `epoch`, so that a lease ends soon. */
  speed: number
  epoch: number
  /** Takes the job and never gives it back. */
  hang: boolean
}

const speed = 20
const script = fileURLToPath(new URL('job-worker.ts', import.meta.url))

/**
 * All processes try to run one job for so long (milliseconds); before that, one took it and was killed with the lease in
 * its hand. Answers how often it ran, in how many processes.
 */
export async function raceForJob(
  dialect: Dialect,
  processes: number,
  duration: number,
): Promise<Record<string, number>> {
  const database = await freshDatabase(dialect)
  const directory = await mkdtemp(join(tmpdir(), 'gatehouse-leader-'))
  const children: ChildProcess[] = []
  try {
    const db = await openDatabase(database.url)
    await migrateUp(db)
    await db.close()
    const witness = join(directory, 'leader')
    const order = { database: database.url, witness, speed, epoch: Date.now() }

    const dead = start(children)
    await ready(dead, { ...order, hang: true })
    dead.send(Number.MAX_SAFE_INTEGER)
    assert.deepEqual(await next(dead), 'holds')
    dead.kill('SIGKILL')
    await once(dead, 'exit')
    assert.ok(existsSync(witness), 'it died as the leader')

    const others = Array.from({ length: processes }, () => start(children))
    await Promise.all(others.map((child) => ready(child, { ...order, hang: false })))
    // Until then they may try.
    const until = Date.now() + leaseTime / speed + duration
    for (const child of others) child.send(until)
    const reports = (await Promise.all(others.map(next))) as { runs?: number; second?: string }[]
    for (const { second } of reports) assert.equal(second, undefined)
    const runs = reports.map((report) => report.runs!)
    const total = runs.reduce((sum, one) => sum + one, 0)
    assert.ok(total > 0, 'another process took over')
    return { runs: total, leaders: runs.filter((one) => one > 0).length }
  } finally {
    for (const child of children) child.kill('SIGKILL')
    await rm(directory, { recursive: true, force: true })
    await database.remove()
  }
}

function start(children: ChildProcess[]): ChildProcess {
  const child = fork(script, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  children.push(child)
  return child
}

async function ready(child: ChildProcess, order: JobOrder): Promise<void> {
  await next(child)
  child.send(order)
  await next(child)
}

async function next(child: ChildProcess): Promise<unknown> {
  const [message] = await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(() => [{ second: 'a process ended early' }]),
  ])
  return message
}
