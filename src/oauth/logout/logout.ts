// OpenID Connect RP-Initiated Logout §2, §2.1, §3, §4, §6: a client sends its user here to be signed out. Without proof that it
// is the client's user, the user is asked; no redirect leads to an unregistered address.

import { endSignedOut } from '../../accounts/sign-outs.ts'
import { recordEvent } from '../../events/record.ts'
import { browserOf, formToken, formTokenIsValid } from '../../http/csrf.ts'
import { type Form, pairsOf } from '../../http/forms.ts'
import { type Answer, type Incoming, seeOther, withCookie } from '../../http/message.ts'
import { isResponse } from '../../http/web.ts'
import { told } from '../../log.ts'
import { answerPage } from '../../pages/page.ts'
import { signedOutPage, signOutPage } from '../../pages/signed-out.ts'
import { originOf } from '../../protocol/form-endpoint.ts'
import { paths } from '../../protocol/paths.ts'
import { isRefusal, type Refusal, refuse } from '../../protocol/refusals.ts'
import { readPageForm } from '../../protocol/request-body.ts'
import { withQuery } from '../authorization/authorization-response.ts'
import { isVouchedFor } from '../authorization/vouched-redirect.ts'
import type { Client } from '../clients/clients.ts'
import { subjectFor } from '../clients/pairwise-subject.ts'
import { mayRecord } from '../guards/pending-limits.ts'
import { type IdTokenHint, verifyIdTokenHint } from '../openid/id-token.ts'
import type { Server, User } from '../server.ts'

/** Vouches, on the way back from the sign-out, that it was made and where it leads. */
const doneParameter = 'gatehouse_signed_out'

/** What a client asks, as far as it holds. */
interface LogoutRequest {
  client: Client | undefined
  /** Whom the client says it is about, in an ID token of ours. */
  hint: IdTokenHint | undefined
  /** Registered for the client. */
  redirectUri: string | undefined
  state: string | undefined
}

/** `GET` and `POST /oauth/logout`, for clients and for the form it may show. */
export async function logout(server: Server, request: Incoming): Promise<Answer | Refusal> {
  if (!server.signOut) return refuse('logout_elsewhere')
  const form = await readPageForm(request)
  if (isRefusal(form)) return form
  const asked = await readLogoutRequest(server, form, request.address)
  if (isRefusal(asked)) return asked
  const done = form.get(doneParameter)
  const { secrets, settings } = server
  if (formTokenIsValid(secrets, request, settings, donePurpose(asked), done)) return away(asked)

  const user = await whoIsSignedIn(server, request)
  // A POST from another site comes without the cookies that say who is signed in; the same as a GET brings them.
  if (!user && request.method === 'POST' && form.get('form_token') === undefined)
    return seeOther(`${settings.issuer}${paths.logout}?${new URLSearchParams(pairsOf(form))}`)
  if (!user) return nobodyIsSignedIn(server, asked)
  if (request.method === 'POST' && form.get('form_token') !== undefined) {
    const purpose = formPurpose(asked, user)
    if (!formTokenIsValid(secrets, request, settings, purpose, form.get('form_token')))
      return refuse(
        'form_token_wrong',
        { client: asked.client?.id },
        { again: `${settings.issuer}${paths.logout}?${new URLSearchParams(parametersOf(asked))}` },
      )
    return signOut(server, request, user, asked)
  }
  const { client, hint } = asked
  if (client && hint && hint.subject === (await subjectFor(server, client, user)))
    return signOut(server, request, user, asked)
  return askFirst(server, request, user, asked)
}

