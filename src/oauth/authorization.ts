// RFC 6749 §3.1, §4.1.1, §4.1.2; OpenID Connect Core §3.1.2.3, §3.1.2.6 (prompt, max_age): the authorization endpoint.

import { authenticationIsRecent } from '../accounts/account.ts'
import { makeToken } from '../crypto/tokens.ts'
import { eventInput } from '../events/append.ts'
import { browserOf } from '../http/csrf.ts'
import { type Form, parseForm } from '../http/forms.ts'
import { type Answer, BodyTooLarge, type Incoming } from '../http/message.ts'
import { answerFromResponse, isResponse } from '../http/web.ts'
import {
  type AuthorizationRequest,
  cancelledParameter,
  readAuthorizationRequest,
} from './authorization-request.ts'
import { authorizationError, authorizationResponse, refusalPage } from './authorization-response.ts'
import { originOf } from './back-channel.ts'
import { codeInput, consentForm, type HeldRequest } from './consent.ts'
import { paths } from './paths.ts'
import { issueCode } from './records/codes.ts'
import { findConsent, holdAuthorizationRequest } from './records/consents.ts'
import { countLivingSessions } from './records/sessions.ts'
import { redirectsToOwnComputer } from './redirect-uri.ts'
import { isRefusal, type Refusal, refuse } from './refusals.ts'
import { scopeSet, scopesMissing } from './scope.ts'
import type { Server, User } from './server.ts'
import { troubleFrom } from './trouble.ts'

/** How long a person may take to sign in and decide, in milliseconds. */
const patience = 30 * 60_000
/** Says, on the way back from a sign-in that was demanded, when it was demanded. */
const demandedParameter = 'gatehouse_demanded'

export async function authorize(server: Server, request: Incoming): Promise<Answer> {
  const form = await readForm(request)
  if (isRefusal(form)) return refusalPage(server, form)
  const asked = await readAuthorizationRequest(server, form)
  if ('page' in asked) {
    server.log.warn('authorization refused', { reason: asked.page.refusal, ...asked.page.facts })
    return refusalPage(server, asked.page, asked.client)
  }
  if ('refusal' in asked) return refused(server, asked.replyTo, asked.refusal)
  if (form.get(cancelledParameter) !== undefined) return refused(server, asked, refuse('user_denied'))
  try {
    const user = await signIn(server, request, form, asked)
    if (isResponse(user)) return await answerFromResponse(user)
    if (isRefusal(user)) return refused(server, asked, user)
    return await decide(server, request, form, asked, user)
  } catch (error) {
    // A status of 500 or 503 cannot travel in a redirect, so these have codes of their own (RFC 6749 §4.1.2.1).
    return refused(server, asked, troubleFrom(error, paths.authorization, server.log))
  }
}

function refused(
  server: Server,
  replyTo: Parameters<typeof authorizationError>[1],
  refusal: Refusal,
): Answer {
  server.log.info('authorization refused', {
    reason: refusal.refusal,
    client: replyTo.client.id,
    ...refusal.facts,
  })
  return authorizationError(server, replyTo, refusal)
}

async function readForm(request: Incoming): Promise<Form | Refusal> {
  if (request.method === 'GET') {
    return parseForm(request.search) ?? refuse('malformed_form')
  }
  try {
    return parseForm(await request.text(64 * 1024)) ?? refuse('malformed_form')
  } catch (error) {
    if (error instanceof BodyTooLarge) return refuse('body_too_large')
    throw error
  }
}

/** The signed-in user, the page that signs one in, or why there is none. */
async function signIn(
  server: Server,
  request: Incoming,
  form: Form,
  asked: AuthorizationRequest,
): Promise<User | Response | Refusal> {
  const now = server.now()
  const silent = asked.prompt.includes('none')
  const demanded = demandedAt(server, form, asked, now)
  const notBefore = Math.max(
    demanded ?? (demandsSignIn(asked) ? now : 0),
    asked.maxAge === null || asked.maxAge === 0 ? 0 : now - asked.maxAge * 1_000,
  )
  // Most people are signed in already: the way back is worked out only when somebody asks for it.
  const returnTo = () => returnAddress(server, form, asked, demanded ?? now)
  const answer = await server.signedIn(request, {
    prompt: asked.prompt,
    ...(asked.maxAge ? { maxAge: asked.maxAge } : {}),
    ...(asked.acrValues.length === 0 ? {} : { acrValues: asked.acrValues }),
    ...(asked.uiLocales.length === 0 ? {} : { uiLocales: asked.uiLocales }),
    ...(asked.loginHint === null ? {} : { loginHint: asked.loginHint }),
    get returnTo() {
      return returnTo()
    },
    get cancelTo() {
      return `${returnTo()}&${cancelledParameter}=1`
    },
    interactive: !silent,
    ...(notBefore > 0 ? { notBefore } : {}),
  })
  if (answer === null) return refuse('login_required', { client: asked.client.id })
  if (isResponse(answer)) return silent ? refuse('login_required', { client: asked.client.id }) : answer
  if ('disabled' in answer) return refuse('user_disabled', { client: asked.client.id })
  if (!authenticationIsRecent({ notBefore }, answer.authTime, now)) {
    // The provider cannot show that the user proved themselves anew: the old sign-in makes no code.
    return refuse('login_required', { client: asked.client.id, demanded: true })
  }
  return answer
}

