/** What one look found. `todo` says what to do, unless all is well. */
export interface Finding {
  check: string
  result: 'ok' | 'warning' | 'failed'
  found: string
  todo?: string
}

export type Report = (finding: Finding) => void

/** How far clocks may be apart before ids arrive out of order and young tokens look as if from the future. */
export const clockTolerance = 5_000
