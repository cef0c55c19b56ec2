// RFC 8693 §1.1, §2, §2.1, §2.2, §2.2.1, §4.1, §4.4; RFC 8707 §2: a token of another party for one's own, to act for its user
// further on. It lives in the session of the token it came from, ends no later, and is never refreshed.

import { fromHost } from '../../accounts/account.ts'
import { eventInput } from '../../events/append.ts'
import { told } from '../../log.ts'
import { grantTypeRules } from '../../protocol/grant-types.ts'
import { isRefusal, type Refusal, refuse } from '../../protocol/refusals.ts'
import { requestedResources } from '../../protocol/resource-indicators.ts'
import { allowedScope, narrowedScope, withImplied } from '../../protocol/scope.ts'
import type { Client } from '../clients/clients.ts'
import { isOpenidScope } from '../config/scopes.ts'
import type { ExchangeRule } from '../config/token-exchange.ts'
import { issueExchangedToken } from '../records/access-tokens.ts'
import type { Server } from '../server.ts'
import { makeAccessToken } from '../token/access-token.ts'
import { type Actor, type ShownToken, showAccessToken, showIdToken, tokenTypes } from './exchanged-token.ts'
import type { GrantType, TokenRequest } from './grant.ts'

/** Who acted for whom must fit into a token. */
const mostActors = 8

export const tokenExchange: GrantType = {
  ...grantTypeRules.tokenExchange,
  mayRepeat: ['resource', 'audience'],
  async redeem(server, request) {
    const { client, form, origin, binding } = request
    const asked = form.get('requested_token_type') ?? tokenTypes.accessToken
    if (asked !== tokenTypes.accessToken && asked !== tokenTypes.jwt)
      return refuse('token_type_invalid', { client: client.id, requested: told(asked) })
    const subject = await subjectOf(server, request)
    if (isRefusal(subject)) return subject
    const actor = await actorOf(server, request)
    if (isRefusal(actor)) return actor
    const targets = await targetsOf(server, request)
    if (isRefusal(targets)) return targets
    const ruled = ruleFor(server, client, { subject, actor, targets })
    if (isRefusal(ruled)) return ruled
    const { rule, resources } = ruled
    const scope = scopeOf(server, request, subject, rule)
    if (isRefusal(scope)) return scope
    const act = actOf(server, request, { subject, actor, rule })
    if (isRefusal(act)) return act
    const facts = {
      client: client.id,
      kind: rule.kind,
      subject: subject.subject,
      subjectClient: subject.clientId,
      actor: actor?.subject ?? client.id,
      scope,
      resources,
    }
    const { allows } = server.settings.tokenExchange!
    if (allows && (await fromHost(allows(facts))) !== true)
      return refuse('exchange_not_allowed', { by: 'policy', client: client.id })

    const now = server.now()
    const claims = {
      ...(act === undefined ? {} : { act }),
      ...(rule.mayAct === null ? {} : { may_act: { sub: rule.mayAct } }),
    }
    const access = await makeAccessToken(
      server,
      client,
      {
        subject: subject.subject,
        userId: subject.userId,
        sessionId: subject.sessionId,
        sessionExpiresAt: subject.endsAt,
        scope,
        resources,
        authTime: subject.authTime,
        acr: subject.acr,
        amr: subject.amr,
        binding,
        claims: Object.keys(claims).length === 0 ? null : claims,
      },
      now,
    )
    if (asked === tokenTypes.jwt && !access.token.includes('.'))
      return refuse('token_type_invalid', {
        client: client.id,
        requested: 'jwt for an API with opaque tokens',
      })
    const issued = await server.db.write(issueExchangedToken, {
      from_token: subject.id,
      ...access.row,
      ...eventInput(
        now,
        rule.kind === 'delegation' ? 'token_delegated' : 'token_impersonated',
        { userId: subject.userId, clientId: client.id, sessionId: subject.sessionId, ...origin },
        { scope: access.row.access_scope, resources, subject_client: subject.clientId, actor: facts.actor },
      ),
    })
    if (issued.length === 0)
      return refuse('subject_token_invalid', { client: client.id, why: 'ended meanwhile' })
    server.activity.sessionUsed(subject.sessionId)
    return { access, more: { issued_token_type: asked } }
  },
}

/** The token that is exchanged. It has a user and a session: a client that acts for itself has no delegate. */
async function subjectOf(
  server: Server,
  { client, form, binding, origin }: TokenRequest,
): Promise<(ShownToken & { sessionId: string; userId: string }) | Refusal> {
  const token = form.get('subject_token')
  const type = form.get('subject_token_type')
  if (token === undefined) return refuse('missing_parameter', { parameter: 'subject_token' })
  if (type === undefined) return refuse('token_type_invalid', { client: client.id })
  if (!Object.values<string>(tokenTypes).includes(type))
    return refuse('token_type_invalid', { client: client.id, subject: told(type) })
  const shown =
    type === tokenTypes.idToken
      ? await showIdToken(server, client, token, origin.address ?? '')
      : await showAccessToken(server, client, { token, type, binding }, 'subject_token_invalid')
  if (isRefusal(shown)) return shown
  const { sessionId, userId } = shown
  return sessionId === null || userId === null
    ? refuse('subject_token_invalid', { client: client.id, why: 'no user' })
    : { ...shown, sessionId, userId }
}