/** `max_age=0` demands the same as `prompt=login` (OpenID Connect Core §3.1.2.1). */
function demandsSignIn(asked: AuthorizationRequest): boolean {
  return asked.prompt.includes('login') || asked.prompt.includes('select_account') || asked.maxAge === 0
}

/** The same request again, as a GET, marked with when a new sign-in was demanded so that it is demanded only once. */
function returnAddress(server: Server, form: Form, asked: AuthorizationRequest, demanded: number): string {
  const query = new URLSearchParams()
  for (const name of form.names) {
    if (name === demandedParameter) continue
    for (const value of form.all(name)) query.append(name, value)
  }
  if (demandsSignIn(asked)) {
    query.set(
      demandedParameter,
      `${demanded}.${server.secrets.mac('form token', demandPurpose(asked, demanded))}`,
    )
  }
  return `${server.settings.issuer}${paths.authorization}?${query}`
}

function demandedAt(
  server: Server,
  form: Form,
  asked: AuthorizationRequest,
  now: number,
): number | undefined {
  const [time, mac] = form.get(demandedParameter)?.split('.') ?? []
  const at = Number(time)
  if (!mac || !demandsSignIn(asked) || !(at <= now && at > now - patience)) return undefined
  return server.secrets.verifies('form token', demandPurpose(asked, at), mac) ? at : undefined
}

function demandPurpose(asked: AuthorizationRequest, at: number): string {
  return `sign-in demanded ${at} ${asked.client.id} ${asked.codeChallenge ?? ''} ${asked.state ?? ''}`
}

/** Consent that is remembered answers at once; whatever is new is asked. */
async function decide(
  server: Server,
  request: Incoming,
  form: Form,
  asked: AuthorizationRequest,
  user: User,
): Promise<Answer> {
  const { sessions } = server.settings
  if (sessions.whenFull === 'refuse') {
    const input = { user_id: user.id, client_id: asked.client.id, now: server.now() }
    const living = await server.db.one(countLivingSessions, input)
    if ((living?.count ?? 0) >= sessions.quota) {
      return refused(server, asked, refuse('session_quota_full', { client: asked.client.id, user: user.id }))
    }
  }
  const consent = await server.db.one(findConsent, { user_id: user.id, client_id: asked.client.id })
  const held = scopeSet(consent?.scope ?? '')
  const needed =
    consent === undefined ||
    asked.prompt.includes('consent') ||
    scopesMissing(held, asked.scope).length > 0 ||
    scopesMissing(scopeSet(consent.resources), asked.resources).length > 0 ||
    // Nothing vouches that the same program asks again (RFC 8252 §8.6).
    (!asked.client.confidential && redirectsToOwnComputer(asked.redirectUri))
  if (!needed) return grantCode(server, request, asked, user)
  if (asked.prompt.includes('none'))
    return refused(server, asked, refuse('consent_required', { client: asked.client.id }))
  return askConsent(server, request, form, asked, user, held)
}

async function grantCode(
  server: Server,
  request: Incoming,
  asked: AuthorizationRequest,
  user: User,
): Promise<Answer> {
  const now = server.now()
  const { code, input } = codeInput(asked, user, now)
  await server.db.write(issueCode, {
    ...input,
    ...eventInput(
      now,
      'authorize',
      { userId: user.id, clientId: asked.client.id, ...originOf(request) },
      { scope: input.scope, consent: 'remembered' },
    ),
  })
  server.activity.clientUsed(asked.client.id, { authorizations: 1 })
  return authorizationResponse(server, asked, { code })
}

async function askConsent(
  server: Server,
  request: Incoming,
  form: Form,
  asked: AuthorizationRequest,
  user: User,
  held: string[],
): Promise<Answer> {
  const now = server.now()
  const waiting = makeToken('gh_rq', now)
  const { client, ...rest } = asked
  const row: HeldRequest = {
    ...rest,
    userId: user.id,
    subject: user.subject,
    authTime: user.authTime ?? null,
    acr: user.acr ?? null,
    amr: user.amr ?? null,
    sid: user.sid ?? null,
    statementEnds: user.statementEnds ?? null,
  }
  await server.db.write(holdAuthorizationRequest, {
    id: waiting.id,
    hash: waiting.hash,
    client_id: client.id,
    request: JSON.stringify(row),
    now,
    expires_at: now + patience,
  })
  const again = returnAddress(server, form, asked, demandedAt(server, form, asked, now) ?? now)
  const browser = browserOf(request, server.settings.secure)
  return consentForm(server, browser, asked, user, held, waiting, server.switchUrl(again))
}
