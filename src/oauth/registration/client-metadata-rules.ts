// RFC 7591 §2, §2.1, §5; RFC 8252 §7; OpenID Connect Registration §2 (application_type), §5 (sector_identifier_uri); CIMD §8.6:
// what a client says about itself, in a request or in a document, and what of it is allowed.

import type { Outbound } from '../../http/guarded-fetch.ts'
import { spokenGrantTypes } from '../../protocol/grant-types.ts'
import { type AuthenticationMethod, spokenMethods } from '../../protocol/profiles.ts'
import { redirectHost, redirectsToOwnComputer, redirectUriProblem } from '../../protocol/redirect-uri.ts'
import { isRefusal } from '../../protocol/refusals.ts'
import { parseScope } from '../../protocol/scope.ts'
import type { Settings } from '../../settings.ts'
import {
  type ClientColumns,
  type ClientInput,
  columnsFrom,
  isSecret,
  needsKeys,
} from '../clients/client-input.ts'
import { fromWire } from '../clients/client-metadata.ts'
import { memberNamed, registeredMembers } from '../clients/members/members.ts'
import { sectorKnows } from '../clients/pairwise-subject.ts'
import type { RedirectShape } from '../config/self-registered-clients.ts'

/** A member that may not be as it is, by its name on the wire, and why. */
export interface Unfit {
  member: string
  why: string
  /** What was sent, where it may be shown to the one who sent it. */
  sent?: unknown
}

export type Description = {
  columns: ClientColumns
  hasSecret: boolean
  /** What the client can do without, and why it was not taken (RFC 7591 §3.2.1). */
  leftOut: Unfit[]
}

/** What of the registered metadata a client may say of itself. */
const ownWords = registeredMembers.filter(([, { self }]) => self)
const mostRedirectUris = 20
const longestText = 2_048

export function isUnfit(value: object): value is Unfit {
  return 'member' in value
}

