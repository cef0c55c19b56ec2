import type { Settings } from '../settings.ts'
import type { Checks } from './checks.ts'

/** Authorization requests that clients push before they send the user (RFC 9126). */
export interface PushedRequestsConfig {
  /** Whether they are accepted at all. Default true. */
  accepted?: boolean
  /** Refuse every authorization request that was not pushed. Default false; a client may be told so by itself. */
  required?: boolean
  /** Seconds in which the user must arrive with a pushed request. Default 90, at most 590. */
  lifetime?: number
  /** Requests that public clients may push from one network (IPv4 address, IPv6 /64) in 15 minutes. Default 300. */
  perNetwork?: number
}

export function pushedRequestsSettings(
  { accepted = true, required = false, lifetime, perNetwork }: PushedRequestsConfig = {},
  { problem, seconds, count }: Checks,
): Settings['pushedRequests'] {
  const settings = {
    required,
    lifetime: seconds('pushedRequests.lifetime', lifetime, 90, 5, 590),
    perNetwork: count('pushedRequests.perNetwork', perNetwork, 300),
  }
  if (required && !accepted)
    problem('pushedRequests.required', 'false, since pushed requests are not accepted', true)
  return accepted ? settings : null
}
