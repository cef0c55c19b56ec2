import type { Core } from '../core.ts'
import { firstIdAt } from '../crypto/ids.ts'
import { type Deletion, deleteBefore, deletedAtOnce, type Step } from '../db/deletion.ts'
import { select, sql } from '../db/sql.ts'
import type { EventType } from './append.ts'

/**
 * Types that machines cause without a person: one for every refresh, every client credentials grant, and every client that
 * comes and goes by itself. They make up nearly all of the log, so they are kept for `events.keepTokenDays`; all others for
 * `events.keepDays`.
 */
export const everyTokenTypes: readonly EventType[] = [
  'token_refresh',
  'client_credentials',
  'token_delegated',
  'token_impersonated',
  'assertion_granted',
  'client_registered',
  'client_deleted',
  'client_reaped',
]

/** The types there are after one (all, after the empty text), one index look-up each. */
export const eventTypes = select(
  'event_types',
  { after: 'text' },
  (i) => sql<{ type: string }>`with recursive found(type) as (
      select min(events.type) from events where events.type > ${i.after}
      union all
      select (select min(e.type) from events e where e.type > found.type) from found where found.type is not null
    ) select type from found where type is not null`,
)

/** After so long it is asked anew which types there are, in milliseconds: less than any of them is kept for. */
const typesKnownFor = 3_600_000

/** Events of one type, in the order of their ids. */
export const eventsOf = (type: string): Deletion => ({
  table: 'events',
  key: 'id',
  column: 'id',
  first: '',
  condition: sql`type = ${type}`,
})

/** Removes events by age, each type after its own time. */
export function cleanUpEvents({
  db,
  now,
  settings,
}: Pick<Core, 'db' | 'now' | 'settings'>): Record<string, () => Promise<Step>> {
  let steps: (() => Promise<Step>)[] = []
  let asked = Number.NEGATIVE_INFINITY
  async function stepsByType() {
    const time = now()
    if (time >= asked && time - asked < typesKnownFor) return steps
    const types = await db.all(eventTypes, { after: '' })
    asked = time
    steps = types.map(({ type }) => {
      const keep = everyTokenTypes.includes(type) ? settings.events.keepToken : settings.events.keep
      return deleteBefore(db, eventsOf(type), () => `evt_${firstIdAt(now() - keep)}`, now)
    })
    return steps
  }
  return {
    async events() {
      const all: Step = { removed: 0, more: false }
      for (let left = (await stepsByType()).length; left > 0; left--) {
        // The next step goes on with the type after this one, however much of this one is left.
        const step = steps.shift()!
        steps.push(step)
        const { removed, more } = await step()
        all.removed += removed
        all.more ||= more
        if (all.removed >= deletedAtOnce[db.dialect]) return { ...all, more: true }
      }
      return all
    },
  }
}
