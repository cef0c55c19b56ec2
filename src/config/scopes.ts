import type { Checks } from './checks.ts'

/**
 * The scopes of OpenID Connect Core §5.4 and §11 that every deployment has, with the sentence the consent page shows for each.
 * `scopes` may word them otherwise. No API demands them, and a client gets none that it did not ask for.
 */
const openidScopes: Readonly<Record<string, string>> = {
  openid: 'Recognise you when you come back',
  profile: 'See your name and profile',
  email: 'See your e-mail address',
  offline_access: 'Stay connected after you sign out here',
}

/** Whether a scope is about the user and the sign-in, not about an API. */
export function isOpenidScope(name: string): boolean {
  return Object.hasOwn(openidScopes, name)
}

/** A scope that says more than its sentence. */
export interface ScopeConfig {
  /** The sentence the consent page shows. */
  description: string
  /** Scopes that are asked for and granted with this one, e.g. what may be written may be read. */
  implies?: string[]
}

const scopeToken = /^[\x21\x23-\x5b\x5d-\x7e]+$/

/** Every scope that can be asked for: those of the configuration, then the ones of OpenID Connect. */
export function scopeSettings(
  config: Readonly<Record<string, string | ScopeConfig>> = {},
  { problem }: Checks,
): Record<string, string> {
  const described = Object.entries(config).map(([name, said]) => [name, descriptionOf(said)] as const)
  for (const [name, description] of described) {
    if (!scopeToken.test(name))
      problem(
        `scopes.${name}`,
        'printable ASCII without space, quote or backslash (RFC 6749 §3.3)',
        name,
        'jobs:read',
      )
    if (typeof description !== 'string' || description.trim() === '')
      problem(`scopes.${name}`, 'the sentence the consent page shows', config[name], 'Search open jobs')
  }
  const words = Object.fromEntries(described)
  return Object.fromEntries([
    ...described.filter(([name]) => !isOpenidScope(name)),
    ...Object.entries(openidScopes).map(([name, standard]) => [name, words[name] ?? standard]),
  ])
}

const descriptionOf = (said: string | ScopeConfig) => (typeof said === 'string' ? said : said?.description)

/** For each scope that implies others, all of them, those that the others imply included. */
export function impliedScopes(
  config: Readonly<Record<string, string | ScopeConfig>> = {},
  { problem }: Checks,
): Record<string, readonly string[]> {
  const direct = new Map<string, readonly string[]>()
  for (const [name, said] of Object.entries(config)) {
    const implies = typeof said === 'object' ? (said?.implies ?? []) : []
    const wrong = implies.find((one) => !Object.hasOwn(config, one) || isOpenidScope(one))
    if (wrong !== undefined || (implies.length > 0 && isOpenidScope(name)))
      problem(
        `scopes.${name}.implies`,
        'scopes that `scopes` names, none of OpenID Connect',
        wrong ?? implies,
      )
    if (implies.length > 0) direct.set(name, implies)
  }
  const all = [...direct.keys()].map((name) => {
    const reached = new Set([name])
    for (const one of reached) for (const other of direct.get(one) ?? []) reached.add(other)
    reached.delete(name)
    return [name, [...reached]] as const
  })
  return Object.fromEntries(all)
}
