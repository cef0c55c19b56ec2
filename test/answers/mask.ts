// One request and its answer, without what differs from run to run: ids, times, secrets, and text for people.

import type { Answer, Incoming } from '../../src/http/message.ts'

export interface MaskedAnswer {
  method: string
  path: string
  parameters: string[]
  status: number
  headers: Record<string, unknown>
  /** The members of a JSON body, or what kind of body it is. */
  body: unknown
}

export function masked(request: Incoming, answer: Answer): MaskedAnswer {
  return {
    method: request.method,
    path: maskedPath(request.path),
    parameters: [...new Set(new URLSearchParams(request.search).keys())].map(maskedText).sort(),
    status: answer.status,
    headers: maskedHeaders(answer.headers),
    body: maskedBody(answer),
  }
}

const varying = new Set([
  'content-length',
  'date',
  'etag',
  'last-modified',
  'retry-after',
  'dpop-nonce',
  'age',
])

function maskedHeaders(headers: Answer['headers']): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(headers)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => [
        name,
        [value].flat().map((each) => {
          if (varying.has(name)) return '<varies>'
          if (name === 'set-cookie') return maskedCookie(each)
          if (name === 'location') return maskedUrl(each)
          if (name === 'content-security-policy') return each.replace(/'(sha\d+|nonce)-[^']+'/g, "'<hash>'")
          if (name === 'www-authenticate')
            return each
              .replace(/error_description="[^"]*"/g, 'error_description=<text>')
              .replace(/(https?:\/\/[^/"]*):\d+/g, '$1:<port>')
          return each
            .split(/(\s|,\s*)/)
            .map(maskedText)
            .join('')
        }),
      ]),
  )
}

function maskedCookie(cookie: string): string {
  const [pair = '', ...attributes] = cookie.split(/;\s*/)
  const name = pair.split('=')[0]!.replace(/(gh_[a-z]+)[-_][\w-]{8,}$/, '$1-<id>')
  return [
    `${maskedText(name)}=<value>`,
    ...attributes.map((each) => each.replace(/^(expires)=.*/i, '$1=<time>')),
  ].join('; ')
}

/** Where it leads and with which parameters. */
function maskedUrl(url: string): string {
  const [before, fragment] = url.split('#') as [string, string?]
  const [place, query] = before.split('?') as [string, string?]
  return [
    maskedPath(place.replace(/:\d{2,5}(?=\/|$)/, ':<port>')),
    query === undefined ? '' : `?${maskedParameters(query)}`,
    fragment === undefined ? '' : `#${maskedParameters(fragment)}`,
  ].join('')
}

function maskedParameters(text: string): string {
  const known = new Set(['error', 'response_type', 'scope', 'token_type', 'prompt', 'response_mode', 'iss'])
  return [...new URLSearchParams(text)]
    .map(([name, value]) => `${maskedText(name)}=${known.has(name) ? maskedText(value) : '<value>'}`)
    .join('&')
}

function maskedBody({ headers, body }: Answer): unknown {
  const type = String(headers['content-type'] ?? '').split(';')[0]!
  if (body === '') return '<empty>'
  if (!/[/+]json$/.test(type)) return `<${type}>`
  try {
    return maskedValue(JSON.parse(body))
  } catch {
    return '<broken JSON>'
  }
}

/** Members by name; a list as the shapes its entries have, but for lists of words. */
function maskedValue(value: unknown): unknown {
  if (Array.isArray(value)) {
    const entries = value.map(maskedValue)
    return entries.every((each) => typeof each === 'string')
      ? entries
      : [...new Set(entries.map((each) => JSON.stringify(each)))]
          .sort()
          .map((each) => JSON.parse(each) as unknown)
  }
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(
      Object.entries(value)
        .map(([name, each]) => [maskedText(name), maskedValue(each)] as const)
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    )
  }
  if (typeof value === 'number') return '<number>'
  return typeof value === 'string' ? maskedText(value) : value
}

function maskedPath(path: string): string {
  return path.split('/').map(maskedText).join('/')
}

/** Words of the wire stay; what is long and mixed is an id or a secret, what has spaces is text for people. */
function maskedText(text: string): string {
  if (/^[A-Z]{4}-[A-Z]{4}$/.test(text)) return '<user code>'
  if (/\?user_code=/.test(text)) return maskedUrl(text)
  if (/-[0-9a-f]{6}@/.test(text)) return '<address>'
  if (/\s/.test(text.trim()) && /[A-Z.,']/.test(text)) return '<text>'
  if (/^https?:\/\/[^/]*:\d+/.test(text)) return text.replace(/:\d+/, ':<port>')
  if (/^[a-z][a-z0-9+.-]*:/i.test(text) && text.length < 120 && !/[0-9a-z_-]{20,}/i.test(text)) return text
  if (
    text.length > 60 ||
    (/\d/.test(text) && /[a-z]/i.test(text) && text.length > 12 && !/[.:/ ]/.test(text))
  )
    return '<id>'
  return /[0-9a-z_-]{24,}/i.test(text) && /\d/.test(text) ? '<id>' : text
}
