// RFC 6749 §3.1, §4.1.1, §4.1.2; RFC 9126 §4, §7.3; OpenID Connect Core §3.1.2.4, §3.1.2.6: the authorization endpoint.

import { makeToken } from '../../crypto/tokens.ts'
import { eventInput } from '../../events/append.ts'
import { browserOf } from '../../http/csrf.ts'
import type { Form } from '../../http/forms.ts'
import type { Answer, Incoming } from '../../http/message.ts'
import { answerFromResponse, isResponse } from '../../http/web.ts'
import { originOf } from '../back-channel.ts'
import { beginFlow } from '../clients/client-id-metadata.ts'
import { cameByItself } from '../clients/clients.ts'
import { paths } from '../paths.ts'
import { issueCode, issuePushedCode } from '../records/codes.ts'
import { findConsent, holdAuthorizationRequest } from '../records/consents.ts'
import { endPushedRequest } from '../records/pushed-requests.ts'
import { countLivingSessions } from '../records/sessions.ts'
import { isRefusal, type Refusal, refusals, refuse } from '../refusals.ts'
import { readPageParameters } from '../request-body.ts'
import { bytesOf, takeRoom } from '../room.ts'
import { scopeSet, scopesMissing } from '../scope.ts'
import type { Server, User } from '../server.ts'
import { troubleFrom } from '../trouble.ts'
import { type AuthorizationRequest, type ReplyTo, readAuthorizationRequest } from './authorization-request.ts'
import { authorizationResponse, earlyError, refusalPage } from './authorization-response.ts'
import { codeInput, consentForm, consentScope, type HeldRequest } from './consent.ts'
import { shownTo } from './deciding-user.ts'
import { redirectHost, redirectsToOwnComputer } from './redirect-uri.ts'
import { expandRequest } from './request-source.ts'
import { arrivalCookie, cancelledParameter, patience, returnAddress, withArrival } from './return-address.ts'
import { authenticateUser } from './user-authentication.ts'

export async function authorize(server: Server, request: Incoming): Promise<Answer> {
  const sent = await readPageParameters(request)
  if (isRefusal(sent)) return refusalPage(server, sent)
  const form = withArrival(server, request, sent)
  const unwelcome = await beginFlow(server, form, request.address)
  if (unwelcome) {
    server.log.warn('authorization refused', { reason: unwelcome.refusal, ...unwelcome.facts })
    return refusalPage(server, unwelcome)
  }
  const source = await expandRequest(server, form)
  const asked =
    'page' in source || 'refusal' in source ? source : await readAuthorizationRequest(server, source)
  if ('page' in asked) {
    server.log.warn('authorization refused', { reason: asked.page.refusal, ...asked.page.facts })
    return refusalPage(server, asked.page, asked.client)
  }
  if ('refusal' in asked) {
    const pushedId = 'form' in source ? (source.pushed?.id ?? null) : null
    return refused(server, { ...asked.replyTo, pushedId }, asked.refusal)
  }
  try {
    if (form.get(cancelledParameter) !== undefined) return await refused(server, asked, refuse('user_denied'))
    const user = await authenticateUser(server, request, form, asked)
    if (isResponse(user)) return await answerFromResponse(user)
    if (isRefusal(user)) return await refused(server, asked, user)
    return await decide(server, request, form, asked, user)
  } catch (error) {
    // A status of 500 or 503 cannot travel in a redirect, so these have codes of their own (RFC 6749 §4.1.2.1).
    return refused(server, asked, troubleFrom(error, paths.authorization, server.log))
  }
}

/** Tells the client. The flow of a pushed request ends with it, unless the trouble is ours and the user may try again. */
async function refused(
  server: Server,
  asked: ReplyTo & Pick<AuthorizationRequest, 'pushedId'>,
  refusal: Refusal,
): Promise<Answer> {
  const { client, pushedId } = asked
  server.log.info('authorization refused', { reason: refusal.refusal, client: client.id, ...refusal.facts })
  if (pushedId !== null && refusals[refusal.refusal].status < 500) {
    const ended = await server.db.write(endPushedRequest, { pushed_id: pushedId, now: server.now() })
    if (ended.length === 0) return alreadyEnded(server, asked)
  }
  return earlyError(server, asked, refusal)
}

/** Somebody else was faster, in another tab say: one flow has one answer. */
function alreadyEnded(server: Server, { client }: ReplyTo): Answer {
  return refusalPage(server, refuse('pushed_request_unknown', { client: client.id, state: 'used' }), client)
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
    scopesMissing(held, consentScope(asked)).length > 0 ||
    scopesMissing(scopeSet(consent.resources), asked.resources).length > 0 ||
    // What was allowed was an answer to this host; only an administrator may name several for one client.
    (cameByItself(asked.client) && consent.redirect_host !== redirectHost(asked.redirectUri)) ||
    // What exactly is done is decided each time.
    asked.authorizationDetails.length > 0 ||
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
  const { code, input } = await codeInput(server, asked, user, now)
  const full = takeRoom(server, 'codes', {
    user: user.id,
    address: request.address,
    client: asked.client,
    bytes: bytesOf(input),
  })
  if (full) return refused(server, asked, full)
  const row = {
    ...input,
    ...eventInput(
      now,
      'authorize',
      { userId: user.id, clientId: asked.client.id, ...originOf(request) },
      { scope: input.scope, consent: 'remembered' },
    ),
  }
  if (asked.pushedId === null) await server.db.write(issueCode, row)
  else {
    const issued = await server.db.write(issuePushedCode, { pushed_id: asked.pushedId, ...row })
    if (issued.length === 0) return alreadyEnded(server, asked)
  }
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
    ...shownTo(user),
  }
  const text = JSON.stringify(row)
  const full = takeRoom(server, 'authorization_requests', {
    user: user.id,
    address: request.address,
    client,
    bytes: Buffer.byteLength(text),
  })
  if (full) return refused(server, asked, full)
  await server.db.write(holdAuthorizationRequest, {
    id: waiting.id,
    hash: waiting.hash,
    client_id: client.id,
    request: text,
    pushed_id: asked.pushedId,
    now,
    expires_at: now + patience,
  })
  const browser = browserOf(request, server.settings)
  const switchUrl = server.switchUrl(returnAddress(server, form, asked))
  const cookie = arrivalCookie(server, form)
  return consentForm(server, browser, asked, user, held, waiting, { switchUrl, cookie })
}
