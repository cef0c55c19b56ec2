// OpenID Connect Core §5.1, §5.4, §5.3.2: what is told about a user, by the scopes that stand for it and by single names.

import { scopeFor } from '../../protocol/claim-scopes.ts'
import type { Server } from '../server.ts'

/** What only this server says of a token, whatever an accounts adapter answers. */
const reserved = new Set(
  'iss sub aud exp nbf iat jti nonce auth_time acr amr azp at_hash c_hash s_hash sid cnf client_id scope act events'.split(
    ' ',
  ),
)

/**
 * What a client may know of a user: everything its scopes stand for, and of other scopes the claims it named and was allowed
 * (`claims-parameter.ts`). Without `sub`. Throws what the accounts adapter throws.
 */
export async function userClaims(
  server: Pick<Server, 'claims'>,
  userId: string,
  scopes: readonly string[],
  named: readonly string[] = [],
): Promise<Record<string, unknown>> {
  const granted = scopes.length === 0 ? {} : pick(await server.claims(userId, scopes), stoodFor(scopes))
  const missing = named.filter((name) => !scopes.includes(scopeFor(name) ?? ''))
  if (missing.length === 0) return granted
  const others = [...new Set(missing.map((name) => scopeFor(name)!))]
  return { ...granted, ...pick(await server.claims(userId, others), (name) => missing.includes(name)) }
}

/** Claims of the specification need their scope; what others stand for is the adapter's word. */
const stoodFor = (scopes: readonly string[]) => (name: string) => {
  const scope = scopeFor(name)
  return scope === undefined || scopes.includes(scope)
}

/** Empty claims are left out (§5.3.2). */
function pick(claims: Record<string, unknown>, wanted: (name: string) => boolean): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(claims).filter(
      ([name, value]) =>
        value !== null && value !== undefined && value !== '' && !reserved.has(name) && wanted(name),
    ),
  )
}
