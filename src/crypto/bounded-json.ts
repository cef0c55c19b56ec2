import { isAllExact } from '../exact-text.ts'

/** Far deeper than any honest document. JSON can be read much deeper than it can be written again, or walked. */
const deepest = 32

/**
 * `JSON.parse` for a text from outside (RFC 8259 §8.2, §9): throws a `SyntaxError` also for one that is nested too deeply, or
 * with a name or string that would not be stored as it is.
 */
export function parseJson(text: string): unknown {
  if (isTooDeep(text)) throw new SyntaxError('JSON that is nested too deeply')
  const value: unknown = JSON.parse(text)
  // Only an escape can bring in what the text itself does not hold.
  if (/\\u(?:0000|d[89a-f])/i.test(text) && !isAllExact(value)) throw new SyntaxError('a string is not exact')
  return value
}

/** One pass over the text; a bracket inside a string is none. */
function isTooDeep(text: string): boolean {
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    const character = text.charCodeAt(at)
    if (character === 0x22) {
      for (at++; at < text.length && text.charCodeAt(at) !== 0x22; at++) {
        if (text.charCodeAt(at) === 0x5c) at++
      }
    } else if (character === 0x5b || character === 0x7b) {
      if (++depth > deepest) return true
    } else if (character === 0x5d || character === 0x7d) depth--
  }
  return false
}
