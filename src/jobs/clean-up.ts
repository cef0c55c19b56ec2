import type { CleanUpStep, Job, Result } from './job.ts'

/**
 * Removes what has had its time, until nothing is due: one step of each table in turn, with a pause after each that was full,
 * so that a table with a backlog keeps no other waiting. Neither does one that cannot be cleaned now. Returns the rows removed
 * from each table. A pause is so many times as long as the step before it.
 */
export function cleanUp(steps: Record<string, CleanUpStep>, pauses: number): Job {
  return {
    name: 'clean_up',
    every: 60_000,
    async run({ pause }) {
      const removed: Result = {}
      const failures: unknown[] = []
      let due = Object.entries(steps)
      while (due.length > 0) {
        const unfinished: typeof due = []
        for (const [table, step] of due) {
          const done = await step().catch((error) => void failures.push(error))
          if (done?.removed) removed[table] = Number(removed[table] ?? 0) + done.removed
          if (!done?.more) continue
          unfinished.push([table, step])
          await pause(pauses)
        }
        due = unfinished
      }
      if (failures.length > 0) throw failures[0]
      return removed
    },
  }
}
