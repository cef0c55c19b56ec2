// OpenID Connect Core §3.1.2, §3.1.2.1 (prompt, max_age, login_hint, acr_values): accounts of an OpenID provider, whose users
// sign in there.
import { ConfigError, type ConfigProblem } from '../config-error.ts'
import { sha256 } from '../crypto/tokens.ts'
import { cookieName, readCookie, writeCookie } from '../http/cookies.ts'
import { type Answer, type Incoming, seeOther } from '../http/message.ts'
import { isResponse } from '../http/web.ts'
import { told } from '../log.ts'
import type { Account, Accounts, AccountsContext } from './account.ts'
import { accountPages, paths, queryParameter } from './account-pages.ts'
import { type Begun, type OpenidProviderOptions, openidProvider } from './openid/provider.ts'
import { pageRoute } from './page-forms.ts'
import { type Refusal, refuse } from './refusals.ts'
import { returnAddress } from './return-to.ts'
import { isSafeUrl } from './sign-in-redirect.ts'
import { openSignIns } from './sign-ins.ts'
import { textOf, timeOf } from './token-accounts.ts'
import { resolveUser } from './users.ts'

export interface OpenidAccountsOptions extends OpenidProviderOptions {
  /** First part of the account's key; default `openid`. Choose it once: another name makes every user a new one. */
  provider?: string
  /** Seconds until one has to sign in there again, 300 to 90 days. Default a day. */
  signInLifetime?: number
}

/** Where the provider sends the browser back to; to be registered there. */
export const callbackPath = '/sign-in/callback'
const cookie = 'gh_openid'
/** How long a person may take to sign in there, in milliseconds. */
const patience = 30 * 60_000
/** Sign-ins a browser may have under way: headers that hold many more cookies are refused. */
const mostUnderWay = 8

/** A sign-in under way, sealed in the browser's own cookie. */
interface UnderWay extends Begun {
  returnTo: string
  until: number
}

/**
 * Accounts of one OpenID provider: a user who is not signed in is sent there, by code, PKCE, `state` and `nonce`, and comes back
 * to `{issuer}/sign-in/callback`. The account is (provider, issuer, subject of the ID token); `auth_time`, `acr` and `amr`
 * are the provider's own, so that `prompt=login`, `max_age` and `acr_values` reach it and are judged by what it answers.
 * Throws `ConfigError` with every problem at once.
 */
