import type { Job, Result } from './scheduler.ts'

/** One step of clean-up: removes at most a few hundred rows and says whether there may be more. */
export type CleanUpStep = () => Promise<{ removed: number; more: boolean }>

/**
 * Removes what has had its time: each table's step again and again, with pauses, until nothing is due. A table that
 * cannot be cleaned now does not keep the others from it. Returns the rows removed from each table.
 */
export function cleanUp(steps: Record<string, CleanUpStep>): Job {
  return {
    name: 'clean_up',
    every: 60_000,
    async run({ pause }) {
      const removed: Result = {}
      const failures: unknown[] = []
      for (const [table, step] of Object.entries(steps)) {
        let count = 0
        let more = true
        while (more) {
          const done = await step().catch((error) => void failures.push(error))
          count += done?.removed ?? 0
          more = done?.more ?? false
          if (more) await pause()
        }
        if (count > 0) removed[table] = count
      }
      if (failures.length > 0) throw failures[0]
      return removed
    },
  }
}
