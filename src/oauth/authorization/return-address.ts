// OpenID Connect Core §3.1.2.1, §3.1.2.3 (prompt, max_age); RFC 9126 §4; RFC 9101 §10.8: the way back to an authorization
// request from a sign-in page, and the moments it vouches for with a key.

import { returnAddress as returnTo } from '../../accounts/return-to.ts'
import { sha256 } from '../../crypto/tokens.ts'
import { cookieName, readCookie, writeCookie } from '../../http/cookies.ts'
import type { Browser } from '../../http/csrf.ts'
import { type Form, formOf, pairsOf } from '../../http/forms.ts'
import type { Incoming } from '../../http/message.ts'
import { paths } from '../../protocol/paths.ts'
import type { Server } from '../server.ts'
import type { AuthorizationRequest } from './authorization-request.ts'

/** How long a person may take to sign in, and then to decide, in milliseconds. */
export const patience = 30 * 60_000
/** Says, at the authorization endpoint, that the user gave up at the sign-in. */
export const cancelledParameter = 'gatehouse_cancelled'
/** Says, on the way back from a sign-in that was demanded, when it was demanded. */
const demandedParameter = 'gatehouse_demanded'
/** Says, on every way back, when a request that may expire meanwhile first arrived. */
const openedParameter = 'gatehouse_opened'
/** Names a request that is kept here (`kept-request.ts`). */
export const keptParameter = 'gatehouse_request'
/** What we say ourselves at the authorization endpoint. */
export const ours = [cancelledParameter, demandedParameter, openedParameter, keptParameter]

/** An authorization request in the browser it came by. */
export interface Visit {
  request: Incoming
  browser: Browser
  form: Form
}

type Keyed = Pick<Server, 'secrets' | 'now'>

/** `max_age=0` demands the same as `prompt=login` (OpenID Connect Core §3.1.2.1). */
export function demandsSignIn(asked: AuthorizationRequest): boolean {
  return asked.prompt.includes('login') || asked.prompt.includes('select_account') || asked.maxAge === 0
}

/** Whether the present sign-in may not suffice, so that another is required (`user-authentication.ts`). */
function mayDemandSignIn(asked: AuthorizationRequest): boolean {
  const { boundSubject, claims, acrValues } = asked
  return demandsSignIn(asked) || boundSubject !== null || claims !== null || acrValues.length > 0
}

/** When a new sign-in was demanded of this request, if it was, so that it is demanded only once. */
export function demandedAt(server: Keyed, form: Form, asked: AuthorizationRequest): number | undefined {
  if (!mayDemandSignIn(asked)) return undefined
  return readMoment(server, form.get(demandedParameter), demanded(asked))
}

/**
 * When a request that lives for a while only (pushed, or a request object) first arrived: now, unless the way back from a
 * sign-in says so. The time a person takes to sign in is not the client's.
 */
export function openedAt(server: Keyed, form: Form): number {
  return readMoment(server, form.get(openedParameter), opened(form)) ?? server.now()
}

/** A browser that shows a consent page remembers when its request arrived, so that a reload is no new arrival. */
const openedCookie = 'gh_opened'

export function arrivalCookie(server: Server, browser: Browser, form: Form): string | undefined {
  if (!expires(form)) return undefined
  const moment = writeMoment(server, openedAt(server, form), openedIn(browser.id, form))
  const { secure, base } = server.settings
  return writeCookie(openedCookie, moment, { secure, base, maxAge: patience / 1_000 })
}

/**
 * The form with the moment its request first arrived in this browser, as the way back or the browser itself says it. What
 * another browser was told, or what belongs to another request, is worth nothing and is taken out.
 */
export function withArrival(server: Server, request: Incoming, browser: Browser, form: Form): Form {
  const said = form.get(openedParameter)
  const others =
    said === undefined ? form : formOf(pairsOf(form).filter(([name]) => name !== openedParameter))
  if (!expires(form)) return others
  const moment = said ?? readCookie(request, cookieName(openedCookie, server.settings))
  const at = browser.ids
    .map((id) => readMoment(server, moment, openedIn(id, form)))
    .find((one) => one !== undefined)
  return at === undefined
    ? others
    : formOf([...pairsOf(others), [openedParameter, writeMoment(server, at, opened(form))]])
}

/** Whether the request lives for a while only, so that it counts when it first arrived. */
export function expires(form: Form): boolean {
  return form.get('request_uri') !== undefined || form.get('request') !== undefined
}

/** The same request again, as a GET. Of one that was pushed or is kept, nothing but its name is in it. */
export function returnAddress(
  server: Server,
  browser: Browser,
  form: Form,
  asked: AuthorizationRequest,
): string {
  const query = new URLSearchParams()
  const kept = form.get(keptParameter)
  if (kept !== undefined) query.set(keptParameter, kept)
  for (const name of kept === undefined ? form.names : []) {
    if (ours.includes(name) || (asked.pushedId !== null && !['client_id', 'request_uri'].includes(name)))
      continue
    for (const value of form.all(name)) query.append(name, value)
  }
  if (expires(form))
    query.set(openedParameter, writeMoment(server, openedAt(server, form), openedIn(browser.id, form)))
  if (mayDemandSignIn(asked)) {
    const at = demandedAt(server, form, asked) ?? server.now()
    query.set(demandedParameter, writeMoment(server, at, demanded(asked)))
  }
  return `${server.settings.issuer}${paths.authorization}?${query}`
}

/** Whether a page may offer it as the way to begin again. */
export function isReturnAddress({ settings }: Pick<Server, 'settings'>, address: string): boolean {
  return (
    address.startsWith(`${settings.issuer}${paths.authorization}?`) && returnTo(settings, address) === address
  )
}

const demanded = (asked: AuthorizationRequest) => (at: number) =>
  `sign-in demanded ${at} ${asked.client.id} ${asked.codeChallenge ?? ''} ${asked.state ?? ''}`

const opened = (form: Form) => (at: number) =>
  `request opened ${at} ${form.get('client_id') ?? ''} ${sha256(form.get('request_uri') ?? form.get('request') ?? '')}`

/** The same as other browsers cannot say it; inside a request `opened` alone stands for what was checked. */
const openedIn = (browserId: string, form: Form) => (at: number) => `${opened(form)(at)} in ${browserId}`

function writeMoment({ secrets }: Keyed, at: number, purpose: (at: number) => string): string {
  return `${at}.${secrets.mac('form token', purpose(at))}`
}

function readMoment(
  { secrets, now }: Keyed,
  text: string | undefined,
  purpose: (at: number) => string,
): number | undefined {
  const [time, mac] = text?.split('.') ?? []
  const at = Number(time)
  if (!mac || !(at <= now() && at > now() - patience)) return undefined
  return secrets.verifies('form token', purpose(at), mac) ? at : undefined
}
