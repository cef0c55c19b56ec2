// RFC 9700 §4.11: where a page of ours may send the browser on, so that no page is an open redirector.
import type { Settings } from '../settings.ts'

/** Where the browser goes on to, as an absolute URL below the issuer; undefined for anything else. */
export function returnAddress(
  { origin, base, issuer }: Pick<Settings, 'origin' | 'base' | 'issuer'>,
  given: string | undefined,
): string | undefined {
  // Backslashes, spaces and control characters are what parsers disagree on; nothing of ours has them.
  if (given === undefined || !/^[\x21-\x5b\x5d-\x7e]+$/.test(given)) return undefined
  if (!given.startsWith(`${origin}/`) && given !== issuer && !/^\/(?!\/)/.test(given)) return undefined
  if (!URL.canParse(given, issuer)) return undefined
  const url = new URL(given, issuer)
  const below = base === '' || url.pathname === base || url.pathname.startsWith(`${base}/`)
  // Always absolute: a path of two slashes would name another host where it stands alone.
  return url.origin === origin && below && url.username === '' && url.password === '' ? url.href : undefined
}
