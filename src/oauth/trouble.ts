// RFC 6749 §4.1.2.1: what is no refusal but trouble of our own, as `temporarily_unavailable` (an outage) or `server_error` (a bug).

import { AccountsUnavailable } from '../accounts/account.ts'
import { Unavailable } from '../db/database.ts'
import { BodyCutOff, BodyNotText } from '../http/message.ts'
import type { Log } from '../log.ts'
import { type Refusal, refuse } from './refusals.ts'

/** What was thrown, logged with the id of the request, which the answer names; nothing of it goes on the wire. A bad body is the client's own. */
export function troubleFrom(
  error: unknown,
  path: string,
  log: Log,
  request_id: string = crypto.randomUUID(),
): Refusal {
  if (error instanceof BodyCutOff) return refuse('body_cut_off')
  if (error instanceof BodyNotText) return refuse('body_not_utf8')
  const unavailable = error instanceof Unavailable || error instanceof AccountsUnavailable
  log.error(unavailable ? 'unavailable' : 'fault', {
    request_id,
    path,
    error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    cause: error instanceof Error && error.cause ? String(error.cause) : undefined,
  })
  return refuse(unavailable ? 'unavailable' : 'fault', { request_id })
}
