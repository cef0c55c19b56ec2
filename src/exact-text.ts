import { isUtf8 } from 'node:buffer'

/**
 * UTF-8 as text, or undefined for bytes that are none: decoders read each wrong byte as U+FFFD, and different texts would
 * become one.
 */
export function exactText(bytes: Buffer): string | undefined {
  return isUtf8(bytes) ? bytes.toString('utf8') : undefined
}

/** Whether text is stored as it is: no half of a surrogate pair, for which UTF-8 has no bytes, and no NUL, which PostgreSQL refuses. */
export function isExact(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0')
}

/** Whether every name and string in a JSON value is exact. */
export function isAllExact(root: unknown): boolean {
  const left = [root]
  while (left.length > 0) {
    const value = left.pop()
    if (typeof value === 'string') {
      if (!isExact(value)) return false
    } else if (typeof value === 'object' && value !== null) {
      for (const [name, member] of Object.entries(value)) left.push(name, member)
    }
  }
  return true
}
