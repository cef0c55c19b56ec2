import type { Accounts, AccountsContext } from './accounts/account.ts'
import { checkSettings } from './config/checks.ts'
import { partsOf } from './config/issuer.ts'
import { options } from './config/options.ts'
import { custom, type Given, type Options, optional, Place, section } from './config/section.ts'
import { ConfigError } from './config-error.ts'
import type { DomainSettings, Settings } from './settings.ts'

type AccountsOption = Accounts | ((house: AccountsContext) => Accounts)

const own = {
  ...options,
  /** Who is signed in. Default: local accounts with sign-in and sign-up pages. */
  accounts: optional(
    custom<AccountsOption>('Accounts | ((house: AccountsContext) => Accounts)', (given, place) => {
      const is = typeof given === 'function' || typeof (given as Accounts | null)?.authenticate === 'function'
      if (!is) place.problem('accounts, such as localAccounts() or openidAccounts({ … })', given)
      return given as AccountsOption
    }),
  ),
}

/** The root of the configuration. */
export const configuration = section(own)

/** Everything a deployment decides. Lifetimes are in seconds, as on the OAuth wire. */
export interface Config extends Given<typeof configuration> {}

/**
 * What `gatehouse.config.mts` exports for the command line: a `Config` whose issuer, secret and database may come from
 * the environment instead.
 */
export type FileConfig = Omit<Config, 'issuer' | 'secret'> & Partial<Pick<Config, 'issuer' | 'secret'>>

/** The identity, for a configuration file that wants to be checked as it is typed. */
export function defineConfig(config: FileConfig): FileConfig {
  return config
}

/**
 * Checks a configuration and fills in its defaults; `more` are the options of domains that declare them beside their code.
 * Throws `ConfigError` with all problems at once.
 */
export function resolveConfig(config: Config, more: Options = {}): Settings {
  const place = new Place()
  const root: typeof configuration = section({ ...own, ...more })
  const { secret, scopes, fapi2, accounts: _, ...read } = root.read(config, place)
  const parts = partsOf(read.issuer)
  const known: Omit<Settings, keyof DomainSettings> = {
    ...read,
    ...parts,
    secrets: secret as string[],
    scopes: scopes.sentences,
    impliedScopes: scopes.implied,
    defaultResource: Object.keys(read.resources)[0] ?? read.issuer,
    outbound: { ...read.outbound, loopback: parts.loopback },
    fapi2: fapi2 ?? { messageSigning: false },
  }
  const settings = known as Settings
  checkSettings(settings, { fapi2: fapi2 !== null }, place)
  if (place.problems.length > 0) throw new ConfigError(place.problems)
  return settings
}
