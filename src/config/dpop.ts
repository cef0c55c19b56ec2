import type { Settings } from '../settings.ts'
import type { Checks } from './checks.ts'

/** Tokens bound to a key of the client, who proves with every request to hold it (RFC 9449). Any client may use them. */
export interface DpopConfig {
  /**
   * Whether a proof must hold a nonce of this server, which bounds its age whatever the client's clock says. A client without
   * one is told it and asks again. Default `required`.
   */
  nonces?: 'required' | 'optional'
  /** Issue no token that is not bound to such a key, and accept none at the APIs beside this server. Default false. */
  required?: boolean
}

export function dpopSettings(config: DpopConfig = {}, { problem }: Checks): Settings['dpop'] {
  const { nonces = 'required', required = false } = config
  if (nonces !== 'required' && nonces !== 'optional')
    problem('dpop.nonces', 'required or optional', nonces, 'required')
  if (typeof required !== 'boolean') problem('dpop.required', 'true or false', required)
  return { nonces, required }
}
