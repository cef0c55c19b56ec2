import { uptime } from 'node:os'
import type { Database } from './database.ts'
import { databaseClock } from './health.ts'
import { sql } from './sql.ts'

/** The one time that decides what lives and what has ended, and whether it can be trusted. */
export interface Clock {
  readonly name: 'clock'
  /**
   * Whether time may decide anything here. Not when this machine's clock and the database's are further apart than half a
   * minute, since one of them is wrong then, nor when they could not be compared for ten minutes.
   */
  readonly ok: boolean
  /** How far this machine's clock is ahead of the database's, in milliseconds, as last measured; 0 on SQLite. */
  readonly offset: number
  /** Whether what has expired may be deleted: on SQLite not just after the clock was set. */
  readonly steady: boolean
  /** Epoch milliseconds, by the clock of the database. */
  now(): number
  /** Compares the clocks now; never rejects. */
  measure(): Promise<void>
  /** Resolves when the comparison under way, if there is one, is done. */
  measured(): Promise<void>
  close(): void
}

interface Needs {
  db: Database
  log: { warn: Say; error: Say; info: Say }
  /** What this machine takes for the time, in epoch milliseconds. */
  system?: () => number
  /** Milliseconds that passed, unaffected by changes of the clock. */
  monotonic?: () => number
}

type Say = (message: string, facts?: Record<string, string | number>) => void

const measureEvery = 60_000
/** Beyond this the difference is said, */
const tolerance = 5_000
/** and beyond this nothing is answered. */
const limit = 30_000
/** So long a clock may go uncompared. */
const staleAfter = 10 * 60_000
/** A difference between two readings of this machine's own clocks that means that somebody set one, or that it slept. */
const jump = 1_000
/** An answer that took longer says too little about the time. */
const promptAnswer = 100
/** On SQLite nothing is deleted for so long after the clock was set. */
const settleTime = 10 * 60_000
const longGap = 24 * 3_600_000

/** A clock of the host's or a test's own is taken as it is. */
export function givenClock(now: () => number): Clock {
  const nothing = async () => {}
  return {
    name: 'clock',
    ok: true,
    offset: 0,
    steady: true,
    now,
    measure: nothing,
    measured: nothing,
    close() {},
  }
}

/** Resolves once the clocks were compared. */
export function openClock(needs: Needs): Promise<Clock> {
  return needs.db.dialect === 'sqlite' ? openMachineClock(needs) : openDatabaseClock(needs)
}

/**
 * Processes on several machines go by PostgreSQL's clock: what it said when it was last asked, and what has passed since by a
 * monotonic clock.
 */
async function openDatabaseClock(needs: Needs): Promise<Clock> {
  const { db, log, system = Date.now, monotonic = () => performance.now() } = needs
  let known: { there: number; here: number; at: number } | undefined
  let measuring: Promise<void> | undefined
  let said: 'ok' | 'apart' | 'wrong' = 'ok'

  const offset = () => (known ? known.here - known.there : 0)
  const isOk = () => Math.abs(offset()) <= limit && monotonic() - known!.at <= staleAfter

  async function compare() {
    let best: { there: number; here: number; at: number; took: number } | undefined
    for (let n = 0; n < 3 && (best?.took ?? Number.POSITIVE_INFINITY) > promptAnswer; n++) {
      const [sent, earlier] = [monotonic(), system()]
      const there = await databaseClock(db)
      const [received, later] = [monotonic(), system()]
      const took = Math.max(0, received - sent)
      if (best === undefined || took < best.took)
        best = { there, here: (earlier + later) / 2, at: (sent + received) / 2, took }
    }
    known = best && agreed(best)
    say()
  }

  /** A slow answer that fits what was known makes it no worse. */
  function agreed({ there, here, at, took }: { there: number; here: number; at: number; took: number }) {
    const expected = known ? known.there + (at - known.at) : there
    return { there: Math.abs(expected - there) <= took / 2 ? expected : there, here, at }
  }

  function say() {
    const apart = Math.abs(offset())
    const state = apart > limit ? 'wrong' : apart > tolerance ? 'apart' : 'ok'
    if (state === said) return
    said = state
    const facts = { ahead_ms: Math.round(offset()) }
    if (state === 'wrong')
      log.error('this clock and the database’s are too far apart: requests are answered 503', facts)
    else if (state === 'apart')
      log.warn('this clock and the database’s are apart: let both machines follow NTP', facts)
    else log.info('this clock and the database’s agree again', facts)
  }

  function measure(): Promise<void> {
    measuring ??= compare()
      .catch((error) => log.warn('the clock could not be compared', { error: String(error) }))
      .finally(() => (measuring = undefined))
    return measuring
  }

  // Without a first comparison there is no time to go by.
  await compare()
  const timer = setInterval(measure, measureEvery)
  timer.unref()
  return {
    name: 'clock',
    get ok() {
      return isOk()
    },
    get offset() {
      return Math.round(offset())
    },
    get steady() {
      return isOk()
    },
    now() {
      const passed = monotonic() - known!.at
      if (measuring === undefined && Math.abs(system() - known!.here - passed) > jump) void measure()
      return Math.round(known!.there + passed)
    },
    measure,
    measured: async () => measuring,
    close: () => clearInterval(timer),
  }
}

/**
 * All processes of an SQLite file share one machine and one clock, so there is nothing to agree on. But there is no other clock to ask
 * either whether it is right: after somebody has set it, or when it is far from the last run of the clean-up, nothing is deleted
 * for a while, in which a wrong clock can be put right.
 */
async function openMachineClock(needs: Needs): Promise<Clock> {
  // Time that passed while the machine slept counts.
  const { db, log, system = Date.now, monotonic = () => uptime() * 1_000 } = needs
  let seen = { system: system(), monotonic: monotonic() }
  let settlesAt = Number.NEGATIVE_INFINITY

  async function measure() {
    const now = { system: system(), monotonic: monotonic() }
    const by = now.system - seen.system - (now.monotonic - seen.monotonic)
    seen = now
    if (Math.abs(by) <= limit) return
    settlesAt = now.monotonic + settleTime
    log.warn('the clock was set: nothing is deleted for ten minutes', { by_ms: Math.round(by) })
  }

  const [row] = await db.query(
    sql<{ at: number | null }>`select last_started_at as at from jobs where name = 'clean_up'`,
  )
  const last = row?.at ?? null
  if (last !== null) {
    const gap = seen.system - last
    if (gap < -limit || gap > longGap) {
      settlesAt = seen.monotonic + settleTime
      log.warn('the clock is far from the last clean-up: nothing is deleted for ten minutes', { by_ms: gap })
    }
  }
  const timer = setInterval(measure, measureEvery)
  timer.unref()
  return {
    name: 'clock',
    ok: true,
    offset: 0,
    get steady() {
      return monotonic() >= settlesAt
    },
    now: system,
    measure,
    measured: async () => {},
    close: () => clearInterval(timer),
  }
}