export function openidAccounts(options: OpenidAccountsOptions): (context: AccountsContext) => Accounts {
  const lifetime = options.signInLifetime ?? 86_400
  checkOptions({ ...options, signInLifetime: lifetime })
  const provider = options.provider ?? 'openid'
  return (context) => {
    const { settings, secrets, now } = context
    const signIns = openSignIns(context, provider, lifetime * 1_000)
    const pages = accountPages(context, signIns, undefined, 'provider')
    const upstream = openidProvider(options, settings.issuer + callbackPath, now)

    /** Several tabs may be under way, each with a cookie of its own. */
    const cookieOf = (state: string) => `${cookie}_${sha256(state).slice(0, 8)}`

    const signInPage = pageRoute(context, paths.signIn, {
      async GET(request) {
        const returnTo = returnAddress(settings, queryParameter(request, 'return_to'))
        const loginHint = queryParameter(request, 'login_hint')
        const acrValues = queryParameter(request, 'acr_values')
        const { location, begun } = await upstream.begin({
          maxAge: lifetime,
          again: queryParameter(request, 'again') !== undefined,
          ...(loginHint === undefined ? {} : { loginHint: loginHint.slice(0, 254) }),
          ...(acrValues === undefined ? {} : { acrValues: acrValues.slice(0, 1_000) }),
        })
        const underWay: UnderWay = {
          ...begun,
          returnTo: returnTo ?? settings.issuer + paths.account,
          until: now() + patience,
        }
        const name = cookieOf(begun.state)
        const sealed = secrets.seal(JSON.stringify(underWay), name)
        const { secure, base } = settings
        const left = oldest(request).map((one) => writeCookie(one, '', { secure, base, maxAge: 0 }))
        return seeOther(location, {
          'set-cookie': [writeCookie(name, sealed, { secure, base, maxAge: patience / 1_000 }), ...left],
        })
      },
    })

    const callbackPage = pageRoute(context, callbackPath, {
      async GET(request) {
        const underWay = readUnderWay(request)
        if (!underWay)
          return refuse('provider_answer_unexpected', {}, { again: settings.issuer + paths.signIn })
        const url = new URL(`${settings.issuer}${callbackPath}?${request.search}`)
        const claims = await upstream.finish(url, underWay, lifetime)
        const done = writeCookie(cookieOf(underWay.state), '', {
          secure: settings.secure,
          base: settings.base,
          maxAge: 0,
        })
        if ('error' in claims && typeof claims.error === 'string' && !('sub' in claims)) {
          context.log.warn('sign-in at the provider failed', { provider, error: told(claims.error) })
          return notSignedIn(underWay, claims.error, done)
        }
        const account = accountOf(claims as Record<string, unknown> & { sub: string })
        const user = await resolveUser(context, account)
        const disabled = () =>
          refuse(
            'account_disabled',
            { user: user.id },
            { headers: { 'set-cookie': done }, again: again(underWay) },
          )
        if (user.disabled_at !== null) return disabled()
        const setCookie = await signIns.begin(request, user.id, {
          ...account,
          authTime: account.authTime ?? null,
        })
        if (setCookie === undefined) return disabled()
        return seeOther(underWay.returnTo, { 'set-cookie': [setCookie, done] })
      },
    })

    /** Cookies of those that were begun first and must make room; browsers name them in that order (RFC 6265 §5.4). */
    function oldest(request: Incoming): string[] {
      const first = cookieName(`${cookie}_`, settings)
      const pairs = (request.header('cookie') ?? '').split(';').map((pair) => pair.trim())
      const names = pairs.filter((pair) => pair.startsWith(first)).map((pair) => pair.split('=')[0]!)
      const plain = names.map((name) => name.slice(first.length - cookie.length - 1))
      return plain.slice(0, Math.max(0, plain.length - mostUnderWay + 1))
    }

    function readUnderWay(request: Incoming): UnderWay | undefined {
      const state = queryParameter(request, 'state')
      if (state === undefined) return undefined
      const name = cookieOf(state)
      const sealed = readCookie(request, cookieName(name, settings))
      if (sealed === undefined) return undefined
      try {
        const found = JSON.parse(secrets.open(sealed, name)) as UnderWay
        return found.state === state && found.until > now() ? found : undefined
      } catch {
        return undefined
      }
    }

    /** The provider is asked anew, perhaps for another account. */
    const again = ({ returnTo }: Pick<UnderWay, 'returnTo'>) =>
      `${settings.issuer}${paths.signIn}?${new URLSearchParams({ return_to: returnTo, again: '1' })}`

    /** Who gave up goes back to the client that waits; everything else is said on a page. */
    async function notSignedIn(
      { returnTo }: UnderWay,
      error: string,
      done: string,
    ): Promise<Answer | Refusal> {
      const waiting = await context.waitingFor(returnTo)
      if (error === 'access_denied' && waiting) return seeOther(waiting.cancelUrl, { 'set-cookie': done })
      const reason = error === 'access_denied' ? 'provider_denied' : 'provider_failed'
      return refuse(reason, {}, { headers: { 'set-cookie': done }, again: again({ returnTo }) })
    }

    function accountOf(claims: Record<string, unknown> & { sub: string }): Account {
      const amr = Array.isArray(claims['amr']) ? claims['amr'].filter((one) => typeof one === 'string') : []
      const name = textOf(claims['name']) ?? textOf(claims['preferred_username'])
      const [email, acr] = [textOf(claims['email']), textOf(claims['acr'])]
      return {
        provider,
        issuer: options.issuer,
        subject: claims.sub,
        authTime: timeOf(claims['auth_time']),
        ...(acr === undefined ? {} : { acr }),
        ...(amr.length === 0 ? {} : { amr }),
        ...(name === undefined ? {} : { name }),
        ...(email === undefined ? {} : { email }),
      }
    }

    return {
      authority: { provider, issuer: options.issuer },
      async authenticate(request, ask) {
        const answer = await pages.authenticate(request, ask)
        if (!isResponse(answer)) return answer
        const location = new URL(answer.headers.get('location')!)
        if (ask.notBefore !== undefined) location.searchParams.set('again', '1')
        if (ask.acrValues?.length) location.searchParams.set('acr_values', ask.acrValues.join(' '))
        const headers = new Headers(answer.headers)
        headers.set('location', location.href)
        return new Response(null, { status: 303, headers })
      },
      keepsSignIns: true,
      signOut: pages.signOut,
      switchUrl: (returnTo) => `${pages.switchUrl(returnTo)}&again=1`,
      routes: [signInPage, callbackPage, pages.page, pages.signOutPage],
    }
  }
}

function checkOptions(options: OpenidAccountsOptions & { signInLifetime: number }): void {
  const problems: ConfigProblem[] = []
  const problem = (name: string, given: unknown, allowed: string, example?: string) =>
    problems.push({ path: `openidAccounts.${name}`, given, allowed, example })
  if (!isSafeUrl(options.issuer) || /[?#]/.test(options.issuer)) {
    const allowed =
      'the issuer exactly as its metadata names it: https (http on loopback only), no query or fragment'
    problem('issuer', options.issuer, allowed, "'https://accounts.example.com'")
  }
  if (typeof options.clientId !== 'string' || options.clientId === '')
    problem('clientId', options.clientId, 'the client id the provider gave')
  if (
    options.clientSecret !== undefined &&
    (typeof options.clientSecret !== 'string' || options.clientSecret === '')
  )
    problems.push({
      path: 'openidAccounts.clientSecret',
      allowed: 'the secret the provider gave, or nothing for a public client',
    })
  const methods = ['client_secret_basic', 'client_secret_post']
  if (options.tokenEndpointAuthMethod !== undefined && !methods.includes(options.tokenEndpointAuthMethod))
    problem('tokenEndpointAuthMethod', options.tokenEndpointAuthMethod, methods.join(', '))
  if (options.scope !== undefined && !options.scope.split(' ').includes('openid'))
    problem('scope', options.scope, 'scopes separated by spaces, openid among them', "'openid profile email'")
  if (options.provider !== undefined && !/^[a-z][a-z0-9-]{0,63}$/.test(options.provider))
    problem('provider', options.provider, 'a word of lower-case letters, digits and dashes', "'openid'")
  const seconds = options.signInLifetime
  if (!Number.isInteger(seconds) || seconds < 300 || seconds > 90 * 86_400)
    problem('signInLifetime', seconds, `a whole number of seconds from 300 to ${90 * 86_400}`)
  if (problems.length > 0) throw new ConfigError(problems)
}
