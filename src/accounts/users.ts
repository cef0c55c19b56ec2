import type { Core } from '../core.ts'
import { timeOrderedId } from '../crypto/ids.ts'
import { Unavailable } from '../db/database.ts'
import { isExact } from '../exact-text.ts'
import { type Account, type Accounts, AccountsUnavailable, fromHost } from './account.ts'
import {
  findIdentityOfUser,
  findUserByIdentity,
  insertUser,
  type UserRow,
  updateUserProfile,
} from './records/users.ts'

/** The user an account belongs to, if it was here before. */
export function knownUser(
  core: Pick<Core, 'db'>,
  { provider, issuer, subject }: Pick<Account, 'provider' | 'issuer' | 'subject'>,
): Promise<UserRow | undefined> {
  return core.db.one(findUserByIdentity, exactKey({ provider, issuer, subject }))
}

/** Whether an account's subject stands in tokens as it is: only those of the one authority may. */
export function isOfAuthority(
  { provider, issuer }: Pick<Account, 'provider' | 'issuer'>,
  authority: Accounts['authority'],
): boolean {
  return authority?.provider === provider && authority.issuer === issuer
}

/**
 * Accounts are told apart by text as the database keeps it. Text it cannot keep unchanged identifies no user: two of them might
 * become one user.
 */
function exactKey(key: Pick<Account, 'provider' | 'issuer' | 'subject'>): typeof key {
  const wrong = (['provider', 'issuer', 'subject'] as const).find((name) => !isExact(key[name]))
  if (wrong === undefined) return key
  throw new AccountsUnavailable(`the ${wrong} of an account holds half a character or NUL`)
}

/** For pages: without what cannot be kept. */
const shown = (text: string | undefined) => text?.toWellFormed().replaceAll('\0', '')

/**
 * The user an account belongs to, made at first sight. Keyed by (provider, issuer, subject), never by e-mail. A new one is
 * called by the account's own subject where that is bare, and else, or where it is taken, by an id of ours.
 */
export async function resolveUser(
  core: Pick<Core, 'db' | 'now'>,
  account: Account,
  bare = true,
): Promise<UserRow> {
  const key = exactKey({ provider: account.provider, issuer: account.issuer, subject: account.subject })
  const known = await core.db.one(findUserByIdentity, key)
  if (known) return refreshProfile(core, known, account)
  const now = core.now()
  const id = `usr_${timeOrderedId(now)}`
  const profile = { name: shown(account.name) ?? null, email: shown(account.email) ?? null }
  for (const userSubject of bare ? [account.subject, id] : [id]) {
    try {
      await core.db.write(insertUser, { ...key, ...profile, id, user_subject: userSubject, now })
      break
    } catch (error) {
      if (error instanceof Unavailable) throw error
      // Either the same account arrived twice at once, or another provider's account has this subject already.
      const twin = await core.db.one(findUserByIdentity, key)
      if (twin) return twin
      if (userSubject === id) throw error
    }
  }
  return (await core.db.one(findUserByIdentity, key))!
}

/** Names and addresses change at the provider; ours are for pages only and follow. */
async function refreshProfile(
  core: Pick<Core, 'db' | 'now'>,
  user: UserRow,
  account: Account,
): Promise<UserRow> {
  // Nothing is written about a disabled user: the profile of a deleted account stays empty.
  if (user.disabled_at !== null) return user
  const name = shown(account.name) ?? user.name
  const email = shown(account.email) ?? user.email
  if (name === user.name && email === user.email) return user
  await core.db.write(updateUserProfile, { id: user.id, name, email })
  return { ...user, name, email }
}

/**
 * What is known of a user for these scopes: the name and address that pages show, and what the adapter adds or knows better.
 * Nothing for a user who is gone.
 */
export async function claimsOf(
  core: Pick<Core, 'db'>,
  accounts: Pick<Accounts, 'claims'>,
  userId: string,
  scopes: readonly string[],
): Promise<Record<string, unknown>> {
  const user = await core.db.one(findIdentityOfUser, { user_id: userId })
  if (!user) return {}
  return {
    ...(scopes.includes('profile') ? { name: user.name } : {}),
    ...(scopes.includes('email') ? { email: user.email } : {}),
    ...(await fromHost(accounts.claims?.(user.account_subject, scopes))),
  }
}

/** What a user's account is called at its provider, as `claims` gets it. */
export async function accountSubject(core: Pick<Core, 'db'>, userId: string): Promise<string | undefined> {
  return (await core.db.one(findIdentityOfUser, { user_id: userId }))?.account_subject
}
