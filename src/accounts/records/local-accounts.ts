import { from, insert, lockRows, type Refs, returning, select, sql, using, write } from '../../db/sql.ts'
import { appendEvent } from '../../events/append.ts'
import { endWithSignIns } from '../../sessions/endings.ts'
import { endFormerSignIn, insertSignIn, signInColumns } from './sign-ins.ts'

/** A login with its password, and the user it belongs to. */
export interface LocalAccountRow {
  user_id: string
  login: string
  password_hash: string
  name: string | null
  disabled_at: number | null
}

export const findLocalAccount = select(
  'find_local_account',
  { login: 'text' },
  (i) => sql<LocalAccountRow>`select l.user_id, l.login, l.password_hash, u.name, u.disabled_at
    from local_accounts l join users u on u.id = l.user_id where l.login = ${i.login}`,
)

export const findLogin = select(
  'find_login',
  { user_id: 'text' },
  (i) => sql<{ login: string }>`select login from local_accounts where user_id = ${i.user_id}`,
)

export const localUserColumns = {
  user_id: 'text',
  now: 'int',
  provider: 'text',
  name: 'text?',
  email: 'text?',
  login: 'text',
  password_hash: 'text',
} as const

/** The rows of a new user with a login and a password. */
export const insertLocalUser = (i: Refs<typeof localUserColumns>) => [
  insert('users', {
    id: i.user_id,
    subject: i.user_id,
    name: i.name,
    email: i.email,
    created_at: i.now,
  }),
  insert('identities', {
    provider: i.provider,
    issuer: sql`''`,
    subject: i.user_id,
    user_id: i.user_id,
    created_at: i.now,
  }),
  insert('local_accounts', {
    user_id: i.user_id,
    login: i.login,
    password_hash: i.password_hash,
    password_changed_at: i.now,
    created_at: i.now,
  }),
]

/** A new user with a login, signed in. Throws when the login is taken. */
export const signUp = write(
  'sign_up',
  {
    ...signInColumns,
    ...localUserColumns,
  },
  (i) => ({
    effects: [...insertLocalUser(i), insertSignIn(i), ...endFormerSignIn(i), appendEvent(i)],
    lock: lockRows('users', [i.ended_user]),
  }),
)

/**
 * Replaces the password that was just checked; every sign-in of the user ends with what came from it, whatever waits to
 * begin ends, a link to set another is void, and this browser gets a new sign-in.
 */
export const changePassword = write(
  'change_password',
  { ...signInColumns, old_hash: 'text', new_hash: 'text' },
  (i) => ({
    guard: sql<{
      user_id: string
    }>`update local_accounts set password_hash = ${i.new_hash}, password_changed_at = ${i.now} ${from}
      where local_accounts.user_id = ${i.user_id} and local_accounts.password_hash = ${i.old_hash}
        and exists (select 1 from users u where u.id = ${i.user_id} and u.disabled_at is null)
      ${returning} local_accounts.user_id`,
    effects: [
      ...endWithSignIns(i),
      sql`delete from sign_ins ${using} where sign_ins.user_id = ${i.user_id}`,
      sql`delete from password_links ${using} where password_links.user_id = ${i.user_id}`,
      insertSignIn(i),
      appendEvent(i),
    ],
    lock: lockRows('users', [i.user_id]),
  }),
)
