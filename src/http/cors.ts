import { type Answer, empty, type Incoming } from './message.ts'

/**
 * Lets browser code of other origins read an answer: never with credentials, so `*` gives nothing away. The headers it may
 * read are those of RFC 6750 §3, RFC 9449 §8 and RFC 6585 §4.
 */
export function allowOrigin(request: Incoming, answer: Answer, allowed: '*' | readonly string[]): void {
  const origin = request.header('origin')
  if (origin === undefined) return
  if (allowed !== '*') {
    answer.headers.vary ??= 'origin'
    if (!allowed.includes(origin)) return
  }
  answer.headers['access-control-allow-origin'] = allowed === '*' ? '*' : origin
  answer.headers['access-control-expose-headers'] = 'www-authenticate, dpop-nonce, retry-after'
}

const longestHeaderList = 1_000

/**
 * Allows the headers that were asked for: libraries add their own (`x-requested-with`, `mcp-protocol-version` …), no cookie ever
 * counts here, and none of them changes an answer.
 */
export function preflight(methods: readonly string[], request: Incoming): Answer {
  const asked = request.header('access-control-request-headers')?.slice(0, longestHeaderList) ?? ''
  const names = asked.split(',').map((name) => name.trim().toLowerCase())
  const named = names.filter((name) => /^[a-z0-9!#$%&'*+.^_`|~-]+$/.test(name))
  return empty(204, {
    'access-control-allow-methods': methods.join(', '),
    'access-control-allow-headers': (named.length > 0 ? named : usualHeaders).join(', '),
    'access-control-max-age': '600',
    vary: 'origin, access-control-request-headers',
  })
}

const usualHeaders = ['authorization', 'content-type', 'dpop']
