// OpenID Connect Core §5.3, §5.3.1, §5.3.2, §5.3.3; RFC 6750 §3.1; RFC 8705 §3; RFC 9449 §7.1: what a client may know of its user, for an access
// token with `openid`, whichever API the token is for.

import { signJwt } from '../../crypto/jws.ts'
import { type Answer, type Incoming, json } from '../../http/message.ts'
import { type AccessGranted, type AccessToken, demandsOf } from '../bearer.ts'
import { certificateOf } from '../clients/mutual-tls.ts'
import { paths } from '../paths.ts'
import { findSession } from '../records/sessions.ts'
import { isRefusal, type Refusal, refuse } from '../refusals.ts'
import { decideAccess } from '../resource-server/access-decision.ts'
import { refusedAccess } from '../resource-server/challenge.ts'
import { accessRules, lookUpToken } from '../resource-server.ts'
import type { Server } from '../server.ts'
import { storedClaims } from './claims-parameter.ts'
import { userClaims } from './user-claims.ts'

/** `GET` and `POST /oauth/userinfo` */
export async function userinfo(server: Server, request: Incoming): Promise<Answer> {
  const url = server.settings.issuer + paths.userinfo
  const rules = accessRules(server)
  const demands = demandsOf({ scope: 'openid' }, url)
  const asking = request.request()
  const certificate = certificateOf(server, request)
  const known = { url, ...(certificate && !isRefusal(certificate) ? { certificate: certificate.raw } : {}) }
  const access = await decideAccess(asking, known, demands, rules, (token) => lookUp(server, token, url))
  const claims = isRefusal(access) ? access : await claimsFor(server, access)
  if (isRefusal(claims)) {
    server.log.info('access refused', { reason: claims.refusal, ...claims.facts })
    const { required } = rules
    return answerOf(
      refusedAccess(claims, demands, { request: asking, metadataUrl: undefined, required }).response,
    )
  }
  const { clientId, dpopNonce } = access as AccessGranted
  const headers: Answer['headers'] = dpopNonce === undefined ? {} : { 'dpop-nonce': dpopNonce }
  const alg = (await server.clients.find(clientId))?.registered.userinfoSignedResponseAlg
  if (alg === undefined) return json(200, claims, headers)
  const signed = { ...claims, iss: server.settings.issuer, aud: clientId }
  return {
    status: 200,
    headers: { 'content-type': 'application/jwt', 'cache-control': 'no-store', ...headers },
    body: signJwt(await server.keys.ensure(alg), 'JWT', signed),
  }
}

/** Every access token is for this endpoint too. */
async function lookUp(server: Server, token: string, url: string): Promise<AccessToken | Refusal> {
  const found = await lookUpToken(server, token)
  return isRefusal(found) ? found : { ...found, resource: [...found.resource, url] }
}

async function claimsFor(
  server: Server,
  { userId, sessionId, subject, scope, clientId }: AccessGranted,
): Promise<Record<string, unknown> | Refusal> {
  if (userId === undefined) return refuse('access_token_invalid', { client: clientId, user: 'none' })
  const session = sessionId === undefined ? undefined : await server.db.one(findSession, { id: sessionId })
  const client = await server.clients.find(clientId)
  const stored = session?.claims ?? null
  const named = client ? storedClaims(stored, 'userinfo', client, server.settings) : []
  if (sessionId !== undefined) server.activity.sessionUsed(sessionId)
  return { ...(await userClaims(server, userId, scope, named)), sub: subject }
}

async function answerOf(response: Response): Promise<Answer> {
  return {
    status: response.status,
    headers: Object.fromEntries(response.headers),
    body: await response.text(),
  }
}
