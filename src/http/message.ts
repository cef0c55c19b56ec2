/** A request as every domain sees it, whichever server it came through. */
export interface Incoming {
  readonly method: string
  /** Path below the issuer's own path, always with a leading slash; the whole one where it stands outside. */
  readonly path: string
  /** The path does not stand below the issuer's. */
  readonly outside?: boolean
  /** Query string without its question mark; empty when there is none. */
  readonly search: string
  /** Client address after the configured trusted proxies, '' when unknown. */
  readonly address: string
  /** A trusted proxy handed the request over: what it sets in headers may be believed. */
  readonly viaTrustedProxy: boolean
  /** One header by lower-case name; repeated headers are joined by ', '. */
  header(name: string): string | undefined
  /**
   * Whole body as text; rejects with `BodyTooLarge` above `limit` bytes, with `BodyCutOff` when it breaks off, with
   * `BodyNotText` when it is not UTF-8.
   */
  text(limit: number): Promise<string>
  /** The web-standard view, body unread, for code of the host app. */
  request(): Request
}

/** A complete answer. Header names are lower-case; several values of one name go into an array. */
export interface Answer {
  status: number
  headers: Record<string, string | string[]>
  body: string
  /** For the log: whom it concerns. */
  facts?: Record<string, string>
}

export class BodyTooLarge extends Error {
  override name = 'BodyTooLarge'
}

/** The client disconnected in the middle of the body: not a fault, and there is no one to answer. */
export class BodyCutOff extends Error {
  override name = 'BodyCutOff'
}

/** The bytes of the body are no text. */
export class BodyNotText extends Error {
  override name = 'BodyNotText'
}

const noStore = { 'cache-control': 'no-store' }

export function json(status: number, value: unknown, headers?: Answer['headers']): Answer {
  return {
    status,
    headers: { 'content-type': 'application/json', ...noStore, ...headers },
    body: JSON.stringify(value),
  }
}

/** 303, so that a POST that carried credentials is never repeated at the target (RFC 9700 §4.12). */
export function seeOther(location: string, headers?: Answer['headers']): Answer {
  return {
    status: 303,
    headers: { location, 'referrer-policy': 'no-referrer', ...noStore, ...headers },
    body: '',
  }
}

export function empty(status: number, headers?: Answer['headers']): Answer {
  return { status, headers: { ...noStore, ...headers }, body: '' }
}

/** The answer with one more cookie. */
export function withCookie(answer: Answer, cookie: string): Answer {
  const others = answer.headers['set-cookie'] ?? []
  return { ...answer, headers: { ...answer.headers, 'set-cookie': [...[others].flat(), cookie] } }
}

/** The answer, and whom it concerns, for the log. Nothing secret may be passed in. */
export function concerning(answer: Answer, facts: Record<string, string>): Answer {
  return { ...answer, facts: { ...answer.facts, ...facts } }
}
