import type { Clients } from './clients.ts'
import { NoTwin, OutOfRequests } from './failures.ts'
import type { Flow } from './flow.ts'
import type { Outcome } from './front-channel.ts'
import { sayOutcome } from './front-channel.ts'
import type { Metadata } from './metadata.ts'
import type { Need } from './needs.ts'
import type { Answer, Wire } from './wire.ts'
import { sayAnswer } from './wire.ts'

/** One rule of the catalogue, tried from outside. */
export interface Check {
  /** The row of the catalogue. */
  id: string
  /** Where the rule stands. */
  section: string
  title: string
  /** What the server must offer for the rule to mean anything. */
  needs?: readonly Need[]
  /** What the specification leaves to the server, and is taken as it comes. */
  accepts?: string
  run(context: Context, see: Sight): Promise<void>
}

/** What a check works with. */
export interface Context {
  server: Metadata
  wire: Wire
  clients: Clients
  flow: Flow
}

/** What was seen that should not be. */
export interface Finding {
  what: string
  answer: Answer
}

/** Looks at answers and writes down what is wrong with them. It never ends a check: one input may fall short and the next hold. */
export interface Sight {
  /** The request was refused with one of these codes; no codes: with any. */
  refused(answer: Answer, expected: Refusal, input: string): boolean
  /**
   * The authorization request was refused by an error that went to the redirect URI, or by a page with a 4xx. Any other page
   * may be a question without an answer, and shows nothing.
   */
  turnedBack(outcome: Outcome, errors: readonly string[], input: string): boolean
  /** The authorization request was refused by a page with a 4xx: nothing went to any redirect URI. */
  paged(outcome: Outcome, input: string, anyPage?: 'any page'): boolean
  /**
   * The same request without the fault passes. Where it does not, the refusals say nothing: the check ends as not
   * shown.
   */
  granted(answer: Answer, input: string): Answer
  /** What had to be seen was not, and why: the rule is not shown, whatever else held. */
  notSeen(words: string): void
  /** What only has to be true. */
  holds(condition: boolean, what: string, answer: Answer): boolean
  /** Something the specification leaves open, worth knowing. */
  note(words: string): void
}

export interface Refusal {
  status: readonly number[]
  /** Any code, or none, where absent. */
  error?: readonly string[]
}

export const invalidGrant: Refusal = { status: [400], error: ['invalid_grant'] }
export const invalidRequest: Refusal = { status: [400], error: ['invalid_request'] }
/** RFC 6749 §5.2: 401 may be answered, and must be after an Authorization header. */
export const invalidClient: Refusal = { status: [400, 401], error: ['invalid_client'] }
/** Whatever the code. */
export const badRequest: Refusal = { status: [400] }
/** Any refusal that says it is one. */
export const anyRefusal: Refusal = { status: [400, 401, 403, 404, 405, 406, 411, 413, 414, 415, 422, 431] }

export interface Seen extends Sight {
  readonly findings: readonly Finding[]
  readonly notes: readonly string[]
  /** Why the rule is not shown to hold, though nothing fell short. */
  readonly unseen: readonly string[]
}

export function openSight(server: Metadata): Seen {
  const findings: Finding[] = []
  const notes: string[] = []
  const unseen: string[] = []
  function notSeen(words: string): false {
    if (!unseen.includes(words)) unseen.push(words)
    return false
  }
  /** A page that refuses says so by its status; any other may be a question that a script did not answer. */
  function refusedByPage(outcome: Outcome, input: string): boolean {
    const { status } = outcome.answer
    if (status >= 500 || status === 0)
      return short(`${input}: a refusal was expected, ${sayOutcome(outcome)}`, outcome.answer)
    return (
      status >= 400 || notSeen(`${input}: neither a refusal nor a grant was seen, ${sayOutcome(outcome)}`)
    )
  }
  function short(what: string, answer: Answer): false {
    // The losers of a race all say the same.
    if (!findings.some((one) => one.what === what)) findings.push({ what, answer })
    return false
  }
  function limited(answer: Answer): void {
    if (answer.status !== 429) return
    const wait = answer.headers.get('retry-after')
    throw new OutOfRequests(`the server limits requests (429${wait ? `, Retry-After: ${wait}` : ''})`)
  }

  return {
    findings,
    notes,
    unseen,
    notSeen,
    refused(answer, { status, error }, input) {
      limited(answer)
      if (!status.includes(answer.status)) {
        return short(`${input}: ${status.join(' or ')} was expected, ${sayAnswer(answer)} came`, answer)
      }
      const code = answer.json['error']
      if (error === undefined || (typeof code === 'string' && error.includes(code))) return true
      return short(`${input}: ${error.join(' or ')} was expected, ${sayAnswer(answer)} came`, answer)
    },
    turnedBack(outcome, errors, input) {
      const { left, pushed, answer } = outcome
      limited(answer)
      if (pushed) {
        const code = String(pushed.json['error'])
        const good = pushed.status === 400 && (errors.length === 0 || errors.includes(code))
        return (
          good || short(`${input}: ${errors.join(' or ')} was expected, ${sayAnswer(pushed)} came`, pushed)
        )
      }
      if (!left) return refusedByPage(outcome, input)
      const error = left.parameters.get('error')
      if (error === null || left.parameters.has('code') || left.parameters.has('access_token')) {
        return short(`${input}: an error was expected, the request was granted`, answer)
      }
      if (errors.length > 0 && !errors.includes(error)) {
        return short(`${input}: ${errors.join(' or ')} was expected, ${error} came`, answer)
      }
      const { state } = outcome.asked
      if (typeof state === 'string' && left.parameters.get('state') !== state) {
        return short(`${input}: the error came without the state of the request`, answer)
      }
      return true
    },
    paged(outcome, input, anyPage) {
      const { left, pushed, answer } = outcome
      limited(answer)
      if (left)
        return short(`${input}: a page was expected, the answer left for ${targetOf(left.url)}`, answer)
      if (anyPage && answer.status > 0 && answer.status < 500) return true
      return refusedByPage(pushed ? { ...outcome, answer: pushed } : outcome, input)
    },
    granted(answer, input) {
      limited(answer)
      if (answer.status >= 200 && answer.status < 300) return answer
      throw new NoTwin(`${input} is refused as well (${sayAnswer(answer)}), so the refusals say nothing`)
    },
    holds(condition, what, answer) {
      limited(answer)
      return condition || short(what, answer)
    },
    note(words) {
      if (!notes.includes(words)) notes.push(words)
    },
  }

  /** Where an answer went, without what it carried. */
  function targetOf(url: string): string {
    const plain = url.split(/[?#]/)[0]!
    return plain.startsWith(server.issuer) ? 'the server’s own origin' : plain
  }
}
