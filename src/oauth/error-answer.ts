// RFC 6749 §5.2: a refusal as the JSON answer of a back-channel endpoint.

import { type Answer, type Incoming, json } from '../http/message.ts'
import { type Refusal, refusals, wireError } from './refusals.ts'

/** `Pragma: no-cache` as well, for caches of old (RFC 6749 §5.1). */
export const uncached = { 'cache-control': 'no-store', pragma: 'no-cache' }

export function jsonRefusal(request: Incoming, refusal: Refusal): Answer {
  const { status } = refusals[refusal.refusal]
  const headers: Answer['headers'] = { ...uncached, ...refusal.headers }
  if (status === 401 && request.header('authorization') !== undefined) {
    headers['www-authenticate'] = 'Basic realm="gatehouse", charset="UTF-8"'
  }
  if (refusal.retryAfter !== undefined) headers['retry-after'] = String(refusal.retryAfter)
  else if (status === 503) headers['retry-after'] = '1'
  if (refusal.allow) headers.allow = refusal.allow.join(', ')
  return json(status, wireError(refusal), headers)
}
