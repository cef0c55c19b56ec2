// RFC 6749 §3.1, §10.2, §10.12; RFC 9700 §2.3: the consent page and its answer, which is good once, for the user and
// the browser it was shown to.

import type { StoredToken } from '../../crypto/tokens.ts'
import { makeToken, readToken } from '../../crypto/tokens.ts'
import { eventInput } from '../../events/append.ts'
import { type Browser, formToken, formTokenIsValid } from '../../http/csrf.ts'
import type { Answer, Incoming } from '../../http/message.ts'
import { consentPage } from '../../pages/consent.ts'
import { answerPage } from '../../pages/page.ts'
import type { ConsentView } from '../../pages/views.ts'
import { originOf } from '../back-channel.ts'
import { type Client, cameByItself } from '../clients/clients.ts'
import { type ClaimsRequest, scopesOfClaims, storeClaims } from '../openid/claims-parameter.ts'
import { subjectFor } from '../openid/pairwise-subject.ts'
import { scopeFor } from '../openid/user-claims.ts'
import { paths } from '../paths.ts'
import {
  allowPushedRequest,
  allowRequest,
  denyPushedRequest,
  denyRequest,
  findAuthorizationRequest,
} from '../records/consents.ts'
import { isRefusal, type Refusal, refuse } from '../refusals.ts'
import { readPageForm } from '../request-body.ts'
import { canonicalScope, narrowedScope, scopeCovers, scopesMissing } from '../scope.ts'
import type { Server, User } from '../server.ts'
import { describeDetails } from './authorization-details.ts'
import type { AuthorizationRequest, ReplyTo } from './authorization-request.ts'
import { authorizationError, authorizationResponse, refusalPage } from './authorization-response.ts'
import { type DecidingUser, decidingUser, type ShownTo } from './deciding-user.ts'
import { consentHost, matchRedirectUri, redirectHost, redirectsToOwnComputer } from './redirect-uri.ts'

/** A request as it is kept while its user decides; the client is in a column of its own. */
export type HeldRequest = Omit<AuthorizationRequest, 'client'> & ShownTo

const purposeOf = (requestId: string, userId: string) => `consent ${requestId} ${userId}`

export function consentForm(
  server: Server,
  browser: Browser,
  asked: AuthorizationRequest,
  user: User,
  held: string[],
  waiting: StoredToken & { token: string },
  more: { switchUrl: string | undefined; cookie: string | undefined },
): Answer {
  const cookies = [browser.setCookie, more.cookie].filter((one) => one !== undefined)
  const page = consentPage(server.frame(user), {
    action: server.settings.base + paths.consent,
    hidden: {
      request: waiting.token,
      form_token: formToken(server.secrets, browser, purposeOf(waiting.id, user.id)),
    },
    client: clientView(asked.client),
    account: { name: user.name, email: user.email, switchUrl: more.switchUrl },
    redirectHost: redirectHost(asked.redirectUri),
    loopbackOnly: redirectsToOwnComputer(asked.redirectUri),
    ...grantView(server, asked.client, { ...asked, scope: consentScope(asked) }, held),
    // What comes from this browser's sign-in ends with it, unless it may stay.
    ...(asked.scope.includes('openid') && user.sid !== undefined ? { offline: false } : {}),
  })
  return answerPage(page, cookies.length > 0 ? { 'set-cookie': cookies } : undefined)
}

/** What a person is told about a client. */
export function clientView(client: Client): ConsentView['client'] {
  return {
    name: client.name,
    // A picture of one's own choice could be anybody's, and would tell its server who looks (CIMD §8.8, §9.2).
    logo: cameByItself(client) ? undefined : (client.logoUri ?? undefined),
    homepage: client.clientUri ?? undefined,
    policy: client.policyUri ?? undefined,
    terms: client.tosUri ?? undefined,
    createdByItself: cameByItself(client),
    ...(client.source === 'cimd' ? { host: new URL(client.id).host } : {}),
  }
}

/** What it would get: what is new, what it holds, where that is good, and for how long. */
export function grantView(
  { settings }: Server,
  client: Client,
  asked: Pick<AuthorizationRequest, 'scope' | 'resources' | 'authorizationDetails'>,
  held: readonly string[],
): Pick<ConsentView, 'asked' | 'held' | 'resources' | 'details' | 'offline'> {
  const describe = (name: string) => ({ name, description: settings.scopes[name] ?? name })
  return {
    asked: scopesMissing(held, asked.scope).map(describe),
    held: asked.scope.filter((name) => held.includes(name)).map(describe),
    resources: asked.resources
      .filter((uri) => uri !== settings.issuer)
      .map((uri) => settings.resources[uri]?.name ?? uri),
    details: describeDetails(settings.authorizationDetails, asked.authorizationDetails),
    // `offline_access` has a sentence of its own.
    offline: client.grantTypes.includes('refresh_token') && !asked.scope.includes('offline_access'),
  }
}

