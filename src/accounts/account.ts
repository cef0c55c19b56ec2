import type { Core } from '../core.ts'
import type { Counters } from '../db/counters.ts'
import { within } from '../deadline.ts'
import type { Route } from '../http/route.ts'
import type { Frame } from '../pages/views.ts'
import { TemporaryFailure } from '../unavailable.ts'

/** Who is signed in, as the host app or a built-in adapter says it. Accounts are keyed by (provider, issuer, subject), never by e-mail. */
export interface Account {
  /** Which kind of adapter vouches: `local`, `clerk`, `jwt`, `better-auth`, `development` or a name of the host's own. */
  provider: string
  /** The authority the subject is unique under; a URL for OpenID providers, '' where the provider name says it all. */
  issuer: string
  /** The user's stable identifier there; becomes `sub` in tokens. At most 255 characters. */
  subject: string
  /** When the user last proved who they are, in epoch milliseconds. Absent when the provider does not say. */
  authTime?: number
  /** How the user proved it: the class of the authentication, and the methods used (OpenID Connect Core §2, RFC 8176). */
  acr?: string
  amr?: readonly string[]
  /** The provider's own session, when it has one. */
  sessionId?: string
  /** When the provider's statement ends, in epoch milliseconds. */
  expiresAt?: number
  /** What may be shown on pages: */
  name?: string
  email?: string
  picture?: string
  /** Everything else the provider said. */
  claims?: Record<string, unknown>
}

/** What the authorization request demands of the sign-in. */
export interface Ask {
  /** OpenID Connect `prompt` values; `none` never reaches the seam's page, only its question. */
  prompt: readonly string[]
  /** Greatest age of the authentication, in seconds. */
  maxAge?: number
  loginHint?: string
  /** Classes of authentication that would do, the preferred one first (OpenID Connect Core §3.1.2.1, RFC 9470 §4). */
  acrValues?: readonly string[]
  /** Languages the user prefers, the preferred one first (BCP 47). */
  uiLocales?: readonly string[]
  /** Where the browser must be sent after sign-in: an absolute URL on the issuer's origin. */
  returnTo: string
  /** Where the browser may be sent when the user gives up signing in: the client hears `access_denied`. */
  cancelTo?: string
  /** False when no page may be shown (`prompt=none`, or the caller only wants to know): answer null instead of a page. */
  interactive: boolean
  /**
   * When set, an authentication older than this (epoch milliseconds) does not count. `prompt=login` and `max_age=0` reach the
   * seam this way, as the moment the authorization request arrived: the same moment on every return, so that one sign-in
   * satisfies it.
   */
  notBefore?: number
}

/**
 * The one seam to the host app: who is signed in, or the page (usually a redirect) that signs them in.
 *
 * Null means that no user is signed in and no page is offered: always when `ask.interactive` is false; otherwise only when a
 * page would not help (the client hears `login_required`). An `Account` whose `authTime` does not satisfy `ask` must not be
 * answered (`authenticationIsRecent` decides). Throws `AccountsUnavailable` when the provider cannot be asked.
 */
export type Authenticate = (
  request: Request,
  ask: Ask,
) => Promise<Account | Response | null> | Account | Response | null

/** How far a provider's clock may be behind ours, in milliseconds, when the age of a sign-in is judged. */
const AUTH_TIME_TOLERANCE = 5_000

/**
 * Whether an authentication is recent enough for what was asked (OpenID Connect Core 1.0 §3.1.2.1, `prompt=login` and
 * `max_age`). Providers tell whole seconds on a clock of their own, so the limit is rounded down to a second and lies five
 * seconds further back; a time by our own clock is taken as it is. An authentication of unknown time is recent enough only
 * where nothing was demanded.
 */
export function authenticationIsRecent(
  ask: Pick<Ask, 'notBefore' | 'maxAge'>,
  authTime: number | undefined,
  now = Date.now(),
  clock: 'ours' | 'provider' = 'provider',
): boolean {
  const oldest = Math.max(ask.notBefore ?? 0, ask.maxAge === undefined ? 0 : now - ask.maxAge * 1000)
  if (oldest === 0) return true
  if (authTime === undefined) return false
  return authTime >= (clock === 'ours' ? oldest : Math.floor(oldest / 1000) * 1000 - AUTH_TIME_TOLERANCE)
}

