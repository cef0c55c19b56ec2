import { flag, type Given, section } from '../../config/section.ts'
import { algorithm } from './algorithm.ts'

/** OpenID Connect, for clients about which nothing else was said. */
export const openid = section({
  /**
   * Signs ID tokens, logout tokens, authorization responses and introspection answers of clients that registered no
   * algorithm: `RS256`, `PS256`, `ES256` or `EdDSA`. Default `RS256`, as OpenID Connect Registration §2 has it.
   */
  signingAlg: algorithm,
  /**
   * Puts the claims of the granted scopes (`name`, `email` …) into ID tokens as well as into the userinfo answer. A client may
   * have its own setting. Default false; clients that an administrator creates with a redirect URI and the scope `openid`
   * have it on.
   */
  claimsInIdToken: flag(false),
})
export type OpenidConfig = Given<typeof openid>
