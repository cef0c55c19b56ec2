import type { Clock } from '../db/clock.ts'
import type { Job } from './job.ts'

/** The job by a clock that can be trusted: by a wrong one nothing is begun, and nothing deleted just after it was set. */
export function whileTimeIsKnown(clock: Pick<Clock, 'ok' | 'steady'>, job: Job): Job {
  const due = async () => (await job.due?.()) ?? true
  const mayRun = () => clock.ok && (job.deletes === false || clock.steady)
  return { ...job, due: async () => mayRun() && due() }
}
