import type { Core } from '../core.ts'
import { write } from '../db/sql.ts'
import { appendEvent, type EventContext, type EventType, eventColumns, eventInput } from './append.ts'

export const insertEvent = write('insert_event', eventColumns, (i) => ({ effects: [appendEvent(i)] }))

/** Appends an event that no other change belongs to. Durable when it resolves. */
export async function recordEvent(
  core: Pick<Core, 'db' | 'now'>,
  type: EventType,
  context: EventContext,
  facts?: Record<string, unknown>,
): Promise<void> {
  await core.db.write(insertEvent, eventInput(core.now(), type, context, facts))
}
