// RFC 7591 §2, RFC 6749 §2, §4.2.2: the one check of what a client may be, from every source: an administrator, a client that
// registers itself, or a metadata document.

import type { ConfigProblem } from '../../config-error.ts'
import { algorithms, longestKeySet, mostKeysInSet, publicKeyFromJwk } from '../../crypto/jws.ts'
import { spokenGrantTypes } from '../../protocol/grant-types.ts'
import {
  type AuthenticationMethod,
  type ClientProfile,
  profiles,
  spokenMethods,
} from '../../protocol/profiles.ts'
import { redirectsToOwnComputer, redirectUriProblem } from '../../protocol/redirect-uri.ts'
import type { Settings } from '../../settings.ts'
import { isResourceUri } from '../config/resources.ts'
import { isOpenidScope } from '../config/scopes.ts'
import type { ClientRow, editable } from '../records/clients.ts'
import { fromWire, type RegisteredMetadata, toWire } from './client-metadata.ts'
import { storeBcryptHash } from './client-secret.ts'
import { columnMembers, type Member, type MemberName, members, registeredMembers } from './members/members.ts'

/** What is said about a client. Lifetimes and windows in seconds. */
export interface ClientInput extends RegisteredMetadata {
  /** Given only on import; otherwise made. */
  id?: string
  name: string
  description?: string
  logoUri?: string
  clientUri?: string
  policyUri?: string
  tosUri?: string
  /** Bundles what a kind of client needs and must do. Default `default`. */
  profile?: ClientProfile
  /** `none` makes a public client. Default `client_secret_basic`; a client with a secret may use basic and post alike. */
  tokenEndpointAuthMethod?: AuthenticationMethod
  /** Its public keys, for `private_key_jwt`, `self_signed_tls_client_auth` and request objects; or where they are published. */
  jwks?: { keys: object[] }
  jwksUri?: string
  redirectUris?: string[]
  /** Default: code and refresh, or client credentials when there is no redirect URI. */
  grantTypes?: string[]
  /** Scopes it may ask for. Default: all of the registry; those of OpenID Connect only where a user is involved. */
  scope?: string[]
  /** APIs it may ask tokens for. Default: all. */
  resources?: string[]
  /** APIs it serves, whose tokens it may introspect. */
  resourceServerFor?: string[]
  /** Only a confidential client may do without. */
  requirePkce?: boolean
  tokenFormat?: 'jwt' | 'opaque'
  accessTokenLifetime?: number
  refreshTokenLifetime?: number
  codeLifetime?: number
  reuseWindow?: number
  requestsPerHour?: number
  owner?: string
  metadata?: Record<string, unknown>
  /** An existing bcrypt hash to import instead of making a secret. */
  bcryptSecretHash?: string
}

const hasSecret = (method: AuthenticationMethod) =>
  method === 'client_secret_basic' || method === 'client_secret_post'
/** Methods that need public keys of the client. */
export const needsKeys = (method: AuthenticationMethod | undefined) =>
  method === 'private_key_jwt' || method === 'self_signed_tls_client_auth'

type Problem = (path: string, given: unknown, allowed: string, example?: string) => void

/** The columns that keep the members of a client. */
export type ClientColumns = Pick<ClientRow, Exclude<keyof typeof editable, 'secret_hash'>>

