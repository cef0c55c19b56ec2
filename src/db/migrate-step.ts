import { setTimeout as sleep } from 'node:timers/promises'
import { type Database, type Run, Unavailable } from './database.ts'

/** Among its first lines `-- transaction: false` keeps a step out of a transaction (concurrent index builds). */
const outsideTransaction = /^(?:--[^\n]*\n)*-- transaction: false\b/
/** `-- foreign_keys: off` lets a step on SQLite make a table anew that others refer to; all keys are checked at its end. */
const withoutForeignKeys = /^(?:--[^\n]*\n)*-- foreign_keys: off\b/

/** A step that waits for a lock makes every later statement on the table wait behind it, so it waits in short turns. */
const lockTimeout = 2_000
const standardPatience = 180_000
/** Another process may be at a step that takes long. */
const migratorPatience = 3_600_000
const migratorLock = 727416001

interface Step {
  name: string
  version: number
  /** The direction that is run. */
  text: string
}

interface Waiting {
  onWait?: (why: string) => void
  patience?: number
}

/** Runs the work of one step whole or not at all, by one process at a time, without holding others up for long. */
export async function inStep<T>(
  dialect: Database['dialect'],
  run: Run,
  step: Step,
  waiting: Waiting,
  work: () => Promise<T>,
): Promise<T> {
  if (dialect === 'sqlite')
    return outsideTransaction.test(step.text) ? work() : onSqlite(run, step.text, work)
  if (outsideTransaction.test(step.text)) return alone(run, waiting, work)
  const began = performance.now()
  for (let attempt = 1; ; attempt++) {
    const waited = performance.now() - began
    const outcome = await turn(run, work)
    if ('result' in outcome) return outcome.result
    const patience = outcome.busy ? migratorPatience : (waiting.patience ?? standardPatience)
    const why = outcome.busy ? 'another process is at a step' : await blockers(run)
    if (waited > patience) {
      throw new Unavailable(
        `schema version ${step.version} (${step.name}) cannot have its locks: ${why}; nothing of it was done`,
        { cause: outcome.error },
      )
    }
    waiting.onWait?.(`${step.version} ${step.name} waits: ${why}`)
    await sleep(Math.min(200 * attempt, 5_000))
  }
}

/** One try in a transaction, with the lock of migrators inside, so that both end together, on whichever connection. */
async function turn<T>(
  run: Run,
  work: () => Promise<T>,
): Promise<{ result: T } | { busy: boolean; error?: unknown }> {
  await run(`begin; set local lock_timeout = ${lockTimeout}; set local statement_timeout = 0`)
  try {
    const [lock] = await run<{ got: boolean }>(`select pg_try_advisory_xact_lock(${migratorLock}) as got`, [])
    if (!lock!.got) {
      await run('rollback')
      return { busy: true }
    }
    const result = await work()
    await run('commit')
    return { result }
  } catch (error) {
    await run('rollback').catch(() => {})
    const { code } = error as { code?: string }
    if (code === '55P03' || code === '40P01') return { busy: false, error }
    throw error
  }
}

/** Who has had a transaction open the longest. */
async function blockers(run: Run): Promise<string> {
  const [oldest] = await run<{ who: string }>(
    `select format('process %s (%s, %s) has a transaction open for %s s', pid, coalesce(nullif(application_name, ''), usename),
        coalesce(state, 'state unknown'), round(extract(epoch from clock_timestamp() - xact_start))) as who
      from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and xact_start is not null
      order by xact_start limit 1`,
    [],
  )
  return oldest?.who ?? 'others were in the way'
}

/** A step that cannot be in a transaction has the lock of migrators for its connection; it needs one of its own. */
async function alone<T>(run: Run, { onWait }: Waiting, work: () => Promise<T>): Promise<T> {
  const [owner] = await run<{ got: boolean }>(`select pg_try_advisory_lock(${migratorLock}) as got`, [])
  for (let got = owner!.got; !got; ) {
    onWait?.('another process is at a step')
    await sleep(1_000)
    const [next] = await run<{ got: boolean }>(`select pg_try_advisory_lock(${migratorLock}) as got`, [])
    got = next!.got
  }
  try {
    return await work()
  } finally {
    await run(`select pg_advisory_unlock(${migratorLock})`)
  }
}

async function onSqlite<T>(run: Run, text: string, work: () => Promise<T>): Promise<T> {
  const rebuilds = withoutForeignKeys.test(text)
  // Inside a transaction the pragma would do nothing.
  if (rebuilds) await run('pragma foreign_keys = off')
  await run('begin immediate')
  try {
    const result = await work()
    if (rebuilds) await checkForeignKeys(run)
    await run('commit')
    return result
  } catch (error) {
    await run('rollback').catch(() => {})
    throw error
  } finally {
    if (rebuilds) await run('pragma foreign_keys = on')
  }
}

async function checkForeignKeys(run: Run): Promise<void> {
  const [broken] = await run<{ table: string; parent: string }>('pragma foreign_key_check', [])
  if (broken)
    throw new Error(`the step leaves rows of ${broken.table} that refer to no row of ${broken.parent}`)
}
