import { type Answer, empty, type Incoming } from './message.ts'

/**
 * Lets browser code of other origins read an answer: never with credentials, so `*` gives nothing away. The headers it may
 * read are those of RFC 6750 §3, RFC 9449 §8 and RFC 6585 §4.
 */
export function allowOrigin(request: Incoming, answer: Answer, allowed: '*' | readonly string[]): void {
  const origin = request.header('origin')
  if (origin === undefined) return
  if (allowed !== '*') {
    answer.headers.vary = 'origin'
    if (!allowed.includes(origin)) return
  }
  answer.headers['access-control-allow-origin'] = allowed === '*' ? '*' : origin
  answer.headers['access-control-expose-headers'] = 'www-authenticate, dpop-nonce, retry-after'
}

export function preflight(methods: readonly string[]): Answer {
  return empty(204, {
    'access-control-allow-methods': methods.join(', '),
    'access-control-allow-headers': 'authorization, content-type, dpop',
    'access-control-max-age': '600',
  })
}
