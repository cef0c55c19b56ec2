import { from, insert, raw, returning, select, sql, write } from '../db/sql.ts'

export interface JobRow {
  name: string
  /** Who runs it now. */
  holder: string | null
  /** Until then no other process may run it; 0 when none does. */
  lease_until: number
  last_started_at: number | null
  last_finished_at: number | null
  /** `ok`, `stopped`, or `failed: …`. */
  last_outcome: string | null
  /** JSON: what the last run that succeeded returned. */
  last_result: string | null
}

export const findJob = select(
  'find_job',
  { name: 'text' },
  (i) => sql<JobRow>`select * from jobs where name = ${i.name}`,
)

export const nameJob = write('name_job', { name: 'text' }, (i) => ({
  effects: [sql`${insert('jobs', { name: i.name, lease_until: raw('0') })} on conflict (name) do nothing`],
}))

/**
 * Of all processes that try, one gets the lease: when it is free and the last run began long enough ago. Times after
 * `ahead` were written by a wrong clock and are ignored.
 */
export const claimJob = write(
  'claim_job',
  { name: 'text', holder: 'text', now: 'int', lease_until: 'int', due_before: 'int', ahead: 'int' },
  (i) => ({
    guard: sql<
      Pick<JobRow, 'last_result'>
    >`update jobs set holder = ${i.holder}, lease_until = ${i.lease_until}, last_started_at = ${i.now}
      ${from} where jobs.name = ${i.name} and (jobs.lease_until <= ${i.now} or jobs.lease_until > ${i.ahead})
        and (jobs.last_started_at is null or jobs.last_started_at <= ${i.due_before}
          or jobs.last_started_at > ${i.ahead})
      ${returning} jobs.last_result`,
  }),
)

export const renewLease = write('renew_lease', { name: 'text', holder: 'text', lease_until: 'int' }, (i) => ({
  guard: sql<{ name: string }>`update jobs set lease_until = ${i.lease_until}
      ${from} where jobs.name = ${i.name} and jobs.holder = ${i.holder} ${returning} jobs.name`,
}))

/** A run that gave no result keeps the last one. */
export const finishJob = write(
  'finish_job',
  { name: 'text', holder: 'text', now: 'int', outcome: 'text', result: 'text?' },
  (i) => ({
    guard: sql<{ name: string }>`update jobs set holder = null, lease_until = 0, last_finished_at = ${i.now},
        last_outcome = ${i.outcome}, last_result = coalesce(${i.result}, jobs.last_result)
      ${from} where jobs.name = ${i.name} and jobs.holder = ${i.holder} ${returning} jobs.name`,
  }),
)
