// RFC 9449 §5; RFC 8705 §3: the key or certificate a token request proves to hold, to which its tokens are bound.

import type { Incoming } from '../http/message.ts'
import type { Client } from './clients.ts'
import type { Refusal } from './refusals.ts'
import type { Server } from './server.ts'

/** A certificate's binding is told from a key's by this prefix. */
const certificate = 'x5t#S256:'

/**
 * The binding of a request: the bare JWK thumbprint of a DPoP key, `x5t#S256:` and the thumbprint of a certificate, or null
 * for bearer tokens. It is stored with each token as it stands.
 */
export async function bindingOf(
  _server: Server,
  _request: Incoming,
  _client: Client,
): Promise<string | null | Refusal> {
  return null
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
