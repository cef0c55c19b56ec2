// RFC 8705 §3.1: how a token is bound to a client certificate.

import { createHash, type X509Certificate } from 'node:crypto'

/** How a token says that it is bound to a certificate: its SHA-256 thumbprint (§3.1), marked as one. */
export function bindingOfCertificate({ raw }: X509Certificate): string {
  return `x5t#S256:${createHash('sha256').update(raw).digest('base64url')}`
}
