/** What a run reports; kept as JSON in the job's row, where the next run and the operator find it. */
export type Result = Record<string, number | string>

/** What a job is given for one run. */
export interface Turn {
  /** What the last run that succeeded returned. */
  previous: Record<string, unknown> | null
  /**
   * To be awaited between two batches: leaves requests so many times the time the batch took, twice unless it says otherwise.
   * Throws when the run must end, because the process stops or another one holds the lease.
   */
  pause(times?: number): Promise<void>
}

/** Work that one process at a time does for all of them. It may be cut off between batches and is then done again. */
export interface Job {
  name: string
  /** Milliseconds between the beginnings of two runs. */
  every: number
  /** False for a job that deletes nothing for its age. */
  deletes?: boolean
  /** Whether there is anything to do, where that costs less than taking the turn. Default: yes. */
  due?(): Promise<boolean>
  run(turn: Turn): Promise<Result>
}

/** One step of clean-up: removes what one statement may and says whether there may be more. */
export type CleanUpStep = () => Promise<{ removed: number; more: boolean }>
