import { firstIdAt } from '../crypto/ids.ts'
import type { Database } from '../db/database.ts'
import { join, raw, type Sql, sql } from '../db/sql.ts'

export interface EventRow {
  id: string
  type: string
  user_id: string | null
  client_id: string | null
  session_id: string | null
  ip_address: string | null
  user_agent: string | null
  /** JSON: `{ id, type, timestamp, data }`. */
  body: string
  created_at: number
}

/** What a list of events is narrowed to. Times in epoch milliseconds. */
export interface EventFilter {
  userId?: string
  clientId?: string
  type?: string
  /** From then on. */
  since?: number
  /** Before then. */
  until?: number
}

/** The smallest id an event of this moment can have. Ids are in the order of time, so a range of time is a range of ids. */
export function firstEventIdAt(time: number): string {
  return `evt_${firstIdAt(time)}`
}

/** The newest events, newest first; `before` continues an earlier list. */
export function listEvents(
  db: Pick<Database, 'query'>,
  filter: EventFilter & { before?: string; limit: number },
): Promise<EventRow[]> {
  const older = filter.before === undefined ? [] : [sql`id < ${filter.before}`]
  return db.query(
    sql<EventRow>`select id, type, user_id, client_id, session_id, ip_address, user_agent, body, created_at
      from events where ${where(filter, older)} order by id desc limit ${filter.limit}`,
  )
}

/** Events in the order of time from an id on, that id left out. */
export function eventsAfter(
  db: Pick<Database, 'query'>,
  filter: EventFilter & { after: string; limit: number },
): Promise<EventRow[]> {
  return db.query(
    sql<EventRow>`select id, type, user_id, client_id, session_id, ip_address, user_agent, body, created_at
      from events where ${where(filter, [sql`id > ${filter.after}`])} order by id limit ${filter.limit}`,
  )
}

function where(filter: EventFilter, more: readonly Sql[]): Sql {
  const { userId, clientId, type, since, until } = filter
  return join(
    [
      raw('true'),
      ...more,
      ...(userId === undefined ? [] : [sql`user_id = ${userId}`]),
      ...(clientId === undefined ? [] : [sql`client_id = ${clientId}`]),
      ...(type === undefined ? [] : [sql`type = ${type}`]),
      ...(since === undefined ? [] : [sql`id >= ${firstEventIdAt(since)}`]),
      ...(until === undefined ? [] : [sql`id < ${firstEventIdAt(until)}`]),
    ],
    ' and ',
  )
}
