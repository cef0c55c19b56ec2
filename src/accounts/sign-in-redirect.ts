// OpenID Connect Core 1.0 §3.1.2.3: sending the browser to a sign-in page that is not ours, and noticing when it comes back with nothing.
import { createHash } from 'node:crypto'
import type { ConfigProblem } from '../config-error.ts'
import { cookieName, writeCookie } from '../http/cookies.ts'
import type { Ask } from './account.ts'

/** Pages of the host app or its provider that sign a user in and out. */
export interface SignInPages {
  /** An https URL (http on loopback), or a path on the issuer's own origin. */
  signInUrl: string
  /** Likewise; without it there is no sign-out through Gatehouse. */
  signOutUrl?: string
  /** Query parameter in which both pages take the address to return to. */
  returnParameter?: string
}

/** A browser that was sent away this often, each time within RETURN_WINDOW, is in a circle. */
const MOST_REDIRECTS = 5
/** Seconds. People take longer than this to sign in; pages that bounce do not. */
const RETURN_WINDOW = 30
const COOKIE = 'gatehouse_sign_in'

/**
 * A 303 to the sign-in page, or null when the same browser has just been there five times for the same address and came back
 * with nothing: its cookies do not reach us, or the page sees someone signed in and returns at once. Null ends the circle
 * (the client hears `login_required`).
 *
 * The page gets the return address, `login_hint` when the request carried one, and `prompt=login` when `again` is true:
 * someone is signed in already but has to prove it anew.
 */
export function signInRedirect(
  request: Request,
  ask: Ask,
  pages: SignInPages,
  again: boolean,
): Response | null {
  const flow = createHash('sha256').update(ask.returnTo).digest('base64url').slice(0, 16)
  const { protocol, pathname } = new URL(ask.returnTo)
  // Nothing but the address to come back to is known of the issuer here.
  const scope = {
    secure: protocol === 'https:',
    base: pathname.replace(/\/(oauth\/authorize|device|account\/apps)?$/, ''),
  }
  const redirects = cookieValues(request, cookieName(COOKIE, scope))
    .map((value) => value.split('.'))
    .filter(([of]) => of === flow)
    .reduce((most, [, count]) => Math.max(most, Number(count) || 0), 0)
  if (redirects >= MOST_REDIRECTS) return null

  const location = pageWithReturn(pages.signInUrl, pages, ask.returnTo)
  if (ask.loginHint) location.searchParams.set('login_hint', ask.loginHint)
  if (again) location.searchParams.set('prompt', 'login')
  const cookie = writeCookie(COOKIE, `${flow}.${redirects + 1}`, { ...scope, maxAge: RETURN_WINDOW })
  return seeOther(location, { 'set-cookie': cookie })
}

/** The `signOut` of an adapter whose sign-out page is elsewhere; undefined when none is configured. */
export function signOutRedirect(
  pages: SignInPages,
): ((request: Request, returnTo: string) => Response) | undefined {
  const page = pages.signOutUrl
  if (page === undefined) return undefined
  return (_request, returnTo) => seeOther(pageWithReturn(page, pages, returnTo))
}

/** Every value under one cookie name: a browser sends several when sibling domains or paths set the same name. */
export function cookieValues(request: Request, name: string): string[] {
  const values: string[] = []
  for (const pair of (request.headers.get('cookie') ?? '').split(';')) {
    const cut = pair.indexOf('=')
    if (cut < 0 || pair.slice(0, cut).trim() !== name) continue
    values.push(
      pair
        .slice(cut + 1)
        .trim()
        .replace(/^"(.*)"$/, '$1'),
    )
  }
  return values
}

/** https anywhere, http on loopback only, and no credentials inside. */
export function isSafeUrl(value: unknown): value is string {
  if (typeof value !== 'string' || !URL.canParse(value)) return false
  const url = new URL(value)
  if (url.username !== '' || url.password !== '') return false
  if (url.protocol === 'https:') return true
  return url.protocol === 'http:' && /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname)
}

export function checkSignInPages(pages: SignInPages, path: string): ConfigProblem[] {
  const problems: ConfigProblem[] = []
  for (const name of ['signInUrl', 'signOutUrl'] as const) {
    const given: unknown = pages[name]
    if (name === 'signOutUrl' && given === undefined) continue
    if (isSafeUrl(given) || (typeof given === 'string' && /^\/(?![/\\])[^\\\s]*$/.test(given))) continue
    problems.push({
      path: `${path}.${name}`,
      given,
      allowed: "an https URL (http on loopback), or a path on the issuer's origin that begins with one slash",
      example:
        name === 'signInUrl' ? "'https://app.example.com/sign-in'" : "'https://app.example.com/sign-out'",
    })
  }
  const parameter: unknown = pages.returnParameter
  if (parameter !== undefined && (typeof parameter !== 'string' || !/^[\w.-]+$/.test(parameter))) {
    problems.push({
      path: `${path}.returnParameter`,
      given: parameter,
      allowed: 'a query parameter name of letters, digits, _ . -',
      example: "'return_to'",
    })
  }
  return problems
}

function pageWithReturn(page: string, pages: SignInPages, returnTo: string): URL {
  const location = new URL(page, returnTo)
  location.searchParams.set(pages.returnParameter ?? 'return_to', returnTo)
  return location
}

function seeOther(location: URL, headers?: Record<string, string>): Response {
  return new Response(null, {
    status: 303,
    headers: {
      location: location.href,
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      ...headers,
    },
  })
}
