import { ConfigError, type ConfigProblem } from '../config-error.ts'
import { type Answer, type Incoming, seeOther } from '../http/message.ts'
import { isResponse } from '../http/web.ts'
import { developmentSignInPage } from '../pages/development-sign-in.ts'
import type { Account, Accounts, AccountsContext, Ask } from './account.ts'
import { accountPages, paths, queryParameter } from './account-pages.ts'
import { pageRoute, readPosted, showForms } from './page-forms.ts'
import { type Refusal, refuse } from './refusals.ts'
import { returnAddress } from './return-to.ts'
import { openSignIns } from './sign-ins.ts'
import { resolveUser } from './users.ts'

export interface DevelopmentAccountsOptions {
  /** Whom one may sign in as. `subject` becomes `sub` in tokens. */
  accounts: readonly { subject: string; name: string; email?: string }[]
}

const provider = 'development'
const day = 86_400_000

/**
 * Sign-in by choosing one of a few made-up people, for development, and where `authentication.acrValues` names some also how
 * strongly. It answers on this computer only, and throws
 * `ConfigError` where the issuer is not on loopback or NODE_ENV is production.
 */
export function developmentAccounts(
  options: DevelopmentAccountsOptions,
): (context: AccountsContext) => Accounts {
  const accounts = checkAccounts(options)
  return (context) => {
    refuseElsewhere(context)
    const { settings } = context
    const signIns = openSignIns(context, provider, day)
    const pages = accountPages(context, signIns)
    const purpose = (returnTo: string | undefined) => `choose an account ${returnTo ?? ''}`

    const { acrValues } = settings.authentication
    const again = (returnTo: string | undefined) =>
      settings.issuer +
      paths.signIn +
      (returnTo === undefined ? '' : `?${new URLSearchParams({ return_to: returnTo })}`)

    async function show(
      request: Incoming,
      returnTo: string | undefined,
      { status, acr }: { status?: number; acr?: string } = {},
    ): Promise<Answer> {
      const waiting = returnTo === undefined ? undefined : await context.waitingFor(returnTo)
      return showForms(
        context,
        request,
        (token) =>
          developmentSignInPage(context.frame(), {
            action: settings.base + paths.signIn,
            hidden: {
              form_token: token(purpose(returnTo)),
              ...(returnTo === undefined ? {} : { return_to: returnTo }),
            },
            accounts: [...accounts.values()],
            ...(acrValues.length > 0 && { acr: { values: [...acrValues], chosen: acr ?? acrValues[0]! } }),
            ...(waiting && { client: waiting.client }),
            leaves: returnTo !== undefined,
          }),
        status === undefined ? {} : { status },
      )
    }

    const signInPage = pageRoute(context, paths.signIn, {
      async GET(request) {
        const asked = queryParameter(request, 'acr_values')?.split(' ') ?? []
        const acr = asked.find((one) => acrValues.includes(one))
        return show(request, returnAddress(settings, queryParameter(request, 'return_to')), { acr })
      },
      async POST(request) {
        const posted = await readPosted(context, request)
        if (!('form' in posted)) return posted
        const returnTo = returnAddress(settings, posted.form.get('return_to'))
        const account = accounts.get(posted.form.get('subject') ?? '')
        const acr = acrValues.find((one) => one === posted.form.get('acr'))
        if (!account || !posted.ours(purpose(returnTo)))
          return show(request, returnTo, { status: account ? 403 : 422, acr })
        const user = await resolveUser(context, account)
        const disabled = () => refuse('account_disabled', { user: user.id }, { again: again(returnTo) })
        if (user.disabled_at !== null) return disabled()
        const setCookie = await signIns.begin(request, user.id, acr === undefined ? {} : { acr })
        if (setCookie === undefined) return disabled()
        return seeOther(returnTo ?? settings.issuer + paths.account, { 'set-cookie': setCookie })
      },
    })

    return {
      async authenticate(request, ask) {
        const answer = await pages.authenticate(request, ask)
        if (answer === null || isResponse(answer)) return askFor(answer, ask)
        // A person who was taken out of the configuration is signed out with it.
        const stays = accounts.has(answer.subject) && isEnough(answer, ask)
        return stays ? answer : askFor(await pages.authenticate(new Request(request.url), ask), ask)
      },
      keepsSignIns: true,
      claimNames: ['preferred_username', 'email_verified'],
      claims(subject, scopes) {
        const account = accounts.get(subject)
        return {
          ...(scopes.includes('profile') ? { preferred_username: subject } : {}),
          ...(scopes.includes('email') && account?.email !== undefined ? { email_verified: true } : {}),
        }
      },
      signOut: pages.signOut,
      switchUrl: pages.switchUrl,
      routes: [
        { ...signInPage, run: (request) => hereOnly(request) ?? signInPage.run(request) },
        pages.page,
        pages.signOutPage,
      ],
    }
  }
}

