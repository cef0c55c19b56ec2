/** What an error of PostgreSQL, or of the way to it, means for the statement it ended. */
export type Failure =
  /** Rolled back in favour of another transaction. */
  | 'contention'
  /** The connection holds a statement that was prepared for another schema, or holds none of that name. Nothing was run. */
  | 'stale_statement'
  /** The server is a standby: a primary has lost its role, and another one has it. Nothing was changed. */
  | 'read_only'
  /** No connection could be made, so nothing was sent. */
  | 'unreached'
  /** The same, for want of an answer: to ask again would take as long again. */
  | 'unanswered'
  /** The connection ended with the statement under way. Whether it was committed is not known. */
  | 'lost'
  /** No answer came in time, and the connection was destroyed. Whether it was committed is not known. */
  | 'silent'
  /** Cancelled by the server's own time limit, and rolled back. */
  | 'overdue'
  /** No disk, memory or place; rolled back. */
  | 'exhausted'
  /** A bug, or a request that cannot be. */
  | 'fault'

/** No connection could be made. */
export class Unreached extends Error {
  override name = 'Unreached'
}

/** SQLSTATEs by what they mean; a class of two characters where all of it means the same. Any other is a fault. */
const meanings: Record<string, Failure> = {
  // serialization_failure (a conflict with recovery on a standby, too), deadlock_detected, lock_not_available, snapshot too old
  '40001': 'contention',
  '40P01': 'contention',
  '55P03': 'contention',
  '72000': 'contention',
  // invalid_sql_statement_name, duplicate_prepared_statement: a pooler changed the connection behind the name
  '26000': 'stale_statement',
  '42P05': 'stale_statement',
  // read_only_sql_transaction
  '25006': 'read_only',
  // connection exceptions; statement_completion_unknown; shut down by the operator, by a crash, for idling; database dropped
  '08': 'lost',
  '40003': 'lost',
  '57P01': 'lost',
  '57P02': 'lost',
  '57P03': 'lost',
  '57P04': 'lost',
  '57P05': 'lost',
  '25P03': 'lost',
  '25P04': 'lost',
  // query_canceled
  '57014': 'overdue',
  // insufficient resources; io_error, undefined_file and others of the system below
  '53': 'exhausted',
  '58': 'exhausted',
}

export function failureOf(error: unknown): Failure {
  if (error instanceof Unreached) return /time/i.test(String(error.cause)) ? 'unanswered' : 'unreached'
  const { code = '', message = '' } = error as { code?: string; message?: string }
  // feature_not_supported is a bug in any other case.
  if (code === '0A000' && /cached plan/i.test(message)) return 'stale_statement'
  if (/^[0-9A-Z]{5}$/.test(code) && !code.startsWith('E')) {
    return meanings[code] ?? meanings[code.slice(0, 2)] ?? 'fault'
  }
  if (message === 'Query read timeout') return 'silent'
  const broken =
    /^(ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EHOST|ENET|EAI_)/.test(code) ||
    /Connection terminated|Client has encountered|not queryable|Client was closed/i.test(message)
  return broken ? 'lost' : 'fault'
}

/** Whether a statement may be run again: never when it may have been committed and is no mere read. */
export function mayRunAgain(failure: Failure, onlyReads: boolean): boolean {
  switch (failure) {
    case 'contention':
    case 'stale_statement':
    case 'read_only':
    case 'unreached':
      return true
    case 'lost':
      return onlyReads
    default:
      return false
  }
}

/** Whether what the connection suffers from is shared by every other one that was opened before it ended. */
export function concernsAll(failure: Failure): boolean {
  return failure === 'stale_statement' || failure === 'read_only' || failure === 'silent'
}
