/** From a page to an answer: the headers that keep a page a person trusts out of other hands. */
import { createHash } from 'node:crypto'
import type { Answer } from '../http/message.ts'

/** A finished page and what its policy must allow. */
export interface Page {
  status: number
  /** The whole document. */
  html: string
  /** The text of its one inline stylesheet. */
  style: string
  /** The text of its one inline script; absent on every page that needs none. */
  script?: string
  /**
   * A form of the page may end up at another site, so the policy says nothing about forms: browsers hold every hop after a form
   * against `form-action`, and where a client sends its users on to cannot be known.
   */
  formsLeave: boolean
  /**
   * The page stands in an authorization flow, which clients often open as a popup: the client's window must
   * stay reachable after the redirect back, so the page does not cut itself off from its opener.
   */
  inFlow: boolean
}

/** The page with its security headers (RFC 6749 §10.13, RFC 9700 §4.16, §4.2.4). */
export function answerPage(page: Page, headers?: Answer['headers']): Answer {
  return {
    status: page.status,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': contentSecurityPolicy(page),
      'x-frame-options': 'DENY',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': page.inFlow ? 'unsafe-none' : 'same-origin',
      'cache-control': 'no-store',
      ...headers,
    },
    body: page.html,
  }
}

function contentSecurityPolicy(page: Page): string {
  const directives = [
    "default-src 'none'",
    `style-src ${hashSource(page.style)}`,
    ...(page.script === undefined ? [] : [`script-src ${hashSource(page.script)}`]),
    "img-src 'self' https: data:",
    ...(page.formsLeave ? [] : ["form-action 'self'"]),
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ]
  return directives.join('; ')
}

function hashSource(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`
}
