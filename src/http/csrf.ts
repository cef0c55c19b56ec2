import { randomBytes } from 'node:crypto'
import type { Secrets } from '../crypto/secrets.ts'
import { type CookieScope, cookieName, readCookie, writeCookie } from './cookies.ts'
import type { Incoming } from './message.ts'

/** The cookie that ties a form to the browser it was shown in. It says nothing about the user. */
const name = 'gh_browser'

/** A browser as its forms know it; `setCookie` must go out with the page when it is new. */
export interface Browser {
  id: string
  setCookie?: string
}

export function browserOf(request: Incoming, scope: CookieScope): Browser {
  const known = readCookie(request, cookieName(name, scope))
  if (known && /^[A-Za-z0-9_-]{22}$/.test(known)) return { id: known }
  const id = randomBytes(16).toString('base64url')
  return { id, setCookie: writeCookie(name, id, scope) }
}

/** The token of one form: good for this browser and this purpose only. */
export function formToken(secrets: Secrets, browser: Browser, purpose: string): string {
  return secrets.mac('form token', `${browser.id} ${purpose}`)
}

export function formTokenIsValid(
  secrets: Secrets,
  request: Incoming,
  scope: CookieScope,
  purpose: string,
  token: string | undefined,
): boolean {
  const browser = browserOf(request, scope)
  if (browser.setCookie !== undefined || token === undefined) return false
  return secrets.verifies('form token', `${browser.id} ${purpose}`, token)
}
