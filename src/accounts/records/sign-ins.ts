import { livingUser } from '../../db/living.ts'
import {
  andFrom,
  forShare,
  from,
  insert,
  lockRows,
  type Refs,
  raw,
  returning,
  type Sql,
  select,
  selecting,
  sql,
  using,
  write,
} from '../../db/sql.ts'
import { appendEvent, eventColumns } from '../../events/append.ts'
import { endWithSignIn } from '../../sessions/endings.ts'

/** A browser that is signed in at our own pages, with its user and the account it signed in as. */
export interface SignInRow {
  id: string
  user_id: string
  /** The account's key beside its provider. */
  issuer: string
  subject: string
  login: string | null
  name: string | null
  email: string | null
  /** 0 where the provider did not say. */
  auth_time: number
  acr: string | null
  /** Separated by spaces. */
  amr: string | null
  last_seen_at: number
  expires_at: number
}

/** The living sign-in of a presented cookie, if it was made by this provider. */
export const findSignIn = select(
  'find_sign_in',
  { id: 'text', hash: 'text', provider: 'text', now: 'int' },
  (
    i,
  ) => sql<SignInRow>`select s.id, s.user_id, d.issuer, d.subject, l.login, u.name, u.email, s.auth_time, s.acr, s.amr,
      s.last_seen_at, s.expires_at
    from sign_ins s
      join users u on u.id = s.user_id
      join identities d on d.user_id = s.user_id and d.provider = ${i.provider}
      left join local_accounts l on l.user_id = s.user_id
    where s.id = ${i.id} and s.hash = ${i.hash} and s.expires_at > ${i.now}`,
)

/** Columns of every operation that signs a browser in. `ended_*` name the sign-in it had before. */
export const signInColumns = {
  sign_in_id: 'text',
  sign_in_hash: 'text',
  user_id: 'text',
  ended_id: 'text?',
  ended_hash: 'text?',
  ended_user: 'text?',
  ended_sid: 'text?',
  auth_time: 'int',
  acr: 'text?',
  amr: 'text?',
  now: 'int',
  sign_in_expires_at: 'int',
  /** Hash of the password that was checked, where one was. */
  checked_hash: 'text?',
  ...eventColumns,
} as const

/** A new sign-in, made now. */
export const insertSignIn = (i: Refs<typeof signInColumns>): Sql =>
  insert('sign_ins', {
    id: i.sign_in_id,
    hash: i.sign_in_hash,
    user_id: i.user_id,
    auth_time: i.auth_time,
    acr: i.acr,
    amr: i.amr,
    created_at: i.now,
    last_seen_at: i.now,
    expires_at: i.sign_in_expires_at,
    ip_address: i.event_address,
    user_agent: i.event_agent,
  })

/** The sign-in the browser had before, another user's, ends with the new one. */
export const endFormerSignIn = (i: Refs<typeof signInColumns>): Sql[] => [
  sql`delete from sign_ins ${using} where sign_ins.id = ${i.ended_id} and sign_ins.hash = ${i.ended_hash}`,
  ...endWithSignIn(i, { user: i.ended_user, sid: i.ended_sid }),
]

/** The user is enabled, and a password that was checked is still the user's. */
const mayBegin = (i: Refs<typeof signInColumns>): Sql => sql`${livingUser(i.user_id)}
  and (${i.checked_hash} is null or exists (select 1 from local_accounts l
    where l.user_id = ${i.user_id} and l.password_hash = ${i.checked_hash} ${forShare}))`

/** Living sign-ins of one user, as many as the account page shows. */
const mostPerUser = 50

/** Makes room for one more: the sign-in that was idle for longest goes, as if it had expired. */
const endIdleSignIns = (i: Refs<typeof signInColumns>): Sql => sql`delete from sign_ins ${using}
  where sign_ins.user_id = ${i.user_id} and sign_ins.id in (
    select s.id from sign_ins s where s.user_id = ${i.user_id}
    order by s.last_seen_at desc, s.id desc limit 1000 offset ${raw(String(mostPerUser - 1))})`

/** Signs a browser in; no row for a user who was disabled, or whose password was changed, since it was checked. */
export const beginSignIn = write('begin_sign_in', signInColumns, (i) => ({
  guard: sql<{
    id: string
  }>`${selecting} u.id from users u ${andFrom} where u.id = ${i.user_id} and ${mayBegin(i)}`,
  // Before the new one is there: an effect sees what the others do on one database only.
  effects: [endIdleSignIns(i), insertSignIn(i), ...endFormerSignIn(i), appendEvent(i)],
  lock: lockRows('users', [i.user_id, i.ended_user]),
}))

/**
 * The same user proved themselves again in the same browser: the sign-in goes on, under a secret of its own, as this new
 * authentication. Whatever came from it stays with it.
 */
export const renewSignIn = write('renew_sign_in', signInColumns, (i) => ({
  guard: sql<{
    id: string
  }>`update sign_ins set hash = ${i.sign_in_hash}, auth_time = ${i.auth_time}, acr = ${i.acr},
      amr = ${i.amr}, last_seen_at = ${i.now}, expires_at = ${i.sign_in_expires_at}, ip_address = ${i.event_address},
      user_agent = ${i.event_agent} ${from}
    where sign_ins.id = ${i.ended_id} and sign_ins.hash = ${i.ended_hash} and sign_ins.user_id = ${i.user_id}
      and ${mayBegin(i)}
    ${returning} sign_ins.id`,
  effects: [appendEvent(i)],
  order: 'user_id',
}))

export const endSignIn = write(
  'end_sign_in',
  { id: 'text', hash: 'text', user_id: 'text', sid: 'text', now: 'int', ...eventColumns },
  (i) => ({
    guard: sql<{ id: string }>`delete from sign_ins ${using}
      where sign_ins.id = ${i.id} and sign_ins.hash = ${i.hash} ${returning} sign_ins.id`,
    effects: [...endWithSignIn(i, { user: i.user_id, sid: i.sid }), appendEvent(i)],
    lock: lockRows('users', [i.user_id]),
  }),
)

export const touchSignIn = write('touch_sign_in', { id: 'text', now: 'int' }, (i) => ({
  effects: [sql`update sign_ins set last_seen_at = ${i.now} ${from} where sign_ins.id = ${i.id}`],
}))

export interface ListedSignIn {
  id: string
  created_at: number
  last_seen_at: number
  expires_at: number
  ip_address: string | null
  user_agent: string | null
}

/** Where a user is signed in, the most recently seen first; at most a page of them. */
export const signInsOfUser = select(
  'sign_ins_of_user',
  { user_id: 'text', now: 'int' },
  (
    i,
  ) => sql<ListedSignIn>`select id, created_at, last_seen_at, expires_at, ip_address, user_agent from sign_ins
    where user_id = ${i.user_id} and expires_at > ${i.now} order by last_seen_at desc, id desc limit 50`,
)
