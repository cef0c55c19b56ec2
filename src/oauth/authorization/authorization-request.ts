// RFC 6749 §4.1.1, §3.1.1, §3.1.2; RFC 7636 §4.3; RFC 8707 §2.1; RFC 9126 §5; RFC 9101 §10.5; RFC 9396 §3; FAPI 2.0 Security
// Profile §5.3.2.2; OpenID Connect Core §3.1.2.1: what a client asks at the authorization endpoint. First client and redirect
// URI, then everything else.

import { type Form, formOf, pairsOf } from '../../http/forms.ts'
import { told, toldUrl } from '../../log.ts'
import { acrThatWouldDo } from '../../protocol/authentication-context.ts'
import { type AuthorizationDetail, requestedDetails } from '../../protocol/authorization-details.ts'
import { type ClaimsRequest, readClaims } from '../../protocol/claims-parameter.ts'
import { readChallenge } from '../../protocol/pkce.ts'
import { matchRedirectUri } from '../../protocol/redirect-uri.ts'
import { isRefusal, type Refusal, refuse, sentAs } from '../../protocol/refusals.ts'
import { requestedResources } from '../../protocol/resource-indicators.ts'
import { requestedScope } from '../../protocol/scope.ts'
import type { Settings } from '../../settings.ts'
import type { Client } from '../clients/clients.ts'
import { verifyIdTokenHint } from '../openid/id-token.ts'
import type { Server } from '../server.ts'
import { isPosted, isSigned, type ResponseMode, responseModes } from './jarm.ts'

/** Where an answer may go: known only once client and redirect URI are trusted. */
export interface ReplyTo {
  client: Client
  redirectUri: string
  responseMode: ResponseMode
  state: string | null
}

/** A request that is valid in itself; whether it is granted depends on the user. */
export interface AuthorizationRequest extends ReplyTo {
  scope: string[]
  resources: string[]
  codeChallenge: string | null
  nonce: string | null
  prompt: string[]
  /** Seconds. */
  maxAge: number | null
  loginHint: string | null
  /** Classes of authentication one of which must be met, in the order of preference (OpenID Connect Core §3.1.2.1, §5.5.1.1). */
  acrValues: string[]
  /** What is asked beside the scopes (§5.5). */
  claims: ClaimsRequest | null
  uiLocales: string[]
  authorizationDetails: AuthorizationDetail[]
  /** The key its code is bound to (`dpop_jkt`, RFC 9449 §10); null without one. */
  binding: string | null
  /** The pushed request it came as (RFC 9126), which ends with it; null for one that came in the query. */
  pushedId: string | null
  /** `sub` of the only user it is for, whom the client proved to know (`id_token_hint`). */
  boundSubject: string | null
}

/** The parameters that count, and how they came (`request-source.ts`). */
export interface RequestSource {
  form: Form
  pushed: { id: string; subject: string | null } | null
  /** The client signed them (RFC 9101). */
  signed: boolean
}

/** No redirect is trusted: a page says why. */
export interface Untrusted {
  page: Refusal
  client?: Client
}

/** The redirect is trusted: the refusal goes there. */
export interface Refused {
  replyTo: ReplyTo
  refusal: Refusal
}

/** Every parameter that counts, with the most bytes its value may have: it ends up in a row, and some in a redirect. */
const longestValues: Readonly<Record<string, number>> = {
  response_type: 128,
  client_id: 512,
  redirect_uri: 2_048,
  response_mode: 64,
  scope: 4_096,
  // Some clients keep what they need afterwards in it.
  state: 4_096,
  nonce: 1_024,
  code_challenge: 128,
  code_challenge_method: 32,
  resource: 2_048,
  // Judged where its form is (`authorization-details.ts`).
  authorization_details: Infinity,
  claims: 4_096,
  prompt: 128,
  max_age: 16,
  login_hint: 1_024,
  id_token_hint: 8_192,
  acr_values: 1_024,
  ui_locales: 512,
  dpop_jkt: 128,
  registration: 4_096,
}

/** What of a form counts as an authorization request; the rest is ignored (RFC 6749 §3.1) and never stored. */
export function knownParameters(form: Form): Form {
  return formOf(pairsOf(form).filter(([name]) => Object.hasOwn(longestValues, name)))
}
type ClientLookup = Pick<Server, 'clients'>
export const prompts: readonly string[] = ['none', 'login', 'consent', 'select_account']

