import { X509Certificate } from 'node:crypto'
import type { OutboundSettings } from '../http/guarded-fetch.ts'
import type { Checks } from './checks.ts'

/** Requests this server makes to URLs that clients chose: their metadata documents, keys and logout endpoints. */
export interface OutboundConfig {
  /**
   * Destinations inside your own network that may be reached all the same, as `host:port`, e.g. `10.0.0.5:8443`. There is no
   * way to allow all of them.
   */
  allow?: string[]
  /** Certificates to trust beside the usual authorities, PEM. */
  ca?: string | string[]
}

export function outboundSettings(
  config: OutboundConfig | undefined,
  loopback: boolean,
  { problem }: Checks,
): OutboundSettings {
  const allow = config?.allow ?? []
  for (const [n, one] of allow.entries()) {
    if (!isDestination(one)) {
      problem(
        `outbound.allow[${n}]`,
        'host and port as they stand in a URL, in lower case',
        one,
        '10.0.0.5:8443',
      )
    }
  }
  const ca = config?.ca === undefined ? [] : [config.ca].flat()
  if (!ca.every(isCertificate)) problem('outbound.ca', 'certificates in PEM')
  return { allow, ca, loopback }
}

function isDestination(text: string): boolean {
  if (!/^([a-z0-9._-]+|\[[0-9a-f:]+\]):\d+$/.test(text) || !URL.canParse(`https://${text}`)) return false
  const url = new URL(`https://${text}`)
  return `${url.hostname}:${url.port || 443}` === text
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).subject !== undefined
  } catch {
    return false
  }
}
