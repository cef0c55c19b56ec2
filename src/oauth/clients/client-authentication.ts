// RFC 6749 §2.3, §2.3.1, §3.2.1, §5.2; RFC 7521 §4.2.1: which client asks, and whether it is. A client with a secret may use
// client_secret_basic and client_secret_post alike; every other method is the registered one and no other. Failures and
// requests are limited: RFC 6819 §5.1.4.2.3, RFC 6585 §4.

import type { UnverifiedJwt } from '../../crypto/jws.ts'
import { networkOf } from '../../http/address.ts'
import type { Form } from '../../http/forms.ts'
import type { Incoming } from '../../http/message.ts'
import { told } from '../../log.ts'
import { isRefusal, type Refusal, refusals, refuse } from '../refusals.ts'
import type { Server } from '../server.ts'
import { readAssertion, verifyAssertion } from './client-assertion.ts'
import { clientSecretCheck, type SecretCheck } from './client-secret.ts'
import type { Client } from './clients.ts'
import { verifyCertificate } from './mutual-tls.ts'
import type { AuthenticationMethod } from './profiles.ts'

const failureWindow = 15 * 60_000
const hour = 3_600_000

interface Credentials {
  clientId: string
  secret: string | undefined
  assertion?: UnverifiedJwt
}

const check: SecretCheck = clientSecretCheck()

/**
 * The authenticated client of a back-channel request, or why it is none. Failures are limited per client and network;
 * beyond the limit a wrong secret is 429 and costs nothing, while the right one is never locked out by others' wrong
 * ones (many clients share the networks of the large platforms, and client ids are no secrets).
 */
export async function authenticateClient(
  server: Server,
  request: Incoming,
  form: Form,
): Promise<Client | Refusal> {
  const credentials = readCredentials(request, form)
  if (isRefusal(credentials)) return credentials
  const known = await server.clients.find(credentials.clientId)
  const client = known && (await server.freshClient(known))
  if (isRefusal(client)) return client
  const { limits } = server.settings
  const networkKey = () => (request.address === '' ? undefined : `network:${networkOf(request.address)}`)
  const account = client && `client:${client.id}`
  const wait = () => {
    const network = networkKey()
    return Math.max(
      network === undefined ? 0 : server.counters.blockedFor(network, limits.failuresPerNetwork),
      account === undefined ? 0 : server.counters.blockedFor(account, limits.clientAuthenticationFailures),
    )
  }

  const verified = client
    ? await verify(server, request, client, credentials, () => wait() === 0)
    : refuse('client_unknown', { client: told(credentials.clientId) })
  if (!isRefusal(verified)) return withinHourlyLimit(server, verified)
  // Keys that cannot be had say nothing about whoever asks.
  if (refusals[verified.refusal].status === 503 || verified.refusal === 'too_many_failures') return verified
  const retryAfter = Math.ceil(wait() / 1_000)
  if (retryAfter > 0) {
    return refuse('too_many_failures', { client: client?.id ?? told(credentials.clientId) }, { retryAfter })
  }
  const keys = [networkKey(), account].filter((key) => key !== undefined)
  await Promise.all(keys.map((key) => server.counters.count(key, failureWindow, true)))
  return verified
}

async function verify(
  server: Server,
  request: Incoming,
  client: Client,
  { secret, assertion }: Credentials,
  mayGuess: () => boolean,
): Promise<Client | Refusal> {
  const facts = { client: client.id }
  if (!client.active) return refuse('client_inactive', facts)
  const presented = assertion ? 'assertion' : secret === undefined ? 'nothing' : 'secret'
  if (presented !== inTheForm[client.method]) {
    const reason = presented === 'nothing' ? 'client_authentication_missing' : 'client_method_wrong'
    return refuse(reason, { ...facts, presented, method: client.method })
  }
  if (assertion) return verifyAssertion(server, client, assertion, request.address)
  if (secret !== undefined) return verifySecret(server, client, secret, mayGuess)
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
  client: Client,
  secret: string,
  mayGuess: () => boolean,
): Promise<Client | Refusal> {
  const now = server.now()
  if (client.secretHash && (await check(secret, client.secretHash, now, mayGuess))) return client
  const { previousSecretHash, previousSecretExpiresAt } = client
  if (
    previousSecretHash &&
    previousSecretExpiresAt > now &&
    (await check(secret, previousSecretHash, now, mayGuess))
  )
    return client
  return refuse('client_secret_wrong', { client: client.id })
}

function withinHourlyLimit(server: Server, client: Client): Client | Refusal {
  if (client.requestsPerHour === null) return client
  const key = `requests:${client.id}`
  const wait = server.counters.blockedFor(key, client.requestsPerHour)
  if (wait > 0) {
    return refuse(
      'too_many_requests',
      { client: client.id, limit: client.requestsPerHour },
      { retryAfter: Math.ceil(wait / 1_000) },
    )
  }
  void server.counters.count(key, hour)
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

/** Both halves are form-encoded before base64 (RFC 6749 §2.3.1). */
function readBasic(header: string): Credentials | Refusal {
  const malformed = refuse('client_authentication_malformed')
  const match = /^basic +([A-Za-z0-9+/]+={0,2}) *$/i.exec(header)
  if (!match) return malformed
  const text = Buffer.from(match[1]!, 'base64').toString('utf8')
  const colon = text.indexOf(':')
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