export async function readAuthorizationRequest(
  server: Server,
  source: RequestSource,
  address: string,
): Promise<AuthorizationRequest | Refused | Untrusted> {
  const replyTo = await readReplyTo(server, source.form)
  if ('page' in replyTo) return replyTo
  const details = readDetails(server, source, replyTo, address)
  return isRefusal(details) ? { replyTo, refusal: details } : { ...replyTo, ...details }
}

/** The client that asks, before anything else of the request is believed. */
export async function readClient(server: ClientLookup, form: Form): Promise<Client | Untrusted> {
  if (form.repeated.includes('client_id') || form.repeated.includes('redirect_uri')) {
    return { page: refuse('authorize_client_repeated') }
  }
  const clientId = form.get('client_id')
  if (clientId === undefined) return { page: refuse('authorize_client_missing') }
  const client = await server.clients.find(clientId)
  if (!client) return { page: refuse('authorize_client_unknown', { client: told(clientId) }) }
  return client.active ? client : { page: refuse('authorize_client_inactive', { client: client.id }), client }
}

/** Client and redirect URI: from here on a refusal may be sent there (RFC 6749 §4.1.2.1). */
export async function readReplyTo(server: ClientLookup, form: Form): Promise<ReplyTo | Untrusted> {
  const client = await readClient(server, form)
  if ('page' in client) return client
  const asked = form.get('redirect_uri')
  const mustBeNamed =
    client.redirectUris.length !== 1 ||
    client.rules.pushedRequestsOnly ||
    words(form.get('scope'))?.includes('openid')
  if (asked === undefined && mustBeNamed) {
    return { page: refuse('redirect_uri_missing', { client: client.id }), client }
  }
  const redirectUri = asked === undefined ? client.redirectUris[0] : asked
  if (redirectUri === undefined || matchRedirectUri(client.redirectUris, redirectUri) === undefined) {
    return {
      page: refuse(
        'redirect_uri_unregistered',
        { client: client.id, asked: toldUrl(redirectUri) },
        {
          description: `The redirect_uri is not registered for this application. It must match a registered one byte for byte; sent: ${sentAs(redirectUri)}`,
        },
      ),
      client,
    }
  }
  const mode = form.get('response_mode') ?? 'query'
  const responseMode = responseModes.find((one) => one === mode)
  // A private-use scheme opens a program, which no form can be posted to.
  const reachable = responseMode && (!isPosted(responseMode) || /^https?:/.test(redirectUri))
  if (!reachable || form.repeated.includes('response_mode')) {
    const allowed = responseModes.filter((one) => !isPosted(one) || /^https?:/.test(redirectUri))
    const description = `The response_mode is not supported here; allowed: ${allowed.join(', ')}; sent: ${sentAs(mode)}`
    return { page: refuse('response_mode_unsupported', { client: client.id }, { description }), client }
  }
  // A state sent twice is ambiguous and is not echoed.
  const state = form.repeated.includes('state') ? null : (form.get('state') ?? null)
  return { client, redirectUri, responseMode, state }
}

type Details = Omit<AuthorizationRequest, keyof ReplyTo>

