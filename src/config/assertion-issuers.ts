import { type Algorithm, algorithmNamed, algorithms, mostKeysInSet, publicKeyFromJwk } from '../crypto/jws.ts'
import type { AssertionIssuer, Settings } from '../settings.ts'
import type { Checks } from './checks.ts'

/**
 * An issuer whose signed word about a user is as good as that user's consent: an enterprise's identity provider, say
 * (RFC 7523 §2.1; identity assertion grants, ID-JAG).
 */
export interface AssertionIssuerConfig {
  /** Its public keys, or where they are published; one of the two. */
  jwks?: { keys: object[] }
  jwksUri?: string
  /** Clients that may bring its assertions, by id. They must be confidential. */
  clients: string[]
  /** `id-jag`: identity assertion grants, made for one client. `jwt`: other JWTs (RFC 7523 §3). Default `['id-jag']`. */
  accepts?: ('id-jag' | 'jwt')[]
  /** Scopes its assertions may lead to. Default: all the client may have. */
  scope?: string[]
  /** APIs its assertions may lead to. Default: all the client may have. */
  resources?: string[]
  /** First part of the key of its users' accounts, as the adapter that signs the same people in names it. Default `openid`. */
  provider?: string
  /** A user who never was here: refused, or made. Default `refuse`. */
  unknownUsers?: 'refuse' | 'create'
  /** Of an issuer with several tenants the one that is believed (`tenant`). Assertions of any other are refused. */
  tenant?: string
  /** Algorithms it signs with. Default: all that are spoken here. */
  algorithms?: Algorithm[]
  /** Seconds an assertion may still live when it arrives. Default 600, 60 to 3600. */
  longestLife?: number
}

export function assertionIssuersSettings(
  config: Record<string, AssertionIssuerConfig> = {},
  known: { issuer: string; scopes: Record<string, string>; resources: readonly string[] },
  { problem, seconds }: Checks,
): Settings['assertionIssuers'] {
  const issuers = new Map<string, AssertionIssuer>()
  for (const [id, one] of Object.entries(config)) {
    const path = `assertionIssuers.${id}`
    // What this server says about its users must not come back as what an enterprise consents to.
    if (id === known.issuer) problem(path, 'an issuer other than this server', id, 'https://idp.example.com')
    const { jwks, jwksUri, clients, accepts = ['id-jag'], provider = 'openid', unknownUsers = 'refuse' } = one
    if ((jwks === undefined) === (jwksUri === undefined)) problem(path, 'either jwks or jwksUri')
    if (jwksUri !== undefined && !/^https:\/\/[^#\s]+$/.test(jwksUri))
      problem(`${path}.jwksUri`, 'an https URL', jwksUri, 'https://idp.example.com/jwks.json')
    const keys = jwks === undefined ? [] : Array.isArray(jwks.keys) ? jwks.keys : [undefined]
    if (keys.length > mostKeysInSet) problem(`${path}.jwks`, `at most ${mostKeysInSet} keys`)
    if (jwks !== undefined && (keys.length === 0 || keys.some((key) => 'problem' in publicKeyFromJwk(key))))
      problem(`${path}.jwks`, 'a JWK set of public keys for signatures (RFC 7517 §5)')
    if (!Array.isArray(clients) || clients.some((client) => typeof client !== 'string' || client === ''))
      problem(`${path}.clients`, 'the ids of clients', clients, "['cl_…']")
    for (const kind of accepts) {
      if (kind !== 'id-jag' && kind !== 'jwt') problem(`${path}.accepts`, 'id-jag or jwt', kind, 'id-jag')
    }
    if (accepts.length === 0) problem(`${path}.accepts`, 'id-jag or jwt', '[]', 'id-jag')
    for (const scope of one.scope ?? []) {
      if (!Object.hasOwn(known.scopes, scope)) problem(`${path}.scope`, 'scopes that `scopes` names', scope)
    }
    for (const uri of one.resources ?? []) {
      if (!known.resources.includes(uri))
        problem(`${path}.resources`, `of the configured resources: ${known.resources.join(' ')}`, uri)
    }
    if (!/^[a-z0-9][a-z0-9_-]{0,63}$/.test(provider))
      problem(`${path}.provider`, 'lower-case letters, digits, dashes and underscores', provider, 'openid')
    if (unknownUsers !== 'refuse' && unknownUsers !== 'create')
      problem(`${path}.unknownUsers`, 'refuse or create', unknownUsers, 'refuse')
    if (one.tenant !== undefined && (typeof one.tenant !== 'string' || one.tenant === ''))
      problem(`${path}.tenant`, 'the text of the claim `tenant`', one.tenant)
    for (const alg of one.algorithms ?? []) {
      if (algorithmNamed(alg) === undefined)
        problem(`${path}.algorithms`, algorithms.join(', '), alg, 'RS256')
    }
    issuers.set(id, {
      id,
      jwks: jwks ?? null,
      jwksUri: jwksUri ?? null,
      clients: clients ?? [],
      accepts,
      scope: one.scope ?? null,
      resources: one.resources ?? null,
      provider,
      unknownUsers,
      tenant: one.tenant ?? null,
      algorithms: one.algorithms?.flatMap((alg) => algorithmNamed(alg) ?? []) ?? algorithms,
      longestLife: seconds(`${path}.longestLife`, one.longestLife, 600, 60, 3_600),
    })
  }
  return issuers
}
