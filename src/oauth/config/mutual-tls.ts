import { X509Certificate } from 'node:crypto'
import { custom, type Given, optional, required, section, text } from '../../config/section.ts'

/**
 * Clients that authenticate by a TLS certificate, or hold tokens bound to one (RFC 8705). TLS ends at one of the
 * `trustedProxies`, which asks for the certificate and hands it over in a header.
 */
export const mutualTls = section({
  /** The header, which the proxy must set or remove in every request it passes on, e.g. `x-client-cert`. */
  certificateHeader: required(
    text('the name of a header in lower case', (given) => /^[a-z0-9-]+$/.test(given), {
      example: 'x-client-cert',
    }),
  ),
  /** Those who issue certificates to clients of the method `tls_client_auth`, PEM. Without them that method is off. */
  authorities: custom<string | readonly string[], X509Certificate[]>('string | string[]', (given, place) => {
    const read = (given === undefined ? [] : [given].flat()).map(readAuthority)
    if (!read.every((one) => one !== undefined))
      place.problem('certificates of authorities in PEM, one a text')
    return read.filter((one) => one !== undefined)
  }),
  /** Where clients are asked for certificates, if not at the issuer's own origin, e.g. `https://mtls.auth.example.com`. */
  origin: optional(
    text(
      'an https origin',
      (given) => URL.canParse(given) && new URL(given).origin === given && /^https:/.test(given),
      { example: 'https://mtls.auth.example.com' },
    ),
  ),
})
export type MutualTlsConfig = Given<typeof mutualTls>

function readAuthority(pem: unknown): X509Certificate | undefined {
  try {
    const certificate = new X509Certificate(pem as string)
    return certificate.ca ? certificate : undefined
  } catch {
    return undefined
  }
}
