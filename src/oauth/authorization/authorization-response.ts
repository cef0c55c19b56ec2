// RFC 6749 §4.1.2, §4.1.2.1; RFC 9207 §2; RFC 9700 §4.11.2; OAuth 2.0 Form Post Response Mode: every answer of the authorization
// endpoint.

import { type Answer, concerning, type Incoming, seeOther } from '../../http/message.ts'
import { type Refusal as AnyRefusal, wireError } from '../../http/refusal.ts'
import { answerRefusal, errorPage } from '../../pages/error.ts'
import { formPostPage } from '../../pages/form-post.ts'
import { answerPage } from '../../pages/page.ts'
import { clientName, plainSentence } from '../../pages/sentences.ts'
import { isSelfRegistered } from '../../protocol/client-source.ts'
import { type Refusal, refusals } from '../../protocol/refusals.ts'
import type { Client } from '../clients/clients.ts'
import type { Server } from '../server.ts'
import type { ReplyTo } from './authorization-request.ts'
import { isInFragment, isPosted, isSigned, signResponse } from './jarm.ts'
import { mayRedirectErrors } from './vouched-redirect.ts'

/** Sends parameters to the client's redirect URI, always with `state` (if one came) and `iss`. */
export async function authorizationResponse(
  server: Server,
  replyTo: ReplyTo,
  parameters: Record<string, string>,
): Promise<Answer> {
  const fields = await responseFields(server, replyTo, parameters)
  if (isPosted(replyTo.responseMode)) {
    const page = formPostPage(server.frame(), { action: replyTo.redirectUri, fields })
    return concerning(answerPage(page), { client: replyTo.client.id })
  }
  return concerning(seeOther(addressOf(replyTo, fields)), { client: replyTo.client.id })
}

/** The user has decided, or there is nothing to decide: the client gets an answer. */
export function authorizationError(server: Server, replyTo: ReplyTo, refusal: Refusal): Promise<Answer> {
  return authorizationResponse(server, replyTo, wireError(refusal))
}

/**
 * An error before the user was asked anything. A client that can make us redirect users to an address of its own choice has
 * an open redirector: unless something vouches for it, a page says where it leads, and the user goes or does not (RFC 9700
 * §4.11.2).
 */
export async function earlyError(
  server: Server,
  request: Incoming,
  replyTo: ReplyTo,
  refusal: Refusal,
): Promise<Answer> {
  const { client, redirectUri, responseMode } = replyTo
  if (await mayRedirectErrors(server, request, replyTo)) return authorizationError(server, replyTo, refusal)
  const { error, error_description } = wireError(refusal)
  const fields = await responseFields(server, replyTo, { error, error_description })
  const leave = isPosted(responseMode)
    ? { address: redirectUri, fields }
    : { address: addressOf(replyTo, fields) }
  const page = {
    status: refusals[refusal.refusal].status,
    title: 'This request cannot be completed',
    message: error_description,
    code: error,
    client: client.name,
    leave,
  }
  return concerning(answerPage(errorPage(server.frame(), page)), { client: client.id })
}

/** What the client gets: the parameters with `state` and `iss`, or the one JWT that holds them. */
async function responseFields(
  server: Server,
  { client, state, responseMode }: ReplyTo,
  parameters: Record<string, string>,
): Promise<Record<string, string>> {
  const fields = {
    ...parameters,
    ...(state === null ? {} : { state }),
    iss: server.settings.issuer,
  }
  return isSigned(responseMode) ? signResponse(server, client, fields) : fields
}

/** Where a person may go from a page that cannot go on. */
export interface WayOn {
  /** The application they came from. */
  client?: Client | undefined
  /** An address of ours at which they can try again. */
  again?: string | undefined
}

/**
 * Where a person finds the application itself: where a sign-in begins there (OpenID Connect Core §4), its home page, or the
 * origin of its only place for answers, where an administrator registered it.
 */
function homeOf({ settings }: Server, client: Client): string | undefined {
  if (!client.active) return undefined
  const { initiateLoginUri } = client.registered
  if (initiateLoginUri !== undefined) return withQuery(initiateLoginUri, { iss: settings.issuer })
  if (client.clientUri !== null) return client.clientUri
  const origins = [...new Set(client.redirectUris.map((uri) => new URL(uri).origin))]
  const [only] = origins
  return origins.length === 1 && only?.startsWith('https:') && !isSelfRegistered(client)
    ? `${only}/`
    : undefined
}

/** The redirect is not trusted, or there is none: a page on our own origin, nothing of the input in it. */
export function refusalPage(server: Server, refusal: AnyRefusal, { client, again }: WayOn = {}): Answer {
  const frame = server.frame()
  const home = client && homeOf(server, client)
  const tryAgain = again ?? refusal.again
  const links = [
    ...(tryAgain === undefined
      ? []
      : [{ href: tryAgain.slice(server.settings.origin.length), text: plainSentence(frame, 'error.again') }]),
    ...(home === undefined
      ? []
      : [
          {
            href: home,
            text: plainSentence(frame, 'error.back', { client: clientName(frame, client!.name) }),
          },
        ]),
  ]
  return answerRefusal(frame, refusal, { ...(client && { client: client.name }), links })
}

/** Where the browser goes with the parameters. A registered redirect URI has no fragment of its own. */
function addressOf({ redirectUri, responseMode }: ReplyTo, fields: Record<string, string>): string {
  return isInFragment(responseMode)
    ? `${redirectUri}#${new URLSearchParams(fields)}`
    : withQuery(redirectUri, fields)
}

/** Appends to the registered URI as text, so that its own query stays byte for byte (§3.1.2). */
export function withQuery(uri: string, fields: Record<string, string>): string {
  const mark = uri.indexOf('?')
  const separator = mark < 0 ? '?' : mark === uri.length - 1 || uri.endsWith('&') ? '' : '&'
  return uri + separator + new URLSearchParams(fields).toString()
}
