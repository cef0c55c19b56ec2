import type { Database } from './database.ts'
import { deleteBefore, deletion, type Step } from './deletion.ts'
import { insert, select, sql, write } from './sql.ts'

/** Adds to a counter that all processes share, and says its new value. */
export const addToCounter = write(
  'add_to_counter',
  { key: 'text', amount: 'int', expires_at: 'int' },
  (i) => ({
    guard: sql<{
      key: string
      count: number
    }>`${insert('rate_limits', { key: i.key, count: i.amount, expires_at: i.expires_at })}
    on conflict (key) do update set count = rate_limits.count + excluded.count returning key, count`,
    key: 'key',
  }),
)

/** What all processes have counted and written. */
export const findCounter = select(
  'find_counter',
  { key: 'text' },
  (i) => sql<{ count: number }>`select count from rate_limits where key = ${i.key}`,
)

export const oldCounters = deletion('rate_limits', { key: 'key' })

/** Removes counters whose window has ended. */
export function cleanUpCounters(db: Database, now: () => number): Record<string, () => Promise<Step>> {
  return { rate_limits: deleteBefore(db, oldCounters, now, now) }
}

/** How often something may happen. */
export interface Limit {
  /** What is counted, and the party it is blamed on. */
  key: string
  /** As often as it may happen in one window. */
  most: number
  /** Length of a window in milliseconds. */
  window: number
  /** Counted instead while this process has no room for further keys: the same for a larger party. */
  wider?: Limit
}

/**
 * Counts in fixed windows. Each process counts in memory and adds its share to the database when `flush` is called or a
 * count is marked urgent, learning the total of all processes from the answer.
 *
 * Memory is bounded, and so are the rows a flood of keys can make. A key below its limit may be forgotten once its share is
 * written: the next urgent count learns the total again. A key at its limit is never forgotten: where memory has no room for
 * it, it is looked up in the database.
 */
export interface Counters {
  /**
   * Milliseconds until the window ends if the limit is used up, else 0. `underWay` are tries that are not counted yet, less
   * those of the asker that are. Reads memory, and the database only for a key that memory has no room for.
   */
  blockedFor(limit: Limit, underWay?: number): number | Promise<number>
  /** The same by memory alone, for what bounds work and room and must be decided at once. */
  blockedHere(limit: Limit, underWay?: number): number
  /** Counts one in the window; resolves at once unless `urgent`, then after the shared counter knows. */
  count(limit: Limit, urgent?: boolean): Promise<void>
  /**
   * Counts one for each of the limits unless one is used up; resolves with the milliseconds until it is not, else 0. Nobody
   * comes in between in this process, so that many at once gain nothing.
   */
  take(limits: readonly Limit[], urgent?: boolean): Promise<number>
  /** As many as this process knows of in the present window. */
  countOf(limit: Limit): number
  flush(): Promise<void>
  /** Keys in memory. */
  readonly size: number
}

interface Count {
  key: string
  most: number
  total: number
  unsent: number
  endsAt: number
  /** On its way to the database; what is counted meanwhile goes together with the next. */
  sending?: Promise<void> | undefined
  next?: Promise<void> | undefined
}

export interface CounterBounds {
  /** Keys in memory, of those below their limit and of those at it. */
  keys: number
  /** Keys this process begins in windows that have not ended; from then on it counts the wider ones. */
  rows: number
}

/** Counts one flush sends at a time. */
const atOnce = 250
/** Keys that are looked at to find one that may be forgotten. */
const mostLooked = 100

