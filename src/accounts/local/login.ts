// RFC 8265 §3.3 (UsernameCaseMapped), RFC 8264 §4.2 (IdentifierClass), RFC 5321 §4.5.3.1, UTS 39 §4 and §5: what a login is, so
// that two which look the same are the same.

import { isScriptOfItsOwn, looksLikeLatin } from './scripts.ts'

/** Longest login, in characters: the longest e-mail address (RFC 5321 §4.5.3.1.3). */
export const longestLogin = 254

/** One spelling per login: people do not remember how they capitalised it, nor how wide the letters were. */
export function canonicalLogin(text: string): string {
  return text.normalize('NFKC').trim().toLowerCase()
}

/** A user name of 3 to 64 letters, digits, dots, dashes and underscores, or an e-mail address of one script a part. */
export function isLogin(text: string): boolean {
  if (!text.includes('@')) return /^[a-z0-9][a-z0-9._-]{2,63}$/.test(text)
  const [local = '', domain = '', ...rest] = text.split('@')
  if (rest.length > 0 || text.length > longestLogin || [...local].length > 64) return false
  const labels = domain.split('.')
  return (
    localPart.test(local) &&
    isPlain(local) &&
    labels.length > 1 &&
    labels.every((label) => domainLabel.test(label) && !label.startsWith('xn--') && isPlain(label))
  )
}

/** Letters, their marks and digits of any language, and the symbols of an address that need no quotes (RFC 5322 §3.2.3). */
const localPart = /^[\p{L}\p{M}\p{Nd}!#$%&'*+/=?^_`{|}~.-]+$/u
const domainLabel = /^[\p{L}\p{M}\p{Nd}-]+$/u
/** Nothing to be seen of them, though they count as letters or marks. */
const invisible = /\p{Default_Ignorable_Code_Point}/u

/** Of one script, with nothing hidden in it and nothing that passes for what it is not. */
function isPlain(part: string): boolean {
  return !invisible.test(part) && isScriptOfItsOwn(part) && !looksLikeLatin(part)
}

/** The address in a login, when it is one. It is not verified. */
export function emailOf(login: string): string | null {
  return login.includes('@') ? login : null
}
