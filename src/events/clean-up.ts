import type { Core } from '../core.ts'
import { firstIdAt } from '../crypto/ids.ts'
import { type Step, stepLimit, stepOf } from '../db/deletion.ts'
import { raw, returning, select, sql, using, write } from '../db/sql.ts'
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

/** Events of one type before an id, oldest first. */
export const oldEvents = select(
  'old_events',
  { type: 'text', before: 'text' },
  (i) => sql<{ id: string }>`select id from events where type = ${i.type} and id < ${i.before}
    order by id limit ${raw(String(stepLimit))}`,
)

export const deleteEvent = write('delete_event', { id: 'text' }, (i) => ({
  guard: sql<{ id: string }>`delete from events ${using} where events.id = ${i.id} ${returning} events.id`,
}))

/** Removes events by age, each type after its own time. */
export function cleanUpEvents(
  core: Pick<Core, 'db' | 'now' | 'settings'>,
): Record<string, () => Promise<Step>> {
  const { db, now, settings } = core
  return {
    async events() {
      const all: Step = { removed: 0, more: false }
      for (const { type } of await db.all(eventTypes, { after: '' })) {
        const keep = everyTokenTypes.includes(type) ? settings.events.keepToken : settings.events.keep
        const due = await db.all(oldEvents, { type, before: `evt_${firstIdAt(now() - keep)}` })
        const { removed, more } = stepOf(
          await Promise.all(due.map(({ id }) => db.write(deleteEvent, { id }))),
        )
        all.removed += removed
        all.more ||= more
        if (all.removed >= stepLimit) return { ...all, more: true }
      }
      return all
    },
  }
}