async function actorOf(
  server: Server,
  { client, form, binding }: TokenRequest,
): Promise<ShownToken | undefined | Refusal> {
  const token = form.get('actor_token')
  const type = form.get('actor_token_type')
  if (token === undefined && type === undefined) return undefined
  if (token === undefined || type === undefined) return refuse('token_type_invalid', { client: client.id })
  if (type !== tokenTypes.accessToken && type !== tokenTypes.jwt)
    return refuse('token_type_invalid', { client: client.id, actor: told(type) })
  return showAccessToken(server, client, { token, type, binding }, 'actor_token_invalid')
}

/** `resource` names APIs by their URI; `audience` by that or by the client that serves them. */
async function targetsOf(server: Server, { client, form }: TokenRequest): Promise<string[] | Refusal> {
  const targets = [...form.all('resource')]
  for (const audience of form.all('audience')) {
    const named = await server.clients.find(audience)
    targets.push(
      ...(named?.active && named.resourceServerFor.length > 0 ? named.resourceServerFor : [audience]),
    )
  }
  return targets.length === 0 ? [] : requestedResources(targets, server.settings, client.resources)
}

/** The first rule that fits, and the APIs the token will be for. */
function ruleFor(
  { settings }: Server,
  client: Client,
  {
    subject,
    actor,
    targets,
  }: { subject: ShownToken; actor: ShownToken | undefined; targets: readonly string[] },
): { rule: ExchangeRule; resources: string[] } | Refusal {
  const facts = { client: client.id, subject_client: subject.clientId }
  const rules = settings.tokenExchange!.rules.filter(
    (one) =>
      one.client === client.id &&
      (actor === undefined || one.kind === 'delegation') &&
      (one.subjectClients?.includes(subject.clientId) ?? true),
  )
  if (rules.length === 0) return refuse('exchange_not_allowed', { ...facts, by: 'rules' })
  const refused = refuse('exchange_target_refused', facts)
  if (targets.length > 0) {
    const rule = rules.find((one) => targets.every((uri) => one.resources.includes(uri)))
    return rule ? { rule, resources: [...targets] } : refused
  }
  // Nothing is named: the APIs the token was for, as far as one rule goes and the client may.
  for (const rule of rules) {
    const same = subject.resources.filter((uri) => rule.resources.includes(uri))
    const resources = same.length === 0 ? refused : requestedResources(same, settings, client.resources)
    if (!isRefusal(resources)) return { rule, resources }
  }
  return refused
}

/** Never more than the token that is exchanged, the rule and the client's own allowance have in common. */
function scopeOf(
  { settings }: Server,
  { client, form }: TokenRequest,
  subject: ShownToken,
  rule: ExchangeRule,
): string[] | Refusal {
  const implied = settings.impliedScopes
  const allowed = allowedScope(client, settings)
  const ruled = rule.scope && withImplied(rule.scope, implied)
  const available = subject.scope.filter(
    (one) => !isOpenidScope(one) && allowed.includes(one) && (ruled?.includes(one) ?? true),
  )
  const scope = narrowedScope(form.get('scope'), available, implied)
  if (isRefusal(scope)) return scope
  return scope.length === 0 && subject.scope.length > 0
    ? refuse('scope_exceeded', { client: client.id, available: 'none' })
    : scope
}

/** Who acts, before those who acted already (§4.1); undefined where the new token does not say it and none was said before. */
function actOf(
  { settings }: Server,
  { client }: TokenRequest,
  { subject, actor, rule }: { subject: ShownToken; actor: ShownToken | undefined; rule: ExchangeRule },
): unknown | Refusal {
  const { act: before, may_act: mayAct } = subject.claims as {
    act?: Actor
    may_act?: Record<string, unknown>
  }
  const sub = actor?.subject ?? client.id
  const clientId = actor?.clientId ?? client.id
  if (mayAct !== undefined) {
    const named = { sub, client_id: clientId, iss: settings.issuer } as Record<string, unknown>
    const members = Object.entries(mayAct)
    if (members.length === 0 || members.some(([name, value]) => named[name] !== value))
      return refuse('exchange_not_allowed', { client: client.id, by: 'may_act' })
  }
  if (rule.kind === 'impersonation') return before
  let actors = 1
  for (let one = before; one !== undefined; one = one.act as Actor | undefined) actors++
  if (actors > mostActors) return refuse('exchange_not_allowed', { client: client.id, by: 'length' })
  return {
    sub,
    ...(clientId === sub ? {} : { client_id: clientId }),
    ...(before === undefined ? {} : { act: before }),
  } satisfies Actor
}
