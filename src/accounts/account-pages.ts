import { parseForm } from '../http/forms.ts'
import { type Answer, type Incoming, seeOther } from '../http/message.ts'
import type { Route } from '../http/route.ts'
import { accountPage } from '../pages/account.ts'
import { answerPage } from '../pages/page.ts'
import { signedOutPage } from '../pages/signed-out.ts'
import type { AccountView } from '../pages/views.ts'
import { type Accounts, type AccountsContext, type Authenticate, authenticationIsRecent } from './account.ts'
import { pageRoute, readPosted, showForms } from './page-forms.ts'
import type { SignInRow } from './records/sign-ins.ts'
import { refuse } from './refusals.ts'
import type { SignIns } from './sign-ins.ts'

export const paths = {
  signIn: '/sign-in',
  signUp: '/sign-up',
  signOut: '/sign-out',
  account: '/account',
  password: '/account/password',
  setPassword: '/set-password',
} as const

export type ChangePasswordView = NonNullable<AccountView['changePassword']>
/** Makes the change-password part of the account page. */
export type ChangePasswordForm = (
  request: Incoming,
  row: SignInRow,
  token: (purpose: string) => string,
) => ChangePasswordView

/** The seam and the account pages of every adapter whose sign-in pages are ours. */
export interface AccountPages {
  authenticate: Authenticate
  signOut: NonNullable<Accounts['signOut']>
  switchUrl: NonNullable<Accounts['switchUrl']>
  page: Route
  signOutPage: Route
  /** The account page; `problem` goes into its change-password form. */
  show(
    request: Incoming,
    row: SignInRow,
    problem?: { status: number; retryAfter?: number; error: string; field: 'current' | 'new' },
  ): Promise<Answer>
}

export function accountPages(
  context: AccountsContext,
  signIns: SignIns,
  changePassword?: ChangePasswordForm,
  clock: 'ours' | 'provider' = 'ours',
): AccountPages {
  const { settings, now } = context
  const url = (path: string) => settings.base + path
  const signOutPurpose = (row: SignInRow) => `sign out ${row.id}`

  const show: AccountPages['show'] = async (request, row, problem) => {
    const list = await signIns.ofUser(row.user_id)
    const name = row.name ?? row.login ?? row.subject
    return showForms(
      context,
      request,
      (token) => {
        const form = changePassword?.(request, row, token)
        return accountPage(context.frame({ name, ...(row.email === null ? {} : { email: row.email }) }), {
          name,
          login: row.login ?? row.email ?? row.subject,
          ...(form && {
            changePassword: problem
              ? { ...form, error: problem.error, field: problem.field, changed: false }
              : form,
          }),
          signIns: list.map((one) => ({
            current: one.id === row.id,
            address: one.ip_address ?? '',
            userAgent: one.user_agent ?? '',
            at: one.created_at,
          })),
          signOut: { action: url(paths.signOut), hidden: { form_token: token(signOutPurpose(row)) } },
          connectedAppsUrl: url('/account/apps'),
        })
      },
      problem,
    )
  }

  return {
    show,

    async authenticate(request, ask) {
      const headers = { header: (name: string) => request.headers.get(name) ?? undefined }
      const row = await signIns.find(headers)
      if (row && authenticationIsRecent(ask, row.auth_time, now(), clock)) return signIns.accountOf(row)
      // A provider that did not say when cannot say it after another sign-in either: the client hears login_required.
      if (!ask.interactive || row?.auth_time === 0) return null
      const query = new URLSearchParams({ return_to: ask.returnTo })
      // A user who has to sign in again is most likely the same person, unless another was asked for.
      const again = ask.prompt.includes('select_account') ? undefined : row?.login
      const hint = ask.loginHint ?? again
      if (hint) query.set('login_hint', hint.slice(0, 254))
      return new Response(null, {
        status: 303,
        headers: {
          location: `${settings.issuer}${paths.signIn}?${query}`,
          'cache-control': 'no-store',
          'referrer-policy': 'no-referrer',
        },
      })
    },

    async signOut(request, returnTo) {
      const headers = { header: (name: string) => request.headers.get(name) ?? undefined, address: '' }
      const setCookie = await signIns.end(headers)
      return new Response(null, {
        status: 303,
        headers: {
          location: returnTo,
          'set-cookie': setCookie,
          'cache-control': 'no-store',
          'referrer-policy': 'no-referrer',
        },
      })
    },

    // Signed-in users see the sign-in page too; the new sign-in replaces the old one.
    switchUrl: (returnTo) => `${url(paths.signIn)}?${new URLSearchParams({ return_to: returnTo })}`,

    page: pageRoute(context, paths.account, {
      async GET(request) {
        const row = await signIns.find(request)
        return row ? show(request, row) : seeOther(signInAddress(context, paths.account))
      },
    }),

    signOutPage: pageRoute(context, paths.signOut, {
      async GET(request) {
        if (await signIns.find(request)) return seeOther(settings.issuer + paths.account)
        return answerPage(signedOutPage(context.frame(), { signInUrl: url(paths.signIn) }))
      },
      async POST(request) {
        const posted = await readPosted(context, request)
        if (!('form' in posted)) return posted
        const row = await signIns.find(request)
        if (row && !posted.ours(signOutPurpose(row)))
          return refuse('form_expired', {}, { again: settings.issuer + paths.account })
        const setCookie = await signIns.end(request)
        return seeOther(settings.issuer + paths.signOut, { 'set-cookie': setCookie })
      },
    }),
  }
}

/** The sign-in page, which then returns to a page of ours. */
export function signInAddress(context: AccountsContext, path: string): string {
  const { issuer } = context.settings
  return `${issuer}${paths.signIn}?${new URLSearchParams({ return_to: issuer + path })}`
}

/** One parameter of the query, or undefined. */
export function queryParameter(request: Incoming, name: string): string | undefined {
  return parseForm(request.search)?.get(name)
}
