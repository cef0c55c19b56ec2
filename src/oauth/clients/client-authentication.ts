// RFC 6749 §2.3, §2.3.1, §3.2.1, §5.2; RFC 7617 §2; RFC 7521 §4.2.1: which client asks, and whether it is. A client with a
// secret may use client_secret_basic and client_secret_post alike; every other method is the registered one and no other.
// Failures and requests are limited: RFC 6819 §5.1.4.2.3, RFC 6585 §4.

import { networkLimit } from '../../core.ts'
import type { UnverifiedJwt } from '../../crypto/jws.ts'
import type { Limit } from '../../db/counters.ts'
import { exactText } from '../../exact-text.ts'
import type { Form } from '../../http/forms.ts'
import type { Incoming } from '../../http/message.ts'
import { told } from '../../log.ts'
import type { AuthenticationMethod } from '../../protocol/profiles.ts'
import { isRefusal, type Refusal, refusals, refuse } from '../../protocol/refusals.ts'
import type { Server } from '../server.ts'
import { readAssertion, verifyAssertion } from './client-assertion.ts'
import { clientSecretCheck, isSlow, type SecretCheck } from './client-secret.ts'
import type { Client } from './clients.ts'
import { knownNetworks } from './known-networks.ts'
import { verifyCertificate } from './mutual-tls.ts'

const failureWindow = 15 * 60_000
const hour = 3_600_000
/** Wrong imported secrets of one client from a network where it was right before. */
const mostWhereKnown = 10

interface Credentials {
  clientId: string
  secret: string | undefined
  assertion?: UnverifiedJwt
}

const check: SecretCheck = clientSecretCheck()
const known = knownNetworks()

/**
 * The authenticated client of a back-channel request, or why it is none. Failures are limited per client and network;
 * beyond the limit a wrong secret is 429 and costs nothing, while the right one is never locked out by others' wrong
 * ones (many clients share the networks of the large platforms, and client ids are no secrets). An imported one, whose check
 * is expensive, is not where it was right before.
 */
export async function authenticateClient(
  server: Server,
  request: Incoming,
  form: Form,
): Promise<Client | Refusal> {
  const credentials = readCredentials(request, form)
  if (isRefusal(credentials)) return credentials
  const named = await server.clients.find(credentials.clientId)
  const client = named && (await server.freshClient(named))
  if (isRefusal(client)) return client
  const verified = client
    ? await verify(server, request, client, credentials)
    : refuse('client_unknown', { client: told(credentials.clientId) })
  if (!isRefusal(verified)) return withinHourlyLimit(server, request, verified)
  // Keys that cannot be fetched say nothing about the caller.
  if (refusals[verified.refusal].status === 503 || verified.refusal === 'too_many_failures') return verified
  const limits = failureLimits(server, request, client)
  const retryAfter = Math.ceil((await server.counters.take(limits, true)) / 1_000)
  if (retryAfter > 0) {
    return refuse('too_many_failures', { client: client?.id ?? told(credentials.clientId) }, { retryAfter })
  }
  return verified
}

/** What a failure counts for: where it came from, and the client if there is such a one. */
function failureLimits({ settings }: Server, { address }: Incoming, client: Client | undefined): Limit[] {
  const { failuresPerNetwork, clientAuthenticationFailures } = settings.limits
  const window = failureWindow
  const network = networkLimit(settings, address, 'client network', { most: failuresPerNetwork, window })
  if (!client) return [network]
  return [network, { key: `client:${client.id}`, most: clientAuthenticationFailures, window }]
}

async function longestWait({ counters }: Server, limits: readonly Limit[]): Promise<number> {
  return Math.max(0, ...(await Promise.all(limits.map((limit) => counters.blockedFor(limit)))))
}

async function verify(
  server: Server,
  request: Incoming,
  client: Client,
  { secret, assertion }: Credentials,
): Promise<Client | Refusal> {
  const facts = { client: client.id }
  if (!client.active) return refuse('client_inactive', facts)
  const presented = assertion ? 'assertion' : secret === undefined ? 'nothing' : 'secret'
  if (presented !== inTheForm[client.method]) {
    const reason = presented === 'nothing' ? 'client_authentication_missing' : 'client_method_wrong'
    return refuse(reason, { ...facts, presented, method: client.method })
  }
  if (assertion) return verifyAssertion(server, client, assertion, request.address)
  if (secret !== undefined) return verifySecret(server, request, client, secret)
  return client.method === 'none' ? client : verifyCertificate(server, request, client)
}

