// OWASP, "Slow Down Online Guessing Attacks with Device Cookies": a browser in which the password was right before has a budget
// of its own, so that wrong passwords from elsewhere do not lock it out.
import { randomBytes } from 'node:crypto'
import { cookieName, readCookie, writeCookie } from '../../http/cookies.ts'
import type { Incoming } from '../../http/message.ts'
import type { AccountsContext } from '../account.ts'

const cookie = 'gh_device'
/** As long as browsers keep a cookie at most (RFC 6265bis §5.6). */
const maxAge = 400 * 86_400
/** Accounts of one browser that are remembered, the last ones used. */
const mostAccounts = 5
/** A random device id and the MAC that binds it to an account and its password. */
const entry = /^([A-Za-z0-9_-]{22})([A-Za-z0-9_-]{43})$/

/** An account with its present password: a change of the password ends every cookie made before. */
export interface Vouched {
  user_id: string
  password_hash: string
}

/** Cookies that say which accounts a browser has signed in to. They are no sign-in. */
export interface DeviceCookies {
  /** The id of the device that the request comes from, if the password of this account was right there before. */
  deviceOf(request: Pick<Incoming, 'header'>, account: Vouched): string | undefined
  /** The cookie to set after the password was right. */
  remember(request: Pick<Incoming, 'header'>, account: Vouched): string
}

export function deviceCookies({ secrets, settings }: AccountsContext): DeviceCookies {
  const { secure, base } = settings
  const message = ({ user_id, password_hash }: Vouched, device: string) =>
    `${user_id} ${password_hash} ${device}`

  function entriesOf(request: Pick<Incoming, 'header'>): string[] {
    const value = readCookie(request, cookieName(cookie, settings)) ?? ''
    const entries = value.split('.', mostAccounts + 1)
    return entries.filter((one) => entry.test(one)).slice(0, mostAccounts)
  }

  function vouches(one: string, account: Vouched): boolean {
    const [, device, mac] = entry.exec(one)!
    return secrets.verifies('device cookie', message(account, device!), mac!)
  }

  return {
    deviceOf(request, account) {
      const known = entriesOf(request).find((one) => vouches(one, account))
      return known === undefined ? undefined : entry.exec(known)![1]
    },
    remember(request, account) {
      const others = entriesOf(request).filter((one) => !vouches(one, account))
      const device = randomBytes(16).toString('base64url')
      const own = device + secrets.mac('device cookie', message(account, device))
      return writeCookie(cookie, [own, ...others].slice(0, mostAccounts).join('.'), { secure, base, maxAge })
    },
  }
}
