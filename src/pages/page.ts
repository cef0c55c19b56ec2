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
  /** Sources of `form-action`, complete. */
  formAction: string[]
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

/**
 * Where a form of an authorization flow may end up, as `form-action` sources beside `'self'`.
 *
 * Chromium checks every hop after a form post against `form-action`, also the client's own redirects behind
 * its redirect URI (from `api.example` to `app.example`, or from a loopback port to a "you may close this"
 * page). Naming only the redirect URI's origin would stop those people at the Allow button without a word, so
 * the scheme is named. A policy cannot write an IPv6 address; there it is the scheme as well.
 */
export function answerSources(redirectUri: string | undefined): string[] {
  if (!redirectUri || !URL.canParse(redirectUri)) return []
  const { protocol, hostname } = new URL(redirectUri)
  if (['javascript:', 'data:', 'blob:', 'file:', 'about:'].includes(protocol)) return []
  if (protocol !== 'http:') return [protocol]
  const loopback = hostname === 'localhost' || hostname === '127.0.0.1'
  return loopback ? ['http://localhost:*', 'http://127.0.0.1:*', 'https:'] : ['http:', 'https:']
}

function contentSecurityPolicy(page: Page): string {
  const directives = [
    "default-src 'none'",
    `style-src ${hashSource(page.style)}`,
    ...(page.script === undefined ? [] : [`script-src ${hashSource(page.script)}`]),
    "img-src 'self' https: data:",
    `form-action ${page.formAction.join(' ') || "'none'"}`,
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ]
  return directives.join('; ')
}

function hashSource(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`
}
