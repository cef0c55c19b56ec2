// RFC 7591 §2, §2.1, §5; RFC 8252 §7; OpenID Connect Registration §2 (application_type), §5 (sector_identifier_uri); CIMD §8.6:
// what a client says about itself, in a request or in a document, and what of it is allowed.

import type { Outbound } from '../../http/guarded-fetch.ts'
import type { RedirectShape, Settings } from '../../settings.ts'
import { redirectHost, redirectsToOwnComputer } from '../authorization/redirect-uri.ts'
import { sectorKnows } from '../openid/pairwise-subject.ts'
import { isRefusal } from '../refusals.ts'
import { parseScope } from '../scope.ts'
import { spokenGrantTypes } from '../token.ts'
import { type ClientInput, columnsFrom } from './client-input.ts'
import { fromWire } from './client-metadata.ts'
import { type AuthenticationMethod, spokenMethods } from './profiles.ts'

/** A member that may not be as it is, by its name on the wire, and why. */
export interface Unfit {
  member: string
  why: string
}

export type Description = { columns: ReturnType<typeof columnsFrom>['columns']; hasSecret: boolean }

const mostRedirectUris = 20
const longestText = 2_048

export function isUnfit(value: object): value is Unfit {
  return 'member' in value
}

/**
 * The columns of a client that described itself: every member checked, what is not allowed left out where the client can do
 * without (scopes, grant types), and the first member that cannot be as it is otherwise.
 */
export function readDescription(
  settings: Settings,
  metadata: Readonly<Record<string, unknown>>,
  unsaid: { method: AuthenticationMethod; name?: string },
  kept: Record<string, unknown>,
): Description | Unfit {
  const given = Object.fromEntries(
    Object.entries(metadata).filter(([, value]) => value !== null && value !== ''),
  )
  const problems: Unfit[] = []
  const text = (member: string): string | undefined => {
    const value = given[member]
    if (value === undefined || (typeof value === 'string' && fits(value))) return value
    problems.push({ member, why: `must be a text of at most ${longestText} characters` })
    return undefined
  }
  const texts = (member: string): string[] | undefined => {
    const value = given[member]
    const good = Array.isArray(value) && value.every((one) => typeof one === 'string' && fits(one))
    if (value === undefined || good) return value as string[] | undefined
    problems.push({ member, why: 'must be a list of texts' })
    return undefined
  }

  const redirectUris = texts('redirect_uris') ?? []
  problems.push(...redirectProblems(settings, 'redirect_uris', redirectUris))
  const goodbyes = texts('post_logout_redirect_uris') ?? []
  problems.push(...redirectProblems(settings, 'post_logout_redirect_uris', goodbyes))
  const grantTypes = grantTypesOf(settings, texts('grant_types'), texts('response_types'), problems)
  const method = (text('token_endpoint_auth_method') ?? unsaid.method) as AuthenticationMethod
  const methods = spokenMethods(settings)
  if (!methods.includes(method))
    problems.push({ member: 'token_endpoint_auth_method', why: `must be one of ${methods.join(', ')}` })
  const input: ClientInput = {
    ...fromWire(given),
    defaultScope: undefined,
    name: text('client_name') ?? unsaid.name ?? nameFrom(redirectUris),
    logoUri: text('logo_uri'),
    clientUri: linkOf(text('client_uri')),
    policyUri: linkOf(text('policy_uri')),
    tosUri: linkOf(text('tos_uri')),
    tokenEndpointAuthMethod: method,
    jwks: given['jwks'] as ClientInput['jwks'],
    jwksUri: text('jwks_uri'),
    redirectUris,
    grantTypes,
    scope: scopeOf(settings, text('scope'), problems),
    requirePkce: true,
    applicationType: applicationTypeOf(given['application_type'], redirectUris, problems),
    metadata: kept,
  }
  problems.push(...sectorProblems(input))
  if (problems[0]) return problems[0]
  const checked = columnsFrom(settings, input)
  const [problem] = checked.problems
  if (problem) return { member: wireName(problem.path), why: `must be ${problem.allowed}` }
  return { columns: checked.columns, hasSecret: checked.hasSecret }
}

/** What cannot be judged from the text alone: no URL of the description points inside, and a sector has these redirect URIs. */
export async function checkUrls(outbound: Outbound, { columns }: Description): Promise<Unfit | undefined> {
  const registered = JSON.parse(columns.registered_metadata) as Record<string, string | undefined>
  const urls = {
    jwks_uri: columns.jwks_uri,
    logo_uri: columns.logo_uri,
    sector_identifier_uri: registered['sector_identifier_uri'],
    backchannel_logout_uri: registered['backchannel_logout_uri'],
  }
  const judged = await Promise.all(
    Object.entries(urls).map(async ([member, url]) =>
      url && (await outbound.check(url)) ? member : undefined,
    ),
  )
  const member = judged.find((one) => one !== undefined)
  if (member !== undefined) return { member, why: 'must be an https URL of the public internet' }
  const sector = urls.sector_identifier_uri
  if (sector === undefined || (await sectorKnows(outbound, sector, JSON.parse(columns.redirect_uris))))
    return undefined
  return { member: 'sector_identifier_uri', why: 'must list every redirect URI as JSON' }
}

