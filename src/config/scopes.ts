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

const scopeToken = /^[\x21\x23-\x5b\x5d-\x7e]+$/

/** Every scope that can be asked for: those of the configuration, then the ones of OpenID Connect. */
export function scopeSettings(
  config: Readonly<Record<string, string>> = {},
  { problem }: Checks,
): Record<string, string> {
  for (const [name, description] of Object.entries(config)) {
    if (!scopeToken.test(name))
      problem(
        `scopes.${name}`,
        'printable ASCII without space, quote or backslash (RFC 6749 §3.3)',
        name,
        'jobs:read',
      )
    if (typeof description !== 'string' || description.trim() === '')
      problem(`scopes.${name}`, 'the sentence the consent page shows', description, 'Search open jobs')
  }
  const own = Object.entries(config).filter(([name]) => !isOpenidScope(name))
  return Object.fromEntries([
    ...own,
    ...Object.entries(openidScopes).map(([name, words]) => [name, config[name] ?? words]),
  ])
}
