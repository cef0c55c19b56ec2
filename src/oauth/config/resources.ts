import { type Given, list, oneOf, optional, record, section, text } from '../../config/section.ts'

/** An API. */
const resource = section({
  /** As the consent page names it. */
  name: optional(text(), undefined),
  /** Format of access tokens for this API. Default: `tokens.format`. */
  tokenFormat: optional(oneOf(['jwt', 'opaque'], 'jwt')),
  /**
   * Signs its JWT access tokens, for gateways that verify nothing else: `ES256` or `RS256` (RFC 9068 §2.1). Default `ES256`,
   * at a sixth of the cost.
   */
  tokenSigningAlg: oneOf(['ES256', 'RS256'], 'ES256'),
  /** Scopes it understands; shown in its metadata (RFC 9728). Default: all. */
  scopes: optional(list(text())),
})

/** APIs by their URI. */
export const resources = record(resource, (uri) =>
  isResourceUri(uri)
    ? undefined
    : { allowed: 'an absolute URI without fragment (RFC 8707 §2)', example: 'https://api.example.com' },
)
export type ResourceConfig = Given<typeof resource>

/** An absolute URI without fragment (RFC 8707 §2). */
export function isResourceUri(text: string): boolean {
  return URL.canParse(text) && !text.includes('#') && /^[a-z][a-z0-9+.-]*:\S+$/i.test(text)
}
