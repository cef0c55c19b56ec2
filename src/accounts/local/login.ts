/** Longest login, in characters: the longest e-mail address (RFC 5321 §4.5.3.1.3). */
export const longestLogin = 254

/** One spelling per login: people do not remember how they capitalised it. */
export function canonicalLogin(text: string): string {
  return text.normalize('NFKC').trim().toLowerCase()
}

/** An e-mail address, or a user name of 3 to 64 letters, digits, dots, dashes and underscores. */
export function isLogin(text: string): boolean {
  if (!text.includes('@')) return /^[a-z0-9][a-z0-9._-]{2,63}$/.test(text)
  return text.length <= longestLogin && /^[^\s@\p{C}]{1,64}@[^\s@\p{C}]+\.[^\s@\p{C}]+$/u.test(text)
}

/** The address in a login, when it is one. Nobody has proved that it is theirs. */
export function emailOf(login: string): string | null {
  return login.includes('@') ? login : null
}