/** Checks an input wholly and turns it into columns; every problem at once. */
export function columnsFrom(
  settings: Settings,
  given: ClientInput,
): { columns: ClientColumns; problems: ConfigProblem[]; hasSecret: boolean } {
  const problems: ConfigProblem[] = []
  const problem: Problem = (path, given, allowed, example) => problems.push({ path, given, allowed, example })
  const { id, bcryptSecretHash } = given
  const input: ClientInput = { name: '', ...fitting(columnMembers, given, problem) }
  const profile = input.profile ?? 'default'
  const rules = profiles[profile] ?? profiles.default
  const method =
    input.tokenEndpointAuthMethod ??
    (rules.methods.includes('client_secret_basic') ? 'client_secret_basic' : rules.methods[0]!)
  const confidential = method !== 'none'
  const redirectUris = input.redirectUris ?? []
  const grantTypes =
    input.grantTypes ??
    (redirectUris.length > 0 ? ['authorization_code', 'refresh_token'] : ['client_credentials'])
  const requirePkce = input.requirePkce ?? rules.pkce !== 'lifted'

  if (id !== undefined && !/^[\x21-\x7e]{1,512}$/.test(id))
    problem('id', id, '1 to 512 visible ASCII characters')
  if (given.name === undefined || given.name === null)
    problem('name', given.name, members.name.form.allowed, members.name.form.example)
  const methods = spokenMethods(settings)
  if (!methods.includes(method)) problem('tokenEndpointAuthMethod', method, methods.join(', '))
  else if (!rules.methods.includes(method))
    problem('tokenEndpointAuthMethod', method, `${rules.methods.join(', ')} for the profile ${profile}`)
  redirectUris.forEach((uri, n) => {
    const why = redirectUriProblem(uri, settings.selfRegisteredClients.schemes)
    if (why)
      problem(
        `redirectUris[${n}]`,
        uri,
        `a URI that works as redirect target; this one ${why}`,
        'https://app.example.com/callback',
      )
  })
  checkGrantTypes(settings, grantTypes, { redirectUris, confidential }, problem)
  if (!requirePkce && !confidential) problem('requirePkce', false, 'true, since the client is public')
  else if (!requirePkce && rules.pkce === 'always')
    problem('requirePkce', false, `true for the profile ${profile}`)
  if (bcryptSecretHash !== undefined && storeBcryptHash(bcryptSecretHash) === undefined) {
    problems.push({ path: 'bcryptSecretHash', allowed: 'a bcrypt hash of cost 4 to 14 ($2a$, $2b$ or $2y$)' })
  }
  if (bcryptSecretHash !== undefined && !hasSecret(method)) {
    problems.push({ path: 'bcryptSecretHash', allowed: 'nothing, since the client has no secret' })
  }
  const registered = fitting(registeredMembers, given, problem) as RegisteredMetadata
  checkScopeAndResources(settings, input, registered, problem)
  const { acrValues } = settings.authentication
  const asked = registered.defaultAcrValues
  if (asked?.some((one) => !acrValues.includes(one)))
    problem('defaultAcrValues', asked, `values of authentication.acrValues: ${acrValues.join(' ') || 'none'}`)
  checkKeys(input, method, problem)
  const { schemes } = settings.selfRegisteredClients
  checkRegistered(registered, { method, rules, redirectUris, profile, schemes }, problem)

  const said: Readonly<Record<string, unknown>> = {
    ...input,
    profile,
    tokenEndpointAuthMethod: method,
    grantTypes,
    scope: input.scope ?? standardScope(settings, grantTypes),
    requirePkce,
    reuseWindow: input.reuseWindow ?? (rules.reuseWindow === null ? undefined : rules.reuseWindow / 1_000),
  }
  const columns = {
    ...Object.fromEntries(
      columnMembers.map(([name, { column, form }]) => [column, form.toColumn(said[name])]),
    ),
    response_types: grantTypes.includes('authorization_code') ? 'code' : '',
    registered_metadata: JSON.stringify(toWire(registered)),
  } as ClientColumns
  return { columns, problems, hasSecret: hasSecret(method) }
}

/** Those of the members that fit by themselves; `problem` hears of every other. */
function fitting(
  rows: readonly (readonly [MemberName, Member])[],
  input: ClientInput,
  problem: Problem,
): Partial<ClientInput> {
  const read: Record<string, unknown> = {}
  for (const [name, { form, column }] of rows) {
    const value = input[name]
    // Without a value as null a column of its own has its default.
    if (value === undefined || (value === null && column !== 'registered_metadata')) continue
    if (form.fits(value)) read[name] = form.kept ? form.kept(value) : value
    else problem(name, value, form.allowed, form.example)
  }
  return read as Partial<ClientInput>
}

