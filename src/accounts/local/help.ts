import type { HelpView } from '../../pages/views.ts'

const longestSentence = 300

/** What the sign-in page shows of `localAccounts.help`: a link, with what stands in it, or a sentence. Undefined for what is neither. */
export function helpFrom(given: unknown): HelpView | undefined {
  if (typeof given !== 'string' || given.trim() === '') return undefined
  if (given.startsWith('/')) return /^\/(?![/\\])\S*$/.test(given) ? { href: given } : undefined
  if (!/^[a-z][a-z0-9+.-]*:\S*$/i.test(given)) {
    return given.length <= longestSentence && !/\p{Cc}/u.test(given) ? { text: given } : undefined
  }
  if (!URL.canParse(given)) return undefined
  const url = new URL(given)
  if (url.protocol === 'https:') return url.username || url.password ? undefined : { href: url.href }
  const [address = ''] = given.slice(url.protocol.length).split('?')
  // Not everybody has a program that a link could open.
  const fits = url.protocol === 'mailto:' ? /^[^@\s]+@[^@\s]+$/ : /^\+?[\d().-]{3,}$/
  const known = url.protocol === 'mailto:' || url.protocol === 'tel:'
  return known && fits.test(address) ? { href: url.href, text: address } : undefined
}
