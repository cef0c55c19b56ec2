import {
  custom,
  type Given,
  isObject,
  list,
  mapped,
  type Place,
  record,
  required,
  section,
  text,
} from '../../config/section.ts'

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

const sentence = text('the sentence the consent page shows', (given) => given.trim() !== '', {
  example: 'Search open jobs',
})
const described = section({
  /** The sentence the consent page shows. */
  description: required(sentence),
  /** Scopes that are asked for and granted with this one, e.g. what may be written may be read. */
  implies: list(text()),
})
/** A scope that says more than its sentence. */
export type ScopeConfig = Given<typeof described>

const scope = {
  ...custom<string | ScopeConfig, { description: string; implies: readonly string[] }>(
    'string | ScopeConfig',
    (given, place) =>
      isObject(given)
        ? described.read(given, place)
        : { description: sentence.read(given ?? null, place), implies: [] },
  ),
  inside: described.inside!,
}

const scopeToken = /^[\x21\x23-\x5b\x5d-\x7e]+$/

/** Scopes with their sentences, and what each implies, to the end. */
export const scopes = mapped(
  record(scope, (name) =>
    scopeToken.test(name)
      ? undefined
      : {
          allowed: 'printable ASCII without space, quote or backslash (RFC 6749 §3.3)',
          example: 'jobs:read',
        },
  ),
  (given, place) => {
    const own = Object.entries(given).filter(([name]) => !isOpenidScope(name))
    return {
      sentences: Object.fromEntries([
        ...own.map(([name, { description }]) => [name, description] as const),
        ...Object.entries(openidScopes).map(([name, standard]) => [
          name,
          given[name]?.description ?? standard,
        ]),
      ]) as Record<string, string>,
      implied: impliedScopes(given, place),
    }
  },
)

function impliedScopes(
  given: Readonly<Record<string, { implies: readonly string[] }>>,
  place: Place,
): Record<string, readonly string[]> {
  const direct = new Map<string, readonly string[]>()
  for (const [name, { implies }] of Object.entries(given)) {
    const wrong = implies.find((one) => !Object.hasOwn(given, one) || isOpenidScope(one))
    if (wrong !== undefined || (implies.length > 0 && isOpenidScope(name)))
      place
        .at(name)
        .at('implies')
        .problem('scopes that `scopes` names, none of OpenID Connect', wrong ?? implies)
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