/** What each method puts into the request itself; a certificate comes with the connection. */
const inTheForm: Readonly<Record<AuthenticationMethod, 'secret' | 'assertion' | 'nothing'>> = {
  client_secret_basic: 'secret',
  client_secret_post: 'secret',
  private_key_jwt: 'assertion',
  tls_client_auth: 'nothing',
  self_signed_tls_client_auth: 'nothing',
  none: 'nothing',
}

async function verifySecret(
  server: Server,
  request: Incoming,
  client: Client,
  secret: string,
): Promise<Client | Refusal> {
  const now = server.now()
  const { secretHash, previousSecretHash, previousSecretExpiresAt } = client
  const good = [secretHash, previousSecretExpiresAt > now ? previousSecretHash : null]
  for (const stored of good) {
    if (stored && (await isSecret(server, request, client, secret, stored))) return client
  }
  return refuse('client_secret_wrong', { client: client.id })
}

async function isSecret(
  server: Server,
  request: Incoming,
  client: Client,
  secret: string,
  stored: string,
): Promise<boolean> {
  const now = server.now()
  if (!isSlow(stored)) return check(secret, stored, now, () => true)
  const { settings, counters } = server
  const here = networkLimit(settings, request.address, `client from:${client.id}`, {
    most: mostWhereKnown,
    window: failureWindow,
  })
  const wasRightHere = known.has(client.id, here.key)
  const [network, ...own] = failureLimits(server, request, client)
  // Where all requests seem to come from one network, its failures are anybody's.
  const limits = here.shared ? own : [network!, ...own]
  const mayGuess = async () =>
    (await longestWait(server, limits)) === 0 || (wasRightHere && (await counters.blockedFor(here)) === 0)
  const right = await check(secret, stored, now, mayGuess)
  if (right) known.add(client.id, here.key)
  else if (wasRightHere) await counters.count(here, true)
  return right
}

/** The party a request counts against: an authenticated client, otherwise the network it came from. */
function requestLimit(
  { settings }: Server,
  { address }: Incoming,
  { id, confidential }: Client,
  most: number,
): Limit {
  const key = `requests:${id}`
  return confidential
    ? { key, most, window: hour }
    : networkLimit(settings, address, key, { most, window: hour })
}

async function withinHourlyLimit(
  server: Server,
  request: Incoming,
  client: Client,
): Promise<Client | Refusal> {
  if (client.requestsPerHour === null) return client
  const limit = requestLimit(server, request, client, client.requestsPerHour)
  const wait = await server.counters.take([limit])
  if (wait > 0) {
    return refuse(
      'too_many_requests',
      { client: client.id, limit: limit.most },
      { retryAfter: Math.ceil(wait / 1_000) },
    )
  }
  return client
}

/** The one set of credentials a request carries. */
export function readCredentials(request: Incoming, form: Form): Credentials | Refusal {
  const header = request.header('authorization')
  const bodyId = form.get('client_id')
  const bodySecret = form.get('client_secret')
  const assertion = readAssertion(form)
  if (assertion) {
    if (header !== undefined || bodySecret !== undefined) return refuse('client_assertion_ambiguous')
    return isRefusal(assertion)
      ? assertion
      : { clientId: assertion.clientId, secret: undefined, assertion: assertion.jwt }
  }
  if (header === undefined) {
    if (bodyId === undefined) return refuse('client_authentication_missing')
    return { clientId: bodyId, secret: bodySecret }
  }
  const basic = readBasic(header)
  if (isRefusal(basic)) return basic
  if (bodySecret !== undefined) return refuse('client_authentication_ambiguous')
  if (bodyId !== undefined && bodyId !== basic.clientId) return refuse('client_authentication_ambiguous')
  return basic
}

/**
 * Both halves are form-encoded before base64 (RFC 6749 §2.3.1). Without the colon of RFC 7617 §2 it is an id alone, as
 * okta-auth-js sends a public client's.
 */
function readBasic(header: string): Credentials | Refusal {
  const malformed = refuse('client_authentication_malformed')
  const match = /^basic +([A-Za-z0-9+/]+={0,2}) *$/i.exec(header)
  if (!match) return malformed
  const text = exactText(Buffer.from(match[1]!, 'base64'))
  if (text === undefined) return malformed
  const colon = text.includes(':') ? text.indexOf(':') : text.length
  if (colon < 1) return malformed
  try {
    const [clientId, secret] = [text.slice(0, colon), text.slice(colon + 1)].map((half) =>
      decodeURIComponent(half.replaceAll('+', ' ')),
    )
    if (clientId!.includes('\0') || secret!.includes('\0')) return malformed
    // An empty password is how some clients send a public client's id.
    return { clientId: clientId!, secret: secret === '' ? undefined : secret }
  } catch {
    return malformed
  }
}
