import type { Incoming } from './message.ts'

/** One cookie's value, or undefined. */
export function readCookie(request: Pick<Incoming, 'header'>, name: string): string | undefined {
  const header = request.header('cookie')
  if (!header) return undefined
  for (const pair of header.split(';')) {
    const equals = pair.indexOf('=')
    if (equals > 0 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim()
  }
  return undefined
}

export interface CookieOptions {
  /** Secure, with the `__Host-` prefix; only off for a development issuer on http. */
  secure: boolean
  /** Seconds; absent for a cookie that ends with the browser, 0 to remove it. */
  maxAge?: number
}

/** The name a cookie goes by: `__Host-` binds it to this very host (RFC 6265bis §4.1.3.2). */
export function cookieName(name: string, secure: boolean): string {
  return secure ? `__Host-${name}` : name
}

export function writeCookie(name: string, value: string, options: CookieOptions): string {
  const age = options.maxAge === undefined ? '' : `; Max-Age=${options.maxAge}`
  return `${cookieName(name, options.secure)}=${value}; Path=/; HttpOnly; SameSite=Lax${options.secure ? '; Secure' : ''}${age}`
}
