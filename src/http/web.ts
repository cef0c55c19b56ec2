import { exactText } from '../exact-text.ts'
import { type Answer, BodyCutOff, BodyNotText, BodyTooLarge, type Incoming } from './message.ts'

/** What the server in front of a web-standard handler knows about a connection. */
export interface Connection {
  /** Address of the peer, for limits and the audit log. */
  address?: string
}

/** A web-standard request as the server sees it; `base` is the issuer's path, stripped from its own. */
export function incomingFrom(
  request: Request,
  base: string,
  { address, viaTrustedProxy }: Pick<Incoming, 'address' | 'viaTrustedProxy'>,
): Incoming {
  const url = new URL(request.url)
  return {
    method: request.method,
    ...pathBelow(url.pathname, base),
    search: url.search.slice(1),
    address,
    viaTrustedProxy,
    header: (name) => request.headers.get(name) ?? undefined,
    text: (limit) => limitedText(request, limit),
    request: () => request,
  }
}

/** The path below the issuer's own; the path itself where it does not stand below. */
export function pathBelow(path: string, base: string): Pick<Incoming, 'path' | 'outside'> {
  if (base === '') return { path }
  const rest = path.slice(base.length)
  if (!path.startsWith(base) || (rest !== '' && !rest.startsWith('/'))) return { path, outside: true }
  return { path: rest === '' ? '/' : rest }
}

/** True for a Response of any make: some frameworks put a class of their own in place of the platform's. */
export function isResponse(value: unknown): value is Response {
  return typeof value === 'object' && value !== null && 'status' in value && 'headers' in value
}

export function responseFrom(answer: Answer): Response {
  const headers = new Headers()
  for (const [name, value] of Object.entries(answer.headers)) {
    for (const one of Array.isArray(value) ? value : [value]) headers.append(name, one)
  }
  const bodiless = answer.status === 204 || answer.status === 304
  return new Response(bodiless ? null : answer.body, { status: answer.status, headers })
}

/** A page or redirect of the host app, as an answer of ours: never stored, never framed, telling no other site where it was. */
export async function answerFromResponse(response: Response): Promise<Answer> {
  const headers: Answer['headers'] = {
    'content-security-policy': "frame-ancestors 'none'",
    'referrer-policy': 'no-referrer',
  }
  for (const [name, value] of response.headers) {
    if (name !== 'set-cookie') headers[name] = value
  }
  headers['cache-control'] = 'no-store'
  headers['x-frame-options'] = 'DENY'
  const cookies = response.headers.getSetCookie()
  if (cookies.length > 0) headers['set-cookie'] = cookies
  return { status: response.status, headers, body: await response.text() }
}

async function limitedText(request: Request, limit: number): Promise<string> {
  if (Number(request.headers.get('content-length') ?? 0) > limit) throw new BodyTooLarge()
  if (!request.body) return ''
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    for await (const chunk of request.body) {
      size += chunk.byteLength
      if (size > limit) throw new BodyTooLarge()
      chunks.push(chunk)
    }
  } catch (cause) {
    throw cause instanceof BodyTooLarge ? cause : new BodyCutOff('the body broke off', { cause })
  }
  const text = exactText(Buffer.concat(chunks))
  if (text === undefined) throw new BodyNotText()
  return text
}
