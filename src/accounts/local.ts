import { ConfigError, type ConfigProblem } from '../config-error.ts'
import type { Accounts, AccountsContext } from './account.ts'
import { accountPages } from './account-pages.ts'
import { signInAttempts } from './local/attempts.ts'
import { passwordPages } from './local/change-password.ts'
import { deviceCookies } from './local/device-cookie.ts'
import { helpFrom } from './local/help.ts'
import {
  type CompleteOptions,
  type LocalAccountsOptions,
  type LocalContext,
  provider,
} from './local/local-context.ts'
import { emailOf } from './local/login.ts'
import { passwordHashing, standardMinimum } from './local/password.ts'
import { passwordLinks } from './local/password-links.ts'
import { setPasswordPages } from './local/set-password.ts'
import { signInPages } from './local/sign-in.ts'
import { signUpPages } from './local/sign-up.ts'
import { findLogin } from './records/local-accounts.ts'
import { openSignIns } from './sign-ins.ts'

/**
 * Accounts of our own: sign-up and sign-in with login and password, an account page, sign-out. Passwords are kept as
 * argon2id hashes. The subject is the user's id. Throws `ConfigError` with every problem at once.
 */
export function localAccounts(options: LocalAccountsOptions = {}): (context: AccountsContext) => Accounts {
  const complete = {
    signUp: options.signUp ?? true,
    signInLifetime: options.signInLifetime ?? 30 * 86_400,
    minimumPasswordLength: options.minimumPasswordLength ?? standardMinimum,
    ...(options.help === undefined ? {} : { help: options.help }),
  }
  checkOptions(complete)
  return (given) => {
    const signIns = openSignIns(given, provider, complete.signInLifetime * 1_000)
    const context: LocalContext = {
      ...given,
      signIns,
      passwords: passwordHashing(),
      attempts: signInAttempts(given),
      devices: deviceCookies(given),
      options: complete,
    }
    const password = passwordPages(context)
    const account = accountPages(context, signIns, password.form)
    const routes = [
      signInPages(context),
      ...(complete.signUp ? [signUpPages(context)] : []),
      account.page,
      password.change(account.show),
      setPasswordPages(context),
      account.signOutPage,
    ]
    return {
      authenticate: account.authenticate,
      keepsSignIns: true,
      claimNames: ['preferred_username', 'email_verified'],
      async claims(subject, scopes) {
        const known = await given.db.one(findLogin, { user_id: subject })
        if (!known) return {}
        return {
          ...(scopes.includes('profile') ? { preferred_username: known.login } : {}),
          // The address is not verified.
          ...(scopes.includes('email') && emailOf(known.login) !== null ? { email_verified: false } : {}),
        }
      },
      signOut: account.signOut,
      switchUrl: account.switchUrl,
      passwordLinks: passwordLinks(context),
      routes,
    }
  }
}

function checkOptions(options: CompleteOptions): void {
  const problems: ConfigProblem[] = []
  const whole = (
    name: 'signInLifetime' | 'minimumPasswordLength',
    least: number,
    most: number,
    unit: string,
  ) => {
    const given = options[name]
    if (Number.isInteger(given) && given >= least && given <= most) return
    problems.push({
      path: `localAccounts.${name}`,
      given,
      allowed: `a whole number of ${unit} from ${least} to ${most}`,
    })
  }
  whole('signInLifetime', 300, 90 * 86_400, 'seconds')
  whole('minimumPasswordLength', 8, 64, 'characters')
  if (typeof options.signUp !== 'boolean') {
    problems.push({ path: 'localAccounts.signUp', given: options.signUp, allowed: 'true or false' })
  }
  if (options.help !== undefined && helpFrom(options.help) === undefined) {
    problems.push({
      path: 'localAccounts.help',
      given: options.help,
      allowed:
        'a URL of https, mailto or tel, a path of this origin, or a sentence of at most 300 characters',
      example: "'mailto:support@example.com'",
    })
  }
  if (problems.length > 0) throw new ConfigError(problems)
}
