// OpenID Connect Core §5.3, §5.3.1, §5.3.2, §5.3.3; RFC 6750 §2.2, §3.1; FAPI 2.0 Security Profile §5.3.3; RFC 8705 §3; RFC 9449 §7.1: what a client may know of its user, for an access
// token with `openid`, whichever API the token is for.

import { decideAccess } from '../../api/access-decision.ts'
import { type AccessGranted, type AccessToken, demandsOf } from '../../api/bearer.ts'
import { refusedAccess } from '../../api/challenge.ts'
import { signJwt } from '../../crypto/jws.ts'
import { parseForm } from '../../http/forms.ts'
import { type Answer, concerning, type Incoming, json } from '../../http/message.ts'
import { storedClaims } from '../../protocol/claims-parameter.ts'
import { jsonRefusal } from '../../protocol/error-answer.ts'
import { paths } from '../../protocol/paths.ts'
import { isRefusal, type Refusal, refuse } from '../../protocol/refusals.ts'
import { readBody } from '../../protocol/request-body.ts'
import { certificateOf } from '../clients/mutual-tls.ts'
import { findSession } from '../records/sessions.ts'
import type { Server } from '../server.ts'
import { accessRules, lookUpToken } from '../token/resource-server.ts'
import { userClaims } from './user-claims.ts'

/** Far above any honest form with a token, in bytes. */
const formLimit = 64 * 1024

/** `GET` and `POST /oauth/userinfo` */
export async function userinfo(server: Server, request: Incoming): Promise<Answer> {
  const url = server.settings.issuer + paths.userinfo
  const rules = accessRules(server)
  const demands = demandsOf({ scope: 'openid' }, url)
  const asking = await withTokenOfForm(request)
  if (isRefusal(asking)) return jsonRefusal(request, asking)
  const certificate = certificateOf(server, request)
  const known = { url, ...(certificate && !isRefusal(certificate) ? { certificate: certificate.raw } : {}) }
  const access = await decideAccess(asking, known, demands, rules, (token) => lookUp(server, token, url))
  // FAPI 2.0 Security Profile §5.3.3: a token stands in the header, nowhere else.
  const strict = !isRefusal(access) && (await server.clients.find(access.clientId))?.profile === 'fapi2'
  const claims =
    strict && !request.header('authorization')
      ? refuse('bearer_in_query', { client: (access as AccessGranted).clientId })
      : isRefusal(access)
        ? access
        : await claimsFor(server, access)
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
  if (alg === undefined) return concerning(json(200, claims, headers), { client: clientId })
  const signed = { ...claims, iss: server.settings.issuer, aud: clientId }
  return {
    status: 200,
    headers: { 'content-type': 'application/jwt', 'cache-control': 'no-store', ...headers },
    body: signJwt(await server.keys.ensure(alg), 'JWT', signed),
    facts: { client: clientId },
  }
}

/**
 * The request with its token in the header, where a POST brought it as a form (RFC 6750 §2.2). Further methods at once are
 * refused with the request as it came (§2).
 */
async function withTokenOfForm(request: Incoming): Promise<Request | Refusal> {
  const asking = request.request()
  const type = request.header('content-type') ?? ''
  const isForm = request.method === 'POST' && /^application\/x-www-form-urlencoded *(;|$)/i.test(type)
  if (!isForm || asking.headers.has('authorization') || new URL(asking.url).searchParams.has('access_token'))
    return asking
  const text = await readBody(request, formLimit)
  const form = isRefusal(text) ? text : (parseForm(text) ?? refuse('malformed_form'))
  if (isRefusal(form)) return form
  if (form.repeated.includes('access_token')) return refuse('bearer_twice')
  const token = form.get('access_token')
  const headers = new Headers(asking.headers)
  headers.delete('content-type')
  if (token !== undefined) headers.set('authorization', `Bearer ${token}`)
  return new Request(asking.url, { method: 'POST', headers })
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
