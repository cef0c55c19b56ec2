import { sha256 } from '../../crypto/tokens.ts'
import { networkOf } from '../../http/address.ts'
import type { Incoming } from '../../http/message.ts'
import type { AccountsContext } from '../account.ts'
import type { SignIns } from '../sign-ins.ts'
import type { SignInAttempts } from './attempts.ts'
import type { DeviceCookies } from './device-cookie.ts'
import type { Asking, Passwords } from './password.ts'

export interface LocalAccountsOptions {
  /** Whether people may make an account themselves. Default true. */
  signUp?: boolean
  /** Seconds until one has to sign in again, 300 to 90 days. Default 30 days, as NIST SP 800-63B-4 §2.1.3 recommends. */
  signInLifetime?: number
  /**
   * Fewest characters of a new password, 8 to 64. Default 15, which NIST SP 800-63B-4 §3.1.1.2 demands where the password
   * is the only factor.
   */
  minimumPasswordLength?: number
  /**
   * Whom the sign-in page names to people who forgot their password: a URL (`https:`, `mailto:`, `tel:`, or a path of this
   * origin) that it links to, or a sentence. Default: a sentence about the administrator.
   */
  help?: string
}

/** With every default filled in. */
export type CompleteOptions = Required<Omit<LocalAccountsOptions, 'help'>> &
  Pick<LocalAccountsOptions, 'help'>

/** What the pages of local accounts work with. */
export interface LocalContext extends AccountsContext {
  signIns: SignIns
  passwords: Passwords
  attempts: SignInAttempts
  devices: DeviceCookies
  options: CompleteOptions
}

/** How one signs in here (RFC 8176 §2). */
export const withPassword = { amr: ['pwd'] }
/** Of every account with a password of ours. */
export const provider = 'local'

/** Who takes a turn at the queue of passwords. */
export function askingFor({ settings }: AccountsContext, request: Incoming, login: string): Asking {
  const { block, name } = networkOf(request.address, settings.trustedProxies !== undefined)
  return [block, name, sha256(login)]
}
