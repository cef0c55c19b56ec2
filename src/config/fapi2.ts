import type { Settings } from '../settings.ts'
import type { Checks } from './checks.ts'

/** What clients of the profile `fapi2` must do beyond the FAPI 2.0 Security Profile. */
export interface Fapi2Config {
  /** FAPI 2.0 Message Signing: they sign what they push, and get signed answers. Default false. */
  messageSigning?: boolean
}

export function fapi2Settings(
  config: Fapi2Config | undefined,
  pushedRequests: Settings['pushedRequests'],
  { problem }: Checks,
): Settings['fapi2'] {
  if (config !== undefined && pushedRequests === null)
    problem('pushedRequests.accepted', 'true, since FAPI 2.0 accepts nothing else', false)
  return { messageSigning: config?.messageSigning ?? false }
}
