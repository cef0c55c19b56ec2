import { setTimeout as sleep } from 'node:timers/promises'
import { timeOfId } from '../crypto/ids.ts'
import type { Database } from '../db/database.ts'
import { type EventFilter, type EventRow, eventsAfter, firstEventIdAt } from './list.ts'

/** Processes make ids before they commit, each by its own clock: what is so much older than the newest may still arrive. */
const overlap = 10_000
const lookEvery = 1_000
const pageSize = 1_000

/**
 * Every event once, as it happens, from all processes, until the signal aborts; with `since` first what happened since then.
 * Looks every second, a little before the newest id that was seen.
 */
export async function* followEvents(
  db: Database,
  filter: EventFilter,
  signal: AbortSignal,
): AsyncGenerator<EventRow, void> {
  const seen = new Set<string>()
  let newest = filter.since ?? Date.now()
  let told = filter.since !== undefined
  while (!signal.aborted) {
    let after = firstEventIdAt(newest - overlap)
    for (;;) {
      const rows = await eventsAfter(db, { ...filter, after, limit: pageSize })
      for (const row of rows) {
        if (seen.has(row.id)) continue
        seen.add(row.id)
        if (told) yield row
        newest = Math.max(newest, Math.min(timeOfId(row.id.slice(4)), Date.now()))
      }
      if (rows.length < pageSize) break
      after = rows.at(-1)!.id
    }
    const forgotten = firstEventIdAt(newest - overlap)
    for (const id of seen) if (id < forgotten) seen.delete(id)
    told = true
    await sleep(lookEvery, undefined, { signal }).catch(() => {})
  }
}
