// RFC 6749 §3.1, §4.1.1, §4.1.2; RFC 9126 §4, §7.3; OpenID Connect Core §3.1.2.4, §3.1.2.6: the authorization endpoint.

import { makeToken } from '../../crypto/tokens.ts'
import { Unavailable } from '../../db/database.ts'
import { eventInput } from '../../events/append.ts'
import { browserOf } from '../../http/csrf.ts'
import { type Answer, concerning, type Incoming, seeOther, withCookie } from '../../http/message.ts'
import { faultFrom } from '../../http/refusal.ts'
import { answerFromResponse, isResponse } from '../../http/web.ts'
import { originOf } from '../../protocol/form-endpoint.ts'
import { paths } from '../../protocol/paths.ts'
import { consentHost, redirectsToOwnComputer } from '../../protocol/redirect-uri.ts'
import { isRefusal, type Refusal, refusals, refuse } from '../../protocol/refusals.ts'
import { readPageParameters } from '../../protocol/request-body.ts'
import { scopeSet, scopesMissing } from '../../protocol/scope.ts'
import { bytesOf, limitPending } from '../guards/pending-limits.ts'
import { issueCode, issuePushedCode } from '../records/codes.ts'
import { findConsent, holdAuthorizationRequest } from '../records/consents.ts'
import { endPushedRequest, pushedRequestIsOpen } from '../records/pushed-requests.ts'
import { beginFlow } from '../registration/client-id-metadata.ts'
import type { Server, User } from '../server.ts'
import { quotaIsFull } from '../sessions.ts'
import { type AuthorizationRequest, type ReplyTo, readAuthorizationRequest } from './authorization-request.ts'
import { authorizationResponse, earlyError, refusalPage } from './authorization-response.ts'
import { codeInput, consentForm, consentScope, type HeldRequest } from './consent.ts'
import { shownTo } from './deciding-user.ts'
import { unfold, type WayBack, wayBack } from './kept-request.ts'
import { expandRequest } from './request-source.ts'
import {
  arrivalCookie,
  cancelledParameter,
  expires,
  patience,
  type Visit,
  withArrival,
} from './return-address.ts'
import { authenticateUser } from './user-authentication.ts'

export async function authorize(server: Server, request: Incoming): Promise<Answer> {
  const sent = await readPageParameters(request)
  if (isRefusal(sent)) return refusalPage(server, sent)
  const browser = browserOf(request, server.settings)
  const whole = await unfold(server, sent)
  if (isRefusal(whole)) {
    server.log.warn('authorization refused', { reason: whole.refusal, ...whole.facts })
    return refusalPage(server, whole)
  }
  const form = withArrival(server, request, browser, whole)
  const visit: Visit = { request, browser, form }
  const unwelcome = await beginFlow(server, form, request.address)
  if (unwelcome) {
    server.log.warn('authorization refused', { reason: unwelcome.refusal, ...unwelcome.facts })
    return refusalPage(server, unwelcome)
  }
  const source = await expandRequest(server, form, request.address)
  const asked =
    'page' in source || 'refusal' in source
      ? source
      : await readAuthorizationRequest(server, source, request.address)
  if ('page' in asked) {
    server.log.warn('authorization refused', { reason: asked.page.refusal, ...asked.page.facts })
    return refusalPage(server, asked.page, { client: asked.client })
  }
  if ('refusal' in asked) {
    const pushedId = 'form' in source ? (source.pushed?.id ?? null) : null
    return refused(server, request, { ...asked.replyTo, pushedId }, asked.refusal)
  }
  try {
    if (form.get(cancelledParameter) !== undefined)
      return await refused(server, visit.request, asked, refuse('user_denied'))
    const back = wayBack(server, visit, asked)
    const user = await authenticateUser(server, visit, asked, back)
    const known = !isResponse(user) && !isRefusal(user)
    if (!known && request.method === 'POST') return await askAsGet(back)
    if (isResponse(user)) return concerning(await signInPage(user, visit, back), { client: asked.client.id })
    if (isRefusal(user)) return await refused(server, visit.request, asked, user)
    return await decide(server, visit, asked, user)
  } catch (error) {
    // A status of 500 or 503 cannot travel in a redirect, so these have codes of their own (RFC 6749 §4.1.2.1).
    return refused(server, visit.request, asked, faultFrom(error, paths.authorization, server.log))
  }
}

/** The page that signs the user in; the way back from it is this browser's where it says when its request arrived. */
async function signInPage(page: Response, { browser, form }: Visit, back: WayBack): Promise<Answer> {
  await back.keep()
  const answer = await answerFromResponse(page)
  return browser.setCookie === undefined || !expires(form) ? answer : withCookie(answer, browser.setCookie)
}

/** A POST from another site comes without the cookies that say who is signed in; the same as a GET brings them. */
async function askAsGet(back: WayBack): Promise<Answer> {
  const again = back.address()
  await back.keep()
  return seeOther(again)
}

/** Tells the client. The flow of a pushed request ends with it, unless the fault is ours and the user may try again. */
async function refused(
  server: Server,
  request: Incoming,
  asked: ReplyTo & Pick<AuthorizationRequest, 'pushedId'>,
  refusal: Refusal,
): Promise<Answer> {
  const { client, pushedId } = asked
  server.log.info('authorization refused', { reason: refusal.refusal, client: client.id, ...refusal.facts })
  if (pushedId !== null && refusals[refusal.refusal].status < 500) {
    const ended = await server.db.write(endPushedRequest, { pushed_id: pushedId, now: server.now() })
    if (ended.length === 0) return alreadyEnded(server, asked)
  }
  return earlyError(server, request, asked, refusal)
}