/** All registered scopes; without a user there is no subject for those of OpenID Connect. */
function standardScope({ scopes }: Settings, grantTypes: readonly string[]): string[] {
  const all = Object.keys(scopes)
  const alone = grantTypes.every((one) => one === 'client_credentials')
  return alone ? all.filter((scope) => !isOpenidScope(scope)) : all
}

function checkGrantTypes(
  settings: Settings,
  grantTypes: readonly string[],
  { redirectUris, confidential }: { redirectUris: readonly string[]; confidential: boolean },
  problem: Problem,
): void {
  const spoken = spokenGrantTypes(settings)
  const known = spoken.map((one) => one.name)
  for (const grantType of grantTypes) {
    if (!known.includes(grantType)) problem('grantTypes', grantType, known.join(', '))
  }
  if (grantTypes.includes('authorization_code') && redirectUris.length === 0) {
    problem('redirectUris', '[]', 'at least one, since the client uses authorization_code')
  }
  for (const { name, confidentialOnly } of spoken) {
    if (confidentialOnly && !confidential && grantTypes.includes(name))
      problem('grantTypes', name, 'only for a confidential client (RFC 6749 §4.4)')
  }
}

function checkScopeAndResources(
  settings: Settings,
  input: ClientInput,
  registered: RegisteredMetadata,
  problem: Problem,
): void {
  for (const scope of input.scope ?? []) {
    if (!Object.hasOwn(settings.scopes, scope))
      problem('scope', scope, `scopes of the registry: ${Object.keys(settings.scopes).join(' ')}`)
  }
  for (const type of registered.authorizationDetailsTypes ?? []) {
    if (!Object.hasOwn(settings.authorizationDetails, type)) {
      const known = Object.keys(settings.authorizationDetails).join(', ') || 'none'
      problem('authorizationDetailsTypes', type, `types of the configuration: ${known}`)
    }
  }
  for (const path of ['resources', 'resourceServerFor'] as const) {
    for (const uri of input[path] ?? []) {
      if (!isResourceUri(uri)) problem(path, uri, 'absolute URIs without fragment (RFC 8707 §2)')
      else if (uri !== settings.issuer && !Object.hasOwn(settings.resources, uri)) {
        problem(
          path,
          uri,
          `resources of the configuration: ${[...Object.keys(settings.resources), settings.issuer].join(' ')}`,
        )
      }
    }
  }
}

function checkKeys({ jwks, jwksUri }: ClientInput, method: AuthenticationMethod, problem: Problem): void {
  if (jwks !== undefined && jwksUri !== undefined)
    problem('jwks', '{…}', 'either jwks or jwksUri, not both (RFC 7591 §2)')
  if (jwks === undefined && jwksUri === undefined && needsKeys(method)) {
    problem(
      'jwks',
      undefined,
      `the client's public keys (or jwksUri), since it uses ${method}`,
      '{"keys":[…]}',
    )
  }
  if (jwksUri !== undefined) {
    if (!(URL.canParse(jwksUri) && new URL(jwksUri).protocol === 'https:'))
      problem('jwksUri', jwksUri, 'an https URL', 'https://app.example.com/jwks.json')
  }
  if (jwks === undefined) return
  if (!Array.isArray(jwks?.keys) || jwks.keys.length === 0 || jwks.keys.length > mostKeysInSet) {
    problem('jwks', undefined, `a JWK set of 1 to ${mostKeysInSet} public keys (RFC 7517 §5)`)
    return
  }
  if (Buffer.byteLength(JSON.stringify(jwks)) > longestKeySet) {
    problem('jwks', undefined, `a JWK set of at most ${longestKeySet} bytes of JSON`)
    return
  }
  // What is wrong is said without the key: it may be a private one.
  const wrong = (n: number, why: string) =>
    problem(`jwks.keys[${n}]`, undefined, `a public key for ${algorithms.join(', ')}; this one ${why}`)
  const unusable = jwks.keys.flatMap((jwk, n) => {
    const key = publicKeyFromJwk(jwk)
    return 'problem' in key ? [{ n, why: key.problem, fatal: key.outOfBounds || isSecret(jwk) }] : []
  })
  // A set may hold keys for others' algorithms, but never one beyond the limits or one that should not have left its owner.
  const told = unusable.length === jwks.keys.length ? unusable : unusable.filter((one) => one.fatal)
  for (const { n, why } of told) wrong(n, why)
}

