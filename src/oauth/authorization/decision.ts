// RFC 6749 §4.1.2, §10.2, §10.12; RFC 9700 §2.3: the answer to a consent page. It counts once; the same answer of the same user
// in the same browser, sent again, gets the same redirect.

import { makeToken, readToken, type StoredToken } from '../../crypto/tokens.ts'
import { eventInput } from '../../events/append.ts'
import { formTokenIsValid } from '../../http/csrf.ts'
import type { Form } from '../../http/forms.ts'
import type { Answer, Incoming } from '../../http/message.ts'
import { scopeFor } from '../../protocol/claim-scopes.ts'
import type { ClaimsRequest } from '../../protocol/claims-parameter.ts'
import { originOf } from '../../protocol/form-endpoint.ts'
import { matchRedirectUri } from '../../protocol/redirect-uri.ts'
import { isRefusal, type Refusal, refuse } from '../../protocol/refusals.ts'
import { readPageForm } from '../../protocol/request-body.ts'
import { narrowedScope, scopeCovers } from '../../protocol/scope.ts'
import { findCode } from '../records/codes.ts'
import {
  type AuthorizationRequestRow,
  allowPushedRequest,
  allowRequest,
  denyPushedRequest,
  denyRequest,
  findAuthorizationRequest,
} from '../records/consents.ts'
import type { Server } from '../server.ts'
import type { AuthorizationRequest } from './authorization-request.ts'
import { authorizationError, authorizationResponse, refusalPage } from './authorization-response.ts'
import { codeInput, consentPurpose, consentScope, type HeldRequest } from './consent.ts'
import { type DecidingUser, decidingUser } from './deciding-user.ts'
import { isReturnAddress } from './return-address.ts'

interface Decision {
  asked: AuthorizationRequest
  user: DecidingUser
  /** What the form names its request by, and the request as it was when the form arrived. */
  token: string
  row: AuthorizationRequestRow
  decision: 'allow' | 'deny'
}

/** `POST /oauth/consent`: `decision` is `allow` or `deny`; `scope` and `resource` may narrow what is allowed. */
export async function answerConsent(server: Server, request: Incoming): Promise<Answer> {
  const form = await readPageForm(request, ['resource'])
  if (isRefusal(form)) return stuck(server, form, undefined)
  const read = await readDecision(server, request, form)
  if (isRefusal(read)) return stuck(server, read, form)
  if (read.row.decision === null) {
    const answer = await decide(server, request, read)
    if (answer) return answer
  }
  return answerAgain(server, read, form)
}

/** Says why it cannot go on, and where it can. */
function stuck(
  server: Server,
  refusal: Refusal,
  form: Form | undefined,
  asked?: AuthorizationRequest,
): Answer {
  server.log.warn('consent refused', { reason: refusal.refusal, ...refusal.facts })
  const again = form?.get('again')
  // A pushed request ends with its flow: the application must push another.
  const spent = asked !== undefined && asked.pushedId !== null
  return refusalPage(server, refusal, {
    client: asked?.client,
    again: again !== undefined && !spent && isReturnAddress(server, again) ? again : undefined,
  })
}

/** Undefined where the request was decided already, or what the decision rests on is not there any more. */
function decide(server: Server, request: Incoming, read: Decision): Promise<Answer | undefined> {
  if (read.decision === 'deny') return deny(server, request, read)
  return allow(server, request, read)
}

async function deny(server: Server, request: Incoming, read: Decision): Promise<Answer | undefined> {
  const { asked, user, row } = read
  const now = server.now()
  const context = { userId: user.id, clientId: asked.client.id, ...originOf(request) }
  const input = { request_id: row.id, now, ...eventInput(now, 'authorize_denied', context) }
  const denied =
    asked.pushedId === null
      ? await server.db.write(denyRequest, input)
      : await server.db.write(denyPushedRequest, { pushed_id: asked.pushedId, ...input })
  return denied.length === 0 ? undefined : authorizationError(server, asked, refuse('user_denied'))
}

