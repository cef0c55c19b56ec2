// better-auth's session, read in process through `auth.api.getSession`: the library checks its own signed cookie.
import { ConfigError } from '../config-error.ts'
import { type Account, type Accounts, type Ask, authenticationIsRecent } from './account.ts'
import { checkSignInPages, type SignInPages, signInRedirect, signOutRedirect } from './sign-in-redirect.ts'

/** The part of a better-auth instance this adapter uses. */
export interface BetterAuth {
  api: {
    getSession(context: {
      headers: Headers
      query?: { disableCookieCache?: boolean; disableRefresh?: boolean }
    }): Promise<BetterAuthSession | null>
  }
  /** Looked at for a `database` or `secondaryStorage`: without either, sessions live in the cookie only. */
  options?: object
}

export interface BetterAuthSession {
  session: { id: string; createdAt: Date | string; expiresAt: Date | string; impersonatedBy?: string | null }
  user: { id: string; name?: string | null; email?: string | null; image?: string | null }
}

export interface BetterAuthAccountsOptions extends SignInPages {
  /** What `betterAuth({ … })` returned. */
  auth: BetterAuth
  /** Accept sessions in which an administrator impersonates the user. Default false; the administrator then stands in `claims.impersonated_by`. */
  allowImpersonation?: boolean
}

/**
 * Accounts of a better-auth instance in the same process and on the same host. The subject is `user.id`. A missing,
 * tampered or ended session is no sign-in; a failing database rejects.
 *
 * The session is read from the store, not from better-auth's cookie cache, so that a revoked one is gone at once, and
 * reading does not prolong it: the answer's cookies would not reach the browser. (An instance without a database keeps
 * sessions in the cookie only; there the cookie is what counts.)
 *
 * `prompt=login` and `max_age` are judged by `session.createdAt`: better-auth makes a new session for every sign-in. The
 * sign-in page gets `prompt=login` and must then ask again although someone is signed in.
 *
 * Throws `ConfigError` with every problem at once.
 */
export function betterAuthAccounts(options: BetterAuthAccountsOptions): Accounts {
  const problems = checkSignInPages(options, 'betterAuthAccounts')
  if (typeof options.auth?.api?.getSession !== 'function') {
    problems.push({
      path: 'betterAuthAccounts.auth',
      allowed: 'the object that betterAuth({ … }) returned',
      example: "import { auth } from './auth.ts'",
    })
  }
  if (problems.length > 0) throw new ConfigError(problems)
  const { auth } = options
  const { database, secondaryStorage } = (auth.options ?? {}) as Record<string, unknown>
  const stored = Boolean(database || secondaryStorage)

  return {
    authenticate,
    authority: { provider: 'better-auth', issuer: '' },
    signOut: signOutRedirect(options),
  }

  async function authenticate(request: Request, ask: Ask): Promise<Account | Response | null> {
    const account = await signedIn(request)
    if (account && authenticationIsRecent(ask, account.authTime)) return account
    if (!ask.interactive) return null
    return signInRedirect(request, ask, options, account !== undefined)
  }

  async function signedIn(request: Request): Promise<Account | undefined> {
    const found = await readSession(request.headers)
    if (!found) return undefined
    const { session, user } = found
    if (session.impersonatedBy && !options.allowImpersonation) return undefined
    const { id, name, email, image, ...others } = user
    return {
      provider: 'better-auth',
      issuer: '',
      subject: id,
      authTime: new Date(session.createdAt).getTime(),
      sessionId: session.id,
      expiresAt: new Date(session.expiresAt).getTime(),
      name: name ?? undefined,
      email: email ?? undefined,
      picture: image ?? undefined,
      claims: session.impersonatedBy ? { ...others, impersonated_by: session.impersonatedBy } : others,
    }
  }

  async function readSession(headers: Headers): Promise<BetterAuthSession | null> {
    try {
      return await auth.api.getSession({
        headers,
        query: { disableCookieCache: stored, disableRefresh: true },
      })
    } catch (error) {
      // better-auth says 401 when a session ends while it is being read.
      if ((error as { statusCode?: unknown } | null)?.statusCode === 401) return null
      throw error
    }
  }
}
