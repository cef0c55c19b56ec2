import { randomBytes } from 'node:crypto'
import type { Secrets } from '../crypto/secrets.ts'
import { type CookieScope, cookieName, readCookies, writeCookie } from './cookies.ts'
import type { Incoming } from './message.ts'

/**
 * The cookie that ties a form to the browser it was shown in. It says nothing about the user. Each has a name of its own, so
 * that of pages a new browser loads at once none takes away what another one's form is tied to.
 */
const name = 'gh_browser'
/** So many are looked at. */
const mostKnown = 10

/** A browser as its forms know it; `setCookie` must go out with the page when it is new. */
export interface Browser {
  /** What new forms are tied to. */
  id: string
  /** Everything a form of this browser may be tied to, `id` included. */
  ids: readonly string[]
  setCookie?: string
}

export function browserOf(request: Incoming, scope: CookieScope): Browser {
  const ids = readCookies(request, cookieName(name, scope), mostKnown).filter((id) =>
    /^[A-Za-z0-9_-]{22}$/.test(id),
  )
  const [known] = ids
  if (known !== undefined) return { id: known, ids }
  const id = randomBytes(16).toString('base64url')
  return { id, ids: [id], setCookie: writeCookie(`${name}-${id.slice(0, 8)}`, id, scope) }
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
  return browser.ids.some((id) => secrets.verifies('form token', `${id} ${purpose}`, token))
}
