import type { Settings } from '../settings.ts'
import type { Checks } from './checks.ts'

/** What a client may ask of the sign-in itself. */
export interface AuthenticationConfig {
  /**
   * Classes of authentication that the accounts can tell apart (`Account.acr`), the weakest first, e.g.
   * `['urn:example:password', 'urn:example:second-factor']`. A stronger one does where a weaker one was asked for. Default:
   * none, and none can be asked for.
   */
  acrValues?: string[]
}

export function authenticationSettings(
  config: AuthenticationConfig = {},
  { problem }: Checks,
): Settings['authentication'] {
  const { acrValues = [] } = config
  acrValues.forEach((value, n) => {
    if (typeof value !== 'string' || !/^[\x21-\x7e]{1,255}$/.test(value) || acrValues.indexOf(value) !== n)
      problem(
        `authentication.acrValues[${n}]`,
        '1 to 255 visible ASCII characters, each value once',
        value,
        'urn:example:second-factor',
      )
  })
  return { acrValues }
}
