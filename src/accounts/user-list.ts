import type { Core } from '../core.ts'
import { join, raw, sql } from '../db/sql.ts'
import { canonicalLogin } from './local/login.ts'
import type { UserRow } from './records/users.ts'

/** A user by id, by subject, or by the login of a local account. */
export async function findUser(core: Pick<Core, 'db'>, name: string): Promise<UserRow | undefined> {
  const login = canonicalLogin(name)
  const [row] = await core.db.query(
    sql<UserRow>`select id, subject, name, email, created_at, disabled_at, disabled_reason from users
      where id in (select id from users where id = ${name} union all select id from users where subject = ${name}
        union all select user_id from local_accounts where login = ${login})
      order by case when id = ${name} then 0 when subject = ${name} then 1 else 2 end limit 1`,
  )
  return row
}

/** Users, newest first; `before` continues an earlier list. */
export function listUsers(
  core: Pick<Core, 'db'>,
  filter: { before?: string; limit: number },
): Promise<UserRow[]> {
  const conditions = [raw('true'), ...(filter.before === undefined ? [] : [sql`id < ${filter.before}`])]
  return core.db.query(
    sql<UserRow>`select id, subject, name, email, created_at, disabled_at, disabled_reason from users
      where ${join(conditions, ' and ')} order by id desc limit ${filter.limit}`,
  )
}

/** The accounts a user signs in with. */
export function identitiesOf(
  core: Pick<Core, 'db'>,
  userId: string,
): Promise<{ provider: string; issuer: string; subject: string; created_at: number }[]> {
  return core.db.query(
    sql<{
      provider: string
      issuer: string
      subject: string
      created_at: number
    }>`select provider, issuer, subject,
      created_at from identities where user_id = ${userId} order by created_at`,
  )
}
