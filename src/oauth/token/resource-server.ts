// RFC 6750 §3; RFC 9068 §4; RFC 7009 §2.1; RFC 9449 §7, §11.1: the API beside the authorization server, in one process with it.
// A token is looked up, so that whatever ended it bites on the next request.

import { type AccessRules, decideAccess } from '../../api/access-decision.ts'
import {
  type Access,
  type AccessGranted,
  type AccessNeeds,
  type AccessToken,
  type BearerRequest,
  demandsOf,
  readJwt,
  rememberVerified,
  verifyJwt,
} from '../../api/bearer.ts'
import { refusedAccess } from '../../api/challenge.ts'
import { knownResources, resourceMetadataUrl } from '../../api/resource-metadata.ts'
import { sha256 } from '../../crypto/tokens.ts'
import { Unavailable } from '../../db/database.ts'
import { isRefusal, type Refusal, refuse } from '../../protocol/refusals.ts'
import { spelledAs } from '../../protocol/resource-indicators.ts'
import { scopeSet } from '../../protocol/scope.ts'
import { isResourceUri } from '../config/resources.ts'
import type { AccessTokenRow } from '../records/access-tokens.ts'
import type { Server } from '../server.ts'
import { confirmationOf, spendProof } from './sender-constraint.ts'
import { accessTokenIsAlive, clientsOfTokenAreActive, findAccess } from './token-lookup.ts'

/** Decides about the requests to the APIs of one process. */
export function guardResources(
  server: Server,
): (request: BearerRequest, needs?: AccessNeeds) => Promise<Access> {
  const { settings } = server
  const verified = rememberVerified(server.now)
  const resources = knownResources(settings)
  const metadataUrls = new Map(resources.map((one) => [one, resourceMetadataUrl(one)]))

  const lookUpHere = (token: string) => lookUpToken(server, token)
  const rules = accessRules(server)

  function verify(token: string): AccessToken | Refusal {
    const hash = sha256(token)
    const known = verified.get(hash)
    if (known) return known
    const jwt = readJwt(token)
    if (!jwt) return refuse('access_token_invalid')
    if (isRefusal(jwt)) return jwt
    const fresh = verifyJwt(jwt, server.keys.verifier(jwt.kid, jwt.alg), settings.issuer)
    if (!isRefusal(fresh)) verified.set(hash, fresh)
    return fresh
  }

  return async (request, needs = {}) => {
    const asked = needs.resource ?? settings.defaultResource
    const demands = demandsOf(needs, isResourceUri(asked) ? spelledAs(asked, resources) : asked)
    if (!metadataUrls.has(demands.resource)) {
      throw new TypeError(
        `resource: ${demands.resource} is not known; known are ${[...metadataUrls.keys()].join(', ')}`,
      )
    }
    const find = needs.check === 'offline' ? verify : lookUpHere
    let access: AccessGranted | Refusal
    try {
      if (!server.clock.ok) throw new Unavailable('the clock of this process cannot be trusted')
      access = await decideAccess(request, needs, demands, rules, find)
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error
      server.log.error('storage unavailable', { error: error.message })
      access = refuse('unavailable', {}, { retryAfter: error.retryAfter })
    }
    if (isRefusal(access)) {
      server.log.info('access refused', { reason: access.refusal, ...access.facts })
      const metadataUrl = metadataUrls.get(demands.resource)
      return refusedAccess(access, demands, { request, metadataUrl, required: rules.required })
    }
    if (access.sessionId !== undefined) server.activity.sessionUsed(access.sessionId)
    return access
  }
}

/** What requests with an access token are held against, at every API of this process. */
export function accessRules(server: Server): AccessRules {
  const { settings } = server
  return {
    nonces: server.nonces,
    required: settings.dpop.required,
    acrOrder: settings.authentication.acrValues,
    certificates: settings.mutualTls && {
      header: settings.mutualTls.certificateHeader,
      trustedProxies: settings.trustedProxies,
    },
    now: server.now,
    spend: (proof) => spendProof(server, proof),
  }
}

/** The row's hash vouches for every claim, so a JWT's signature is not verified here. */
export async function lookUpToken(server: Server, token: string): Promise<AccessToken | Refusal> {
  const row = await findAccess(server, token)
  if (!row) {
    const jwt = readJwt(token)
    return isRefusal(jwt) ? jwt : refuse('access_token_invalid')
  }
  const client = row.client_id
  if (row.expires_at <= server.now()) return refuse('access_token_expired', { client })
  if (!accessTokenIsAlive(row, server.now())) {
    return refuse('access_token_revoked', { client, session: row.session_id })
  }
  if (!(await clientsOfTokenAreActive(server, row))) {
    return refuse('access_token_revoked', { client, inactive: true })
  }
  return tokenFromRow(row, server.settings.issuer)
}

function tokenFromRow(row: AccessTokenRow, issuer: string): AccessToken {
  const resource = scopeSet(row.resources)
  const amr = row.amr?.split(' ')
  return {
    subject: row.subject,
    clientId: row.client_id,
    scope: scopeSet(row.scope),
    resource,
    ...(row.user_id === null ? {} : { userId: row.user_id }),
    ...(row.session_id === null ? {} : { sessionId: row.session_id }),
    expiresAt: row.expires_at,
    ...(row.auth_time === null ? {} : { authTime: row.auth_time }),
    ...(row.acr === null ? {} : { acr: row.acr }),
    ...(amr === undefined ? {} : { amr }),
    claims: {
      iss: issuer,
      sub: row.subject,
      aud: resource.length === 1 ? resource[0] : resource,
      client_id: row.client_id,
      scope: row.scope,
      iat: Math.floor(row.created_at / 1_000),
      exp: Math.floor(row.expires_at / 1_000),
      jti: row.id,
      ...(row.auth_time === null ? {} : { auth_time: Math.floor(row.auth_time / 1_000) }),
      ...(row.acr === null ? {} : { acr: row.acr }),
      ...(amr === undefined ? {} : { amr }),
      ...(row.jkt === null ? {} : { cnf: confirmationOf(row.jkt) }),
      ...(row.claims === null ? {} : JSON.parse(row.claims)),
    },
  }
}
