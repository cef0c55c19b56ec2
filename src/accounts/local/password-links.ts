// NIST SP 800-63B-4 §4.2: an account whose password is unset or forgotten gets one by a link.
import { ConfigError } from '../../config-error.ts'
import { timeOrderedId } from '../../crypto/ids.ts'
import { randomText } from '../../crypto/random.ts'
import { makeToken } from '../../crypto/tokens.ts'
import { type EventType, eventInput } from '../../events/append.ts'
import { safeText } from '../../pages/safe-text.ts'
import type { PasswordLink, PasswordLinks } from '../account.ts'
import { paths } from '../account-pages.ts'
import { findLocalAccount } from '../records/local-accounts.ts'
import { createLocalUser, createPasswordLink } from '../records/password-links.ts'
import { type LocalContext, provider } from './local-context.ts'
import { canonicalLogin, emailOf, isLogin } from './login.ts'

/** How long a link is good, in milliseconds. */
export const linkLifetime = 30 * 60_000

export function passwordLinks(context: LocalContext): PasswordLinks {
  const { db, settings, passwords } = context

  function made(userId: string, event: EventType) {
    const now = context.now()
    const { token, id, hash } = makeToken('gh_pl', now)
    const expiresAt = now + linkLifetime
    const input = {
      link_id: id,
      link_hash: hash,
      user_id: userId,
      now,
      link_expires_at: expiresAt,
      ...eventInput(now, event, { userId }, { provider }),
    }
    const shown = (login: string): PasswordLink => ({
      id: userId,
      login,
      link: `${settings.issuer}${paths.setPassword}?token=${token}`,
      expiresAt,
    })
    return { input, shown }
  }

  return {
    async create({ login: given, name }) {
      const login = typeof given === 'string' ? canonicalLogin(given) : ''
      if (!isLogin(login)) {
        const allowed = 'an email address, or 3 to 64 letters, digits, dots, dashes or underscores'
        throw new ConfigError([{ path: 'login', given, allowed, example: 'ann@example.com' }])
      }
      const taken = () =>
        new ConfigError([{ path: 'login', given: login, allowed: 'a login that no account has' }])
      if (await db.one(findLocalAccount, { login })) throw taken()
      // Of a random password.
      const password_hash = await passwords.hash(['', '', ''], randomText(32))
      const { input, shown } = made(`usr_${timeOrderedId(context.now())}`, 'user_created')
      const called = safeText(name ?? '')
      try {
        await db.write(createLocalUser, {
          ...input,
          provider,
          name: called === '' ? null : called,
          login,
          email: emailOf(login),
          password_hash,
        })
      } catch (error) {
        if (await db.one(findLocalAccount, { login })) throw taken()
        throw error
      }
      return shown(login)
    },

    async reset(userId) {
      const { input, shown } = made(userId, 'password_link_created')
      const [row] = await db.write(createPasswordLink, input)
      return row && shown(row.login)
    },
  }
}
