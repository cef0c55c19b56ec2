// RFC 7800 §3.1; RFC 8705 §3; RFC 9449 §7, §7.1, §7.2, §9: what an API demands of a request whose token is bound to a key or to a
// certificate.

import { X509Certificate } from 'node:crypto'
import type { BlockList } from 'node:net'
import { isTrustedProxy } from '../http/address.ts'
import { readCertificateHeader } from '../http/certificate-header.ts'
import { bindingOfCertificate } from '../protocol/certificate-binding.ts'
import { checkProof, type Proof, type ProofRules, proofUrl } from '../protocol/dpop.ts'
import { type Refusal, refuse } from '../protocol/refusals.ts'
import { type AccessNeeds, type AccessToken, type BearerRequest, headerOf } from './bearer.ts'

/** The proof beside a token, checked but not spent (§7.1). */
export function readProof(
  request: BearerRequest,
  accessToken: string,
  url: string | undefined,
  rules: ProofRules,
): Proof | Refusal {
  const header = headerOf(request, 'dpop')
  if (header === undefined) return refuse('dpop_proof_missing')
  const { method } = request
  if (method === undefined || url === undefined)
    return refuse('dpop_proof_request', { unknown: method === undefined ? 'method' : 'url' })
  return checkProof(header, { method, urls: [url], accessToken }, rules)
}

/**
 * The URL a proof must be for: the one the API says, or the request's path at the API's own origin. Undefined where the API's
 * name has no origin and nothing else is said: a Host header would let a proof for another host pass.
 */
export function provenUrl(
  request: BearerRequest,
  resource: string,
  said: string | undefined,
): string | undefined {
  if (said !== undefined) return proofUrl(said)
  const { origin } = new URL(resource)
  const url = request.originalUrl ?? request.url
  if (url === undefined || origin === 'null') return undefined
  return proofUrl(url.startsWith('/') ? origin + url : url.replace(/^[a-z]+:\/\/[^/?#]*/i, origin))
}

/** Where an API learns the certificate of a connection that ends at a proxy. */
export interface CertificateSource {
  header: string
  trustedProxies: BlockList | undefined
}

/** Whether a token may be presented like this: with a proof of its key, over a connection of its certificate, or bound to none. */
export function checkConfirmation(
  { claims, clientId: client }: AccessToken,
  proof: Proof | null,
  required: boolean,
  presentedCertificate: () => string | undefined,
): Refusal | undefined {
  const { cnf } = claims
  if (cnf === undefined) return proof || required ? refuse('access_token_unbound', { client }) : undefined
  const { jkt, 'x5t#S256': certificate } = (cnf ?? {}) as Record<string, unknown>
  if (certificate === undefined || jkt !== undefined) {
    // Whatever else it may be bound to: what cannot be checked here does not hold.
    if (!proof) return refuse('access_token_bound', { client })
    if (jkt !== proof.jkt) return refuse('access_token_other_key', { client })
  } else if (proof || required) return refuse('access_token_unbound', { client })
  return certificate === undefined || certificate === presentedCertificate()
    ? undefined
    : refuse('access_token_other_certificate', { client })
}

/** The thumbprint of the certificate of a request's connection; undefined where there is none, or none that can be believed. */
export function certificateThumbprint(
  request: BearerRequest,
  { certificate: said }: Pick<AccessNeeds, 'certificate'>,
  source: CertificateSource | null,
): string | undefined {
  const certificate = said === undefined ? handedOver(request, source) : readCertificate(said)
  return certificate && bindingOfCertificate(certificate).slice('x5t#S256:'.length)
}

function handedOver(request: BearerRequest, source: CertificateSource | null): X509Certificate | undefined {
  if (!source || !isTrustedProxy(request.socket?.remoteAddress ?? '', source.trustedProxies)) return undefined
  return readCertificateHeader(headerOf(request, source.header) ?? '')
}

function readCertificate(said: string | Uint8Array): X509Certificate | undefined {
  if (typeof said === 'string') return readCertificateHeader(said)
  try {
    return new X509Certificate(said)
  } catch {
    return undefined
  }
}
