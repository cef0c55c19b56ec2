/** One thing in the configuration that cannot work. */
export interface ConfigProblem {
  /** Where it stands, as the operator wrote it: `clerkAccounts.authorizedParties[0]`. */
  path: string
  /** What was given. Leave it out for secrets and keys: it is shown in messages and logs. */
  given?: unknown
  /** What is allowed, as the rest of a sentence that begins with "allowed:". */
  allowed: string
  /** Something that works, ready to paste. */
  example?: string
}

const LONGEST_GIVEN = 120

/** The configuration cannot work. It names every problem at once, so that one start is enough to repair them all. */
export class ConfigError extends Error {
  override name = 'ConfigError'
  readonly problems: readonly ConfigProblem[]

  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map(sentence).join('\n'))
    this.problems = problems
  }

  /** By name: `gatehouse-auth/api` is a file of its own, with this class in it once more. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return value instanceof Error && value.name === 'ConfigError'
  }
}

function sentence(problem: ConfigProblem): string {
  const given = Object.hasOwn(problem, 'given') ? `${shown(problem.given)} was given; ` : ''
  const example = problem.example === undefined ? '' : `; for example ${problem.example}`
  return `${problem.path}: ${given}allowed: ${problem.allowed}${example}`
}

function shown(given: unknown): string {
  if (given === undefined) return 'nothing'
  if (typeof given === 'function') return 'a function'
  let text: string
  try {
    text = JSON.stringify(given) ?? String(given)
  } catch {
    text = String(given)
  }
  text = text.replace(/\/\/[^/@\s"]+@/g, '//…@')
  return text.length > LONGEST_GIVEN ? `${text.slice(0, LONGEST_GIVEN)}…` : text
}