/** Somebody else was faster, in another tab say: one flow has one answer. */
function alreadyEnded(server: Server, { client }: ReplyTo): Answer {
  return refusalPage(server, refuse('pushed_request_unknown', { client: client.id, state: 'used' }), {
    client,
  })
}

/** Consent that is remembered answers at once; whatever is new is asked. */
async function decide(
  server: Server,
  visit: Visit,
  asked: AuthorizationRequest,
  user: User,
  tries = 3,
): Promise<Answer> {
  if (await quotaIsFull(server, user.id, asked.client))
    return refused(
      server,
      visit.request,
      asked,
      refuse('session_quota_full', { client: asked.client.id, user: user.id }),
    )
  const consent = await server.db.one(findConsent, {
    user_id: user.id,
    client_id: asked.client.id,
    redirect_host: consentHost(asked.client, asked.redirectUri),
  })
  const held = scopeSet(consent?.scope ?? '')
  const needed =
    consent === undefined ||
    asked.prompt.includes('consent') ||
    scopesMissing(held, consentScope(asked)).length > 0 ||
    scopesMissing(scopeSet(consent.resources), asked.resources).length > 0 ||
    // What exactly is done is decided each time.
    asked.authorizationDetails.length > 0 ||
    // Nothing vouches that the same program asks again (RFC 8252 §8.6).
    (!asked.client.confidential && redirectsToOwnComputer(asked.redirectUri))
  if (!needed) {
    const granted = await grantCode(server, visit.request, asked, user)
    if (granted) return granted
    if (tries <= 1) throw new Unavailable('what a code rests on keeps changing')
    return decideAgain(server, visit, asked, tries - 1)
  }
  if (asked.prompt.includes('none'))
    return refused(server, visit.request, asked, refuse('consent_required', { client: asked.client.id }))
  return askConsent(server, visit, asked, user, held)
}

/** What the code would have rested on ended meanwhile: consent, sign-in, user or client; or a pushed request was answered. */
async function decideAgain(
  server: Server,
  visit: Visit,
  asked: AuthorizationRequest,
  tries: number,
): Promise<Answer> {
  const { client, pushedId } = asked
  if (pushedId !== null && (await server.db.one(pushedRequestIsOpen, { id: pushedId })) === undefined)
    return alreadyEnded(server, asked)
  server.clients.forget(client.id)
  if (!(await server.clients.find(client.id))?.active)
    return refusalPage(server, refuse('authorize_client_inactive', { client: client.id }))
  const back = wayBack(server, visit, asked)
  const user = await authenticateUser(server, visit, asked, back)
  if (isResponse(user)) return signInPage(user, visit, back)
  if (isRefusal(user)) return refused(server, visit.request, asked, user)
  return decide(server, visit, asked, user, tries)
}

/** The code, or undefined where what it rests on is not there any more. */
async function grantCode(
  server: Server,
  request: Incoming,
  asked: AuthorizationRequest,
  user: User,
): Promise<Answer | undefined> {
  const now = server.now()
  const { token: code, ...stored } = makeToken('gh_ac', now)
  const input = await codeInput(server, asked, user, stored, now)
  const full = limitPending(server, 'codes', {
    user: user.id,
    address: request.address,
    client: asked.client,
    bytes: bytesOf(input),
  })
  if (full) return refused(server, request, asked, full)
  const row = {
    ...input,
    ...eventInput(
      now,
      'authorize',
      { userId: user.id, clientId: asked.client.id, ...originOf(request) },
      { scope: input.scope, consent: 'remembered' },
    ),
  }
  const issued =
    asked.pushedId === null
      ? await server.db.write(issueCode, row)
      : await server.db.write(issuePushedCode, { pushed_id: asked.pushedId, ...row })
  if (issued.length === 0) return undefined
  server.activity.clientUsed(asked.client.id, { authorizations: 1 })
  return authorizationResponse(server, asked, { code })
}

async function askConsent(
  server: Server,
  visit: Visit,
  asked: AuthorizationRequest,
  user: User,
  held: string[],
): Promise<Answer> {
  const now = server.now()
  const waiting = makeToken('gh_rq', now)
  const { client, ...rest } = asked
  const row: HeldRequest = {
    ...rest,
    ...shownTo(user),
  }
  const text = JSON.stringify(row)
  const full = limitPending(server, 'authorization_requests', {
    user: user.id,
    address: visit.request.address,
    client,
    bytes: Buffer.byteLength(text),
  })
  if (full) return refused(server, visit.request, asked, full)
  await server.db.write(holdAuthorizationRequest, {
    id: waiting.id,
    hash: waiting.hash,
    client_id: client.id,
    request: text,
    pushed_id: asked.pushedId,
    user_id: user.id,
    sid: user.sid ?? null,
    now,
    expires_at: now + patience,
  })
  const { browser, form } = visit
  const back = wayBack(server, visit, asked, user.id)
  const again = back.address()
  await back.keep()
  const cookie = arrivalCookie(server, browser, form)
  return consentForm(server, browser, asked, user, held, waiting, { again, cookie })
}