/** No control characters: no name or URL has them, and no database keeps NUL. */
function fits(text: string): boolean {
  return text.length <= longestText && !/[\x00-\x1f\x7f]/.test(text)
}

function redirectProblems(
  { selfRegisteredClients: allowed }: Settings,
  list: string,
  uris: readonly string[],
): Unfit[] {
  if (uris.length > mostRedirectUris) return [{ member: list, why: `must be at most ${mostRedirectUris}` }]
  return uris.flatMap((uri, n) => {
    const member = `${list}[${n}]`
    // Whatever it is otherwise is judged with the rest.
    if (!URL.canParse(uri)) return []
    const shape = shapeOf(uri)
    if (!allowed.redirects.includes(shape)) return [{ member, why: `must not be of the form ${shape}` }]
    const { hostname } = new URL(uri)
    return shape === 'https' && allowed.redirectHosts && !hostIsAmong(allowed.redirectHosts, hostname)
      ? [{ member, why: 'must be on a host that is accepted here' }]
      : []
  })
}

/** That its answers go to a sector is what makes a client part of it; with these grant types it gets them wherever it is. */
function sectorProblems({ subjectType, grantTypes = [] }: ClientInput): Unfit[] {
  const redirected = grantTypes.every((one) => one === 'authorization_code' || one === 'refresh_token')
  return subjectType !== 'pairwise' || redirected
    ? []
    : [{ member: 'subject_type', why: 'must be public with grant types that need no redirect URI' }]
}

function shapeOf(uri: string): RedirectShape {
  const { protocol } = new URL(uri)
  return protocol === 'https:' ? 'https' : protocol === 'http:' ? 'loopback' : 'private_use'
}

/** Exactly one of the names, or below one that begins with `*.`. */
export function hostIsAmong(names: readonly string[], host: string): boolean {
  return names.some((name) => (name.startsWith('*.') ? host.endsWith(name.slice(1)) : host === name))
}

/** Those that are spoken and allowed; response types must be what these grant types need (RFC 7591 §2.1). */
function grantTypesOf(
  settings: Settings,
  asked: string[] | undefined,
  responseTypes: string[] | undefined,
  problems: Unfit[],
): string[] {
  const usesCode = asked === undefined || asked.includes('authorization_code')
  if (responseTypes?.some((one) => one !== 'code'))
    problems.push({ member: 'response_types', why: 'must be code, the only one that is supported' })
  else if (responseTypes && responseTypes.includes('code') !== usesCode)
    problems.push({
      member: 'response_types',
      why: 'must be code exactly when grant_types has authorization_code',
    })
  const spoken = spokenGrantTypes(settings).map((one) => one.name)
  const possible = spoken.filter((one) => settings.selfRegisteredClients.grantTypes.includes(one))
  const wanted = asked ?? ['authorization_code', 'refresh_token']
  const given = possible.filter((one) => wanted.includes(one))
  if (given.every((one) => one === 'refresh_token'))
    problems.push({ member: 'grant_types', why: `must have one of ${possible.join(', ')}` })
  return given
}

function scopeOf(settings: Settings, text: string | undefined, problems: Unfit[]): string[] {
  const allowed = settings.selfRegisteredClients.scope ?? Object.keys(settings.scopes)
  const asked = parseScope(text)
  const given = isRefusal(asked) ? [] : allowed.filter((one) => asked.includes(one))
  if (isRefusal(asked) || (asked.length > 0 && given.length === 0))
    problems.push({ member: 'scope', why: 'must name scopes that are offered here' })
  return text === undefined ? [...allowed] : given
}

/** `web` clients have https redirect URIs on hosts of their own; without a word about it the redirect URIs tell. */
function applicationTypeOf(
  said: unknown,
  redirectUris: readonly string[],
  problems: Unfit[],
): 'web' | 'native' | undefined {
  const local = redirectUris.filter(
    (uri) => URL.canParse(uri) && (redirectsToOwnComputer(uri) || new URL(uri).hostname === 'localhost'),
  )
  if (said === 'web' && local.length > 0)
    problems.push({
      member: 'redirect_uris',
      why: 'must be https and not on localhost, as application_type is web',
    })
  return said === undefined ? (local.length > 0 ? 'native' : 'web') : (said as 'web')
}

/** A link for people; one that is not secure is left out, one that is no link is refused with the rest. */
function linkOf(url: string | undefined): string | undefined {
  return url !== undefined && /^http:\/\//i.test(url) ? undefined : url
}

function nameFrom(redirectUris: readonly string[]): string {
  const [first] = redirectUris
  return first !== undefined && URL.canParse(first) ? redirectHost(first) : 'An application without a name'
}

/** `redirectUris[0]` is `redirect_uris[0]` on the wire, `name` is `client_name`. */
function wireName(path: string): string {
  return path === 'name' ? 'client_name' : path.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
