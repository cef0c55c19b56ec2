import type { Life } from './life.ts'

/** What removes the rows of each table that grows. */
export const removedBy: Record<string, string> = {
  access_tokens: 'expiry',
  authorization_requests: 'expiry, half an hour after it was shown',
  clients: 'disuse, if they brought themselves',
  codes: 'expiry and a day',
  device_codes: 'expiry and a day',
  events: 'age, by type',
  initial_access_tokens: 'expiry',
  logout_deliveries: 'delivery, or a day',
  pushed_authorization_requests: 'expiry and an hour',
  rate_limits: 'the end of the window',
  refresh_tokens: 'expiry',
  sessions: 'their end and `sessions.keepDays`',
  sign_ins: 'sign-out, or expiry',
  used_jtis: 'expiry',
}

/** One line a table that grows with use: rows written per user and year, rows there at the end, and the most there ever were. */
export function table(life: Life): string[] {
  const { users, days, samples, inserted } = life
  const last = samples.at(-1)!
  const lines = [
    '| table | written per user and year | kept per user at the end | most ever kept | removed by |',
    '|---|---:|---:|---:|---|',
  ]
  for (const [name, what] of Object.entries(removedBy)) {
    const perUser = (count: number) => (Math.round((count / users) * 10) / 10).toLocaleString('en')
    const most = Math.max(...samples.map((sample) => sample.rows[name]!))
    const written = (inserted[name]! * 365) / days
    lines.push(
      `| \`${name}\` | ${perUser(written)} | ${perUser(last.rows[name]!)} | ${perUser(most)} | ${what} |`,
    )
  }
  return lines
}

/**
 * Tables that were larger in the last part of the time than ever before it; a little is allowed for the days on which a
 * count falls. What `bytes` says of the whole database is judged the same way.
 */
export function growing(life: Life, settled: number): string[] {
  const before = life.samples.filter((sample) => sample.day <= settled)
  const after = life.samples.filter((sample) => sample.day > settled)
  const names = Object.keys(before[0]!.rows)
  const grew = names.filter((name) => {
    const [was, is] = [before, after].map((part) => Math.max(...part.map((sample) => sample.rows[name]!)))
    return is! > was! * 1.05 + 3
  })
  const [was, is] = [before, after].map((part) => Math.max(...part.map((sample) => sample.bytes)))
  return is! > was! * 1.1 ? [...grew, `bytes: ${was} → ${is}`] : grew
}
