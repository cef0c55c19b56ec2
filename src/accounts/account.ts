
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
  /** Where the browser must be sent after sign-in: an absolute URL on the issuer's origin. */
  returnTo: string
  /** False when no page may be shown (`prompt=none`, or the caller only wants to know): answer null instead of a page. */
  interactive: boolean
  /** When set, an authentication older than this (epoch milliseconds) does not count. */
  notBefore?: number
}

/** The one seam to the host app: who is signed in, or the page (usually a redirect) that signs them in. */
export type Authenticate = (request: Request, ask: Ask) => Promise<Account | Response | null> | Account | Response | null

export interface Accounts {
  authenticate: Authenticate
  /** Fills userinfo and ID token members for a subject, limited to the granted scopes. */
  claims?(
    subject: string,
    scopes: readonly string[],
  ): Promise<Record<string, unknown>> | Record<string, unknown>
  /** Ends the browser's sign-in; the answer is shown or followed. Absent when the host does that elsewhere. */
  signOut?(request: Request, returnTo: string): Promise<Response> | Response
  /**
   * A webhook of the provider, mounted at `/webhooks/accounts`. Verifies the raw body, then says whose account was deleted;
   * null for an event that concerns nobody. Throws `UnverifiedWebhook` for a bad signature.
   */
  onWebhook?(
    request: Request,
  ): Promise<{ deleted: Pick<Account, 'provider' | 'issuer' | 'subject'> } | null>
}

export class UnverifiedWebhook extends Error {
  override name = 'UnverifiedWebhook'
}

