/** What a section of the configuration reports its problems with; all of them are shown at once. */
export interface Checks {
  /** `allowed` completes "must be …"; without `given` the value is not shown. */
  problem(path: string, allowed: string, given?: unknown, example?: string): void
  /** A whole number of seconds, as milliseconds; `standard` where none is given. */
  seconds(path: string, given: number | undefined, standard: number, least: number, most: number): number
  /** A whole number of at least 1; `standard` where none is given. */
  count(path: string, given: number | undefined, standard: number): number
}
