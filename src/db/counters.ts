import type { Database } from './database.ts'
import { deleteBefore, deletion, type Step } from './deletion.ts'
import { insert, sql, write } from './sql.ts'

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

export const oldCounters = deletion('rate_limits', { key: 'key' })

/** Removes counters whose window has ended. */
export function cleanUpCounters(db: Database, now: () => number): Record<string, () => Promise<Step>> {
  return { rate_limits: deleteBefore(db, oldCounters, now, now) }
}

/**
 * Counts in fixed windows. Each process counts in memory and adds its share to the database when `flush` is called or a
 * count is marked urgent, learning the total of all processes from the answer.
 */
export interface Counters {
  /** Milliseconds until the window ends if the limit is used up, else 0. Reads memory only. */
  blockedFor(key: string, limit: number): number
  /** Counts one in the window; resolves at once unless `urgent`, then after the shared counter knows. */
  count(key: string, window: number, urgent?: boolean): Promise<void>
  flush(): Promise<void>
}

interface Count {
  total: number
  unsent: number
  endsAt: number
  /** On its way to the database; what is counted meanwhile goes together with the next. */
  sending?: Promise<void> | undefined
  next?: Promise<void> | undefined
}

const mostKeys = 50_000
/** Counts one flush sends at a time. */
const atOnce = 250

export function openCounters(db: Database, now: () => number): Counters {
  const counts = new Map<string, Count>()

  function send(key: string, count: Count): Promise<void> {
    if (!count.sending) {
      count.sending = add(key, count).finally(() => (count.sending = undefined))
      return count.sending
    }
    count.next ??= count.sending
      .catch(() => {})
      .then(() => {
        count.next = undefined
        return send(key, count)
      })
    return count.next
  }

  async function add(key: string, count: Count): Promise<void> {
    const amount = count.unsent
    if (amount === 0) return
    count.unsent = 0
    try {
      const [row] = await db.write(addToCounter, {
        key: `${key}@${count.endsAt}`,
        amount,
        expires_at: count.endsAt,
      })
      if (row) count.total = Math.max(count.total, row.count + count.unsent)
    } catch (error) {
      count.unsent += amount
      throw error
    }
  }

  return {
    blockedFor(key, limit) {
      const count = counts.get(key)
      if (!count || count.total < limit) return 0
      return Math.max(0, count.endsAt - now())
    },
    async count(key, window, urgent = false) {
      const time = now()
      let count = counts.get(key)
      if (!count || count.endsAt <= time) {
        if (counts.size >= mostKeys) prune(time)
        count = { total: 0, unsent: 0, endsAt: Math.floor(time / window) * window + window }
        counts.set(key, count)
      }
      count.total++
      count.unsent++
      if (urgent) await send(key, count)
    },
    async flush() {
      const time = now()
      const waiting = [...counts].filter(([, count]) => count.unsent > 0)
      for (let at = 0; at < waiting.length; at += atOnce) {
        await Promise.all(waiting.slice(at, at + atOnce).map(([key, count]) => send(key, count)))
      }
      for (const [key, count] of counts) {
        if (count.endsAt <= time && count.unsent === 0) counts.delete(key)
      }
    },
  }

  function prune(time: number) {
    for (const [key, count] of counts) if (count.endsAt <= time) counts.delete(key)
    if (counts.size >= mostKeys) counts.clear()
  }
}
