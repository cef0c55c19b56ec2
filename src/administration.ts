// What an administrator may look at and do from the host's own code, beside clients: users, sessions, consents, events.

import type { PasswordLink, PasswordLinks } from './accounts/account.ts'
import { findUser, identitiesOf, listUsers } from './accounts/user-list.ts'
import { deleteUser, disableUser, enableUser, passwordLinksOf } from './accounts/user-operations.ts'
import type { App } from './app.ts'
import type { EventContext, EventType } from './events/append.ts'
import { followEvents } from './events/follow.ts'
import { type EventFilter, type EventRow, listEvents } from './events/list.ts'
import { recordEvent } from './events/record.ts'
import { type ConnectedClient, connectedClients, withdrawConsent } from './oauth/authorization/consents.ts'
import { endSession, listSessions, showSession } from './oauth/sessions.ts'

/** A part of a list, the newest first: at most `limit` (default 100, at most 1000), from behind the id `after` on. */
export interface Page {
  limit?: number
  after?: string
}

/** A user. Times in epoch milliseconds. */
export interface ShownUser {
  id: string
  /** `sub` in tokens, unless a client gets pairwise ones. */
  subject: string
  name: string | null
  email: string | null
  state: 'active' | 'disabled'
  disabledAt: number | null
  disabledReason: string | null
  createdAt: number
}

/** An account a user signs in with. */
export interface ShownAccount {
  provider: string
  issuer: string
  subject: string
  since: number
}

/** What one user allowed one client, with everything that was issued for it. Times in epoch milliseconds. */
export interface ShownSession {
  id: string
  user: string
  subject: string
  client: string
  clientName: string
  scope: string[]
  state: 'active' | 'expired' | 'ended'
  endedAt: number | null
  endedReason: string | null
  createdAt: number
  expiresAt: number
  lastUsedAt: number | null
  uses: number
}

/** One event of the audit log. */
export interface ShownEvent {
  id: string
  type: string
  user: string | null
  client: string | null
  session: string | null
  address: string | null
  userAgent: string | null
  at: number
  data: Record<string, unknown>
}

/** What a list of events is narrowed to; times in epoch milliseconds, `since` included and `until` not. */
export interface EventsOf {
  /** By id, subject or login. */
  user?: string
  client?: string
  type?: string
  since?: number
  until?: number
}

/** A user is named by id, by subject, or by the login of a local account. */
export interface Users {
  list(page?: Page): Promise<ShownUser[]>
  get(user: string): Promise<(ShownUser & { accounts: ShownAccount[] }) | undefined>
  /**
   * A new user of `localAccounts`, and the link behind which they set their password: good once and for 30 minutes. Throws
   * `ConfigError` for a login that is taken or unfit, and where passwords are kept elsewhere.
   */
  create(input: Parameters<PasswordLinks['create']>[0]): Promise<PasswordLink>
  /**
   * The same link for a user who is there; it ends an earlier one. Setting the password ends every session and sign-in of the
   * user. Undefined for a user who is unknown, disabled or has no password here. Throws `ConfigError` as `create` does.
   */
  reset(user: string): Promise<PasswordLink | undefined>
  /** Ends every session and sign-in; the user can do nothing any more. False for one who is unknown or disabled already. */
  disable(user: string, reason: string): Promise<boolean>
  /** Lets a disabled user sign in again; what ended stays ended. */
  enable(user: string): Promise<boolean>
  /** Removes the user with everything that is theirs. The audit log keeps its events, under the id alone. */
  delete(user: string): Promise<boolean>
  /** Everything that is kept about a user, as data; no secret is among it. */
  export(user: string): Promise<UserExport | undefined>
}

export interface UserExport {
  user: ShownUser
  accounts: ShownAccount[]
  clients: ConnectedClient[]
  sessions: ShownSession[]
  events: ShownEvent[]
}

export interface Sessions {
  /** Living ones, unless `ended` asks for all; of one user or client where that is named. */
  list(of?: Page & { user?: string; client?: string; ended?: boolean }): Promise<ShownSession[]>
  /** Ends one with all its tokens. False for one that is unknown or has ended. */
  end(id: string, reason: string): Promise<boolean>
}

export interface Consents {
  /** The clients a user is connected with, the last used first. */
  list(user: string): Promise<ConnectedClient[]>
  /** Disconnects a client: its consents, codes and sessions with the user end together. False for an unknown user. */
  withdraw(user: string, client: string): Promise<boolean>
}

export interface Events {
  /** Appends an event of the host's own to the audit log; nothing secret may be in `facts`. */
  append(type: EventType, context: EventContext, facts?: Record<string, unknown>): Promise<void>
  list(of?: Page & EventsOf): Promise<ShownEvent[]>
  /** Each event once, as it happens, from all processes, until the signal aborts; with `since` first what happened since then. */
  follow(of: Omit<EventsOf, 'until'>, signal: AbortSignal): AsyncIterable<ShownEvent>
}

type UserRow = Awaited<ReturnType<typeof listUsers>>[number]
type SessionRow = Awaited<ReturnType<typeof listSessions>>[number]

const mostInPage = 1_000