export function openCounters(
  db: Database,
  now: () => number,
  bounds: CounterBounds = { keys: 50_000, rows: 200_000 },
): Counters {
  /** Below their limit, the one that was counted longest ago first; and at it. */
  const harmless = new Map<string, Count>()
  const full = new Map<string, Count>()
  /** Keys begun, by the end of their window. */
  const begun = new Map<number, number>()
  /** Until when some full key is in the database alone, and until when some key is counted under its wider one. */
  let spilledUntil = 0
  let crowdedUntil = 0
  /** Not before then, since the database did not take the last one, is a share written to make room. */
  let sendFrom = 0

  const find = (key: string) => harmless.get(key) ?? full.get(key)
  const endOf = (window: number, time: number) => Math.floor(time / window) * window + window

  function send(count: Count): Promise<void> {
    if (!count.sending) {
      count.sending = add(count).finally(() => (count.sending = undefined))
      return count.sending
    }
    count.next ??= count.sending
      .catch(() => {})
      .then(() => {
        count.next = undefined
        return send(count)
      })
    return count.next
  }

  async function add(count: Count): Promise<void> {
    const amount = count.unsent
    if (amount === 0) return
    count.unsent = 0
    try {
      const [row] = await db.write(addToCounter, {
        key: rowKey(count),
        amount,
        expires_at: count.endsAt,
      })
      if (row) count.total = Math.max(count.total, row.count + count.unsent)
      if (count.total >= count.most && count.endsAt > now()) place(count)
    } catch (error) {
      count.unsent += amount
      throw error
    }
  }

  /** Where a count stands in memory. */
  function place(count: Count): void {
    const { key } = count
    harmless.delete(key)
    if (count.total < count.most) {
      full.delete(key)
      if (harmless.size >= bounds.keys) forgetOne(harmless)
      // While the database takes nothing, what cannot be written takes as much room again and no more.
      if (harmless.size < 2 * bounds.keys) harmless.set(key, count)
      return
    }
    if (!full.has(key) && full.size >= bounds.keys) {
      spilledUntil = Math.max(spilledUntil, forgetOne(full)?.endsAt ?? 0)
    }
    full.set(key, count)
  }

  /** Forgets the oldest whose share is written. */
  function forgetOne(counts: Map<string, Count>): Count | undefined {
    const time = now()
    let looked = 0
    for (const [key, count] of counts) {
      const written = count.unsent === 0 && !count.sending
      if (written || count.endsAt <= time) {
        counts.delete(key)
        return count
      }
      if (!count.sending && time >= sendFrom) send(count).catch(() => (sendFrom = time + 1_000))
      if (++looked === mostLooked) break
    }
    return undefined
  }

  function begin(limit: Limit, time: number): Count {
    const known = find(limit.key)
    if (known && known.endsAt > time) {
      known.most = limit.most
      return known
    }
    const endsAt = endOf(limit.window, time)
    if (limit.wider && isCrowded(time)) {
      crowdedUntil = Math.max(crowdedUntil, endsAt)
      return begin(limit.wider, time)
    }
    full.delete(limit.key)
    begun.set(endsAt, (begun.get(endsAt) ?? 0) + 1)
    return { key: limit.key, most: limit.most, total: 0, unsent: 0, endsAt }
  }

  function isCrowded(time: number): boolean {
    let rows = 0
    for (const [endsAt, keys] of begun) {
      if (endsAt <= time) begun.delete(endsAt)
      else rows += keys
    }
    return rows >= bounds.rows
  }

  function blockedHere(limit: Limit, underWay = 0): number {
    const time = now()
    const count = find(limit.key)
    if (count && count.endsAt > time) return count.total < limit.most - underWay ? 0 : count.endsAt - time
    return limit.wider && crowdedUntil > time ? blockedHere(limit.wider, underWay) : 0
  }

  function blockedFor(limit: Limit, underWay = 0): number | Promise<number> {
    const time = now()
    const count = find(limit.key)
    if (spilledUntil <= time || (count && count.endsAt > time)) return blockedHere(limit, underWay)
    const wider = limit.wider && crowdedUntil > time ? blockedFor(limit.wider, underWay) : 0
    return lookUp(limit, underWay, time, wider)
  }

  async function lookUp(limit: Limit, underWay: number, time: number, wider: number | Promise<number>) {
    const endsAt = endOf(limit.window, time)
    const row = await db.one(findCounter, { key: rowKey({ key: limit.key, endsAt }) })
    return row && row.count >= limit.most - underWay ? endsAt - time : wider
  }

  async function count(limit: Limit, urgent = false): Promise<void> {
    const counted = begin(limit, now())
    counted.total++
    counted.unsent++
    place(counted)
    if (urgent) await send(counted)
  }

  return {
    get size() {
      return harmless.size + full.size
    },
    blockedFor,
    blockedHere,
    countOf(limit) {
      const count = find(limit.key)
      return count && count.endsAt > now() ? count.total : 0
    },
    count,
    async take(limits, urgent) {
      const waits = limits.map((limit) => blockedFor(limit))
      // What memory knows is decided in this very turn of the event loop.
      const known = waits.every((wait) => typeof wait === 'number')
      const wait = Math.max(0, ...(known ? waits : await Promise.all(waits)))
      if (wait === 0) await Promise.all(limits.map((limit) => count(limit, urgent)))
      return wait
    },
    async flush() {
      const time = now()
      const waiting = [...harmless.values(), ...full.values()].filter((count) => count.unsent > 0)
      for (let at = 0; at < waiting.length; at += atOnce) {
        await Promise.all(waiting.slice(at, at + atOnce).map(send))
      }
      for (const counts of [harmless, full]) {
        for (const [key, count] of counts) if (count.endsAt <= time && count.unsent === 0) counts.delete(key)
      }
    },
  }
}

const rowKey = ({ key, endsAt }: Pick<Count, 'key' | 'endsAt'>) => `${key}@${endsAt}`
