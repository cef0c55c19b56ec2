import { findUser } from '../accounts/user-list.ts'
import type { Database } from '../db/database.ts'
import { followEvents } from '../events/follow.ts'
import { type EventFilter, type EventRow, listEvents } from '../events/list.ts'
import { type Call, type Command, moment, type Option } from './command.ts'
import { withDatabase } from './house.ts'
import { filters } from './sessions.ts'
import { formerly, type Page, paging, printable, printPage, time } from './table.ts'

const narrow: Record<string, Option> = {
  ...filters,
  type: { type: 'string', value: '<type>', text: 'Only this type, such as token_exchange or reuse_detected' },
  since: {
    type: 'string',
    value: '<time>',
    text: 'From then on: 2026-01-31T12:00Z, or how long ago: 15m, 36h, 7d',
  },
}

export const command: Command = {
  summary: 'Reads the audit log: everything that happened, with who, from where and when.',
  actions: {
    list: {
      summary: 'The newest events, newest first',
      options: {
        ...narrow,
        until: { type: 'string', value: '<time>', text: 'Before then' },
        ...paging,
        ...formerly,
      },
      run: (call) =>
        withDatabase(call, async (db) => {
          const until = moment(call, 'until')
          const filter = { ...(await filterOf(call, db)), ...(until === undefined ? {} : { until }) }
          const find = ({ limit, after }: Page) =>
            listEvents(db, { ...filter, limit, ...(after === undefined ? {} : { before: after }) })
          await printPage(call, find, {
            id: (row) => row.id,
            json: (row) => line(call, row),
            show: (rows) => rows.map((row) => line(call, row)).join('\n'),
          })
        }),
    },
    follow: {
      summary: 'Every event as it happens, from all processes, until it is stopped',
      options: narrow,
      notes: 'With --since it begins with what happened since then.',
      run: (call) => withDatabase(call, async (db) => follow(call, db, await filterOf(call, db))),
    },
  },
}

async function filterOf(call: Call, db: Database): Promise<EventFilter> {
  const { user, client, type } = {
    user: call.option('user'),
    client: call.option('client'),
    type: call.option('type'),
  }
  const since = moment(call, 'since')
  return {
    // The events of a deleted user stay, under the id.
    ...(user === undefined ? {} : { userId: (await findUser({ db }, user))?.id ?? user }),
    ...(client === undefined ? {} : { clientId: client }),
    ...(type === undefined ? {} : { type }),
    ...(since === undefined ? {} : { since }),
  }
}

async function follow(call: Call, db: Database, filter: EventFilter): Promise<void> {
  const stopped = new AbortController()
  const stop = () => stopped.abort()
  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)
  for await (const row of followEvents(db, filter, stopped.signal)) call.print(line(call, row))
  process.off('SIGINT', stop)
  process.off('SIGTERM', stop)
}

function line(call: Call, row: EventRow): string {
  const { data } = JSON.parse(row.body) as { data: Record<string, unknown> }
  if (call.json) {
    const { body, created_at, ...rest } = row
    return JSON.stringify({ ...rest, timestamp: time(created_at), data })
  }
  const about = [
    row.user_id && `user=${row.user_id}`,
    row.client_id && `client=${row.client_id}`,
    row.session_id && `session=${row.session_id}`,
    row.ip_address && `from=${row.ip_address}`,
    ...Object.entries(data).map(
      ([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
    ),
  ]
  return printable([time(row.created_at), row.type.padEnd(22), ...about.filter(Boolean)].join('  '))
}
