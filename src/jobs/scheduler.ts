import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Core } from '../core.ts'
import type { Job, Result, Turn } from './job.ts'
import { claimJob, findJob, finishJob, nameJob, renewLease } from './records.ts'

export interface Scheduler {
  /** Ends what runs at its next pause, gives its lease back, and resolves when nothing runs any more. */
  close(): Promise<void>
}

type Needs = Pick<Core, 'db' | 'log' | 'now'>

/** A process that dies while it runs a job is replaced after so long, in milliseconds. */
export const leaseTime = 15_000
const renewEvery = leaseTime / 3
/** A time in the row that is further ahead than this comes from a clock that was wrong, in milliseconds. */
const clockTolerance = 60_000

class MustEnd extends Error {}

/** Runs each job at its interval, in whichever process comes first. Timers keep no process alive. */
export function startScheduler(core: Needs, jobs: readonly Job[]): Scheduler {
  const stop = new AbortController()
  const timers = new Map<Job, NodeJS.Timeout>()
  const running = new Set<Promise<unknown>>()

  function schedule(job: Job, delay: number) {
    const timer = setTimeout(() => {
      const turn = runJob(core, job, stop.signal)
        .catch((error) => core.log.warn('job could not be run', { job: job.name, error: String(error) }))
        .finally(() => {
          running.delete(turn)
          // A little later each time, so that processes that started together part.
          if (!stop.signal.aborted) schedule(job, job.every * (1 + Math.random() / 10))
        })
      running.add(turn)
    }, delay)
    timer.unref()
    timers.set(job, timer)
  }

  for (const job of jobs) schedule(job, Math.min(job.every, 5_000) * Math.random())
  return {
    async close() {
      stop.abort()
      for (const timer of timers.values()) clearTimeout(timer)
      await Promise.all(running)
    },
  }
}

/**
 * Runs a job once if it is due and no other process runs it; false otherwise. A failure is logged and recorded, not thrown.
 * With a signal to stop it, its pauses keep no process alive.
 */
export async function runJob(core: Needs, job: Job, stop?: AbortSignal): Promise<boolean> {
  const { db, log, now } = core
  const { name } = job
  const started = now()
  const [due_before, ahead] = [started - job.every, started + clockTolerance]
  if (job.due && !(await job.due())) return false
  const known = await db.one(findJob, { name })
  if (!known) await db.write(nameJob, { name })
  else if (isBetween(started, known.lease_until, ahead)) return false
  else if (isBetween(due_before, known.last_started_at ?? 0, ahead)) return false
  const holder = `${process.pid}-${randomBytes(6).toString('hex')}`
  const [row] = await db.write(claimJob, {
    name,
    holder,
    now: started,
    lease_until: started + leaseTime,
    due_before,
    ahead,
  })
  if (!row) return false

  let leaseUntil = started + leaseTime
  const renewing = setInterval(async () => {
    const lease_until = now() + leaseTime
    const held = await db.write(renewLease, { name, holder, lease_until }).catch(() => undefined)
    if (held) leaseUntil = held.length > 0 ? lease_until : 0
  }, renewEvery)
  renewing.unref()

  let batchBegan = performance.now()
  const turn: Turn = {
    previous: row.last_result === null ? null : JSON.parse(row.last_result),
    async pause(times = 2) {
      const time = Math.max(5, times * (performance.now() - batchBegan))
      await sleep(time, undefined, { signal: stop, ref: stop === undefined }).catch(() => {})
      if (stop?.aborted) throw new MustEnd('stopped')
      if (now() >= leaseUntil) throw new MustEnd('lost its lease')
      batchBegan = performance.now()
    },
  }
  let outcome = 'ok'
  let result: Result | null = null
  try {
    result = await job.run(turn)
  } catch (error) {
    outcome = error instanceof MustEnd ? error.message : `failed: ${(error as Error).message}`
    if (!(error instanceof MustEnd))
      log.error('job failed', { job: name, error: String((error as Error).stack) })
  } finally {
    clearInterval(renewing)
  }
  await db.write(finishJob, {
    name,
    holder,
    now: now(),
    outcome: outcome.slice(0, 500),
    result: result && JSON.stringify(result),
  })
  return true
}

/** Whether a time lies after the first and not after the last. */
function isBetween(first: number, time: number, last: number): boolean {
  return time > first && time <= last
}
