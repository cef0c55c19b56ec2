import { TemporaryFailure } from '../unavailable.ts'
import type { Select, Sql, Write } from './sql.ts'

/** The one interface to storage. Both databases give the same answers to the same statements. */
export interface Database {
  readonly dialect: 'sqlite' | 'postgres'
  /** First row of a select, or undefined. */
  one<I, R>(statement: Select<I, R>, input: I): Promise<R | undefined>
  all<I, R>(statement: Select<I, R>, input: I): Promise<R[]>
  /**
   * Runs one operation and resolves once it is durable: with the rows its guard touched, or with none when the guard
   * held nothing, in which case nothing was changed.
   */
  write<I, R>(operation: Write<I, R>, input: I): Promise<R[]>
  /** A one-off query (lists, reports, clean-up): parsed each time, durable when it writes. */
  query<R>(query: Sql<R>): Promise<R[]>
  /** One connection for itself alone, for migrations: nothing else writes through this `Database` meanwhile. */
  connection<T>(work: (run: Run) => Promise<T>): Promise<T>
  /** Why nothing can be written before the process has been started again; undefined while it can. */
  broken?(): string | undefined
  close(): Promise<void>
}

/** Runs SQL text as it stands; several statements at once when there are no values. */
export type Run = <R = unknown>(text: string, values?: unknown[]) => Promise<R[]>

/** Storage cannot answer now: contention, a lock time-out, a lost connection. The caller may try again (503). */
export class Unavailable extends TemporaryFailure {
  override name = 'Unavailable'
  readonly retryAfter: number
  constructor(message: string, options?: { cause?: unknown; retryAfter?: number }) {
    super(message, options)
    this.retryAfter = options?.retryAfter ?? 1
  }
}
