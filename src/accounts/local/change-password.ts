// NIST SP 800-63B-4 §3.1.1.2: changing the password of a local account.
import { recordEvent } from '../../events/record.ts'
import { seeOther } from '../../http/message.ts'
import type { Route } from '../../http/route.ts'
import { plainSentence } from '../../pages/sentences.ts'
import type { Frame } from '../../pages/views.ts'
import {
  type AccountPages,
  type ChangePasswordForm,
  paths,
  queryParameter,
  signInAddress,
} from '../account-pages.ts'
import { pageRoute, readPosted } from '../page-forms.ts'
import { changePassword, findLocalAccount } from '../records/local-accounts.ts'
import type { SignInRow } from '../records/sign-ins.ts'
import { refuse as refuseRequest } from '../refusals.ts'
import { originOf } from '../sign-ins.ts'
import { QueueFull } from './fair-queue.ts'
import { askingFor, type LocalContext, withPassword } from './local-context.ts'
import { longestPassword, type PasswordProblem, passwordProblem } from './password.ts'

export function passwordError(frame: Frame, problem: PasswordProblem, minimum: number): string {
  return plainSentence(frame, `password.${problem}`, {
    minimum: String(minimum),
    maximum: String(longestPassword),
  })
}

export function passwordPages(context: LocalContext): {
  form: ChangePasswordForm
  change(show: AccountPages['show']): Route
} {
  const { settings, signIns, passwords, attempts, devices, options, secrets } = context
  const purpose = (row: SignInRow) => `change password ${row.id}`
  /** Vouches that the password was just changed, so that no link can claim it was. */
  const notice = (signInId: string) => `password changed ${signInId}`

  return {
    form(request, row, token) {
      const changed = queryParameter(request, 'changed')
      return {
        action: settings.base + paths.password,
        hidden: { form_token: token(purpose(row)) },
        changed: changed !== undefined && secrets.verifies('form token', notice(row.id), changed),
        minimumPasswordLength: options.minimumPasswordLength,
      }
    },

    change: (show) =>
      pageRoute(context, paths.password, {
        GET: async () => seeOther(settings.issuer + paths.account),
        async POST(request) {
          const posted = await readPosted(context, request)
          if (!('form' in posted)) return posted
          const { form, ours } = posted
          const row = await signIns.find(request)
          const account =
            row?.login == null ? undefined : await context.db.one(findLocalAccount, { login: row.login })
          if (!row || !account) return seeOther(signInAddress(context, paths.account))
          if (!ours(purpose(row)))
            return refuseRequest('form_expired', {}, { again: settings.issuer + paths.account })
          const frame = context.frame()
          const refuse = (status: number, error: string, field: 'current' | 'new', retryAfter?: number) =>
            show(request, row, { status, error, field, ...(retryAfter === undefined ? {} : { retryAfter }) })

          const wanted = form.get('new_password') ?? ''
          const known = [
            account.login,
            account.name ?? '',
            frame.branding.name,
            new URL(settings.issuer).hostname,
          ]
          const weak = passwordProblem(wanted, options.minimumPasswordLength, known)
          if (weak) return refuse(422, passwordError(frame, weak, options.minimumPasswordLength), 'new')
          try {
            const asking = askingFor(context, request, account.login)
            // Who is signed in here has proved more than a device cookie says.
            const attempt = { login: account.login, device: row.id }
            const passed = await attempts.check(request, attempt, () =>
              passwords.fits(asking, form.get('current_password') ?? '', account.password_hash),
            )
            if (typeof passed === 'object') {
              return refuse(429, plainSentence(frame, 'sign_in.too_many'), 'current', passed.retryAfter)
            }
            if (!passed) {
              const origin = { userId: row.user_id, ...originOf(request) }
              await recordEvent(context, 'sign_in_failed', origin, {
                provider: 'local',
                reason: 'password_wrong',
              })
              return refuse(422, plainSentence(frame, 'account.password_wrong'), 'current')
            }
            const new_hash = await passwords.hash(asking, wanted)
            const { input, setCookie } = await signIns.prepare(
              request,
              row.user_id,
              'password_changed',
              withPassword,
            )
            const old_hash = account.password_hash
            const changed = await context.db.write(changePassword, { ...input, old_hash, new_hash })
            if (changed.length === 0)
              return refuse(422, plainSentence(frame, 'account.password_wrong'), 'current')
            const proof = secrets.mac('form token', notice(input.sign_in_id))
            return seeOther(`${settings.issuer}${paths.account}?changed=${proof}`, {
              'set-cookie': [
                setCookie,
                devices.remember(request, { user_id: row.user_id, password_hash: new_hash }),
              ],
            })
          } catch (error) {
            if (!(error instanceof QueueFull)) throw error
            return refuse(503, plainSentence(frame, 'sign_in.busy'), 'current', error.retryAfter)
          }
        },
      }),
  }
}
