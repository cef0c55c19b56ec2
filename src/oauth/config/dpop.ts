import { flag, type Given, oneOf, section } from '../../config/section.ts'

/** Tokens bound to a key of the client, who proves with every request to hold it (RFC 9449). Any client may use them. */
export const dpop = section({
  /**
   * Whether a proof must hold a nonce of this server, which bounds its age whatever the client's clock says. A client without
   * one is told it and asks again. Default `required`.
   */
  nonces: oneOf(['required', 'optional'], 'required'),
  /** Issue no token that is not bound to such a key, and accept none at the APIs beside this server. Default false. */
  required: flag(false),
})
export type DpopConfig = Given<typeof dpop>
