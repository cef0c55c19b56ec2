// NIST SP 800-63B-4 §3.1.1.2, §4.2: the page behind a password link. Only its form spends the link: mail scanners and chats
// open every link they see.
import { readToken, type StoredToken } from '../../crypto/tokens.ts'
import { eventInput } from '../../events/append.ts'
import { browserOf, formToken, formTokenIsValid } from '../../http/csrf.ts'
import { type Answer, type Incoming, seeOther } from '../../http/message.ts'
import type { Route } from '../../http/route.ts'
import { passwordSetPage, setPasswordPage } from '../../pages/account.ts'
import { answerPage } from '../../pages/page.ts'
import { plainSentence } from '../../pages/sentences.ts'
import { paths, queryParameter } from '../account-pages.ts'
import { pageRoute, readPosted, showForms } from '../page-forms.ts'
import { findPasswordLink, type PasswordLinkRow, setPassword } from '../records/password-links.ts'
import { type Refusal, refuse as refuseRequest } from '../refusals.ts'
import { originOf } from '../sign-ins.ts'
import { passwordError } from './change-password.ts'
import { QueueFull } from './fair-queue.ts'
import { askingFor, type LocalContext, provider } from './local-context.ts'
import { passwordProblem } from './password.ts'

/** Vouches to this browser that a password was set in it, so that no link can claim it was. */
const done = 'password set'

export function setPasswordPages(context: LocalContext): Route {
  const { db, settings, secrets, attempts, passwords, devices, options } = context
  const action = settings.base + paths.setPassword
  const signInUrl = `${settings.base}${paths.signIn}?${new URLSearchParams({ return_to: settings.issuer + paths.account })}`
  /** The sign-in page also says whom to ask for a new link. */
  const again = settings.origin + signInUrl
  const purpose = ({ id }: StoredToken) => `set password ${id}`

  /** One answer for links that never were, were used, ran out or were replaced, and for users who were disabled. */
  const expired = () => refuseRequest('password_link_unknown', {}, { again })

  async function opened(
    request: Incoming,
    token: string | undefined,
  ): Promise<{ link: StoredToken; row: PasswordLinkRow } | Refusal> {
    const link = token === undefined ? undefined : readToken('gh_pl', token)
    if (!link) return expired()
    const limited = await attempts.blockedNetwork(request, 'password link')
    if (limited) return refuseRequest('too_many_password_links', {}, { ...limited, again })
    const row = await db.one(findPasswordLink, { ...link, now: context.now() })
    if (row) return { link, row }
    await attempts.limitNetwork(request, 'password link')
    return expired()
  }

  function show(
    request: Incoming,
    { link, row }: { link: StoredToken; row: PasswordLinkRow },
    token: string,
    problem?: { status: number; error: string; retryAfter?: number },
  ): Answer {
    return showForms(
      context,
      request,
      (tokenFor) =>
        setPasswordPage(context.frame(), {
          action,
          hidden: { form_token: tokenFor(purpose(link)), token },
          login: row.login,
          minimumPasswordLength: options.minimumPasswordLength,
          ...(problem && { error: problem.error }),
        }),
      problem,
    )
  }

  return pageRoute(context, paths.setPassword, {
    async GET(request) {
      const proof = queryParameter(request, 'done')
      if (proof !== undefined && formTokenIsValid(secrets, request, settings, done, proof)) {
        return answerPage(passwordSetPage(context.frame(), { signInUrl }))
      }
      const token = queryParameter(request, 'token')
      const found = await opened(request, token)
      return 'row' in found ? show(request, found, token!) : found
    },

    async POST(request) {
      const posted = await readPosted(context, request)
      if (!('form' in posted)) return posted
      const { form, ours } = posted
      const token = form.get('token')
      const found = await opened(request, token)
      if (!('row' in found)) return found
      const { link, row } = found
      const frame = context.frame()
      const refuse = (status: number, error: string, retryAfter?: number) =>
        show(request, found, token!, { status, error, ...(retryAfter === undefined ? {} : { retryAfter }) })
      if (!ours(purpose(link))) return refuse(403, plainSentence(frame, 'form.expired'))
      const wanted = form.get('new_password') ?? ''
      const known = [row.login, row.name ?? '', frame.branding.name, new URL(settings.issuer).hostname]
      const weak = passwordProblem(wanted, options.minimumPasswordLength, known)
      if (weak) return refuse(422, passwordError(frame, weak, options.minimumPasswordLength))
      let new_hash: string
      try {
        new_hash = await passwords.hash(askingFor(context, request, row.login), wanted)
      } catch (error) {
        if (!(error instanceof QueueFull)) throw error
        return refuse(503, plainSentence(frame, 'sign_in.busy'), error.retryAfter)
      }
      const now = context.now()
      const set = await db.write(setPassword, {
        id: row.user_id,
        link_id: link.id,
        link_hash: link.hash,
        new_hash,
        now,
        ...eventInput(now, 'password_set', { userId: row.user_id, ...originOf(request) }, { provider }),
      })
      if (set.length === 0) return expired()
      const proof = formToken(secrets, browserOf(request, settings), done)
      return seeOther(`${settings.issuer}${paths.setPassword}?${new URLSearchParams({ done: proof })}`, {
        'set-cookie': devices.remember(request, { user_id: row.user_id, password_hash: new_hash }),
      })
    },
  })
}
