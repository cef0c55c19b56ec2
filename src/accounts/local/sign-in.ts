// RFC 6749 §10.13, RFC 9700 §4.12; NIST SP 800-63B-4 §3.1.1: the sign-in page of local accounts.
import { recordEvent } from '../../events/record.ts'
import { type Answer, type Incoming, seeOther } from '../../http/message.ts'
import type { Route } from '../../http/route.ts'
import { plainSentence } from '../../pages/sentences.ts'
import { signInPage } from '../../pages/sign-in.ts'
import { paths, queryParameter } from '../account-pages.ts'
import { pageRoute, readPosted, showForms } from '../page-forms.ts'
import { findLocalAccount } from '../records/local-accounts.ts'
import { returnAddress } from '../return-to.ts'
import { originOf } from '../sign-ins.ts'
import { QueueFull } from './fair-queue.ts'
import { helpFrom } from './help.ts'
import { askingFor, type LocalContext, withPassword } from './local-context.ts'
import { canonicalLogin, longestLogin } from './login.ts'

interface Shown {
  returnTo: string | undefined
  login: string
  problem?: {
    status: number
    error: 'sign_in.wrong' | 'sign_in.disabled' | 'sign_in.too_many' | 'sign_in.busy' | 'form.expired'
    retryAfter?: number
  }
}

export function signInPages(context: LocalContext): Route {
  const { settings, signIns, passwords, attempts, devices } = context
  const help = helpFrom(context.options.help) ?? {}
  const purpose = (returnTo: string | undefined) => `sign in ${returnTo ?? ''}`

  async function show(request: Incoming, { returnTo, login, problem }: Shown): Promise<Answer> {
    const waiting = returnTo === undefined ? undefined : await context.waitingFor(returnTo)
    const frame = context.frame()
    const next = returnTo === undefined ? '' : `?${new URLSearchParams({ return_to: returnTo })}`
    return showForms(
      context,
      request,
      (token) =>
        signInPage(frame, {
          action: settings.base + paths.signIn,
          hidden: {
            form_token: token(purpose(returnTo)),
            ...(returnTo === undefined ? {} : { return_to: returnTo }),
          },
          login,
          ...waiting,
          leaves: returnTo !== undefined,
          ...(problem && { error: plainSentence(frame, problem.error) }),
          help,
          ...(context.options.signUp && { signUpUrl: settings.base + paths.signUp + next }),
        }),
      problem,
    )
  }

  return pageRoute(context, paths.signIn, {
    async GET(request) {
      const returnTo = returnAddress(settings, queryParameter(request, 'return_to'))
      const login = queryParameter(request, 'login_hint')?.slice(0, longestLogin) ?? ''
      if (returnTo === undefined && (await signIns.find(request))) {
        return seeOther(settings.issuer + paths.account)
      }
      return show(request, { returnTo, login })
    },

    async POST(request) {
      const posted = await readPosted(context, request)
      if (!('form' in posted)) return posted
      const { form, ours } = posted
      const returnTo = returnAddress(settings, form.get('return_to'))
      const shown = { returnTo, login: form.get('login')?.slice(0, longestLogin) ?? '' }
      if (!ours(purpose(returnTo))) {
        return show(request, { ...shown, problem: { status: 403, error: 'form.expired' } })
      }
      const login = canonicalLogin(form.get('login') ?? '')
      const account = await context.db.one(findLocalAccount, { login })
      try {
        const device = account && devices.deviceOf(request, account)
        const passed = await attempts.check(request, { login, device }, () =>
          passwords.fits(
            askingFor(context, request, login),
            form.get('password') ?? '',
            account?.password_hash,
          ),
        )
        if (typeof passed === 'object') {
          const { retryAfter } = passed
          return show(request, { ...shown, problem: { status: 429, error: 'sign_in.too_many', retryAfter } })
        }
        if (!passed || !account) {
          // Never the login that was tried: people type their password there.
          const facts = { provider: 'local', reason: account ? 'password_wrong' : 'login_unknown' }
          const userId = account?.user_id ?? null
          await recordEvent(context, 'sign_in_failed', { userId, ...originOf(request) }, facts)
          return show(request, { ...shown, problem: { status: 422, error: 'sign_in.wrong' } })
        }
      } catch (error) {
        if (!(error instanceof QueueFull)) throw error
        const { retryAfter } = error
        return show(request, { ...shown, problem: { status: 503, error: 'sign_in.busy', retryAfter } })
      }
      if (account.disabled_at !== null) {
        const origin = { userId: account.user_id, ...originOf(request) }
        await recordEvent(context, 'sign_in_failed', origin, { provider: 'local', reason: 'user_disabled' })
        return show(request, { ...shown, problem: { status: 403, error: 'sign_in.disabled' } })
      }
      const setCookie = await signIns.begin(request, account.user_id, {
        ...withPassword,
        checkedHash: account.password_hash,
      })
      // Disabled meanwhile, or with a password that was just replaced.
      if (setCookie === undefined)
        return show(request, { ...shown, problem: { status: 422, error: 'sign_in.wrong' } })
      return seeOther(returnTo ?? settings.issuer + paths.account, {
        'set-cookie': [setCookie, devices.remember(request, account)],
      })
    },
  })
}
