import type { PasswordLink } from '../accounts/account.ts'
import { findUser, identitiesOf, listUsers } from '../accounts/user-list.ts'
import { deleteUser, disableUser, enableUser, passwordLinksOf } from '../accounts/user-operations.ts'
import type { Core } from '../core.ts'
import type { Call, Command } from './command.ts'
import { confirm } from './confirm.ts'
import { Failure } from './failures.ts'
import { withApp, withDatabase } from './house.ts'
import { list as listSessions } from './sessions.ts'
import { facts, formerly, type Page, paging, printPage, table, time } from './table.ts'

type Row = Awaited<ReturnType<typeof listUsers>>[number]

const linkNotes =
  'The link is good once and for 30 minutes; a later one replaces it. Anyone who has it can take the account: hand it over as carefully as a password.'

export const command: Command = {
  summary:
    'Makes, shows, disables and deletes users, and helps those who forgot their password. A user is named by id, by subject, or by the login of a local account.',
  actions: {
    list: {
      summary: 'Users, newest first',
      options: { ...paging, ...formerly },
      run: (call) => withDatabase(call, (db) => list(call, { db })),
    },
    show: {
      summary: 'One user and the accounts it signs in with',
      arguments: ['<user>'],
      run: (call) => withDatabase(call, async (db) => show(call, { db }, await find(call, { db }))),
    },
    create: {
      summary: 'Make a user of local accounts, and a link behind which they set their password',
      arguments: ['<login>'],
      options: { name: { type: 'string', value: '<text>', text: 'What the user is called' } },
      notes: linkNotes,
      run: (call) =>
        withApp(call, async ({ accounts }) => {
          const name = call.option('name')
          const input = { login: call.positionals[0]!, ...(name === undefined ? {} : { name }) }
          showLink(call, await passwordLinksOf(accounts).create(input))
        }),
    },
    reset: {
      summary: 'A link behind which a user of local accounts sets a new password',
      arguments: ['<user>'],
      notes: `${linkNotes} Setting the password ends every session and sign-in of the user.`,
      run: (call) =>
        withApp(call, async ({ accounts, server }) => {
          const links = passwordLinksOf(accounts)
          const row = await find(call, server)
          const link = await links.reset(row.id)
          if (link) return showLink(call, link)
          throw new Failure(
            row.disabled_at === null
              ? `${row.id} has no password here: it signs in at another provider`
              : `${row.id} is disabled: ${call.program} users enable ${row.id} first`,
          )
        }),
    },
    disable: {
      summary: 'End every session and sign-in, and let the user do nothing any more',
      arguments: ['<user>'],
      options: { reason: { type: 'string', value: '<text>', text: 'Why, for the audit log' } },
      run: (call) =>
        withApp(call, async ({ server }) => {
          const row = await find(call, server)
          if (!(await disableUser(server, row.id, call.option('reason') ?? 'by an administrator'))) {
            throw new Failure(`${row.id} is disabled already (${row.disabled_reason ?? 'no reason given'})`)
          }
          await show(call, server, await find(call, server))
        }),
    },
    enable: {
      summary: 'Let a disabled user sign in again; what ended stays ended',
      arguments: ['<user>'],
      run: (call) =>
        withApp(call, async ({ server }) => {
          const row = await find(call, server)
          if (!(await enableUser(server, row.id))) throw new Failure(`${row.id} is not disabled`)
          await show(call, server, await find(call, server))
        }),
    },
    delete: {
      summary: 'Remove a user with everything that is theirs; asks first',
      arguments: ['<user>'],
      options: { yes: { type: 'boolean', text: 'Do not ask' } },
      notes: 'The audit log keeps its events, under the id alone. A deleted user cannot be brought back.',
      run: (call) =>
        withApp(call, async ({ server }) => {
          const { id, subject } = await find(call, server)
          if (!call.flag('yes')) await confirm(`Delete the user ${subject} (${id}) for good?`)
          await deleteUser(server, id)
          call.print(call.json ? JSON.stringify({ deleted: id }) : `deleted ${id}`)
        }),
    },
    sessions: {
      summary: 'The living sessions of one user',
      arguments: ['<user>'],
      options: { ...paging, all: { type: 'boolean', text: 'Ended ones as well' } },
      run: (call) =>
        withDatabase(call, async (db) => listSessions(call, { db }, (await find(call, { db })).id)),
    },
  },
}

async function list(call: Call, core: Pick<Core, 'db'>): Promise<void> {
  const find = ({ limit, after }: Page) =>
    listUsers(core, { limit, ...(after === undefined ? {} : { before: after }) })
  await printPage(call, find, {
    id: (row) => row.id,
    json: (row) => JSON.stringify(view(row)),
    show: (rows) =>
      table(
        ['user', 'subject', 'name', 'email', 'state', 'created'],
        rows.map((row) => [row.id, row.subject, row.name, row.email, stateOf(row), time(row.created_at)]),
      ),
  })
}

async function find(call: Call, core: Pick<Core, 'db'>): Promise<Row> {
  const name = call.positionals[0]!
  const row = await findUser(core, name)
  if (!row) throw new Failure(`there is no user ${name}: users list names them`)
  return row
}

async function show(call: Call, core: Pick<Core, 'db'>, row: Row): Promise<void> {
  const accounts = (await identitiesOf(core, row.id)).map(({ created_at, ...one }) => ({
    ...one,
    since: time(created_at),
  }))
  if (call.json) return call.print(JSON.stringify({ ...view(row), accounts }))
  const named = accounts.map((one) => [one.provider, one.issuer, one.subject].filter(Boolean).join(' '))
  call.print(facts({ ...view(row), accounts: named.join(', ') }))
}

function showLink(call: Call, { id, login, link, expiresAt }: PasswordLink): void {
  const shown = { id, login, link, expires: time(expiresAt) }
  call.print(call.json ? JSON.stringify(shown) : facts(shown))
}

function stateOf(row: Row): string {
  return row.disabled_at === null ? 'active' : `disabled: ${row.disabled_reason ?? ''}`
}

function view(row: Row): Record<string, unknown> {
  return {
    id: row.id,
    subject: row.subject,
    name: row.name,
    email: row.email,
    state: row.disabled_at === null ? 'active' : 'disabled',
    disabled: time(row.disabled_at),
    disabled_reason: row.disabled_reason,
    created: time(row.created_at),
  }
}
