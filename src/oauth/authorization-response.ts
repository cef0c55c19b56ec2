// RFC 6749 §4.1.2, §4.1.2.1; RFC 9207 §2; OAuth 2.0 Form Post Response Mode: every answer of the authorization endpoint.

import { type Answer, seeOther } from '../http/message.ts'
import { errorPage } from '../pages/error.ts'
import { formPostPage } from '../pages/form-post.ts'
import { answerPage } from '../pages/page.ts'
import type { ReplyTo } from './authorization-request.ts'
import type { Client } from './clients.ts'
import { type Refusal, refusals, wireError } from './refusals.ts'
import type { Server } from './server.ts'

/** Sends parameters to the client's redirect URI, always with `state` (if one came) and `iss`. */
export function authorizationResponse(
  server: Server,
  replyTo: ReplyTo,
  parameters: Record<string, string>,
): Answer {
  const fields = {
    ...parameters,
    ...(replyTo.state === null ? {} : { state: replyTo.state }),
    iss: server.settings.issuer,
  }
  if (replyTo.responseMode === 'form_post') {
    return answerPage(formPostPage(server.frame(), { action: replyTo.redirectUri, fields }))
  }
  return seeOther(withQuery(replyTo.redirectUri, fields))
}

export function authorizationError(server: Server, replyTo: ReplyTo, refusal: Refusal): Answer {
  return authorizationResponse(server, replyTo, wireError(refusal))
}

/** The redirect is not trusted, or there is none: a page on our own origin, nothing of the input in it. */
export function refusalPage(server: Server, refusal: Refusal, client?: Client, requestId?: string): Answer {
  const { status } = refusals[refusal.refusal]
  const { error, error_description } = wireError(refusal)
  return answerPage(
    errorPage(server.frame(), {
      status,
      title: status === 403 ? 'This form cannot be used' : 'This request cannot be completed',
      message: error_description,
      code: error,
      client: client?.name,
      requestId,
    }),
    {
      ...(refusal.allow ? { allow: refusal.allow.join(', ') } : {}),
      ...(refusal.retryAfter === undefined && status !== 503
        ? {}
        : { 'retry-after': String(refusal.retryAfter ?? 1) }),
    },
  )
}

/** Appends to the registered URI as text, so that its own query stays byte for byte (§3.1.2). */
export function withQuery(uri: string, fields: Record<string, string>): string {
  const mark = uri.indexOf('?')
  const separator = mark < 0 ? '?' : mark === uri.length - 1 || uri.endsWith('&') ? '' : '&'
  return uri + separator + new URLSearchParams(fields).toString()
}