function readDetails(
  server: Server,
  { form, pushed, signed }: RequestSource,
  { client, responseMode }: ReplyTo,
  address: string,
): Details | Refusal {
  const { settings } = server
  const repeated = form.repeated.find((name) => name !== 'resource')
  if (repeated !== undefined) return refuse('repeated_parameter', { parameter: told(repeated) })
  const tooLong = form.names.find((name) => isTooLong(form, name))
  if (tooLong !== undefined) {
    const description = `${tooLong} is longer than ${longestValues[tooLong]} bytes`
    return refuse('parameter_too_long', { client: client.id, parameter: tooLong }, { description })
  }
  const { registered, rules } = client
  const pushedOnly =
    rules.pushedRequestsOnly ||
    registered.requirePushedAuthorizationRequests ||
    settings.pushedRequests?.required
  if (pushedOnly && !pushed) return refuse('pushed_request_missing', { client: client.id })
  const messageSigning = client.profile === 'fapi2' && settings.fapi2.messageSigning
  if ((registered.requireSignedRequestObject || messageSigning) && !signed)
    return refuse('request_object_missing', { client: client.id })
  if (messageSigning && !isSigned(responseMode))
    return refuse('response_mode_unsigned', { client: client.id })
  if (form.get('registration') !== undefined) return refuse('registration_unsupported')

  const responseType = form.get('response_type')
  if (responseType === undefined) return refuse('response_type_missing')
  if (responseType !== 'code') return refuse('response_type_unsupported')
  if (!client.grantTypes.includes('authorization_code') || !client.responseTypes.includes('code'))
    return refuse('response_type_unauthorized', { client: client.id })

  const details = requestedDetails(settings.authorizationDetails, client, form.get('authorization_details'))
  if (isRefusal(details)) return details
  // Who asks for details alone does not mean every scope besides (RFC 9396 §3).
  const detailsAlone = details.length > 0 && form.get('scope') === undefined
  const scope = detailsAlone ? [] : requestedScope(form.get('scope'), settings, client)
  if (isRefusal(scope)) return scope
  const codeChallenge = readChallenge(
    form.get('code_challenge'),
    form.get('code_challenge_method'),
    client.requirePkce,
  )
  if (isRefusal(codeChallenge)) return codeChallenge
  const resources = requestedResources(form.all('resource'), settings, client.resources)
  if (isRefusal(resources)) return resources

  if (registered.requireNonce && scope.includes('openid') && form.get('nonce') === undefined)
    return refuse('nonce_missing', { client: client.id })
  const binding = form.get('dpop_jkt')
  if (binding !== undefined && !/^[A-Za-z0-9_-]{43}$/.test(binding)) return refuse('dpop_jkt_malformed')
  const prompt = words(form.get('prompt')) ?? []
  if (prompt.some((one) => !prompts.includes(one)) || (prompt.includes('none') && prompt.length > 1)) {
    return refuse('prompt_invalid')
  }
  const age = form.get('max_age')
  if (age !== undefined && !/^\d{1,9}$/.test(age)) return refuse('max_age_invalid')
  const claims = readClaimsOf(form, scope, client, settings)
  if (isRefusal(claims)) return claims
  const order = settings.authentication.acrValues
  const essential = claims?.acr ?? []
  if (essential.length > 0 && acrThatWouldDo(order, essential).length === 0)
    return refuse('authentication_unmet', { client: client.id, asked: told(essential.join(' ')) })
  // `acr_values` is a wish (OpenID Connect Core §3.1.2.1): a class this server does not know cannot be demanded by it.
  const wished = (words(form.get('acr_values')) ?? registered.defaultAcrValues ?? []).filter((one) =>
    order.includes(one),
  )
  const acrValues = essential.length > 0 ? essential : wished
  const boundSubject = readHint(server, form, client, address)
  if (isRefusal(boundSubject)) return boundSubject
  return {
    scope,
    resources,
    codeChallenge,
    nonce: form.get('nonce') ?? null,
    prompt,
    maxAge: age === undefined ? (registered.defaultMaxAge ?? null) : Number(age),
    loginHint: form.get('login_hint') ?? null,
    acrValues,
    claims: claims ?? null,
    uiLocales: words(form.get('ui_locales')) ?? [],
    authorizationDetails: details,
    binding: binding ?? null,
    pushedId: pushed?.id ?? null,
    boundSubject: pushed?.subject ?? boundSubject,
  }
}

function isTooLong(form: Form, name: string): boolean {
  const longest = Object.hasOwn(longestValues, name) ? longestValues[name]! : Infinity
  return form.all(name).some((value) => value.length > longest / 3 && Buffer.byteLength(value) > longest)
}

/** Without `openid` no claim about the user is disclosed. */
function readClaimsOf(
  form: Form,
  scope: readonly string[],
  client: Client,
  settings: Settings,
): ClaimsRequest | undefined | Refusal {
  const text = form.get('claims')
  return text === undefined || !scope.includes('openid') ? undefined : readClaims(text, client, settings)
}

/** The user an earlier ID token was about, if it was made for the client that shows it. */
function readHint(server: Server, form: Form, client: Client, address: string): string | null | Refusal {
  const text = form.get('id_token_hint')
  if (text === undefined) return null
  const hint = verifyIdTokenHint(server, text, address)
  if (isRefusal(hint)) return hint
  return hint.clientId === client.id
    ? hint.subject
    : refuse('id_token_hint_invalid', { client: client.id, owner: hint.clientId })
}

function words(text: string | undefined): string[] | undefined {
  return text?.split(' ').filter(Boolean)
}
