// OpenID Connect Core §5.5, §5.5.1, §5.5.1.1: the claims a client asks for one by one, beside its scopes.

import { parseJson } from '../crypto/bounded-json.ts'
import type { Settings } from '../settings.ts'
import { scopeFor } from './claim-scopes.ts'
import { type Refusal, refuse } from './refusals.ts'
import { allowedScope, type ScopedClient } from './scope.ts'

/** What the `claims` parameter asks for, as far as it can be had. */
export interface ClaimsRequest {
  /** Names of claims about the user, for userinfo and for the ID token. */
  userinfo: string[]
  idToken: string[]
  /** Classes of authentication one of which must be met: an essential `acr` with values. */
  acr: string[]
  /** The request is for one of these users only, by their `sub` (§3.1.2.2); empty for anyone. */
  subjects: string[]
}

/**
 * Reads the parameter. A claim about the user counts where the client may have the scope that stands for it; others, and
 * unknown members, are ignored (§5.5).
 */
export function readClaims(text: string, client: ScopedClient, settings: Settings): ClaimsRequest | Refusal {
  const request = parseObject(text)
  const userinfo = request && memberOf(request, 'userinfo')
  const idToken = request && memberOf(request, 'id_token')
  if (!userinfo || !idToken) return refuse('claims_malformed')
  const wishes = [...Object.values(userinfo), ...Object.values(idToken)]
  if (!wishes.every((wish) => wish === null || isObject(wish))) return refuse('claims_malformed')
  const mayHave = claimsOf(client, settings)
  const acr = idToken['acr']
  return {
    userinfo: Object.keys(userinfo).filter(mayHave),
    idToken: Object.keys(idToken).filter(mayHave),
    acr: isObject(acr) && acr['essential'] === true ? valuesOf(acr) : [],
    subjects: [...valuesOf(userinfo['sub']), ...valuesOf(idToken['sub'])],
  }
}

/** Whether a claim about the user is one that a client may have now. */
function claimsOf(client: ScopedClient, settings: Settings): (name: string) => boolean {
  const allowed = allowedScope(client, settings)
  return (name) => {
    const scope = scopeFor(name)
    return scope !== undefined && Object.hasOwn(settings.scopes, scope) && allowed.includes(scope)
  }
}

/** The scopes whose descriptions the consent page shows for claims that were requested by name. */
export function scopesOfClaims(claims: ClaimsRequest | null): string[] {
  const names = [...(claims?.userinfo ?? []), ...(claims?.idToken ?? [])]
  return [...new Set(names.map((name) => scopeFor(name)!))]
}

/** The same of what is stored with a code. */
export function scopesOfStoredClaims(stored: string | null): string[] {
  if (stored === null) return []
  const names = Object.values(JSON.parse(stored) as Record<string, string[]>).flat()
  return [...new Set(names.map((name) => scopeFor(name)!))]
}

/** What of it outlives the authorization, as it is stored with the code and the session. */
export function storeClaims(claims: ClaimsRequest | null): string | null {
  if (!claims || claims.userinfo.length + claims.idToken.length === 0) return null
  return JSON.stringify({ userinfo: claims.userinfo, id_token: claims.idToken })
}

/** The names that were asked for, from where they are stored, as far as the client may still have them. */
export function storedClaims(
  stored: string | null,
  where: 'userinfo' | 'id_token',
  client: ScopedClient,
  settings: Settings,
): string[] {
  if (stored === null) return []
  return (JSON.parse(stored) as Record<typeof where, string[]>)[where].filter(claimsOf(client, settings))
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value = parseJson(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** An absent member asks for nothing. */
function memberOf(request: Record<string, unknown>, name: string): Record<string, unknown> | undefined {
  const member = request[name] ?? {}
  return isObject(member) ? member : undefined
}

function valuesOf(wish: unknown): string[] {
  if (!isObject(wish)) return []
  const { value, values } = wish
  return [value, ...(Array.isArray(values) ? values : [])].filter((one) => typeof one === 'string')
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