/** The developer chooses how strongly they are signed in, so that step-up can be tried. */
function isEnough(account: Account, { acrValues = [] }: Ask): boolean {
  return acrValues.length === 0 || (account.acr !== undefined && acrValues.includes(account.acr))
}

/** Hands what is asked for on to the page where it is chosen. */
function askFor<Answer extends Account | Response | null>(
  answer: Answer,
  { acrValues = [] }: Ask,
): Answer | Response {
  if (!isResponse(answer) || acrValues.length === 0) return answer
  const location = new URL(answer.headers.get('location')!)
  location.searchParams.set('acr_values', acrValues.join(' '))
  const headers = new Headers(answer.headers)
  headers.set('location', location.href)
  return new Response(null, { status: 303, headers })
}

/** A name that resolves to this computer, or a tunnel to it, would let others choose an account. */
function hereOnly(request: Incoming): Refusal | undefined {
  const host = (request.header('host') ?? new URL(request.request().url).host).replace(/:\d+$/, '')
  const here = host === 'localhost' || host === '127.0.0.1' || host === '[::1]'
  const forwarded = request.header('forwarded') ?? request.header('x-forwarded-for')
  return here && forwarded === undefined ? undefined : refuse('sign_in_elsewhere')
}

function refuseElsewhere({ settings }: AccountsContext): void {
  const problems: ConfigProblem[] = []
  const example = 'localAccounts()'
  if (!settings.loopback) {
    problems.push({
      path: 'accounts',
      given: `developmentAccounts with issuer ${settings.issuer}`,
      allowed: 'developmentAccounts only where the issuer is on localhost, 127.0.0.1 or [::1]',
      example,
    })
  }
  if (process.env['NODE_ENV'] === 'production') {
    problems.push({
      path: 'accounts',
      given: 'developmentAccounts with NODE_ENV=production',
      allowed: 'any accounts but developmentAccounts, which ask no password',
      example,
    })
  }
  if (problems.length > 0) throw new ConfigError(problems)
}

function checkAccounts({ accounts }: DevelopmentAccountsOptions): Map<string, Account & { name: string }> {
  const problems: ConfigProblem[] = []
  const bySubject = new Map<string, Account & { name: string }>()
  if (!Array.isArray(accounts) || accounts.length === 0) {
    const example = "[{ subject: 'ann', name: 'Ann' }]"
    problems.push({
      path: 'developmentAccounts.accounts',
      given: accounts,
      allowed: 'at least one account',
      example,
    })
  }
  for (const [n, account] of (Array.isArray(accounts) ? accounts : []).entries()) {
    const { subject, name, email } = account
    const path = `developmentAccounts.accounts[${n}]`
    if (typeof subject !== 'string' || !/^[\x21-\x7e]{1,255}$/.test(subject) || bySubject.has(subject)) {
      const allowed = '1 to 255 visible ASCII characters that no other account has'
      problems.push({ path: `${path}.subject`, given: subject, allowed, example: 'ann' })
    }
    if (typeof name !== 'string' || name.trim() === '') {
      problems.push({ path: `${path}.name`, given: name, allowed: 'a name', example: 'Ann' })
    }
    bySubject.set(subject, { provider, issuer: '', subject, name, ...(email === undefined ? {} : { email }) })
  }
  if (problems.length > 0) throw new ConfigError(problems)
  return bySubject
}
