import { besideFixed, type Log, told } from '../log.ts'
import type { Answer, Incoming } from './message.ts'
import type { Refusal } from './refusal.ts'

/** How a request ended, for its line in the log. */
export interface Ended {
  requestId: string
  /** As it may be told. */
  path: string
  answer: Answer
  /** When it began, by `performance.now()`. */
  started: number
  /** Why it was refused, where it was. */
  refused: Pick<Refusal, 'refusal' | 'facts'> | undefined
}

/** One line a request; and once a warning where a trusted proxy does not say whose requests it hands over. */
export function requestLog({
  log,
  forwardedHeader,
}: {
  log: Log
  forwardedHeader: string
}): (request: Incoming, ended: Ended) => void {
  let warned = false
  return (request, { requestId, path, answer, started, refused }) => {
    if (request.address === '' && request.viaTrustedProxy && !warned) {
      warned = true
      log.warn(
        `a trusted proxy hands over requests without an address of their client that can be read in ${forwardedHeader}: limits count them all as one network. Make the proxy set that header, or name the one it sets in forwardedHeader`,
      )
    }
    const fixed = {
      request_id: requestId,
      method: told(request.method),
      path,
      status: answer.status,
      ms: Math.round((performance.now() - started) * 10) / 10,
      address: request.address,
      ...(refused && { reason: refused.refusal }),
    }
    log.info('request', besideFixed(fixed, { ...answer.facts, ...refused?.facts }))
  }
}

/** What the request is called in the log: as the trusted proxy called it, so that both logs can be read together. */
export function requestIdOf(request: Incoming): string {
  const given = request.viaTrustedProxy ? request.header('x-request-id') : undefined
  return given !== undefined && /^[0-9A-Za-z][0-9A-Za-z._:-]{7,99}$/.test(given) ? given : crypto.randomUUID()
}
