import { findUser } from '../accounts/user-list.ts'
import type { Core } from '../core.ts'
import { endSession, listSessions, showSession } from '../sessions/sessions.ts'
import type { Call, Command, Option } from './command.ts'
import { Failure, Usage } from './failures.ts'
import { withApp, withDatabase } from './house.ts'
import { formerly, type Page, paging, printPage, table, time } from './table.ts'

type Row = Awaited<ReturnType<typeof listSessions>>[number]

export const filters: Record<string, Option> = {
  user: { type: 'string', value: '<user>', text: 'Of this user: id or subject' },
  client: { type: 'string', value: '<client>', text: 'Of this client' },
}

export const command: Command = {
  summary: 'Shows and revokes sessions: what a user allowed a client, with all its tokens.',
  actions: {
    list: {
      summary: 'Living sessions, newest first',
      options: {
        ...filters,
        all: { type: 'boolean', text: 'Ended ones as well' },
        ...paging,
        ...formerly,
      },
      run: (call) => withDatabase(call, (db) => list(call, { db })),
    },
    revoke: {
      summary: 'End one session, or every session of a user, of a client, or of both together',
      arguments: ['[session]'],
      options: { ...filters, reason: { type: 'string', value: '<text>', text: 'Why, for the audit log' } },
      run: (call) => withApp(call, ({ server }) => revoke(call, server)),
    },
  },
}

/** Prints a page of sessions. */
export async function list(call: Call, core: Pick<Core, 'db'>, userId?: string): Promise<void> {
  const filter = {
    ...(await filterOf(call, core, userId)),
    ...(call.flag('all') ? {} : { livingAt: Date.now() }),
  }
  const find = ({ limit, after }: Page) =>
    listSessions(core, { ...filter, limit, ...(after === undefined ? {} : { before: after }) })
  await printPage(call, find, {
    id: (row) => row.id,
    json: (row) => JSON.stringify(view(row)),
    show: (rows) =>
      table(
        ['session', 'user', 'client', 'scope', 'state', 'last active', 'uses'],
        rows.map((row) => [
          row.id,
          row.subject,
          `${row.client_name} (${row.client_id})`,
          row.granted_scope,
          stateOf(row),
          time(row.last_active_at),
          row.uses,
        ]),
      ),
  })
}

async function filterOf(call: Call, core: Pick<Core, 'db'>, known?: string) {
  const [user, clientId] = [call.option('user'), call.option('client')]
  let userId = known
  if (user !== undefined) {
    userId = (await findUser(core, user))?.id
    if (userId === undefined) throw new Failure(`there is no user ${user}: users list names them`)
  }
  return { ...(userId === undefined ? {} : { userId }), ...(clientId === undefined ? {} : { clientId }) }
}

async function revoke(call: Call, core: Core): Promise<void> {
  const [id] = call.positionals
  const filter = await filterOf(call, core)
  const filtered = Object.keys(filter).length > 0
  if ((id === undefined) === !filtered) {
    throw new Usage('either a session or --user and --client must be given', 'sessions revoke')
  }
  const reason = call.option('reason') ?? 'admin'
  if (id !== undefined) {
    const row = await showSession(core, id)
    if (!row) throw new Failure(`there is no session ${id}`)
    if (!(await endSession(core, id, reason, { userId: row.user_id, clientId: row.client_id }))) {
      throw new Failure(`the session ${id} has ended already (${row.revoked_reason ?? 'expired'})`)
    }
    return call.print(call.json ? JSON.stringify({ revoked: 1 }) : `revoked ${id}`)
  }
  let revoked = 0
  let before: string | undefined
  for (;;) {
    const page = { ...filter, livingAt: core.now(), limit: 200, ...(before === undefined ? {} : { before }) }
    const rows = await listSessions(core, page)
    const ended = await Promise.all(
      rows.map((row) => endSession(core, row.id, reason, { userId: row.user_id, clientId: row.client_id })),
    )
    revoked += ended.filter(Boolean).length
    if (process.stderr.isTTY) process.stderr.write(`\r${revoked} sessions revoked …`)
    before = rows.at(-1)?.id
    if (rows.length < 200) break
  }
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K')
  call.print(
    call.json ? JSON.stringify({ revoked }) : `revoked ${revoked} session${revoked === 1 ? '' : 's'}`,
  )
}

function stateOf(row: Row): string {
  if (row.revoked_at !== null) return `revoked: ${row.revoked_reason ?? ''}`
  return row.expires_at <= Date.now() ? 'expired' : 'active'
}

function view(row: Row): Record<string, unknown> {
  return {
    id: row.id,
    user_id: row.user_id,
    subject: row.subject,
    client_id: row.client_id,
    client_name: row.client_name,
    scope: row.granted_scope,
    resources: row.resources === '' ? [] : row.resources.split(' '),
    state: row.revoked_at !== null ? 'revoked' : row.expires_at <= Date.now() ? 'expired' : 'active',
    revoked: time(row.revoked_at),
    revoked_reason: row.revoked_reason,
    uses: row.uses,
    ip_address: row.ip_address,
    user_agent: row.user_agent,
    created: time(row.created_at),
    last_active: time(row.last_active_at),
    expires: time(row.expires_at),
  }
}
