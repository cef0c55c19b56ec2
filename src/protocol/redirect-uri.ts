// RFC 6749 §3.1.2, §3.1.2.3, §3.1.2.4; RFC 8252 §7.1, §7.3, §8.6; RFC 9700 §2.1, §4.1.3: which redirect URIs may be registered
// and which request matches.

import { type ClientSource, isSelfRegistered } from './client-source.ts'

const loopbackHosts = ['127.0.0.1', '[::1]', 'localhost']
const loopback = /^http:\/\/(127\.0\.0\.1|\[::1\]|localhost)(:\d{1,5})?(\/.*|\?.*)?$/

/** Exact string comparison; only the port of a loopback URI floats, each loopback host against itself. */
export function redirectUriMatches(registered: string, requested: string): boolean {
  if (registered === requested) return true
  const a = loopback.exec(registered)
  const b = loopback.exec(requested)
  if (!a || !b || a[1] !== b[1]) return false
  return (a[3] ?? '') === (b[3] ?? '') && URL.canParse(requested)
}

/** The registered URI a request means, or undefined. */
export function matchRedirectUri(registered: readonly string[], requested: string): string | undefined {
  // Compared as text before anything parses it: an unregistered spelling never reaches a URL parser's leniency.
  return registered.find((one) => redirectUriMatches(one, requested))
}

/**
 * Why a URI cannot be registered, or undefined: https, http on loopback, a private-use scheme with a dot (RFC 8252 §7.1), or
 * one of the schemes that were named.
 */
export function redirectUriProblem(uri: string, schemes: readonly string[] = []): string | undefined {
  // A URI is ASCII (RFC 3986 §2): what is not could not even be sent in a Location header.
  if (!URL.canParse(uri) || !/^[\x21-\x5b\x5d-\x7e]+$/.test(uri)) return 'is not an absolute URI'
  if (uri.includes('#')) return 'has a fragment (RFC 6749 §3.1.2)'
  const url = new URL(uri)
  if (url.username || url.password) return 'has user information'
  if (url.protocol === 'https:') return undefined
  if (url.protocol === 'http:') {
    return loopbackHosts.includes(url.hostname) ? undefined : 'uses http outside loopback'
  }
  if (schemes.includes(url.protocol.slice(0, -1))) return undefined
  return /^[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+:$/.test(url.protocol)
    ? undefined
    : `uses the scheme ${url.protocol} (allowed: https, http on loopback, a private-use scheme such as com.example.app)`
}

const isWeb = ({ protocol }: URL) => protocol === 'https:' || protocol === 'http:'

/** Where the answer goes, as the consent page shows it. What follows a private-use scheme is no host of the web: the scheme stands before it. */
export function redirectHost(uri: string): string {
  const url = new URL(uri)
  if (isWeb(url)) return url.host
  return url.host === '' ? url.protocol : `${url.protocol}//${url.host}`
}

/**
 * Which of a user's consents to a client an answer rests on: one for all of a client that an administrator registered,
 * otherwise that of the host the answer goes to, whatever the port on the user's own computer; null stands for a device,
 * which gets no answer by redirect and has one of its own.
 */
export function consentHost(client: { source: ClientSource }, uri: string | null): string {
  if (!isSelfRegistered(client)) return '*'
  if (uri === null) return ''
  const url = new URL(uri)
  return isWeb(url) && isOwnComputer(url.hostname) ? url.hostname : redirectHost(uri)
}

/** True when the answer goes to a program on the user's own computer, whose identity nothing vouches for (RFC 8252 §8.6). */
export function redirectsToOwnComputer(uri: string): boolean {
  const url = new URL(uri)
  return isWeb(url) ? isOwnComputer(url.hostname) : true
}

/** Loopback by its name (RFC 6761 §6.3) or address, as a parsed URL spells it; a certificate for it proves nothing. */
function isOwnComputer(hostname: string): boolean {
  return (
    /^(.+\.)?localhost\.?$/.test(hostname) ||
    /^127\.\d+\.\d+\.\d+$/.test(hostname) ||
    ['[::1]', '[::]', '0.0.0.0'].includes(hostname) ||
    /^\[::ffff:7f[0-9a-f]{2}:[0-9a-f]{1,4}\]$/.test(hostname)
  )
}
