import { X509Certificate } from 'node:crypto'
import { custom, type Given, list, section, text } from './section.ts'

const destination = text('host and port as they stand in a URL, in lower case', isDestination, {
  example: '10.0.0.5:8443',
})

/** Requests this server makes to URLs that clients chose: their metadata documents, keys and logout endpoints. */
export const outbound = section({
  /**
   * Destinations inside your own network that may be reached all the same, as `host:port`, e.g. `10.0.0.5:8443`. There is no
   * way to allow all of them.
   */
  allow: list(destination),
  /** Certificates to trust beside the usual authorities, PEM. */
  ca: custom<string | readonly string[], string[]>('string | string[]', (given, place) => {
    const certificates: unknown[] = given === undefined ? [] : [given].flat()
    if (!certificates.every(isCertificate)) place.problem('certificates in PEM')
    return certificates as string[]
  }),
})
export type OutboundConfig = Given<typeof outbound>

function isDestination(given: string): boolean {
  if (!/^([a-z0-9._-]+|\[[0-9a-f:]+\]):\d+$/.test(given) || !URL.canParse(`https://${given}`)) return false
  const url = new URL(`https://${given}`)
  return `${url.hostname}:${url.port || 443}` === given
}

function isCertificate(pem: unknown): boolean {
  try {
    return typeof pem === 'string' && new X509Certificate(pem).subject !== undefined
  } catch {
    return false
  }
}
