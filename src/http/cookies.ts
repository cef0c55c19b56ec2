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

/** The values of the first few cookies named `name`, or `name`, a dash and anything. */
export function readCookies(request: Pick<Incoming, 'header'>, name: string, most: number): string[] {
  const values: string[] = []
  for (const pair of (request.header('cookie') ?? '').split(';')) {
    const equals = pair.indexOf('=')
    const named = pair.slice(0, Math.max(equals, 0)).trim()
    if (named === name || named.startsWith(`${name}-`)) values.push(pair.slice(equals + 1).trim())
    if (values.length === most) break
  }
  return values
}

/** Whose cookie it is: several issuers may stand on one host. */
export interface CookieScope {
  /** Secure, with a prefix that says so; only off for a development issuer on http. */
  secure: boolean
  /** Path of the issuer, '' at the root. */
  base: string
}

export interface CookieOptions extends CookieScope {
  /** Seconds; absent for a cookie that ends with the browser, 0 to remove it. */
  maxAge?: number
}

/**
 * The name a cookie goes by: `__Host-` binds it to this very host (RFC 6265bis §4.1.3.2), so that no sibling domain can set it.
 * That prefix demands the path `/`, so the name of an issuer with a path holds the path instead.
 */
export function cookieName(name: string, { secure, base }: CookieScope): string {
  const prefix = secure ? '__Host-' : ''
  if (base === '') return prefix + name
  // Two characters of hexadecimal digits for whatever is none of a name's: no two paths have one name.
  const path = base
    .slice(1)
    .replace(/[^A-Za-z0-9-]/g, (one) => `_${one.charCodeAt(0).toString(16).padStart(2, '0')}`)
  return `${prefix}${path}.${name}`
}

export function writeCookie(name: string, value: string, options: CookieOptions): string {
  const age = options.maxAge === undefined ? '' : `; Max-Age=${options.maxAge}`
  return `${cookieName(name, options)}=${value}; Path=${(!options.secure && options.base) || '/'}; HttpOnly; SameSite=Lax${options.secure ? '; Secure' : ''}${age}`
}