export interface Accounts {
  authenticate: Authenticate
  /**
   * Whose subjects stand in tokens as they are, for an adapter that signs in people of several issuers, or whose issuer makes
   * assertions, too; every other account's `sub` is an id of ours. Default: every account that the adapter answers.
   */
  readonly authority?: Pick<Account, 'provider' | 'issuer'>
  /**
   * Only for adapters whose statements end within minutes and are renewed by pages of the provider alone: whom the statement
   * that the request still carries was about, though it has ended since `after` (epoch milliseconds). Everything but its age
   * is verified as ever. Without it a form is only good while its user is signed in.
   */
  endedStatement?(request: Request, after: number): Promise<Account | null> | Account | null
  /**
   * Fills userinfo and ID token members for one of the adapter's own subjects, limited to these scopes, in the names of OpenID
   * Connect Core §5.1. Without it a client learns the name and address that pages show.
   */
  claims?(
    subject: string,
    scopes: readonly string[],
  ): Promise<Record<string, unknown>> | Record<string, unknown>
  /** What `claims` can fill beside `name` and `email`; the server's metadata lists it. */
  readonly claimNames?: readonly string[]
  /**
   * Sign-ins are rows of this server's own, named by `sessionId`, as of every built-in adapter with a sign-in page: nothing
   * begins in a browser whose row is gone.
   */
  readonly keepsSignIns?: boolean
  /**
   * Ends the browser's sign-in; the answer is shown or followed. Absent when the host does that elsewhere: then no client can
   * ask for it either.
   */
  signOut?(request: Request, returnTo: string): Promise<Response> | Response
  /**
   * A webhook of the provider, mounted at `/webhooks/accounts`. Verifies the raw body, then says whose account was deleted;
   * null for an event that concerns no user. Throws `UnverifiedWebhook` for a bad signature.
   */
  onWebhook?(request: Request): Promise<{ deleted: Pick<Account, 'provider' | 'issuer' | 'subject'> } | null>
  /** Where a signed-in user may choose another account and then return; a URL on any page, absolute or a path. */
  switchUrl?(returnTo: string): string
  /** Makes accounts, and gives people a link to set their password behind. Only where passwords are kept here. */
  readonly passwordLinks?: PasswordLinks
  /** Pages of its own: sign-in, sign-up, account. */
  readonly routes?: readonly Route[]
}

/** A link behind which a person sets a password: good once, and until `expiresAt`. Anyone who has it can take the account. */
export interface PasswordLink {
  /** The user's id. */
  id: string
  login: string
  link: string
  /** Epoch milliseconds. */
  expiresAt: number
}

export interface PasswordLinks {
  /** A new account, with no sign-in before the password is set. Throws `ConfigError` for a login that is taken or unfit. */
  create(input: { login: string; name?: string }): Promise<PasswordLink>
  /** A link in place of any earlier one; undefined where the user is unknown, disabled or has no password here. */
  reset(userId: string): Promise<PasswordLink | undefined>
}

export class UnverifiedWebhook extends Error {
  override name = 'UnverifiedWebhook'
}

/** The provider cannot be reached or gave an invalid answer, so it is unknown who is signed in. Answered with 503: the client may try again. */
export class AccountsUnavailable extends TemporaryFailure {
  override name = 'AccountsUnavailable'
}

/** How long a function of the host app may take, in milliseconds. */
const hostLimit = 10_000

/** What a function of the host app answers. Rejects with `AccountsUnavailable` when it takes too long. */
export async function fromHost<T>(answer: T | PromiseLike<T>): Promise<T> {
  if (typeof (answer as PromiseLike<T> | null | undefined)?.then !== 'function') return answer
  return within(
    hostLimit,
    answer as PromiseLike<T>,
    () => new AccountsUnavailable('The host app did not answer in time'),
  )
}

/** What an adapter with pages and tables of its own works with. */
export interface AccountsContext extends Core {
  readonly counters: Counters
  /** Who waits behind an address on the issuer's origin: the client of a valid authorization request, and where one gives up. */
  waitingFor(address: string): Promise<{ client: string; cancelUrl: string } | undefined>
  frame(user?: { name: string; email?: string }): Frame
}
