// NIST SP 800-63B-4 §3.1.1.2; RFC 9700 §4.12: making a local account.
import { timeOrderedId } from '../../crypto/ids.ts'
import { recordEvent } from '../../events/record.ts'
import { type Answer, type Incoming, seeOther } from '../../http/message.ts'
import type { Route } from '../../http/route.ts'
import { safeText } from '../../pages/safe-text.ts'
import { plainSentence } from '../../pages/sentences.ts'
import { signUpPage } from '../../pages/sign-up.ts'
import type { SignUpView } from '../../pages/views.ts'
import { paths, queryParameter } from '../account-pages.ts'
import { pageRoute, readPosted, showForms } from '../page-forms.ts'
import { findLocalAccount, type LocalAccountRow, signUp } from '../records/local-accounts.ts'
import { returnAddress } from '../return-to.ts'
import { originOf } from '../sign-ins.ts'
import { passwordError } from './change-password.ts'
import { QueueFull } from './fair-queue.ts'
import { askingFor, type LocalContext, provider, withPassword } from './local-context.ts'
import { canonicalLogin, emailOf, isLogin, longestLogin } from './login.ts'
import { passwordProblem } from './password.ts'

interface Shown {
  returnTo: string | undefined
  name: string
  login: string
  problem?: { status: number; error: string; field?: SignUpView['field']; retryAfter?: number }
}

export function signUpPages(context: LocalContext): Route {
  const { settings, signIns, passwords, attempts, devices, options } = context
  const purpose = (returnTo: string | undefined) => `sign up ${returnTo ?? ''}`

  async function show(request: Incoming, { returnTo, problem, ...fields }: Shown): Promise<Answer> {
    const waiting = returnTo === undefined ? undefined : await context.waitingFor(returnTo)
    const next = returnTo === undefined ? '' : `?${new URLSearchParams({ return_to: returnTo })}`
    return showForms(
      context,
      request,
      (token) =>
        signUpPage(context.frame(), {
          action: settings.base + paths.signUp,
          hidden: {
            form_token: token(purpose(returnTo)),
            ...(returnTo === undefined ? {} : { return_to: returnTo }),
          },
          ...fields,
          ...(problem && { error: problem.error, ...(problem.field && { field: problem.field }) }),
          signInUrl: settings.base + paths.signIn + next,
          ...(waiting && { client: waiting.client }),
          leaves: returnTo !== undefined,
          minimumPasswordLength: options.minimumPasswordLength,
        }),
      problem,
    )
  }

  return pageRoute(context, paths.signUp, {
    async GET(request) {
      const returnTo = returnAddress(settings, queryParameter(request, 'return_to'))
      const login = queryParameter(request, 'login_hint')?.slice(0, longestLogin) ?? ''
      return show(request, { returnTo, name: '', login })
    },

    async POST(request) {
      const posted = await readPosted(context, request)
      if (!('form' in posted)) return posted
      const { form, ours } = posted
      const frame = context.frame()
      const returnTo = returnAddress(settings, form.get('return_to'))
      const name = safeText(form.get('name') ?? '')
      const login = canonicalLogin(form.get('login') ?? '')
      const password = form.get('password') ?? ''
      const refuse = (problem: NonNullable<Shown['problem']>) =>
        show(request, { returnTo, name, login: login.slice(0, longestLogin), problem })
      const wrong = (field: SignUpView['field'], key: Parameters<typeof plainSentence>[1]) =>
        refuse({ status: 422, error: plainSentence(frame, key), field })

      if (!ours(purpose(returnTo)))
        return refuse({ status: 403, error: plainSentence(frame, 'form.expired') })
      if (name === '') return wrong('name', 'sign_up.name_missing')
      if (!isLogin(login)) return wrong('login', 'sign_up.login_invalid')
      const weak = passwordProblem(password, options.minimumPasswordLength, [
        login,
        name,
        frame.branding.name,
        new URL(settings.issuer).hostname,
      ])
      if (weak) {
        const error = passwordError(frame, weak, options.minimumPasswordLength)
        return refuse({ status: 422, error, field: 'password' })
      }
      const limited = await attempts.limitNetwork(request, 'sign-up')
      if (limited) return refuse({ status: 429, error: plainSentence(frame, 'sign_in.too_many'), ...limited })
      const enter = (setCookie: string, account: { user_id: string; password_hash: string }) =>
        seeOther(returnTo ?? settings.issuer + paths.account, {
          'set-cookie': [setCookie, devices.remember(request, account)],
        })
      /** Sent again, by a second click say: with its password the account that was just made is its maker's. */
      const taken = async (account: LocalAccountRow): Promise<Answer> => {
        const { user_id, password_hash, disabled_at } = account
        const device = devices.deviceOf(request, account)
        const passed =
          disabled_at === null &&
          (await attempts.check(request, { login, device }, () =>
            passwords.fits(askingFor(context, request, login), password, password_hash),
          ))
        if (passed === false && disabled_at === null) {
          const facts = { provider, reason: 'password_wrong' }
          await recordEvent(context, 'sign_in_failed', { userId: user_id, ...originOf(request) }, facts)
        }
        const setCookie =
          passed === true
            ? await signIns.begin(request, user_id, { ...withPassword, checkedHash: password_hash })
            : undefined
        return setCookie === undefined ? wrong('login', 'sign_up.login_taken') : enter(setCookie, account)
      }
      try {
        const known = await context.db.one(findLocalAccount, { login })
        if (known) return await taken(known)
        const password_hash = await passwords.hash(askingFor(context, request, login), password)
        const { input, setCookie } = await signIns.prepare(
          request,
          `usr_${timeOrderedId(context.now())}`,
          'sign_up',
          withPassword,
        )
        try {
          await context.db.write(signUp, {
            ...input,
            provider,
            name,
            login,
            email: emailOf(login),
            password_hash,
          })
        } catch (error) {
          // Somebody else took the login meanwhile; anything else is a fault.
          const faster = await context.db.one(findLocalAccount, { login })
          if (faster) return await taken(faster)
          throw error
        }
        return enter(setCookie, { user_id: input.user_id, password_hash })
      } catch (error) {
        if (!(error instanceof QueueFull)) throw error
        const { retryAfter } = error
        return refuse({ status: 503, error: plainSentence(frame, 'sign_in.busy'), retryAfter })
      }
    },
  })
}
