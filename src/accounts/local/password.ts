// NIST SP 800-63B-4 §3.1.1 and RFC 9106 (argon2id): what a password must be, how it is kept and checked.
import { fairQueue, type QueueBounds } from './fair-queue.ts'

/** The first choice of OWASP's password storage advice: 19 MiB, two passes, one lane. */
const cost = { memoryCost: 19_456, timeCost: 2, parallelism: 1 }
/**
 * Hashes computed at once: they share the thread pool with the disk, so half of its four threads. Those that wait are about
 * two seconds of work, of which a /24 or /48 may have three quarters, an address half, a login an eighth.
 */
const queue: QueueBounds = { atOnce: 2, waiting: 64, shares: [48, 32, 8] }
/** Longest password that is hashed, in characters. */
export const longestPassword = 1_000
/**
 * NIST SP 800-63B-4 §3.1.1.2: at least 15 characters where the password is the only factor, as it is here.
 */
export const standardMinimum = 15

/** Whose password is hashed, from the largest party to the smallest: the network around the address, the address, the login. */
export type Asking = readonly [block: string, network: string, login: string]

/** Hashing in turns that are fair to networks and logins; rejects with `QueueFull` when too many wait. */
export interface Passwords {
  hash(asking: Asking, password: string): Promise<string>
  /** Whether the password fits; without a stored hash it costs the same time and is false. */
  fits(asking: Asking, password: string, stored: string | undefined): Promise<boolean>
}

/** Hashes off the event loop, so many at once and no more. */
export function passwordHashing(bounds: QueueBounds = queue): Passwords {
  const inTurn = fairQueue(bounds)
  let decoy: Promise<string> | undefined
  return {
    hash: (asking, password) => inTurn(asking, async () => (await argon2()).hash(normalized(password), cost)),
    fits: (asking, password, stored) =>
      inTurn(asking, async () => {
        const { hash, verify } = await argon2()
        const compared = stored ?? (await (decoy ??= hash('a password nobody has', cost)))
        const fits = await verify(compared, normalized(password))
        return fits && stored !== undefined
      }),
  }
}

/** Native code, loaded when the first password is checked. */
const argon2 = () => import('@node-rs/argon2')

/** The same characters however the keyboard composed them (NIST SP 800-63B-4 §3.1.1.2). */
function normalized(password: string): string {
  return password.normalize('NFKC')
}

export type PasswordProblem = 'short' | 'long' | 'guessable'

/** Why a new password cannot be taken, or undefined. `known` are words an attacker would try first: login, name, product. */
export function passwordProblem(
  password: string,
  minimum: number,
  known: readonly string[],
): PasswordProblem | undefined {
  const characters = [...normalized(password)]
  if (characters.length < minimum) return 'short'
  if (characters.length > longestPassword) return 'long'
  let rest = normalized(password).toLowerCase()
  const words = [...known.flatMap((text) => [text, ...text.split(/[\s@._-]+/)]), ...commonWords]
  for (const word of words.map((one) => one.toLowerCase()).sort((a, b) => b.length - a.length)) {
    if (word.length >= 4) rest = rest.replaceAll(word, '*')
  }
  return unpredictable(rest) < Math.ceil(minimum / 3) ? 'guessable' : undefined
}

/** What the most common long passwords are made of. */
const commonWords = [
  'password',
  'passwort',
  'qwertyuiop',
  'asdfghjkl',
  'zxcvbnm',
  'qwerty',
  'letmein',
  'welcome',
  'iloveyou',
  'admin',
]

/** Characters that neither stand there already nor continue a run (`abc`, `321`). */
function unpredictable(text: string): number {
  const characters = [...text]
  const seen = new Set<string>()
  let count = 0
  characters.forEach((character, n) => {
    const step = n === 0 ? 0 : Math.abs(character.codePointAt(0)! - characters[n - 1]!.codePointAt(0)!)
    if (step !== 1 && !seen.has(character)) count++
    seen.add(character)
  })
  return count
}
