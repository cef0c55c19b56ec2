import { X509Certificate } from 'node:crypto'
import type { Settings } from '../settings.ts'
import type { Checks } from './checks.ts'

/**
 * Clients that authenticate by a TLS certificate, or hold tokens bound to one (RFC 8705). TLS ends at one of the
 * `trustedProxies`, which asks for the certificate and hands it over in a header.
 */
export interface MutualTlsConfig {
  /** The header, which the proxy must set or remove in every request it passes on, e.g. `x-client-cert`. */
  certificateHeader: string
  /** Those who issue certificates to clients of the method `tls_client_auth`, PEM. Without them that method is off. */
  authorities?: string | string[]
  /** Where clients are asked for certificates, if not at the issuer's own origin, e.g. `https://mtls.auth.example.com`. */
  origin?: string
}

export function mutualTlsSettings(
  config: MutualTlsConfig | undefined,
  { trustedProxies }: { trustedProxies?: readonly string[] },
  { problem }: Checks,
): Settings['mutualTls'] {
  if (config === undefined) return null
  const { certificateHeader, authorities = [], origin = null } = config
  if (typeof certificateHeader !== 'string' || !/^[a-z0-9-]+$/.test(certificateHeader)) {
    problem(
      'mutualTls.certificateHeader',
      'the name of a header in lower case',
      certificateHeader,
      'x-client-cert',
    )
  }
  if (trustedProxies === undefined || trustedProxies.length === 0) {
    problem(
      'trustedProxies',
      'the proxies that set mutualTls.certificateHeader; from others it counts for nothing',
    )
  }
  if (
    origin !== null &&
    !(URL.canParse(origin) && new URL(origin).origin === origin && /^https:/.test(origin))
  ) {
    problem('mutualTls.origin', 'an https origin', origin, 'https://mtls.auth.example.com')
  }
  const read = [authorities].flat().map(readAuthority)
  if (!read.every((one) => one !== undefined)) {
    problem('mutualTls.authorities', 'certificates of authorities in PEM, one a text')
  }
  return { certificateHeader, authorities: read.filter((one) => one !== undefined), origin }
}

function readAuthority(pem: string): X509Certificate | undefined {
  try {
    const certificate = new X509Certificate(pem)
    return certificate.ca ? certificate : undefined
  } catch {
    return undefined
  }
}