/**
 * The columns of a client that described itself: every member checked, what is not allowed left out where the client can do
 * without, and the first member that cannot be as it is otherwise.
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
  const leftOut: Unfit[] = []
  const text = (member: string, told = problems): string | undefined => {
    const value = given[member]
    if (value === undefined || (typeof value === 'string' && fits(value))) return value
    told.push({ member, why: `must be a text of at most ${longestText} characters` })
    return undefined
  }
  const texts = (member: string): string[] | undefined => {
    const value = given[member]
    const good = Array.isArray(value) && value.every((one) => typeof one === 'string' && fits(one))
    if (value === undefined || good) return value as string[] | undefined
    problems.push({ member, why: 'must be a list of texts' })
    return undefined
  }

  const redirects = judgeRedirects(settings, 'redirect_uris', texts('redirect_uris') ?? [])
  const redirectUris = redirects.fit
  // One that works is enough: programs register every address they may ever use.
  const dead = redirectUris.length === 0 || redirects.tooMany
  ;(dead ? problems : leftOut).push(...redirects.unfit)
  const goodbyes = judgeRedirects(
    settings,
    'post_logout_redirect_uris',
    texts('post_logout_redirect_uris') ?? [],
  )
  leftOut.push(...goodbyes.unfit)
  const grantTypes = grantTypesOf(settings, texts('grant_types'), texts('response_types'), problems)
  const method = (text('token_endpoint_auth_method') ?? unsaid.method) as AuthenticationMethod
  const methods = spokenMethods(settings)
  if (!methods.includes(method))
    problems.push({
      member: 'token_endpoint_auth_method',
      why: `must be one of ${methods.join(', ')}`,
      sent: method,
    })
  let input: ClientInput = {
    ...fromWire(given, ownWords),
    postLogoutRedirectUris: goodbyes.fit.length > 0 ? goodbyes.fit : undefined,
    name: nameOf(text('client_name', leftOut), leftOut) ?? unsaid.name ?? nameFrom(redirectUris),
    logoUri: text('logo_uri', leftOut),
    clientUri: linkOf(text('client_uri', leftOut)),
    policyUri: linkOf(text('policy_uri', leftOut)),
    tosUri: linkOf(text('tos_uri', leftOut)),
    tokenEndpointAuthMethod: method,
    jwks: given['jwks'] as ClientInput['jwks'],
    jwksUri: text('jwks_uri'),
    redirectUris,
    grantTypes,
    scope: scopeOf(settings, text('scope'), problems),
    requirePkce: true,
    applicationType: applicationTypeOf(given['application_type'], redirectUris),
    metadata: kept,
  }
  problems.push(...sectorProblems(input))
  if (problems[0]) return problems[0]
  for (;;) {
    const { columns, hasSecret, problems: wrong } = columnsFrom(settings, input)
    const [problem] = wrong
    if (!problem) return { columns, hasSecret, leftOut }
    const unfit = { member: wireName(problem.path), why: `must be ${problem.allowed}`, sent: problem.given }
    const member = problem.path.split(/[.[]/)[0] as keyof ClientInput
    const needed = memberNamed(member)?.essential === true || (member === 'jwks' && keysAreNeeded(input))
    if (needed || input[member] === undefined) return unfit
    leftOut.push(unfit)
    input = { ...input, [member]: undefined }
  }
}

/** Keys beside a secret may be for something that is not spoken here; a private one must not have left its owner. */
function keysAreNeeded(input: ClientInput): boolean {
  const { jwks, jwksUri, tokenEndpointAuthMethod, requestObjectSigningAlg, requireSignedRequestObject } =
    input
  const keys: unknown[] = Array.isArray(jwks?.keys) ? jwks.keys : []
  return (
    needsKeys(tokenEndpointAuthMethod) ||
    requestObjectSigningAlg !== undefined ||
    requireSignedRequestObject === true ||
    jwksUri !== undefined ||
    keys.some(isSecret)
  )
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

/** Which addresses answers may go to, and why not to the others. */
function judgeRedirects(
  settings: Settings,
  list: string,
  uris: readonly string[],
): { fit: string[]; unfit: Unfit[]; tooMany: boolean } {
  if (uris.length > mostRedirectUris)
    return { fit: [], unfit: [{ member: list, why: `must be at most ${mostRedirectUris}` }], tooMany: true }
  const unfit = uris.flatMap((sent, n) => {
    const why = whyUnfit(settings, sent)
    return why === undefined ? [] : [{ member: `${list}[${n}]`, why, sent }]
  })
  return { fit: uris.filter((uri) => whyUnfit(settings, uri) === undefined), unfit, tooMany: false }
}

function whyUnfit({ selfRegisteredClients: allowed }: Settings, uri: string): string | undefined {
  const problem = redirectUriProblem(uri, allowed.schemes)
  if (problem !== undefined) return `must be a URI that works as redirect target; this one ${problem}`
  const shape = shapeOf(uri)
  const named = allowed.schemes.includes(new URL(uri).protocol.slice(0, -1))
  if (!named && !allowed.redirects.includes(shape))
    return `must not be of the form ${shape}; allowed: ${allowed.redirects.join(', ')}`
  const { hostname } = new URL(uri)
  return shape === 'https' && allowed.redirectHosts && !hostIsAmong(allowed.redirectHosts, hostname)
    ? 'must be on a host that is accepted here'
    : undefined
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

/**
 * Those that are spoken and allowed. Response types follow from them (RFC 7591 §2.1): what a client names beside `code` is left
 * out, and so is `code` beside grant types that need no redirect.
 */
function grantTypesOf(
  settings: Settings,
  asked: string[] | undefined,
  responseTypes: string[] | undefined,
  problems: Unfit[],
): string[] {
  const usesCode = asked === undefined || asked.includes('authorization_code')
  if (usesCode && responseTypes && responseTypes.length > 0 && !responseTypes.includes('code'))
    problems.push({
      member: 'response_types',
      why: 'must have code, the only one that is supported',
      sent: responseTypes.join(' '),
    })
  const spoken = spokenGrantTypes(settings).map((one) => one.name)
  const possible = spoken.filter((one) => settings.selfRegisteredClients.grantTypes.includes(one))
  const wanted = asked ?? ['authorization_code', 'refresh_token']
  const given = possible.filter((one) => wanted.includes(one))
  if (given.every((one) => one === 'refresh_token'))
    problems.push({
      member: 'grant_types',
      why: `must have one of ${possible.join(', ')}`,
      sent: wanted.join(' '),
    })
  return given
}

function scopeOf(settings: Settings, text: string | undefined, problems: Unfit[]): string[] {
  const allowed = settings.selfRegisteredClients.scope ?? Object.keys(settings.scopes)
  const asked = parseScope(text)
  const given = isRefusal(asked) ? [] : allowed.filter((one) => asked.includes(one))
  if (isRefusal(asked) || (asked.length > 0 && given.length === 0))
    problems.push({
      member: 'scope',
      why: `must name scopes that are offered here: ${allowed.join(' ')}`,
      sent: text,
    })
  return text === undefined ? [...allowed] : given
}

/** Without a word about it the redirect URIs tell. What §2 forbids `web` clients is about the implicit flow, which is not spoken. */
function applicationTypeOf(said: unknown, redirectUris: readonly string[]): 'web' | 'native' | undefined {
  const local = redirectUris.filter(
    (uri) => redirectsToOwnComputer(uri) || new URL(uri).hostname === 'localhost',
  )
  return said === undefined ? (local.length > 0 ? 'native' : 'web') : (said as 'web')
}

/** A link for people; one that is not secure is left out, one that is no link is refused with the rest. */
function linkOf(url: string | undefined): string | undefined {
  return url !== undefined && /^http:\/\//i.test(url) ? undefined : url
}

function nameOf(name: string | undefined, leftOut: Unfit[]): string | undefined {
  if (name === undefined || (name.trim() !== '' && name.length <= 200)) return name
  leftOut.push({ member: 'client_name', why: 'must be a name of 1 to 200 characters' })
  return undefined
}

function nameFrom(redirectUris: readonly string[]): string {
  const [first] = redirectUris
  return first !== undefined && URL.canParse(first) ? redirectHost(first) : 'An application without a name'
}

/** `redirectUris[0]` is `redirect_uris[0]` on the wire, `name` is `client_name`. */
function wireName(path: string): string {
  const [name = path] = path.split(/[.[]/)
  return (memberNamed(name)?.wire ?? name) + path.slice(name.length)
}
