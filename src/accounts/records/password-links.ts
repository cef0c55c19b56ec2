import { livingUser } from '../../db/living.ts'
import {
  andFrom,
  from,
  insert,
  lockRows,
  type Refs,
  returning,
  select,
  selecting,
  sql,
  using,
  write,
} from '../../db/sql.ts'
import { appendEvent, eventColumns } from '../../events/append.ts'
import { insertLocalUser, localUserColumns } from './local-accounts.ts'
import { endEverything } from './users.ts'

const linkColumns = {
  link_id: 'text',
  link_hash: 'text',
  user_id: 'text',
  now: 'int',
  link_expires_at: 'int',
  ...eventColumns,
} as const

const insertLink = (i: Refs<typeof linkColumns>) =>
  insert('password_links', {
    id: i.link_id,
    hash: i.link_hash,
    user_id: i.user_id,
    created_at: i.now,
    expires_at: i.link_expires_at,
  })

/** A new user with a login, and the link behind which the password is set. Throws when the login is taken. */
export const createLocalUser = write('create_local_user', { ...linkColumns, ...localUserColumns }, (i) => ({
  effects: [...insertLocalUser(i), insertLink(i), appendEvent(i)],
}))

/** A link in place of those the user had; no row for a user who is disabled or has no password here. */
export const createPasswordLink = write('create_password_link', linkColumns, (i) => ({
  guard: sql<{
    user_id: string
    login: string
  }>`${selecting} l.user_id, l.login from local_accounts l ${andFrom}
    where l.user_id = ${i.user_id} and ${livingUser(i.user_id)}`,
  effects: [
    sql`delete from password_links ${using} where password_links.user_id = ${i.user_id}`,
    insertLink(i),
    appendEvent(i),
  ],
  lock: lockRows('users', [i.user_id]),
}))

/** Whose password a link sets. */
export interface PasswordLinkRow {
  user_id: string
  login: string
  name: string | null
}

/** What a link that is presented stands for, while it is good. Two that were made at once leave the one with the greater id. */
export const findPasswordLink = select(
  'find_password_link',
  { id: 'text', hash: 'text', now: 'int' },
  (i) => sql<PasswordLinkRow>`select p.user_id, l.login, u.name
    from password_links p join users u on u.id = p.user_id join local_accounts l on l.user_id = p.user_id
    where p.id = ${i.id} and p.hash = ${i.hash} and p.expires_at > ${i.now} and u.disabled_at is null
      and not exists (select 1 from password_links newer where newer.user_id = p.user_id and newer.id > p.id)`,
)

/**
 * Spends a link for a new password. Every session and sign-in of the user ends, whatever waits to begin is void, and no other
 * link of theirs is good any more.
 */
export const setPassword = write(
  'set_password',
  { id: 'text', link_id: 'text', link_hash: 'text', new_hash: 'text', now: 'int', ...eventColumns },
  (i) => ({
    guard: sql<{ user_id: string }>`delete from password_links ${using}
      where password_links.id = ${i.link_id} and password_links.hash = ${i.link_hash}
        and password_links.user_id = ${i.id} and password_links.expires_at > ${i.now} and ${livingUser(i.id)}
        and not exists (select 1 from password_links newer where newer.user_id = ${i.id} and newer.id > ${i.link_id})
      ${returning} password_links.user_id`,
    effects: [
      sql`delete from password_links ${using}
        where password_links.user_id = ${i.id} and password_links.id <> ${i.link_id}`,
      sql`update local_accounts set password_hash = ${i.new_hash}, password_changed_at = ${i.now} ${from}
        where local_accounts.user_id = ${i.id}`,
      ...endEverything(i, 'password_reset'),
      appendEvent(i),
    ],
    lock: lockRows('users', [i.id]),
  }),
)
