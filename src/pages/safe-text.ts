/**
 * Names and links from outside, made harmless for a page that users trust (RFC 7591 §5,
 * RFC 6749 §10.14). Escaping keeps them from being markup; this keeps them from lying.
 */

const longestName = 100

/**
 * One line of plain text: no control characters, no bidirectional controls, no invisible filler, no towers
 * of combining marks, at most 100 characters unless told. Joiners that scripts and emoji need stay.
 */
export function safeText(text: string, longest = longestName): string {
  const line = text
    .toWellFormed()
    .replace(/[\p{Zl}\p{Zp}\t\n\r\v\f]/gu, ' ')
    .replace(/[\p{Cc}\p{Co}]/gu, '')
    .replace(/[\u00AD\u061C\u115F\u1160\u17B4\u17B5\u180E\u3164\uFFA0\u200B\u200E\u200F]/gu, '')
    .replace(/[\u202A-\u202E\u2060-\u206F\uFEFF\uFFF9-\uFFFB\u{E0000}-\u{E0FFF}]/gu, '')
    .replace(/(\p{M}{3})\p{M}+/gu, '$1')
    .replace(/\s+/gu, ' ')
    .trim()
  const characters = [...line]
  return characters.length <= longest ? line : `${characters.slice(0, longest - 1).join('')}…`
}

/** The link if it is plain https without credentials in it, else undefined. */
export function safeLink(link: string | undefined): string | undefined {
  if (!link || !URL.canParse(link)) return undefined
  const url = new URL(link)
  return url.protocol === 'https:' && !url.username && !url.password ? url.href : undefined
}

/** A registered address, which may be a program's own scheme; nothing that a browser would run or show by itself. */
export function registeredLink(link: string | undefined): string | undefined {
  if (!link || !URL.canParse(link)) return undefined
  const { protocol, username, password } = new URL(link)
  const unsafe = ['javascript:', 'data:', 'vbscript:', 'blob:', 'file:', 'about:'].includes(protocol)
  return unsafe || username || password ? undefined : link
}

/** An https picture, a picture in the URL itself, or (for our own branding) a path of this origin. */
export function safeImage(source: string | undefined, own = false): string | undefined {
  if (!source) return undefined
  if (/^data:image\/(png|jpeg|gif|webp|svg\+xml)[;,]/i.test(source)) return source
  if (own && /^\/(?![/\\])/.test(source)) return source
  return safeLink(source)
}
