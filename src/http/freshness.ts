// RFC 9111 §4.2.1, §4.2.3, §5.2.2: how long an answer says it stays fresh, and when what is known may outlive that.

import type { OutboundFailure } from './guarded-fetch.ts'

/** For so long after its time what is known stays good while its source cannot be asked, in milliseconds. */
export const staleFor = 3_600_000

/** Milliseconds an answer says it stays fresh; undefined when it says nothing. */
export function freshness(header: (name: string) => string | undefined): number | undefined {
  const control = (header('cache-control') ?? '').toLowerCase()
  if (/(^|[\s,])(no-store|no-cache)\b/.test(control)) return 0
  const age = Number(/^\d{1,9}$/.exec(header('age') ?? '')?.[0] ?? 0)
  const maxAge = /(?:^|[\s,])max-age="?(\d{1,9})/.exec(control)?.[1]
  if (maxAge !== undefined) return Math.max(0, Number(maxAge) - age) * 1_000
  const expires = header('expires')
  if (expires === undefined) return undefined
  const [until, from] = [Date.parse(expires), Date.parse(header('date') ?? '')]
  return Math.max(0, until - from - age * 1_000 || 0)
}

/** Whether a failure says nothing about the document: its server could not be reached, or could not answer now. */
export function isOutage({ failed, status }: OutboundFailure): boolean {
  if (status !== undefined) return status >= 500 || status === 408 || status === 429
  return failed === 'busy' || failed === 'timed_out' || failed === 'unreachable'
}
