import type { Database } from './database.ts'
import { join, raw, type Sql, sql } from './sql.ts'

/** Rows that a sweep over a table reads at most between two pauses. */
export const stepLimit = 250

/**
 * Rows that one statement of a clean-up deletes at most. SQLite deletes on the thread that answers requests, so no request
 * waits longer than these take, a few milliseconds.
 */
export const deletedAtOnce = { sqlite: 500, postgres: 10_000 } as const

/** After so long a clean-up begins again with the oldest row there is, in milliseconds. */
const wholeEvery = 3_600_000

/** What one step of a clean-up removed, and whether more may be due. */
export interface Step {
  removed: number
  more: boolean
}

type Place = number | string

/** Clean-up of one table: what is due is found in the order of an index. */
export interface Deletion {
  table: string
  /** The primary key. */
  key: string
  /** The column that says when a row is due: an indexed time, or a time-ordered id. */
  column: string
  /** Before every value of the column. */
  first: Place
  /** Narrows it to what the index begins with. */
  condition?: Sql
}

/** Rows of `table` whose `column` (an indexed time, `expires_at` unless named) lies before a moment. */
export function deletion(table: string, { key = 'id', column = 'expires_at' } = {}): Deletion {
  return { table, key, column, first: 0 }
}

/** Deletes the oldest rows from one place in the order on, up to another, as many as one statement may. */
export function deleteBetween(
  { dialect }: Pick<Database, 'dialect'>,
  of: Deletion,
  after: Place,
  before: Place,
) {
  const [table, key, column] = [raw(of.table), raw(of.key), raw(of.column)]
  const due = join(
    [sql`${column} >= ${after}`, sql`${column} < ${before}`, ...(of.condition ? [of.condition] : [])],
    ' and ',
  )
  const found = (what: Sql) =>
    sql`select ${what} from ${table} where ${due} order by ${column} limit ${raw(String(deletedAtOnce[dialect]))}`
  // A row's place on the disk spares looking it up by its key. One that was changed meanwhile has moved and stays.
  return dialect === 'postgres'
    ? sql<Removed>`with gone as (
        delete from ${table} where ctid = any (array(${found(raw('ctid'))})) and ${column} < ${before} returning ${column} as at
      ) select count(*) as removed, max(at) as reached from gone`
    : sql<Removed>`delete from ${table} where ${key} in (${found(key)}) returning 1 as removed, ${column} as reached`
}

interface Removed {
  removed: number
  reached: Place | null
}

/**
 * A step that deletes what lies before `due()`. Each goes on where the last one ended, so that none walks over what the
 * others left of their rows in the index until it is vacuumed. Where that was is known to this process alone and for an hour:
 * then it begins with the oldest row again, as it does when the clock went back. So what was written late, or by a process
 * whose clock is behind, goes too.
 */
export function deleteBefore(
  db: Database,
  of: Deletion,
  due: () => Place,
  now: () => number,
): () => Promise<Step> {
  let reached = of.first
  let began = Number.NEGATIVE_INFINITY
  return async () => {
    const [before, time] = [due(), now()]
    if (before < reached || time < began || time - began >= wholeEvery) {
      reached = of.first
      began = time
    }
    const rows = await db.query(deleteBetween(db, of, reached, before))
    let removed = 0
    for (const row of rows) {
      removed += row.removed
      if (row.reached !== null && row.reached > reached) reached = row.reached
    }
    return { removed, more: removed >= deletedAtOnce[db.dialect] }
  }
}
