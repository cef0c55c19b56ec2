import {
  from,
  insert,
  lockRows,
  type Refs,
  returning,
  type Sql,
  select,
  sql,
  using,
  write,
} from '../../db/sql.ts'
import { appendEvent, eventColumns } from '../../events/append.ts'
import { endSessionsOfUser } from '../../sessions/endings.ts'

export interface UserRow {
  id: string
  /** `sub` in tokens. */
  subject: string
  name: string | null
  email: string | null
  created_at: number
  disabled_at: number | null
  disabled_reason: string | null
}

export const findUserByIdentity = select(
  'find_user_by_identity',
  { provider: 'text', issuer: 'text', subject: 'text' },
  (i) => sql<UserRow>`select u.id, u.subject, u.name, u.email, u.created_at, u.disabled_at, u.disabled_reason
    from identities d join users u on u.id = d.user_id
    where d.provider = ${i.provider} and d.issuer = ${i.issuer} and d.subject = ${i.subject}`,
)

/** A user's profile, and what the account behind it is called at its provider. */
export const findIdentityOfUser = select(
  'find_identity_of_user',
  { user_id: 'text' },
  (i) => sql<{ name: string | null; email: string | null; account_subject: string }>`select u.name, u.email,
      d.subject as account_subject
    from users u join identities d on d.user_id = u.id where u.id = ${i.user_id} limit 1`,
)

export const insertUser = write(
  'insert_user',
  {
    id: 'text',
    user_subject: 'text',
    name: 'text?',
    email: 'text?',
    provider: 'text',
    issuer: 'text',
    subject: 'text',
    now: 'int',
  },
  (i) => ({
    effects: [
      insert('users', { id: i.id, subject: i.user_subject, name: i.name, email: i.email, created_at: i.now }),
      insert('identities', {
        provider: i.provider,
        issuer: i.issuer,
        subject: i.subject,
        user_id: i.id,
        created_at: i.now,
      }),
    ],
  }),
)

export const updateUserProfile = write(
  'update_user_profile',
  { id: 'text', name: 'text?', email: 'text?' },
  (i) => ({
    effects: [sql`update users set name = ${i.name}, email = ${i.email} ${from} where users.id = ${i.id}`],
  }),
)

/** Every session of the user ends, and its client is told; sign-ins end and codes that are still out are void. */
export const endEverything = (i: Refs<{ id: 'text'; now: 'int' }>, reason: string): Sql[] => [
  ...endSessionsOfUser(i, i.id, reason),
  sql`delete from sign_ins ${using} where sign_ins.user_id = ${i.id}`,
]

/** What was sent to set a password with is void. */
const endPasswordLinks = (i: Refs<{ id: 'text' }>) =>
  sql`delete from password_links ${using} where password_links.user_id = ${i.id}`

/** The user can do nothing any more; every session and sign-in ends with it. */
export const disableUser = write(
  'disable_user',
  { id: 'text', reason: 'text', now: 'int', ...eventColumns },
  (i) => ({
    guard: sql<{ id: string }>`update users set disabled_at = ${i.now}, disabled_reason = ${i.reason} ${from}
      where users.id = ${i.id} and users.disabled_at is null ${returning} users.id`,
    effects: [...endEverything(i, 'user_disabled'), endPasswordLinks(i), appendEvent(i)],
    lock: lockRows('users', [i.id]),
  }),
)

export const enableUser = write('enable_user', { id: 'text', now: 'int', ...eventColumns }, (i) => ({
  guard: sql<{ id: string }>`update users set disabled_at = null, disabled_reason = null ${from}
    where users.id = ${i.id} and users.disabled_at is not null ${returning} users.id`,
  effects: [appendEvent(i)],
}))

/** The account is gone at its provider: as `disable_user`, and nothing the user allowed or was called stays. */
export const closeUser = write(
  'close_user',
  { id: 'text', reason: 'text', now: 'int', ...eventColumns },
  (i) => ({
    guard: sql<{ id: string }>`update users set disabled_at = coalesce(users.disabled_at, ${i.now}),
        disabled_reason = ${i.reason}, name = null, email = null ${from}
      where users.id = ${i.id} ${returning} users.id`,
    effects: [
      ...endEverything(i, 'user_deleted'),
      endPasswordLinks(i),
      sql`delete from consents ${using} where consents.user_id = ${i.id}`,
      appendEvent(i),
    ],
    lock: lockRows('users', [i.id]),
  }),
)

/** The row, and by its keys everything that is the user's. Events keep the id. */
export const deleteUser = write('delete_user', { id: 'text', ...eventColumns }, (i) => ({
  guard: sql<{ id: string }>`delete from users ${using} where users.id = ${i.id} ${returning} users.id`,
  effects: [appendEvent(i)],
  lock: lockRows('users', [i.id]),
}))
