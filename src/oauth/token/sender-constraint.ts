// RFC 9449 §5, §5.2, §8.2, §10.1, §11.1; RFC 8705 §3: the key or certificate a request to this server proves to hold, to which
// its tokens are bound.

import type { Core } from '../../core.ts'
import type { Incoming } from '../../http/message.ts'
import { checkProof, type Proof } from '../../protocol/dpop.ts'
import { type Refusal, refuse } from '../../protocol/refusals.ts'
import type { Client } from '../clients/clients.ts'
import { certificateBinding } from '../clients/mutual-tls.ts'
import { limitPending } from '../guards/pending-limits.ts'
import { spendJti } from '../guards/replay.ts'
import { countBadSignature, signaturesBlocked } from '../guards/signature-failures.ts'
import type { Server } from '../server.ts'

/** A certificate's binding is told from a key's by this prefix. */
const certificate = 'x5t#S256:'
/** Anybody may make the key of a proof, so the signatures of a network are counted together. */
const proofs = 'dpop'

/**
 * The DPoP proof of a request to the token or the pushed-request endpoint, checked but not spent; null where there is none.
 * To be asked before the client is authenticated: a client that is told the nonce sends the same request again, and whatever
 * it authenticated with must still be good then.
 */
export function proofOf(server: Server, request: Incoming): Proof | null | Refusal {
  const header = request.header('dpop')
  if (header === undefined) return null
  // The public address, never the Host header: it stays the same behind any proxy. With certificates there are two (RFC 8705 §5).
  const { issuer, base, mutualTls } = server.settings
  const alias = mutualTls?.origin == null ? [] : [mutualTls.origin + base + request.path]
  const proof = checkProof(
    header,
    { method: request.method, urls: [issuer + request.path, ...alias] },
    {
      nonces: server.nonces,
      now: server.now,
      blocked: () => signaturesBlocked(server, proofs, request.address),
    },
  )
  if ('refusal' in proof && proof.refusal === 'dpop_proof_signature')
    countBadSignature(server, proofs, request.address)
  return proof
}

/** Spends a proof that holds, so that it is good for this one request in all processes (§11.1). At most once a request. */
export async function spendProof(core: Pick<Core, 'db'>, proof: Proof): Promise<Refusal | undefined> {
  return (await spendJti(core, 'dpop', proof.id, proof.expiresAt))
    ? undefined
    : refuse('dpop_proof_replayed', { jkt: proof.jkt })
}

/** What the answer carries besides: the nonce for the next proof, before the one in this goes stale (§8.2). */
export function nextNonce(proof: Proof | null): Record<string, string> {
  return proof?.nextNonce === undefined ? {} : { 'dpop-nonce': proof.nextNonce }
}

/**
 * The binding of a token request: the bare JWK thumbprint of a DPoP key, `x5t#S256:` and the thumbprint of a certificate, or
 * null for bearer tokens. It is stored with each token as it stands. A proof is spent here and decides: the certificate of the
 * connection counts where none was sent.
 */
export async function bindingOf(
  server: Server,
  request: Incoming,
  client: Client,
  proof: Proof | null,
): Promise<string | null | Refusal> {
  if (proof) {
    const { algorithms } = client.rules
    if (algorithms && !algorithms.includes(proof.alg))
      return refuse('dpop_proof_key', { client: client.id, alg: proof.alg })
    const full = limitPending(server, 'used_jtis', { address: request.address, client })
    if (full) return full
    return (await spendProof(server, proof)) ?? proof.jkt
  }
  const missing = () => refuse('dpop_proof_missing', { client: client.id })
  if (server.settings.dpop.required || client.registered.dpopBoundAccessTokens) return missing()
  const certified = certificateBinding(server, request, client)
  if (certified !== null) return certified
  return client.rules.senderConstrained ? missing() : null
}

/** The `cnf` claim of a binding (RFC 7800 §3.1; RFC 9449 §6.1; RFC 8705 §3.1). */
export function confirmationOf(binding: string): { jkt: string } | { 'x5t#S256': string } {
  return binding.startsWith(certificate)
    ? { 'x5t#S256': binding.slice(certificate.length) }
    : { jkt: binding }
}

/** `token_type` of a token with this binding (RFC 9449 §5; RFC 8705 §3). */
export function tokenTypeOf(binding: string | null): 'Bearer' | 'DPoP' {
  return binding === null || binding.startsWith(certificate) ? 'Bearer' : 'DPoP'
}