/** A key that should not have left its owner. */
export function isSecret(jwk: unknown): boolean {
  return typeof jwk === 'object' && jwk !== null && ('d' in jwk || 'k' in jwk)
}

/** Whose sector a redirect URI is in by itself; no host vouches for a program on the user's own computer. */
function sectorHost(uri: string): string {
  return redirectsToOwnComputer(uri) ? '' : new URL(uri).hostname
}

const distinguishing = [
  'tlsClientAuthSubjectDn',
  'tlsClientAuthSanDns',
  'tlsClientAuthSanUri',
  'tlsClientAuthSanIp',
  'tlsClientAuthSanEmail',
] as const

/** What of the registered metadata must hold together. */
function checkRegistered(
  registered: RegisteredMetadata,
  client: {
    method: AuthenticationMethod
    rules: (typeof profiles)[ClientProfile]
    redirectUris: readonly string[]
    profile: ClientProfile
    schemes: readonly string[]
  },
  problem: Problem,
): void {
  const { method, rules, redirectUris, profile, schemes } = client
  const named = distinguishing.filter((one) => registered[one] !== undefined)
  if (method === 'tls_client_auth' ? named.length !== 1 : named.length > 0) {
    problem(
      'tlsClientAuthSubjectDn',
      named.join(' '),
      `exactly one of ${distinguishing.join(', ')}, and only with tls_client_auth`,
    )
  }
  if (registered.subjectType === 'pairwise' && registered.sectorIdentifierUri === undefined) {
    const hosts = new Set(redirectUris.filter((uri) => URL.canParse(uri)).map(sectorHost))
    if (hosts.size !== 1)
      problem(
        'sectorIdentifierUri',
        undefined,
        'a URL that lists the redirect URIs, since they are on several hosts (OpenID Connect Core §8.1)',
      )
  }
  for (const path of ['postLogoutRedirectUris'] as const) {
    for (const uri of registered[path] ?? []) {
      const why = redirectUriProblem(uri, schemes)
      if (why) problem(path, uri, `a URI that works as redirect target; this one ${why}`)
    }
  }
  const { backchannelLogoutUri } = registered
  if (backchannelLogoutUri !== undefined) {
    const url = URL.canParse(backchannelLogoutUri) ? new URL(backchannelLogoutUri) : undefined
    if (url?.protocol !== 'https:' || backchannelLogoutUri.includes('#'))
      problem('backchannelLogoutUri', backchannelLogoutUri, 'an https URL without fragment')
  }
  // A plain answer on loopback reaches only a program on the same computer (FAPI 2.0 Security Profile §5.3.2.2).
  const clear = redirectUris.find((uri) => /^http:/i.test(uri))
  if (profile === 'fapi2' && clear !== undefined && registered.applicationType !== 'native')
    problem('redirectUris', clear, "https, but for a client with applicationType 'native'")
  if (rules.algorithms !== null) {
    for (const path of [
      'tokenEndpointAuthSigningAlg',
      'requestObjectSigningAlg',
      'idTokenSignedResponseAlg',
      'userinfoSignedResponseAlg',
      'authorizationSignedResponseAlg',
      'introspectionSignedResponseAlg',
    ] as const) {
      const alg = registered[path]
      if (alg !== undefined && !rules.algorithms.includes(alg))
        problem(path, alg, `${rules.algorithms.join(', ')} for the profile ${profile}`)
    }
  }
}

/** A row as the input it could have come from. */
export function inputFrom(row: ClientRow): ClientInput {
  const columns = row as unknown as Readonly<Record<string, unknown>>
  return {
    ...Object.fromEntries(
      columnMembers.map(([name, { column, form }]) => [name, form.fromColumn(columns[column])]),
    ),
    ...fromWire(JSON.parse(row.registered_metadata)),
  } as ClientInput
}
