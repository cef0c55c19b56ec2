// RFC 7523 §2.1, §3, §3.1; RFC 7521 §4.1, §5.2; Identity Assertion JWT Authorization Grant (draft 04) §3.1, §4.4: an access token
// for the signed word of an issuer that speaks for its users.

import { isOfAuthority, knownUser, resolveUser } from '../../accounts/users.ts'
import { parseJwt, type UnverifiedJwt } from '../../crypto/jws.ts'
import { eventInput } from '../../events/append.ts'
import { told } from '../../log.ts'
import { grantTypeRules } from '../../protocol/grant-types.ts'
import { paths } from '../../protocol/paths.ts'
import { isRefusal, type Refusal, refuse } from '../../protocol/refusals.ts'
import { requestedResources } from '../../protocol/resource-indicators.ts'
import { allowedScope, canonicalScope, narrowedScope, parseScope, withImplied } from '../../protocol/scope.ts'
import { isSignedBy } from '../clients/client-signature.ts'
import type { Client } from '../clients/clients.ts'
import { subjectFor } from '../clients/pairwise-subject.ts'
import type { AssertionIssuer } from '../config/assertion-issuers.ts'
import { isOpenidScope } from '../config/scopes.ts'
import { spendJti } from '../guards/replay.ts'
import { beginAssertedSession } from '../records/sessions.ts'
import type { Server } from '../server.ts'
import { newSession } from '../token/new-session.ts'
import type { Actor } from './exchanged-token.ts'
import type { GrantType, TokenRequest } from './grant.ts'

/** `typ` of an assertion that was made for one client at one server. */
const identityAssertion = 'oauth-id-jag+jwt'
/** Of any other; a JWT for another purpose says so, and is none (RFC 8725 §3.11). */
const plain: readonly unknown[] = [undefined, 'jwt', 'authorization-grant+jwt']

/** How far `nbf` and `iat` may lie ahead of this server's clock, in seconds. */
const aheadAtMost = 30
/** Longest account key, name and address, as in every adapter. */
const longestSubject = 255
/** What goes into each token travels in headers. */
const longestDetail = 2_048

export const jwtBearer: GrantType = {
  ...grantTypeRules.jwtBearer,
  async redeem(server, request) {
    const { client, form, origin, binding } = request
    const assertion = form.get('assertion')
    if (assertion === undefined) return refuse('missing_parameter', { parameter: 'assertion' })
    const verified = await verify(server, request, assertion)
    if (isRefusal(verified)) return verified
    const { issuer, claims } = verified
    const resources = resourcesOf(server, request, issuer, claims)
    if (isRefusal(resources)) return resources
    const scope = scopeOf(server, request, issuer, claims)
    if (isRefusal(scope)) return scope
    const user = await userOf(server, client, issuer, claims)
    if (isRefusal(user)) return user
    const now = server.now()
    const { sessionId, access, input } = await newSession(
      server,
      client,
      {
        user_id: user.id,
        subject: await subjectFor(server, client, user),
        scope: canonicalScope(scope),
        resources: resources.join(' '),
        auth_time: claims.auth_time === undefined ? null : Math.floor(claims.auth_time * 1_000),
        acr: claims.acr ?? null,
        amr: claims.amr?.join(' ') ?? null,
        sid: null,
        claims: null,
        authorization_details: null,
      },
      {
        resources,
        details: null,
        binding,
        brief: true,
        claims: { ...(claims.act === undefined ? {} : { act: claims.act }), asserted_by: issuer.id },
      },
      now,
    )
    // Last of all: what is refused must not be spent.
    const fresh = await spendJti(server, 'assertion', [issuer.id, claims.jti], claims.exp * 1_000)
    if (!fresh) return refuse('assertion_replayed', { client: client.id, issuer: issuer.id })
    const begun = await server.db.write(beginAssertedSession, {
      ...input,
      ...eventInput(
        now,
        'assertion_granted',
        { userId: user.id, clientId: client.id, sessionId, ...origin },
        { scope: access.row.access_scope, issuer: issuer.id },
      ),
    })
    return begun.length === 0 ? refuse('assertion_user', { client: client.id, user: user.id }) : { access }
  },
}

