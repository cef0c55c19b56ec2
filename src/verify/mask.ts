import { decodeEntities } from './html.ts'
import type { Answer } from './wire.ts'

/** A request and its answer as a report shows them: whole, without what is worth stealing. */
export interface ShownExchange {
  request: { method: string; url: string; headers: Record<string, string | string[]>; body?: string }
  answer: { status: number; headers: Record<string, string>; body?: string }
}

/** Parameters and members whose values open something. */
const secretNames = new Set(
  [
    'access_token refresh_token id_token token code code_verifier client_secret client_assertion assertion',
    'subject_token actor_token device_code user_code id_token_hint logout_token registration_access_token',
    'password request_uri request software_statement initial_access_token',
  ].flatMap((names) => names.split(' ')),
)
/** The same in an answer; there `code` and `token` are words of anybody's. */
const secretMembers = new Set(
  [
    'access_token refresh_token id_token client_secret registration_access_token',
    'device_code user_code request_uri verification_uri_complete',
  ].flatMap((names) => names.split(' ')),
)
const shownHeaders = [
  'allow',
  'cache-control',
  'content-security-policy',
  'content-type',
  'dpop-nonce',
  'location',
  'pragma',
  'referrer-policy',
  'retry-after',
  'www-authenticate',
  'x-frame-options',
]
const longestBody = 2_000
const longestPage = 400

/** Knows every secret it has seen, and takes it out of whatever is shown afterwards. */
export interface Mask {
  /** Remembers the secrets of a request and its answer. */
  learn(answer: Answer): void
  learnValue(name: string, value: string): void
  show(answer: Answer): ShownExchange
  text(text: string): string
}

export function openMask(): Mask {
  const seen = new Map<string, string>()
  function learnValue(name: string, value: string) {
    // Shorter ones are words, and would be cut out of sentences.
    if (value.length < 8 || seen.has(value)) return
    const label = `[${name}, ${value.length} characters]`
    seen.set(value, label)
    const encoded = encodeURIComponent(value)
    if (encoded !== value) seen.set(encoded, label)
  }
  function learnAll(text: URLSearchParams) {
    for (const [name, value] of text) {
      // A pushed request is a secret, an address that is asked to be fetched is what the rule is about.
      if (secretNames.has(name) && !/^https?:/.test(value)) learnValue(name, value)
    }
  }
  function learnObject(object: Record<string, unknown>, names = secretMembers) {
    for (const [name, value] of Object.entries(object)) {
      if (typeof value === 'string' && names.has(name)) learnValue(name, value)
    }
  }
  function learn({ request, headers, json }: Answer) {
    const { body } = request
    learnAll(queryOf(request.url))
    if (body !== undefined) learnAll(new URLSearchParams(body))
    if (body?.startsWith('{')) {
      try {
        learnObject(JSON.parse(body), secretNames)
      } catch {
        // Sent broken on purpose: there is nothing in it to keep.
      }
    }
    const authorization = [request.headers?.['authorization'] ?? []].flat()
    for (const one of authorization) learnValue('credentials', one.replace(/^\S+ +/, ''))
    for (const one of [request.headers?.['dpop'] ?? []].flat()) learnValue('proof', one)
    const cookies = [request.headers?.['cookie'] ?? []].flat().flatMap((one) => one.split(/; */))
    for (const one of [...cookies, ...headers.getSetCookie().map((line) => line.split(';')[0]!)]) {
      learnValue('cookie', one.slice(one.indexOf('=') + 1))
    }
    learnAll(queryOf(headers.get('location') ?? ''))
    learnObject(json)
  }
  function text(plain: string): string {
    // Longest first: a code is part of the code with one character more.
    let masked = plain
    for (const [value, label] of [...seen].sort(([a], [b]) => b.length - a.length)) {
      masked = masked.replaceAll(value, label)
    }
    return masked
  }

  return {
    learn,
    learnValue,
    text,
    show(answer) {
      learn(answer)
      const { request } = answer
      const headers = Object.fromEntries(
        Object.entries(request.headers ?? {}).map(([name, value]) => [
          name,
          Array.isArray(value) ? value.map(text) : text(value),
        ]),
      )
      return {
        request: {
          method: request.method,
          url: text(request.url),
          headers,
          ...(request.body === undefined ? {} : { body: text(cut(inputsOut(request.body))) }),
        },
        answer: {
          status: answer.status,
          headers: Object.fromEntries(
            shownHeaders.flatMap((name) => {
              const value = answer.headers.get(name)
              return value === null ? [] : [[name, text(value)]]
            }),
          ),
          ...(answer.text === '' ? {} : { body: text(bodyOf(answer)) }),
        },
      }
    },
  }
}

function queryOf(url: string): URLSearchParams {
  const at = url.indexOf('?')
  const hash = url.indexOf('#')
  const parts = [at < 0 ? '' : url.slice(at + 1).split('#')[0]!, hash < 0 ? '' : url.slice(hash + 1)]
  return new URLSearchParams(parts.filter(Boolean).join('&'))
}

/** A page is shown as the words on it: its markup holds form tokens. */
function bodyOf({ headers, text }: Answer): string {
  if (!headers.get('content-type')?.includes('html')) return cut(text)
  const words = text.replace(/<(script|style|svg|head)\b[\s\S]*?<\/\1>/gi, ' ').replace(/<[^>]*>/g, ' ')
  return cut(decodeEntities(words).replace(/\s+/g, ' ').trim(), longestPage)
}

/** Form tokens have names of each server's own, so only the fields of the protocol keep their values. */
function inputsOut(body: string): string {
  return body.replace(/(^|&)((?:form_token|csrf|_csrf|xsrf|[a-z_]*token)=)[^&]*/gi, '$1$2[…]')
}

function cut(text: string, longest = longestBody): string {
  return text.length > longest ? `${text.slice(0, longest)}… (${text.length} characters)` : text
}
