import { jsonLog, type Log, told, toldPath } from '../log.ts'
import { TemporaryFailure } from '../unavailable.ts'
import { allowOrigin, preflight } from './cors.ts'
import type { Answer, Incoming } from './message.ts'
import { faultFrom, isRefusal, jsonRefusal, type Refusal, refuseRequest, textOf } from './refusal.ts'
import { type Ended, requestIdOf, requestLog } from './request-log.ts'
import type { Route } from './route.ts'

export interface Dispatch {
  /** Of two with one path the first counts. */
  routes: readonly Route[]
  /** What answers where no route is. */
  otherwise: Pick<Route, 'run' | 'refused'>
  /** Origins whose browser code may read answers. */
  cors: '*' | readonly string[]
  /** Where trusted proxies name the client. */
  forwardedHeader: string
  log: Log
  /** False while the clock of this process cannot be trusted: only what is timeless is answered. */
  timeIsKnown(): boolean
}

/**
 * Answers every request: by its route, with CORS, one line in the log, and whatever is thrown as a fault. All of it happens
 * inside one boundary, so that nothing leaves a request without its answer.
 */
export function openDispatch(of: Dispatch): (request: Incoming) => Promise<Answer> {
  const { otherwise, cors, log } = of
  const inside = byPath(of.routes)
  const outside = byPath(of.routes.filter((route) => route.outside))
  const logRequest = requestLog(of)
  const lastLog = jsonLog('error')

  return async (request) => {
    try {
      const started = performance.now()
      const requestId = requestIdOf(request)
      const route = (request.outside ? outside : inside).get(request.path)
      const path = route ? request.path : toldPath(request.path)
      let answer: Answer
      let refused: Refusal | undefined
      try {
        const outcome = before(request, route) ?? (await (route ?? otherwise).run(request))
        if (isRefusal(outcome)) {
          refused = outcome
          answer = (route ?? otherwise).refused(request, outcome)
        } else answer = outcome
        if (route?.cors) allowOrigin(request, answer, cors)
      } catch (error) {
        refused = faultFrom(error, path, log, requestId)
        answer = afterFault(request, route, { path, requestId }, refused)
      }
      if (!route?.quiet) leaveLine(request, { requestId, path, answer, started, refused })
      return answer
    } catch (error) {
      return lastAnswer(error)
    }
  }

  /** What is answered without its route. */
  function before(request: Incoming, route: Route | undefined): Answer | Refusal | undefined {
    if (route && !route.methods.includes(request.method)) {
      return request.method === 'OPTIONS' && route.cors
        ? preflight(route.methods, request)
        : refuseRequest('method_not_allowed', { method: told(request.method) }, { allow: route.methods })
    }
    if (!route?.timeless && !of.timeIsKnown())
      throw new TemporaryFailure('the clock of this process cannot be trusted')
    return undefined
  }

  function afterFault(
    request: Incoming,
    route: Route | undefined,
    { path, requestId }: Pick<Ended, 'path' | 'requestId'>,
    refusal: Refusal,
  ): Answer {
    try {
      const answer = (route ?? otherwise).refused(request, refusal)
      if (route?.cors) allowOrigin(request, answer, cors)
      return answer
    } catch (error) {
      // What was thrown first is in the log already.
      return jsonRefusal(faultFrom(error, path, log, requestId))
    }
  }

  function leaveLine(request: Incoming, ended: Ended): void {
    try {
      logRequest(request, ended)
    } catch (error) {
      const { requestId: request_id, path, answer } = ended
      report('request could not be logged', { request_id, path, status: answer.status, error: textOf(error) })
    }
  }

  /** Where a request could not even be named, or a fault not be logged. */
  function lastAnswer(error: unknown): Answer {
    const request_id = crypto.randomUUID()
    report('fault', { request_id, error: textOf(error) })
    return jsonRefusal(refuseRequest('fault', { request_id }))
  }

  /** To the log, or where that takes nothing to standard error. */
  function report(message: string, facts: Parameters<Log['error']>[1]): void {
    try {
      log.error(message, facts)
    } catch {
      lastLog.error(message, facts)
    }
  }
}

function byPath(routes: readonly Route[]): Map<string, Route> {
  return new Map(routes.toReversed().map((route) => [route.path, route]))
}
