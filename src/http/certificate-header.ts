import { X509Certificate } from 'node:crypto'

const pem = /^-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----$/
const base64 = /^[A-Za-z0-9+/\s]+={0,2}$/

/**
 * The client certificate that a proxy wrote into a header, in any form that is in use: PEM, percent-encoded or bare (nginx,
 * Apache, AWS); DER in base64, between colons (RFC 9440) or bare (Caddy, HAProxy); `Cert` of `X-Forwarded-Client-Cert`
 * (Envoy). Undefined for anything else, and for more than one: a proxy that adds to the header lets others write into it.
 */
export function readCertificateHeader(text: string): X509Certificate | undefined {
  const value = text.trim()
  const isForwarded = /(^|;) *(by|hash|cert|chain|subject|uri|dns) *=/i.test(value)
  const written = isForwarded ? forwardedCertificate(value) : value
  const plain = written === undefined ? undefined : unescaped(written)
  if (plain === undefined) return undefined
  const [, inner] = pem.exec(plain) ?? []
  const [, between] = /^:(.*):$/.exec(plain) ?? []
  const encoded = inner ?? between ?? plain
  if (!base64.test(encoded.trim())) return undefined
  try {
    return new X509Certificate(Buffer.from(encoded, 'base64'))
  } catch {
    return undefined
  }
}

function unescaped(text: string): string | undefined {
  try {
    return decodeURIComponent(text).trim()
  } catch {
    return undefined
  }
}

/** `Cert` of the one element there may be. */
function forwardedCertificate(text: string): string | undefined {
  const pair = / *([A-Za-z]+) *= *("(?:[^"\\]|\\.)*"|[^",;]*) *(;|$)/y
  const found: string[] = []
  while (pair.lastIndex < text.length) {
    const [, name, value] = pair.exec(text) ?? []
    if (name === undefined || value === undefined) return undefined
    if (name.toLowerCase() === 'cert') found.push(value.replace(/^"|"$/g, ''))
  }
  return found.length === 1 ? found[0] : undefined
}