/** What the user consents to: the scopes, and those that say what is asked by name (OpenID Connect Core §5.5). */
export function consentScope(asked: Pick<AuthorizationRequest, 'scope' | 'claims'>): string[] {
  return [...new Set([...asked.scope, ...scopesOfClaims(asked.claims)])]
}

/** What is asked by name, without what stands under scopes the user left out. */
function claimsWithin(claims: ClaimsRequest | null, scope: readonly string[]): ClaimsRequest | null {
  const within = (name: string) => scope.includes(scopeFor(name)!)
  return (
    claims && { ...claims, userinfo: claims.userinfo.filter(within), idToken: claims.idToken.filter(within) }
  )
}

/** The inputs of a code for one request and user, and the code itself. */
export async function codeInput(
  server: Server,
  asked: AuthorizationRequest,
  user: DecidingUser,
  now: number,
) {
  const { token: code, id, hash } = makeToken('gh_ac', now)
  return {
    code,
    input: {
      code_id: id,
      code_hash: hash,
      client_id: asked.client.id,
      user_id: user.id,
      subject: await subjectFor(server, asked.client, user),
      redirect_uri: asked.redirectUri,
      scope: canonicalScope(asked.scope),
      resources: asked.resources.join(' '),
      code_challenge: asked.codeChallenge,
      state: asked.state,
      nonce: asked.nonce,
      auth_time: user.authTime ?? null,
      code_binding: asked.binding,
      acr: user.acr ?? null,
      amr: user.amr?.join(' ') ?? null,
      // Only an ID token tells it to the client, and only such a client hears of a sign-out.
      sid: asked.scope.includes('openid') ? (user.sid ?? null) : null,
      claims: storeClaims(asked.claims),
      authorization_details:
        asked.authorizationDetails.length === 0 ? null : JSON.stringify(asked.authorizationDetails),
      code_expires_at: now + asked.client.codeLifetime,
      sign_in_row: user.signInRow ?? null,
      consent_scope: canonicalScope(consentScope(asked)),
      consent_resources: canonicalScope(asked.resources),
      redirect_host: consentHost(asked.client, asked.redirectUri),
      now,
    },
  }
}

/** `POST /oauth/consent`: `decision` is `allow` or `deny`; `scope` and `resource` may narrow what is allowed. */
export async function answerConsent(server: Server, request: Incoming): Promise<Answer> {
  const read = await readDecision(server, request)
  if (isRefusal(read)) {
    server.log.warn('consent refused', { reason: read.refusal, ...read.facts })
    return refusalPage(server, read)
  }
  const { asked, user, requestId, decision } = read
  const now = server.now()
  const context = { userId: user.id, clientId: asked.client.id, ...originOf(request) }
  if (decision === 'deny') {
    const row = { request_id: requestId, now, ...eventInput(now, 'authorize_denied', context) }
    const denied =
      asked.pushedId === null
        ? await server.db.write(denyRequest, row)
        : await server.db.write(denyPushedRequest, { pushed_id: asked.pushedId, ...row })
    if (denied.length === 0) return refusalPage(server, refuse('form_already_answered'), asked.client)
    return authorizationError(server, asked, refuse('user_denied'))
  }
  const { code, input } = await codeInput(server, asked, user, now)
  const row = {
    request_id: requestId,
    ...input,
    ...eventInput(now, 'authorize', context, { scope: input.scope, consent: 'given' }),
  }
  const allowed =
    asked.pushedId === null
      ? await server.db.write(allowRequest, row)
      : await server.db.write(allowPushedRequest, { pushed_id: asked.pushedId, ...row })
  if (allowed.length === 0) return refusalPage(server, refuse('form_already_answered'), asked.client)
  server.activity.clientUsed(asked.client.id, { authorizations: 1 })
  return authorizationResponse(server, asked satisfies ReplyTo, { code })
}

interface Decision {
  asked: AuthorizationRequest
  user: DecidingUser
  requestId: string
  decision: 'allow' | 'deny'
}

/** Everything that must hold before a decision counts; whatever does not, leaves the request open for its owner. */
async function readDecision(server: Server, request: Incoming): Promise<Decision | Refusal> {
  const form = await readPageForm(request, ['resource'])
  if (isRefusal(form)) return form
  const stored = readToken('gh_rq', form.get('request') ?? '')
  if (!stored) return refuse('form_token_wrong')
  const row = await server.db.one(findAuthorizationRequest, { id: stored.id, hash: stored.hash })
  if (!row || row.expires_at <= server.now()) return refuse('form_already_answered')
  const held = JSON.parse(row.request) as HeldRequest
  const purpose = purposeOf(row.id, held.userId)
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
    requestId: row.id,
    decision,
  }
}
