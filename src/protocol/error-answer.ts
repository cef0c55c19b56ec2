// RFC 6749 §5.2: a refusal as the JSON answer of a back-channel endpoint.

import type { Answer, Incoming } from '../http/message.ts'
import { jsonRefusal as anyJsonRefusal, type Refusal } from '../http/refusal.ts'

/** `Pragma: no-cache` as well, for caches of old (RFC 6749 §5.1). */
export const uncached = { 'cache-control': 'no-store', pragma: 'no-cache' }

export function jsonRefusal(request: Incoming, refusal: Refusal): Answer {
  const { status } = refusal.wire
  if (status === 401 && request.header('authorization') !== undefined) {
    return anyJsonRefusal(refusal, { 'www-authenticate': 'Basic realm="gatehouse", charset="UTF-8"' })
  }
  return anyJsonRefusal(refusal)
}
