import type { IssuerParts } from './config/issuer.ts'
import type { options } from './config/options.ts'
import type { Value } from './config/section.ts'
import type { OutboundSettings } from './http/guarded-fetch.ts'

type Read = { [K in keyof typeof options]: Value<(typeof options)[K]> }

/** The settings of domains that declare their options beside their code: each merges its own into this interface. */
// biome-ignore lint/suspicious/noEmptyInterface: domains fill it
export interface DomainSettings {}

/** The configuration with every default filled in, and what follows from it. Times in milliseconds; null where it is off. */
export interface Settings
  extends Omit<Read, 'secret' | 'scopes' | 'fapi2' | 'outbound'>,
    IssuerParts,
    DomainSettings {
  secrets: readonly string[]
  /** The sentence of each scope: those of the configuration, then those of OpenID Connect. */
  scopes: Record<string, string>
  /** What a scope implies, to the end. */
  impliedScopes: Record<string, readonly string[]>
  defaultResource: string
  outbound: OutboundSettings
  fapi2: NonNullable<Read['fapi2']>
}
