// RFC 6749 §3.1, §10.2: the consent page, and the code that comes of it.

import type { StoredToken } from '../../crypto/tokens.ts'
import { type Browser, formToken } from '../../http/csrf.ts'
import { type Answer, concerning } from '../../http/message.ts'
import { consentPage } from '../../pages/consent.ts'
import { answerPage } from '../../pages/page.ts'
import type { ConsentView } from '../../pages/views.ts'
import { describeDetails } from '../../protocol/authorization-details.ts'
import { scopesOfClaims, storeClaims } from '../../protocol/claims-parameter.ts'
import { isSelfRegistered } from '../../protocol/client-source.ts'
import { paths } from '../../protocol/paths.ts'
import { consentHost, redirectHost, redirectsToOwnComputer } from '../../protocol/redirect-uri.ts'
import { canonicalScope, scopesMissing } from '../../protocol/scope.ts'
import type { Client } from '../clients/clients.ts'
import { subjectFor } from '../clients/pairwise-subject.ts'
import type { Server, User } from '../server.ts'
import type { AuthorizationRequest } from './authorization-request.ts'
import type { DecidingUser, ShownTo } from './deciding-user.ts'

/** A request as it is kept while its user decides; the client is in a column of its own. */
export type HeldRequest = Omit<AuthorizationRequest, 'client'> & ShownTo

/** What the form's token is for. */
export const consentPurpose = (requestId: string, userId: string) => `consent ${requestId} ${userId}`

export function consentForm(
  server: Server,
  browser: Browser,
  asked: AuthorizationRequest,
  user: User,
  held: string[],
  waiting: StoredToken & { token: string },
  more: { again: string; cookie: string | undefined },
): Answer {
  const cookies = [browser.setCookie, more.cookie].filter((one) => one !== undefined)
  const page = consentPage(server.frame(user), {
    action: server.settings.base + paths.consent,
    hidden: {
      request: waiting.token,
      form_token: formToken(server.secrets, browser, consentPurpose(waiting.id, user.id)),
      again: more.again,
    },
    client: clientView(asked.client),
    account: { name: user.name, email: user.email, switchUrl: server.switchUrl(more.again) },
    redirectHost: redirectHost(asked.redirectUri),
    loopbackOnly: redirectsToOwnComputer(asked.redirectUri),
    ...grantView(server, asked.client, { ...asked, scope: consentScope(asked) }, held),
    // What comes from this browser's sign-in ends with it, unless it may stay.
    ...(asked.scope.includes('openid') && user.sid !== undefined ? { offline: false } : {}),
  })
  const answer = answerPage(page, cookies.length > 0 ? { 'set-cookie': cookies } : undefined)
  return concerning(answer, { client: asked.client.id })
}

/** What a person is told about a client. */
export function clientView(client: Client): ConsentView['client'] {
  return {
    name: client.name,
    // A picture of one's own choice could be anybody's, and would tell its server who looks (CIMD §8.8, §9.2).
    logo: isSelfRegistered(client) ? undefined : (client.logoUri ?? undefined),
    homepage: client.clientUri ?? undefined,
    policy: client.policyUri ?? undefined,
    terms: client.tosUri ?? undefined,
    createdByItself: isSelfRegistered(client),
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

/** The inputs of a code for one request and user. */
export async function codeInput(
  server: Server,
  asked: AuthorizationRequest,
  user: DecidingUser,
  code: StoredToken,
  now: number,
) {
  return {
    code_id: code.id,
    code_hash: code.hash,
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
  }
}
