// RFC 6749 §3.3; OpenID Connect Core §3.1.2.1: access token scope. Scopes compare as sets; the stored form is one canonical
// space-separated text.

import { told } from '../log.ts'
import { isOpenidScope } from '../oauth/config/scopes.ts'
import type { Settings } from '../settings.ts'
import { isRefusal, type Refusal, refuse } from './refusals.ts'

const syntax = /^[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*$/

export function isScopeName(text: string): boolean {
  return syntax.test(text) && !text.includes(' ')
}

/** Distinct scope names in their order, or a refusal when the text does not follow the grammar. */
export function parseScope(text: string | undefined): string[] | Refusal {
  if (text === undefined) return []
  if (!syntax.test(text)) return refuse('scope_malformed')
  return [...new Set(text.split(' '))]
}

/** The canonical text of a set of scopes: sorted, separated by single spaces. */
export function canonicalScope(scopes: Iterable<string>): string {
  return [...new Set(scopes)].sort().join(' ')
}

/** The set a canonical text stands for. */
export function scopeSet(text: string): string[] {
  return text === '' ? [] : text.split(' ')
}

export function scopeCovers(granted: readonly string[], asked: readonly string[]): boolean {
  return asked.every((scope) => granted.includes(scope))
}

export function scopesMissing(granted: readonly string[], asked: readonly string[]): string[] {
  return asked.filter((scope) => !granted.includes(scope))
}

/** With what the scopes imply. */
export function withImplied(scopes: Iterable<string>, implied: Settings['impliedScopes']): string[] {
  const all = new Set(scopes)
  // What is added on the way implies nothing itself.
  for (const scope of [...all]) {
    if (Object.hasOwn(implied, scope)) for (const one of implied[scope]!) all.add(one)
  }
  return [...all]
}

export interface ScopedClient {
  scope: readonly string[]
  registered: { defaultScope?: readonly string[] }
}

/**
 * What a client asks for, and what that implies. When it names none, its default as far as APIs demand it; beside `openid` a
 * unknown name is dropped (OpenID Connect Core §3.1.2.1).
 */
export function requestedScope(
  text: string | undefined,
  settings: Pick<Settings, 'scopes' | 'impliedScopes'>,
  client: ScopedClient,
): string[] | Refusal {
  const { scopes: registry, impliedScopes: implied } = settings
  const asked = parseScope(text)
  if (isRefusal(asked)) return asked
  const allowed = allowedScope(client, settings)
  if (asked.length === 0) {
    const standard = (client.registered.defaultScope ?? client.scope).filter(
      (scope) => Object.hasOwn(registry, scope) && allowed.includes(scope) && !isOpenidScope(scope),
    )
    return withImplied(standard, implied)
  }
  const known = asked.filter((scope) => Object.hasOwn(registry, scope))
  if (known.length < asked.length && !asked.includes('openid')) {
    return refuse('scope_unknown', { scope: told(asked.find((scope) => !known.includes(scope))) })
  }
  const foreign = known.find((scope) => !allowed.includes(scope))
  return foreign === undefined ? withImplied(known, implied) : refuse('scope_not_allowed', { scope: foreign })
}

/** The scopes a client may have, with what they imply. */
export function allowedScope(
  client: Pick<ScopedClient, 'scope'>,
  { impliedScopes }: Pick<Settings, 'impliedScopes'>,
): string[] {
  return withImplied(client.scope, impliedScopes)
}

/** What a token request narrows a grant to (RFC 6749 §6): a subset with what it implies, everything when it names none. */
export function narrowedScope(
  text: string | undefined,
  granted: readonly string[],
  implied: Settings['impliedScopes'],
): string[] | Refusal {
  const asked = parseScope(text)
  if (isRefusal(asked)) return asked
  if (asked.length === 0) return [...granted]
  if (!scopeCovers(granted, asked)) return refuse('scope_exceeded', { asked: told(canonicalScope(asked)) })
  return withImplied(asked, implied).filter((scope) => granted.includes(scope))
}