function pageOf({ limit = 100, after }: Page = {}): { limit: number; before?: string } {
  if (!Number.isInteger(limit) || limit < 1 || limit > mostInPage)
    throw new RangeError(`limit: ${limit} was given; allowed: a whole number from 1 to ${mostInPage}`)
  return { limit, ...(after === undefined ? {} : { before: after }) }
}

export function administer({ server, accounts }: App): {
  users: Users
  sessions: Sessions
  consents: Consents
  events: Events
} {
  const { db } = server
  const shownAccounts = async (id: string) =>
    (await identitiesOf(server, id)).map(({ created_at, ...account }) => ({ ...account, since: created_at }))
  const shownSession = (row: SessionRow): ShownSession => ({
    id: row.id,
    user: row.user_id,
    subject: row.subject,
    client: row.client_id,
    clientName: row.client_name,
    scope: row.granted_scope === '' ? [] : row.granted_scope.split(' '),
    state: row.revoked_at !== null ? 'ended' : row.expires_at <= server.now() ? 'expired' : 'active',
    endedAt: row.revoked_at,
    endedReason: row.revoked_reason,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    lastUsedAt: row.last_active_at,
    uses: Number(row.uses),
  })
  /** Works on a user by any of their names; `missing` where there is none. */
  async function withUser<T, M>(
    name: string,
    missing: M,
    work: (user: UserRow) => Promise<T>,
  ): Promise<T | M> {
    const user = await findUser(server, name)
    return user === undefined ? missing : work(user)
  }
  async function eventFilter({ user, client, ...times }: EventsOf): Promise<EventFilter> {
    return {
      ...times,
      // The events of a deleted user stay, under the id.
      ...(user === undefined ? {} : { userId: (await findUser(server, user))?.id ?? user }),
      ...(client === undefined ? {} : { clientId: client }),
    }
  }

  const sessions: Sessions = {
    async list({ user, client, ended = false, ...page } = {}) {
      const owner = user === undefined ? undefined : await findUser(server, user)
      if (user !== undefined && owner === undefined) return []
      const rows = await listSessions(server, {
        ...pageOf(page),
        ...(owner === undefined ? {} : { userId: owner.id }),
        ...(client === undefined ? {} : { clientId: client }),
        ...(ended ? {} : { livingAt: server.now() }),
      })
      return rows.map(shownSession)
    },
    async end(id, reason) {
      const row = await showSession(server, id)
      if (!row) return false
      return endSession(server, id, reason, { userId: row.user_id, clientId: row.client_id })
    },
  }
  const events: Events = {
    append: (type, context, facts) => recordEvent(server, type, context, facts),
    async list({ limit, after, ...of } = {}) {
      const rows = await listEvents(db, { ...(await eventFilter(of)), ...pageOf({ limit, after }) })
      return rows.map(shownEvent)
    },
    async *follow(of, signal) {
      for await (const row of followEvents(db, await eventFilter(of), signal)) yield shownEvent(row)
    },
  }
  return {
    users: {
      list: async (page) => (await listUsers(server, pageOf(page))).map(shownUser),
      get: (name) =>
        withUser(name, undefined, async (user) => ({
          ...shownUser(user),
          accounts: await shownAccounts(user.id),
        })),
      create: async (input) => passwordLinksOf(accounts).create(input),
      async reset(name) {
        const links = passwordLinksOf(accounts)
        return withUser(name, undefined, (user) => links.reset(user.id))
      },
      disable: (name, reason) => withUser(name, false, (user) => disableUser(server, user.id, reason)),
      enable: (name) => withUser(name, false, (user) => enableUser(server, user.id)),
      delete: (name) => withUser(name, false, (user) => deleteUser(server, user.id)),
      export: (name) =>
        withUser(name, undefined, async (user) => ({
          user: shownUser(user),
          accounts: await shownAccounts(user.id),
          clients: await connectedClients(server, user.id),
          sessions: await all((page) => sessions.list({ user: user.id, ended: true, ...page })),
          events: await all((page) => events.list({ user: user.id, ...page })),
        })),
    },
    sessions,
    consents: {
      list: (name) => withUser(name, [], (user) => connectedClients(server, user.id)),
      withdraw: (name, client) =>
        withUser(name, false, async (user) => {
          await withdrawConsent(server, user.id, client)
          return true
        }),
    },
    events,
  }
}

/** Every page of a list. */
async function all<T extends { id: string }>(list: (page: Page) => Promise<T[]>): Promise<T[]> {
  const found: T[] = []
  for (;;) {
    const after = found.at(-1)?.id
    const part = await list({ limit: mostInPage, ...(after === undefined ? {} : { after }) })
    found.push(...part)
    if (part.length < mostInPage) return found
  }
}

function shownUser(row: UserRow): ShownUser {
  return {
    id: row.id,
    subject: row.subject,
    name: row.name,
    email: row.email,
    state: row.disabled_at === null ? 'active' : 'disabled',
    disabledAt: row.disabled_at,
    disabledReason: row.disabled_reason,
    createdAt: row.created_at,
  }
}

function shownEvent(row: EventRow): ShownEvent {
  return {
    id: row.id,
    type: row.type,
    user: row.user_id,
    client: row.client_id,
    session: row.session_id,
    address: row.ip_address,
    userAgent: row.user_agent,
    at: row.created_at,
    data: (JSON.parse(row.body) as { data: Record<string, unknown> }).data,
  }
}