async function readLogoutRequest(
  server: Server,
  form: Form,
  address: string,
): Promise<LogoutRequest | Refusal> {
  const text = form.get('id_token_hint')
  const read = text === undefined ? undefined : verifyIdTokenHint(server, text, address)
  const hint = read && !isRefusal(read) ? read : undefined
  const named = form.get('client_id')
  if (hint && named !== undefined && named !== hint.clientId)
    return refuse('logout_client_mismatch', { client: told(named), owner: hint.clientId })
  const id = named ?? hint?.clientId
  const found = id === undefined ? undefined : await server.clients.find(id)
  const client = found?.active ? found : undefined
  const redirectUri = form.get('post_logout_redirect_uri')
  if (redirectUri !== undefined && !client?.registered.postLogoutRedirectUris?.includes(redirectUri))
    return refuse('logout_redirect_uri_unregistered', { client: client?.id ?? told(id) })
  return { client, hint, redirectUri, state: redirectUri === undefined ? undefined : form.get('state') }
}

async function whoIsSignedIn(server: Server, request: Incoming): Promise<User | undefined> {
  const answer = await server.signedIn(request, {
    prompt: ['none'],
    returnTo: server.settings.issuer,
    interactive: false,
  })
  return answer === null || isResponse(answer) || 'disabled' in answer ? undefined : answer
}

/** Ends the browser's sign-in with what came from it; the browser then comes back here and goes on to the client. */
async function signOut(server: Server, request: Incoming, user: User, asked: LogoutRequest): Promise<Answer> {
  const clientId = asked.client?.id
  const { settings, secrets } = server
  // In other browsers the way back leads to a page: who has been there could send anybody on.
  const browser = browserOf(request, settings)
  const returnTo = new URL(settings.issuer + paths.logout)
  if (asked.redirectUri !== undefined) {
    returnTo.search = new URLSearchParams({
      ...parametersOf(asked),
      [doneParameter]: formToken(secrets, browser, donePurpose(asked)),
    }).toString()
  }
  const answer = await server.signOut!(request, returnTo.href)
  await endSignedOut(server, user, clientId)
  if (mayRecord(server, `logout:${user.id}`, server.settings.storage.perUser))
    await recordEvent(server, 'logout', { userId: user.id, clientId, ...originOf(request) })
  return browser.setCookie === undefined ? answer : withCookie(answer, browser.setCookie)
}

/** The parameters that name a logout again; the hint has done its work. */
function parametersOf({ client, redirectUri, state }: LogoutRequest): Record<string, string> {
  return {
    ...(client ? { client_id: client.id } : {}),
    ...(redirectUri === undefined ? {} : { post_logout_redirect_uri: redirectUri }),
    ...(state === undefined ? {} : { state }),
  }
}

const donePurpose = (asked: LogoutRequest) => `signed out ${JSON.stringify(parametersOf(asked))}`
const formPurpose = (asked: LogoutRequest, user: User) =>
  `sign out ${user.id} ${user.sid ?? ''} ${JSON.stringify(parametersOf(asked))}`

function away({ redirectUri, state }: LogoutRequest): Answer {
  return seeOther(state === undefined ? redirectUri! : withQuery(redirectUri!, { state }))
}

/** Nothing is left to be ended. A client that somebody here vouches for gets its user back; of others a page speaks first. */
function nobodyIsSignedIn(server: Server, asked: LogoutRequest): Answer {
  const { client, hint, redirectUri } = asked
  if (client && hint && redirectUri !== undefined && isVouchedFor(server, client)) return away(asked)
  return answerPage(
    signedOutPage(server.frame(), {
      ...(client && redirectUri !== undefined ? { goOn: { href: redirectUri, client: client.name } } : {}),
    }),
  )
}

function askFirst(server: Server, request: Incoming, user: User, asked: LogoutRequest): Answer {
  const { settings, secrets } = server
  const browser = browserOf(request, settings)
  const page = signOutPage(server.frame(user), {
    action: settings.base + paths.logout,
    hidden: { ...parametersOf(asked), form_token: formToken(secrets, browser, formPurpose(asked, user)) },
    account: { name: user.name, ...(user.email === undefined ? {} : { email: user.email }) },
    stayUrl: `${settings.base}/`,
    ...(asked.client ? { client: asked.client.name } : {}),
  })
  return answerPage(page, browser.setCookie === undefined ? undefined : { 'set-cookie': browser.setCookie })
}
