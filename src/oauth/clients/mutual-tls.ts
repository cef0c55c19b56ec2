// RFC 8705 §2, §2.1, §2.1.2, §2.2, §3, §3.3, §3.4, §5, §6.3; RFC 9440 §2: clients that prove themselves, or what their tokens
// are bound to, by a TLS certificate. TLS ends at a proxy of our own, which hands the certificate over.

import type { KeyObject, X509Certificate } from 'node:crypto'
import {
  type AlternativeName,
  alternativeNames,
  canonicalAddress,
  parseDistinguishedName,
  subjectOf,
} from '../../crypto/certificate.ts'
import { readCertificateHeader } from '../../http/certificate-header.ts'
import type { Incoming } from '../../http/message.ts'
import { bindingOfCertificate } from '../../protocol/certificate-binding.ts'
import { isRefusal, type Refusal, refuse } from '../../protocol/refusals.ts'
import type { Server } from '../server.ts'
import type { RegisteredMetadata } from './client-metadata.ts'
import type { Client } from './clients.ts'

/**
 * The certificate of the connection a request came over; undefined where there is none. The header counts only from a
 * trusted proxy: from any other peer it is ignored (§6.3).
 */
export function certificateOf(
  { settings: { mutualTls } }: Pick<Server, 'settings'>,
  request: Pick<Incoming, 'header' | 'viaTrustedProxy'>,
): X509Certificate | undefined | Refusal {
  const text = mutualTls && request.viaTrustedProxy ? request.header(mutualTls.certificateHeader) : undefined
  if (text === undefined || text === '') return undefined
  return readCertificateHeader(text) ?? refuse('client_certificate_malformed')
}

/** What the tokens of a request are bound to where the client wants them bound to its certificate (§3.4); null otherwise. */
export function certificateBinding(
  server: Server,
  request: Incoming,
  client: Client,
): string | null | Refusal {
  const demanded = client.registered.tlsClientCertificateBoundAccessTokens === true
  const isItsProof = client.method === 'tls_client_auth' || client.method === 'self_signed_tls_client_auth'
  if (!demanded && !(client.rules.senderConstrained && isItsProof)) return null
  const certificate = certificateOf(server, request)
  if (isRefusal(certificate)) return certificate
  if (certificate) return bindingOfCertificate(certificate)
  return demanded ? refuse('client_certificate_missing', { client: client.id }) : null
}

/** Whether the connection's certificate is the client's (§2). */
export async function verifyCertificate(
  server: Server,
  request: Incoming,
  client: Client,
): Promise<Client | Refusal> {
  const facts = { client: client.id }
  const certificate = certificateOf(server, request)
  if (isRefusal(certificate)) return certificate
  if (!certificate) return refuse('client_authentication_missing', { ...facts, method: client.method })
  const { validFromDate, validToDate } = certificate
  const now = server.now()
  if (now < validFromDate.getTime() || now > validToDate.getTime())
    return refuse('client_certificate_wrong', { ...facts, wrong: 'validity' })
  if (client.method === 'tls_client_auth') {
    const { authorities } = server.settings.mutualTls!
    if (!mayAuthenticateClients(certificate) || !authorities.some((one) => isIssuedBy(certificate, one, now)))
      return refuse('client_certificate_wrong', { ...facts, wrong: 'issuer' })
    if (!isNamedIn(certificate, client.registered))
      return refuse('client_certificate_wrong', { ...facts, wrong: 'subject' })
    return client
  }
  const own = publicKeyOf(certificate)
  const found =
    own && (await server.clientKeys.find(client, (keys) => keys.find(({ key }) => key.equals(own))))
  if (isRefusal(found)) return refuse(found.refusal, { ...facts, ...found.facts }, found)
  return found ? client : refuse('client_certificate_wrong', { ...facts, wrong: 'key' })
}

/** Undefined for a key of a kind that cannot be read. */
function publicKeyOf(certificate: X509Certificate): KeyObject | undefined {
  try {
    return certificate.publicKey
  } catch {
    return undefined
  }
}

function isIssuedBy(certificate: X509Certificate, authority: X509Certificate, now: number): boolean {
  return (
    certificate.checkIssued(authority) &&
    certificate.verify(authority.publicKey) &&
    now >= authority.validFromDate.getTime() &&
    now <= authority.validToDate.getTime()
  )
}

/** An extended key usage, where there is one, names what the certificate is for (RFC 5280 §4.2.1.12). */
function mayAuthenticateClients({ keyUsage }: X509Certificate): boolean {
  return keyUsage === undefined || keyUsage.includes('1.3.6.1.5.5.7.3.2') || keyUsage.includes('2.5.29.37.0')
}

/** The one name the client is registered with (§2.1.2): the whole subject, or any alternative name of its kind. */
function isNamedIn(certificate: X509Certificate, registered: RegisteredMetadata): boolean {
  const has = (kind: AlternativeName, name: string, spelling: (text: string) => string | undefined) =>
    spelling(name) !== undefined &&
    alternativeNames(certificate, kind).some((one) => spelling(one) === spelling(name))
  const {
    tlsClientAuthSubjectDn: subject,
    tlsClientAuthSanDns: dns,
    tlsClientAuthSanUri: uri,
    tlsClientAuthSanIp: address,
    tlsClientAuthSanEmail: email,
  } = registered
  if (subject !== undefined) {
    const expected = parseDistinguishedName(subject)
    return expected !== undefined && expected.join() === subjectOf(certificate)?.join()
  }
  if (dns !== undefined) return has('DNS', dns, (text) => text.toLowerCase())
  if (uri !== undefined) return has('URI', uri, (text) => text)
  if (address !== undefined) return has('IP Address', address, canonicalAddress)
  return email !== undefined && has('email', email, (text) => text)
}

/** Endpoints that clients with a certificate reach at another address (§5). */
const aliased = [
  'token_endpoint',
  'pushed_authorization_request_endpoint',
  'device_authorization_endpoint',
  'introspection_endpoint',
  'revocation_endpoint',
  'userinfo_endpoint',
  'registration_endpoint',
] as const

/** What the metadata says of mutual TLS (§3.3, §5), given the rest of it. */
export function mutualTlsMetadata(
  { settings }: Pick<Server, 'settings'>,
  metadata: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  if (settings.mutualTls === null) return {}
  const { origin } = settings.mutualTls
  const aliases = aliased
    .filter((name) => typeof metadata[name] === 'string')
    .map((name) => [name, origin + (metadata[name] as string).slice(settings.origin.length)] as const)
  return {
    tls_client_certificate_bound_access_tokens: true,
    ...(origin === null ? {} : { mtls_endpoint_aliases: Object.fromEntries(aliases) }),
  }
}
