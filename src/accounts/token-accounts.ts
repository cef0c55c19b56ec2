// RFC 6750 §2.1 for the bearer token: turns a verified token of a provider into an account, for every adapter whose provider speaks JWT.
import { type Account, type Accounts, type Ask, authenticationIsRecent } from './account.ts'
import type { TokenRules } from './jwt/token-rules.ts'
import { type Claims, type TokenRefusal, tokenVerifier } from './jwt/verifier.ts'
import { type SignInPages, signInRedirect, signOutRedirect } from './sign-in-redirect.ts'

/** What one provider's tokens look like. */
export interface TokenDialect {
  provider: string
  /** Every token the request presents; the first that counts wins, unless they name different users. */
  tokens: (request: Request) => string[]
  /** Allowed `typ` headers, lower case and without `application/`. */
  types: readonly string[]
  /** A further reason to refuse claims that are otherwise in order. */
  refuses?: (claims: Claims) => TokenRefusal | undefined
  /** When the user authenticated, in epoch milliseconds; undefined when the claims do not say. */
  authTime: (claims: Claims) => number | undefined
  /** Members to show on pages, as far as the claims have them. */
  profile: (claims: Claims) => Pick<Account, 'name' | 'email' | 'picture'>
}

export interface TokenAccountsOptions extends TokenRules, SignInPages {
  /**
   * Told why a token that was presented does not count; for the log. A browser that keeps coming back signed out has its
   * explanation here: most often `authorized_party`, `issuer`, or `malformed` (an opaque token). Never gets the token.
   */
  onRefused?: (reason: TokenRefusal) => void
}

/** Of one request; browsers send a cookie of one name once for each domain and path it was set for. */
const MOST_TOKENS = 4

export function tokenAccounts(options: TokenAccountsOptions, dialect: TokenDialect): Accounts {
  const verify = tokenVerifier(options, dialect.types)

  return {
    authenticate,
    authority: { provider: dialect.provider, issuer: options.issuer },
    signOut: signOutRedirect(options),
    endedStatement: async (request, after) => (await signedIn(request, after)) ?? null,
  }

  async function authenticate(request: Request, ask: Ask): Promise<Account | Response | null> {
    const account = await signedIn(request)
    const recent = account !== undefined && authenticationIsRecent(ask, account.authTime)
    if (recent) return account
    if (!ask.interactive) return null
    // A provider that never says when cannot say it after another sign-in either.
    if (account && account.authTime === undefined) return null
    return signInRedirect(request, ask, options, account !== undefined)
  }

  async function signedIn(request: Request, endedAfter?: number): Promise<Account | undefined> {
    let found: Account | undefined
    for (const token of dialect.tokens(request).slice(0, MOST_TOKENS)) {
      const verdict = await verify(token, endedAfter)
      const reason = verdict.verified ? dialect.refuses?.(verdict.claims) : verdict.reason
      if (!verdict.verified || reason) {
        if (reason) options.onRefused?.(reason)
        continue
      }
      if (found && found.subject !== verdict.claims.sub) {
        options.onRefused?.('ambiguous')
        return undefined
      }
      found ??= accountOf(verdict.claims)
    }
    return found
  }

  function accountOf(claims: Claims): Account {
    const sessionId = textOf(claims['sid']) ?? textOf(claims['session_id'])
    return {
      provider: dialect.provider,
      issuer: options.issuer,
      subject: claims.sub,
      authTime: dialect.authTime(claims),
      sessionId,
      expiresAt: claims.exp * 1000,
      ...dialect.profile(claims),
      claims,
    }
  }
}

/** The token of an `Authorization: Bearer` header. */
export function bearerToken(request: Request): string | undefined {
  return /^bearer +([\w.~+/-]+=*)$/i.exec(request.headers.get('authorization') ?? '')?.[1]
}

export function textOf(claim: unknown): string | undefined {
  return typeof claim === 'string' && claim !== '' ? claim : undefined
}

/** Seconds of a claim as epoch milliseconds. */
export function timeOf(claim: unknown): number | undefined {
  return typeof claim === 'number' && Number.isFinite(claim) && claim > 0 ? claim * 1000 : undefined
}
