// RFC 6749 §4, §6; RFC 7523 §2.1; RFC 8628 §3.4; RFC 8693 §2.1: the grant types there are, and who may use them. What a request of
// each does is a file of its own in oauth/grants/.

import type { Settings } from '../settings.ts'

export interface GrantTypeRule {
  /** The value of `grant_type`. */
  readonly name: string
  /** Whether the configuration switches it on; absent for one that is always there. */
  on?(settings: Settings): boolean
  /** Public clients may not use it. */
  readonly confidentialOnly?: boolean
}

/** In the order in which the metadata lists them. */
export const grantTypeRules = {
  authorizationCode: { name: 'authorization_code' },
  refreshToken: { name: 'refresh_token' },
  clientCredentials: { name: 'client_credentials', confidentialOnly: true },
  deviceCode: {
    name: 'urn:ietf:params:oauth:grant-type:device_code',
    on: (settings) => settings.device !== null,
  },
  tokenExchange: {
    name: 'urn:ietf:params:oauth:grant-type:token-exchange',
    confidentialOnly: true,
    on: (settings) => settings.tokenExchange !== null,
  },
  jwtBearer: {
    name: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
    confidentialOnly: true,
    on: (settings) => settings.assertionIssuers.size > 0,
  },
} as const satisfies Record<string, GrantTypeRule>

/** Those that the configuration has; metadata and registration name them. */
export function spokenGrantTypes(settings: Settings): readonly GrantTypeRule[] {
  return Object.values<GrantTypeRule>(grantTypeRules).filter((one) => isSpoken(one, settings))
}

export function isSpoken({ on }: GrantTypeRule, settings: Settings): boolean {
  return on?.(settings) ?? true
}
