import type { Algorithm } from '../crypto/jws.ts'
import { algorithmNamed, algorithms } from '../crypto/jws.ts'
import type { Settings } from '../settings.ts'
import type { Checks } from './checks.ts'

/** OpenID Connect, for clients about which nothing else was said. */
export interface OpenidConfig {
  /**
   * Signs ID tokens, logout tokens, authorization responses and introspection answers of clients that registered no
   * algorithm: `RS256`, `PS256`, `ES256` or `EdDSA`. Default `RS256`, as OpenID Connect Registration §2 has it.
   */
  signingAlg?: Algorithm
  /**
   * Puts the claims of the granted scopes (`name`, `email` …) into ID tokens as well as into the userinfo answer. A client may
   * have its own setting. Default `false`; clients that an administrator creates with a redirect URI and the scope `openid`
   * have it on.
   */
  claimsInIdToken?: boolean
}

export function openidSettings(given: OpenidConfig | undefined, { problem }: Checks): Settings['openid'] {
  const { claimsInIdToken = false } = given ?? {}
  const signingAlg = algorithmNamed(given?.signingAlg ?? 'RS256')
  if (signingAlg === undefined)
    problem('openid.signingAlg', algorithms.join(', '), given?.signingAlg, 'RS256')
  if (typeof claimsInIdToken !== 'boolean')
    problem('openid.claimsInIdToken', 'true or false', claimsInIdToken)
  return { signingAlg: signingAlg ?? 'RS256', claimsInIdToken }
}