/** The claims of an assertion that holds. Times in seconds. */
interface AssertionClaims {
  sub: string
  jti: string
  exp: number
  auth_time?: number
  acr?: string
  amr?: string[]
  act?: Actor
  scope?: string
  resource?: string[]
  name?: string
  email?: string
}

interface Verified {
  issuer: AssertionIssuer
  claims: AssertionClaims
}

/** Issuer, client, claims, signature and key: everything but that it is new. */
async function verify(
  server: Server,
  { client, binding, origin }: TokenRequest,
  assertion: string,
): Promise<Verified | Refusal> {
  const jwt = parseJwt(assertion)
  if (!jwt) return refuse('assertion_invalid', { client: client.id, wrong: 'form' })
  const { iss } = jwt.claims
  const facts = { client: client.id, issuer: told(iss) }
  const issuer = typeof iss === 'string' ? server.settings.assertionIssuers.get(iss) : undefined
  if (!issuer) return refuse('assertion_untrusted', facts)
  if (!issuer.clients.includes(client.id)) return refuse('assertion_untrusted', { ...facts, wrong: 'client' })
  const wrong = wrongClaim(server, client, issuer, jwt)
  if (wrong !== undefined) return refuse('assertion_invalid', { ...facts, wrong })
  const signed = await isSignedBy(
    server,
    { owner: issuer, address: origin.address ?? '' },
    jwt,
    issuer.algorithms,
  )
  if (isRefusal(signed)) {
    return signed.refusal === 'client_keys_forbidden'
      ? refuse('assertion_signature', { ...facts, ...signed.facts })
      : refuse(signed.refusal, { ...facts, ...signed.facts }, signed)
  }
  if (!signed) return refuse('assertion_signature', { ...facts, alg: told(jwt.header['alg']) })
  // An assertion bound to a key is for the holder of that key only (RFC 7800 §3.1).
  const { cnf } = jwt.claims as { cnf?: Record<string, unknown> }
  const bound = cnf && (cnf['jkt'] ?? (typeof cnf['x5t#S256'] === 'string' && `x5t#S256:${cnf['x5t#S256']}`))
  if (cnf !== undefined && (binding === null || bound !== binding))
    return refuse('assertion_invalid', { ...facts, wrong: 'cnf' })
  const { resource } = jwt.claims
  return {
    issuer,
    claims: {
      ...(jwt.claims as unknown as AssertionClaims),
      ...(resource === undefined ? {} : { resource: [resource].flat() as string[] }),
    },
  }
}

