// RFC 6749 §3.2, §2.3.1; RFC 7009 §2.1; RFC 7662 §2.1: what every form endpoint of the back channel demands of a request.

import { type Form, parseForm } from '../http/forms.ts'
import type { Incoming } from '../http/message.ts'
import { told } from '../log.ts'
import { isRefusal, type Refusal, refuse } from './refusals.ts'
import { readBody } from './request-body.ts'

/** Far above any honest request, in bytes. */
const bodyLimit = 64 * 1024

/** What may never stand in the query, where logs and proxies keep it. */
const bodyOnly = [
  'client_id',
  'client_secret',
  'client_assertion',
  'client_assertion_type',
  'grant_type',
  'code',
  'code_verifier',
  'device_code',
  'subject_token',
  'actor_token',
  'assertion',
  'redirect_uri',
  'refresh_token',
  'scope',
  'resource',
  'token',
  'token_type_hint',
]

/** The body's parameters: a form, none of them in the query, and nothing twice but what `mayRepeat` names. */
export async function readBackChannelForm(
  request: Incoming,
  mayRepeat: readonly string[] = [],
): Promise<Form | Refusal> {
  if (request.search !== '' && hasBodyParameter(request.search)) return refuse('parameters_in_query')
  const type = request.header('content-type') ?? ''
  if (!/^application\/x-www-form-urlencoded *(;|$)/i.test(type))
    return refuse('wrong_content_type', { type: told(type) })
  const text = await readBody(request, bodyLimit)
  if (isRefusal(text)) return text
  const form = parseForm(text)
  if (!form) return refuse('malformed_form')
  const repeated = form.repeated.find((name) => !mayRepeat.includes(name))
  return repeated === undefined ? form : refuse('repeated_parameter', { parameter: told(repeated) })
}

/** A query that says something else (a rewriting proxy's, say) is ignored like every unknown parameter (RFC 6749 §3.2). */
function hasBodyParameter(search: string): boolean {
  const query = parseForm(search)
  return query === undefined || query.names.some((name) => bodyOnly.includes(name))
}

/** Address and user agent of a request, for the audit log. */
export function originOf(request: Incoming): { address: string; userAgent: string | undefined } {
  return { address: request.address, userAgent: request.header('user-agent') }
}
