import { createHash } from 'node:crypto'
import type { ConfigProblem } from '../config-error.ts'
import { shortestSecret } from '../crypto/secrets.ts'

/** SHA-256 of secrets that stand in print: anyone can forge with them. */
const known: readonly string[] = [
  // Of the examples of earlier releases.
  'wnLl7o0VYIrLzlM4MTiWL90Jyq3WsTwTQquDmrp3jK8',
]
/** Fewest bytes a secret is left with by compression, and fewest different characters in it. */
const leastBytes = 24
const leastCharacters = 8
/** Fewest words of a phrase: eight that were drawn from a list are 100 bits. */
const leastWords = 8
/** Parts of placeholder secrets. */
const placeholder =
  /change[-_ ]?me|password|example|placeholder|insecure|your[-_ ]?secret|gatehouse[-_ ]?secret/i

const allowed = `one or more texts of at least ${shortestSecret} characters`
const example = '32 random bytes: openssl rand -base64 32'

/**
 * What is wrong with root secrets; it never shows them. Off loopback none may stand in print, and the newest must look like
 * random bytes; older ones, there to be rotated away, only open and verify.
 */
export function secretProblems(secrets: readonly unknown[], loopback: boolean): ConfigProblem[] {
  const good = secrets.every((one): one is string => typeof one === 'string' && one.length >= shortestSecret)
  if (secrets.length === 0 || !good) return [{ path: 'secret', allowed, example }]
  if (loopback) return []
  if (secrets.some((one) => known.includes(sha256(one))))
    return [
      {
        path: 'secret',
        allowed:
          'a secret of your own: this one stands in print, and anyone can forge with it. Make another and leave this one out',
        example,
      },
    ]
  if (!looksRandom(secrets[0]!))
    return [
      {
        path: 'secret',
        allowed:
          'random bytes: this one can be guessed. Put a random one in front, and leave this one behind it until nothing is sealed with it any more',
        example,
      },
    ]
  return []
}

function looksRandom(secret: string): boolean {
  const { deflateRawSync } = process.getBuiltinModule('node:zlib')
  const words = secret.trim().split(/\s+/)
  if (words.length > 2 && words.length < leastWords) return false
  return (
    !isSequence(secret) &&
    new Set(secret).size >= leastCharacters &&
    deflateRawSync(secret).length >= leastBytes &&
    !placeholder.test(secret)
  )
}

/** Like abcdef or 987654: most characters follow the one before by the same step. */
function isSequence(text: string): boolean {
  const steps = new Map<number, number>()
  for (let n = 1; n < text.length; n++) {
    const step = text.charCodeAt(n) - text.charCodeAt(n - 1)
    steps.set(step, (steps.get(step) ?? 0) + 1)
  }
  return Math.max(...steps.values()) > text.length / 2
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('base64url')