/** The first claim that is missing or does not hold (RFC 7523 §3; ID-JAG §4.4.1). */
function wrongClaim(
  server: Server,
  client: Client,
  issuer: AssertionIssuer,
  { header, claims }: UnverifiedJwt,
): string | undefined {
  const now = server.now() / 1_000
  const typ =
    typeof header['typ'] === 'string'
      ? header['typ'].toLowerCase().replace(/^application\//, '')
      : header['typ']
  const identity = typ === identityAssertion
  if (!identity && !plain.includes(typ)) return 'typ'
  if (!issuer.accepts.includes(identity ? 'id-jag' : 'jwt')) return 'typ'
  const { sub, aud, exp, nbf, iat, jti, client_id, tenant, scope, resource } = claims
  if (!isText(sub) || sub.length > longestSubject) return 'sub'
  const audience = [aud].flat()
  const ours: readonly unknown[] = identity
    ? [server.settings.issuer]
    : [server.settings.issuer, server.settings.issuer + paths.token]
  // One that is good elsewhere too could be carried here from there.
  if (audience.length !== 1 || !ours.includes(audience[0])) return 'aud'
  if (identity ? client_id !== client.id : client_id !== undefined && client_id !== client.id)
    return 'client_id'
  if (!(typeof exp === 'number' && exp > now && exp <= now + issuer.longestLife / 1_000)) return 'exp'
  if (identity && iat === undefined) return 'iat'
  for (const [name, time] of Object.entries({ nbf, iat })) {
    if (time !== undefined && !(typeof time === 'number' && time <= now + aheadAtMost)) return name
  }
  if (!isText(jti)) return 'jti'
  // The same subject of another tenant is another person.
  if ((tenant ?? null) !== issuer.tenant) return 'tenant'
  if (scope !== undefined && typeof scope !== 'string') return 'scope'
  if (resource !== undefined && ![resource].flat().every(isText)) return 'resource'
  return wrongDetail(claims, now)
}

/** What a token would say about the user's authentication must be what its readers expect. */
function wrongDetail(
  { auth_time, acr, amr, act, cnf }: Record<string, unknown>,
  now: number,
): string | undefined {
  // One that lies ahead would be recent for ever.
  if (
    auth_time !== undefined &&
    !(typeof auth_time === 'number' && auth_time >= 0 && auth_time <= now + aheadAtMost)
  )
    return 'auth_time'
  if (jsonLength([acr, amr, act]) > longestDetail) return 'act'
  if (acr !== undefined && !isText(acr)) return 'acr'
  if (amr !== undefined && !(Array.isArray(amr) && amr.every((one) => isText(one) && !one.includes(' '))))
    return 'amr'
  if (act !== undefined && !(isObject(act) && isText(act['sub']))) return 'act'
  return cnf === undefined || isObject(cnf) ? undefined : 'cnf'
}

/** Infinite where it is nested deeper than can be written. */
function jsonLength(value: unknown): number {
  try {
    return JSON.stringify(value).length
  } catch {
    return Number.POSITIVE_INFINITY
  }
}

/** One that every database keeps as it is. */
function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && !value.includes('\0') && value.isWellFormed()
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What the assertion names, as far as issuer and client may; a request may narrow it. */
function resourcesOf(
  { settings }: Server,
  { client, form }: TokenRequest,
  issuer: AssertionIssuer,
  { resource }: AssertionClaims,
): string[] | Refusal {
  const all = [...Object.keys(settings.resources), settings.issuer]
  const allowed = all.filter(
    (uri) =>
      (client.resources.length === 0 || client.resources.includes(uri)) &&
      (issuer.resources?.includes(uri) ?? true) &&
      (resource?.includes(uri) ?? true),
  )
  if (allowed.length === 0) return refuse('resource_not_allowed', { client: client.id, issuer: issuer.id })
  const asked = form.all('resource')
  // An assertion that names an API is for that one, not for what would be the default here.
  return asked.length === 0 && resource !== undefined ? allowed : requestedResources(asked, settings, allowed)
}

/** The issuer consents to the scopes it names, as far as it and the client may; what is about signing in is not granted here. */
function scopeOf(
  { settings }: Server,
  { client, form }: TokenRequest,
  issuer: AssertionIssuer,
  claims: AssertionClaims,
): string[] | Refusal {
  const named = parseScope(claims.scope === '' ? undefined : claims.scope)
  if (isRefusal(named)) return refuse('assertion_invalid', { client: client.id, wrong: 'scope' })
  const implied = settings.impliedScopes
  const within = (scope: readonly string[] | null) => scope && withImplied(scope, implied)
  const [ofIssuer, ofClaim] = [within(issuer.scope), within(claims.scope === undefined ? null : named)]
  const allowed = allowedScope(client, settings).filter(
    (one) =>
      Object.hasOwn(settings.scopes, one) &&
      !isOpenidScope(one) &&
      (ofIssuer?.includes(one) ?? true) &&
      (ofClaim?.includes(one) ?? true),
  )
  if (named.length > 0 && allowed.length === 0)
    return refuse('scope_not_allowed', { client: client.id, issuer: issuer.id })
  return narrowedScope(form.get('scope'), allowed, implied)
}

/** The account is (provider, issuer, subject), never an e-mail address. */
async function userOf(
  server: Server,
  client: Client,
  { id, provider, unknownUsers }: AssertionIssuer,
  { sub, name, email }: AssertionClaims,
) {
  const account = { provider, issuer: id, subject: sub }
  const user =
    (await knownUser(server, account)) ??
    (unknownUsers === 'create'
      ? await resolveUser(
          server,
          {
            ...account,
            ...(isText(name) && name.length <= longestSubject ? { name } : {}),
            ...(isText(email) && email.length <= longestSubject ? { email } : {}),
          },
          isOfAuthority(account, server.authority),
        )
      : undefined)
  if (!user) return refuse('assertion_user', { client: client.id, issuer: id, known: false })
  return user.disabled_at === null ? user : refuse('assertion_user', { client: client.id, user: user.id })
}
