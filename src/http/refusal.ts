// RFC 9110 §10.2.1, §10.2.3; RFC 6749 §5.2: a request that may not pass, as a value. Each domain has a table of its own reasons;
// those of any request are here.

import type { Log } from '../log.ts'
import { TemporaryFailure } from '../unavailable.ts'
import { type Answer, BodyCutOff, BodyNotText, json } from './message.ts'

/** What a refusal is on the wire. */
export interface Row {
  /** `error` on the wire; '' where the specifications give none. */
  readonly error: string
  readonly status: number
  /** `error_description`: ASCII without quote or backslash (RFC 6749 §5.2). */
  readonly description: string
}

export type Rows = Readonly<Record<string, Row>>

/** A request that was refused: a value, never thrown. */
export interface Refusal<Reason extends string = string> {
  readonly refusal: Reason
  readonly wire: Row
  /** What the operator may need to know; logged, never sent. Nothing secret. */
  readonly facts?: Record<string, string | number | boolean | null | undefined>
  /** Replaces the table's description where the caller can do something with the value it names. */
  readonly description?: string
  /** Seconds after which to try again. */
  readonly retryAfter?: number
  /** Further headers of the answer, their names in lower case. */
  readonly headers?: Readonly<Record<string, string>>
  /** Where a person may try again: an address of ours, for a page alone. */
  readonly again?: string
  /** What may be done instead of a method that is not allowed (405). */
  readonly allow?: readonly string[]
}

export type Refuse<Reason extends string> = (
  reason: Reason,
  facts?: Refusal['facts'],
  more?: Partial<Omit<Refusal, 'refusal' | 'wire'>>,
) => Refusal<Reason>

export const row = (status: number, error: string, description: string): Row => ({
  error,
  status,
  description,
})

/** Refuses for the reasons of one table. */
export function refuser<Table extends Rows>(table: Table): Refuse<keyof Table & string> {
  return (reason, facts, more) => ({ refusal: reason, wire: table[reason]!, facts, ...more })
}

export function isRefusal(value: unknown): value is Refusal {
  return typeof value === 'object' && value !== null && 'refusal' in value
}

const invalidRequest = (description: string) => row(400, 'invalid_request', description)

/** What can be wrong with a request to any endpoint, and with the server itself. Every domain may refuse for these. */
export const requestRefusals = {
  malformed_form: invalidRequest('The parameters could not be parsed'),
  wrong_content_type: invalidRequest('The body must be application/x-www-form-urlencoded'),
  parameter_too_long: invalidRequest('A parameter is too long'),
  repeated_parameter: invalidRequest('A parameter was sent more than once'),
  missing_parameter: invalidRequest('A required parameter is missing'),
  parameters_in_query: invalidRequest('Parameters must be sent in the body'),
  body_cut_off: invalidRequest('The body ended early'),
  body_not_utf8: invalidRequest('The body is not UTF-8'),
  body_too_large: row(413, 'invalid_request', 'The body is too large'),
  method_not_allowed: row(405, 'invalid_request', 'The method is not allowed here'),

  // The server's own: never a 4xx that a client could take for the end of its connection
  unavailable: row(503, 'temporarily_unavailable', 'The server cannot answer now; try again'),
  fault: row(500, 'server_error', 'The server met an unexpected condition'),
} as const satisfies Rows

export type RequestReason = keyof typeof requestRefusals

export const refuseRequest = refuser(requestRefusals)

/** `error` and `error_description` of a refusal. */
export function wireError({ wire, description }: Pick<Refusal, 'wire' | 'description'>): {
  error: string
  error_description: string
} {
  return { error: wire.error, error_description: asciiOnly(description ?? wire.description) }
}

/** Keeps to %x20-21 / %x23-5B / %x5D-7E (RFC 6749 §5.2). */
function asciiOnly(text: string): string {
  return text.replaceAll('"', "'").replace(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, '?')
}

/** `Allow` and `Retry-After`, where the refusal has them. */
export function refusalHeaders({ wire, retryAfter, allow }: Refusal): Record<string, string> {
  return {
    ...(allow ? { allow: allow.join(', ') } : {}),
    ...(retryAfter === undefined && wire.status !== 503 ? {} : { 'retry-after': String(retryAfter ?? 1) }),
  }
}

/** A refusal as a program reads it. `Pragma: no-cache` as well, for caches of old (RFC 6749 §5.1). */
export function jsonRefusal(refusal: Refusal, headers?: Answer['headers']): Answer {
  return json(refusal.wire.status, wireError(refusal), {
    pragma: 'no-cache',
    ...refusal.headers,
    ...headers,
    ...refusalHeaders(refusal),
  })
}

/**
 * What was thrown, as a refusal: an outage or a bug, logged with the id of the request, which the answer names. Nothing of it
 * goes on the wire. A bad body is the client's own.
 */
export function faultFrom(
  error: unknown,
  path: string,
  log: Log,
  request_id: string = crypto.randomUUID(),
): Refusal<RequestReason> {
  if (error instanceof BodyCutOff) return refuseRequest('body_cut_off')
  if (error instanceof BodyNotText) return refuseRequest('body_not_utf8')
  const unavailable = error instanceof TemporaryFailure
  log.error(unavailable ? 'unavailable' : 'fault', {
    request_id,
    path,
    error: textOf(error),
    cause: error instanceof Error && error.cause ? String(error.cause) : undefined,
  })
  return refuseRequest(unavailable ? 'unavailable' : 'fault', { request_id })
}

export function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
