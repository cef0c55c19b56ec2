import { ConfigError } from '../config-error.ts'
import type { Core } from '../core.ts'
import { type EventContext, eventInput } from '../events/append.ts'
import type { Account, Accounts, PasswordLinks } from './account.ts'
import {
  closeUser,
  disableUser as disable,
  enableUser as enable,
  findUserByIdentity,
  deleteUser as removeUser,
} from './records/users.ts'

type Origin = Pick<EventContext, 'address' | 'userAgent'>

/**
 * The user can do nothing any more: every session and sign-in ends at once, codes that are still out are void. False for
 * an unknown user or one who is disabled already.
 */
export async function disableUser(
  core: Core,
  id: string,
  reason: string,
  origin: Origin = {},
): Promise<boolean> {
  const now = core.now()
  const event = eventInput(now, 'user_disabled', { userId: id, ...origin }, { reason })
  const done = await core.db.write(disable, { id, reason, now, ...event })
  return done.length > 0
}

/** The user may sign in again; what ended stays ended. False for an unknown user or one who is not disabled. */
export async function enableUser(core: Core, id: string, origin: Origin = {}): Promise<boolean> {
  const now = core.now()
  const event = eventInput(now, 'user_enabled', { userId: id, ...origin })
  return (await core.db.write(enable, { id, now, ...event })).length > 0
}

/**
 * Removes the person with everything that is theirs. Sessions are revoked first, so that nothing outlives the row; the
 * audit log keeps its events, the last of which, `user_deleted`, holds only the id. False for an unknown user.
 */
export async function deleteUser(core: Core, id: string, origin: Origin = {}): Promise<boolean> {
  await disableUser(core, id, 'deleted', origin)
  const now = core.now()
  const event = eventInput(now, 'user_deleted', { userId: id })
  return (await core.db.write(removeUser, { id, ...event })).length > 0
}

/**
 * The provider says that an account is gone: sessions, sign-ins, consents and codes end at once and the profile is
 * emptied. The user stays, disabled, so that a statement the provider made before cannot bring it back.
 */
export async function closeUserOf(
  core: Core,
  account: Pick<Account, 'provider' | 'issuer' | 'subject'>,
): Promise<boolean> {
  const { provider, issuer, subject } = account
  const user = await core.db.one(findUserByIdentity, { provider, issuer, subject })
  if (!user) return false
  const now = core.now()
  const reason = 'deleted_at_provider'
  const event = eventInput(now, 'user_deleted', { userId: user.id }, { provider })
  await core.db.write(closeUser, { id: user.id, reason, now, ...event })
  return true
}

/** Throws `ConfigError` where passwords are kept elsewhere. */
export function passwordLinksOf({ passwordLinks }: Pick<Accounts, 'passwordLinks'>): PasswordLinks {
  if (passwordLinks) return passwordLinks
  const allowed =
    'localAccounts(): only there are passwords kept here. Elsewhere they are set at the account provider'
  throw new ConfigError([{ path: 'accounts', allowed }])
}
