import type { Answer, Incoming } from './message.ts'
import type { Refusal } from './refusal.ts'

/** One address of a domain, bound to the domain it belongs to. */
export interface Route {
  /** Below the issuer's own path. */
  readonly path: string
  /** Any other one is refused before the route runs (405 with `Allow`). */
  readonly methods: readonly string[]
  run(request: Incoming): Promise<Answer | Refusal> | Answer | Refusal
  /** How a refusal or a fault is answered: to a program as JSON, to a person as a page. */
  refused(request: Incoming, refusal: Refusal): Answer
  /** Browser code of other origins may read the answer. */
  readonly cors?: boolean
  /** It is reached outside the issuer's path as well (RFC 8414 §3.1). */
  readonly outside?: boolean
  /** It can be answered while the time is not known. */
  readonly timeless?: boolean
  /** Answered without a line in the log. */
  readonly quiet?: boolean
}