async function allow(server: Server, request: Incoming, read: Decision): Promise<Answer | undefined> {
  const { asked, user, row } = read
  const now = server.now()
  const context = { userId: user.id, clientId: asked.client.id, ...originOf(request) }
  const made = codesOf(server, read)[0]!
  const input = await codeInput(server, asked, user, made, now)
  const whole = {
    request_id: row.id,
    ...input,
    ...eventInput(now, 'authorize', context, { scope: input.scope, consent: 'given' }),
  }
  const allowed =
    asked.pushedId === null
      ? await server.db.write(allowRequest, whole)
      : await server.db.write(allowPushedRequest, { pushed_id: asked.pushedId, ...whole })
  if (allowed.length === 0) return undefined
  server.activity.clientUsed(asked.client.id, { authorizations: 1 })
  return authorizationResponse(server, asked, { code: made.token })
}

/**
 * The code a form yields, however often it is sent: its secret is derived from what the form alone holds, under the root secret,
 * so that nothing at rest yields it. One for each root secret, newest first.
 */
function codesOf({ secrets, now }: Server, { token, row }: Pick<Decision, 'token' | 'row'>) {
  return secrets
    .macs('authorization code', token)
    .map((secret): StoredToken & { token: string } => makeToken('gh_ac', now(), { id: row.id, secret }))
}

/** The request was decided before. The same decision gets the same redirect, as long as there is one. */
async function answerAgain(server: Server, read: Decision, form: Form): Promise<Answer> {
  const { asked, decision, row } = read
  const found = await server.db.one(findAuthorizationRequest, { id: row.id, hash: row.hash })
  const first = found?.decision
  const facts = { client: asked.client.id, first }
  if (!first) return stuck(server, refuse('form_already_answered', facts), form, asked)
  if (first === decision) {
    if (decision === 'deny') return authorizationError(server, asked, refuse('user_denied'))
    for (const { token, id, hash } of codesOf(server, read)) {
      const code = await server.db.one(findCode, { id, hash })
      // A code that was redeemed is not sent again: its second use would end what the first one began.
      if (code?.used_at === null && code.expires_at > server.now())
        return authorizationResponse(server, asked, { code: token })
    }
  }
  const description =
    first === 'allow' ? 'You already allowed this request' : 'You already denied this request'
  return stuck(server, refuse('form_already_answered', facts, { description }), form, asked)
}

/** Everything that must hold before a decision counts; whatever does not, leaves the request open for its owner. */
async function readDecision(server: Server, request: Incoming, form: Form): Promise<Decision | Refusal> {
  const token = form.get('request') ?? ''
  const stored = readToken('gh_rq', token)
  if (!stored) return refuse('form_token_wrong')
  const row = await server.db.one(findAuthorizationRequest, { id: stored.id, hash: stored.hash })
  if (!row || row.expires_at <= server.now()) return refuse('form_already_answered')
  const held = JSON.parse(row.request) as HeldRequest
  const purpose = consentPurpose(row.id, held.userId)
  if (!formTokenIsValid(server.secrets, request, server.settings, purpose, form.get('form_token')))
    return refuse('form_token_wrong')

  const user = await decidingUser(server, request, held)
  if (user === undefined) return refuse('form_of_another_user', { client: row.client_id })
  const client = await server.clients.find(row.client_id)
  if (!client?.active) return refuse('authorize_client_inactive', { client: row.client_id })
  // It may have changed since the form was shown.
  if (matchRedirectUri(client.redirectUris, held.redirectUri) === undefined)
    return refuse('redirect_uri_unregistered', { client: client.id })

  const decision = form.get('decision')
  if (decision !== 'allow' && decision !== 'deny')
    return refuse('missing_parameter', { parameter: 'decision' })
  const allowed = narrowedScope(form.get('scope'), consentScope(held), server.settings.impliedScopes)
  const resources = form.all('resource')
  if (isRefusal(allowed) || !scopeCovers(held.resources, resources))
    return refuse('form_scope_exceeded', { client: client.id })
  return {
    asked: {
      ...held,
      client,
      scope: held.scope.filter((name) => allowed.includes(name)),
      claims: claimsWithin(held.claims, allowed),
      resources: resources.length > 0 ? resources : held.resources,
    },
    user,
    token,
    row,
    decision,
  }
}

/** What is asked by name, without what stands under scopes the user left out. */
function claimsWithin(claims: ClaimsRequest | null, scope: readonly string[]): ClaimsRequest | null {
  const within = (name: string) => scope.includes(scopeFor(name)!)
  return (
    claims && { ...claims, userinfo: claims.userinfo.filter(within), idToken: claims.idToken.filter(within) }
  )
}
