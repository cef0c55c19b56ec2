import type { Workload } from './fixture.ts'

/** A promise about one server in one workload: a ratio to another server, paired by round, or a figure of its own. */
export type Target = {
  workload: Workload
  /** The load the same server is under meanwhile. */
  during?: Workload
  of: string
  to?: string
  measure: 'cpu' | 'p99 ms' | 'req/s'
  /** The figure may not exceed this … */
  atMost?: number
  /** … or must reach it. */
  atLeast?: number
}

const cpu = (
  workload: Workload,
  of: string,
  to: string,
  limit: Pick<Target, 'atMost' | 'atLeast'>,
): Target => ({
  workload,
  of,
  to,
  measure: 'cpu',
  ...limit,
})

const besidePeers: Partial<
  Record<Workload, [floor: number, inMemory: number, sqlite?: number, betterAuth?: number]>
> = {
  client_credentials: [1.25, 1.5, 1.5, 13],
  refresh: [1.35, 1.5, 2.9, 14],
  introspection: [1.5, 2.7, 4.4, 40],
  code: [1.35, 2.2, 4.5, 18],
  dpop_client_credentials: [1.35, 2.5],
  dpop_refresh: [1.35, 2.5],
}

/** On SQLite: at most so much dearer than the floor, at least so much cheaper than the peers. */
export const sqliteTargets: Target[] = [
  cpu('signed_introspection', 'gatehouse', 'floor', { atMost: 1.5 }),
  ...Object.entries(besidePeers).flatMap(([name, limits]) => {
    const workload = name as Workload
    return [
      cpu(workload, 'gatehouse', 'floor', { atMost: limits[0] }),
      cpu(workload, 'oidc-provider', 'gatehouse', { atLeast: limits[1] }),
      ...(limits[2] ? [cpu(workload, 'oidc-provider-sqlite', 'gatehouse', { atLeast: limits[2] })] : []),
      ...(limits[3] ? [cpu(workload, 'better-auth', 'gatehouse', { atLeast: limits[3] })] : []),
    ]
  }),
]

/** On PostgreSQL, server and database together. */
export const postgresTargets: Target[] = [
  cpu('refresh', 'gatehouse', 'floor-batched', { atMost: 1.35 }),
  cpu('refresh', 'floor-single', 'gatehouse', { atLeast: 1.5 }),
]

/** On a database of millions of tokens, against the same server on an empty one. */
export const filledTargets: Target[] = [
  cpu('refresh', 'gatehouse-filled', 'gatehouse', { atMost: 1.25 }),
  cpu('introspection', 'gatehouse-filled', 'gatehouse', { atMost: 1.25 }),
  { workload: 'refresh', of: 'gatehouse-filled', to: 'gatehouse', measure: 'p99 ms', atMost: 2 },
]

/** The same on PostgreSQL. */
export const filledPostgresTargets: Target[] = [
  cpu('refresh', 'gatehouse-filled', 'gatehouse', { atMost: 1.15 }),
  cpu('introspection', 'gatehouse-filled', 'gatehouse', { atMost: 1.15 }),
  { workload: 'refresh', of: 'gatehouse-filled', to: 'gatehouse', measure: 'p99 ms', atMost: 2 },
]

/** On a disk that takes its time for every fsync. */
export const slowDiskTargets: Target[] = [
  { workload: 'refresh', of: 'gatehouse', to: 'floor', measure: 'req/s', atLeast: 0.7 },
  { workload: 'introspection', during: 'refresh', of: 'gatehouse', measure: 'p99 ms', atMost: 5 },
]

/** Megabytes and milliseconds of Gatehouse itself, and its share of oidc-provider's in memory. */
export const resourceTargets = {
  idleMegabytes: 75,
  loadMegabytes: 130,
  filledMegabytes: 170,
  loadShare: 0.45,
  coldStartMilliseconds: 100,
  coldStartShare: 0.5,
}

/** Ratios of one run on a noisy machine carry about this much error. */
const noise = 0.15

/** Judges a figure against a limit; one missed by less than the noise is said to be. */
export function verdict(figure: number, { atMost, atLeast }: Pick<Target, 'atMost' | 'atLeast'>): string {
  if (Number.isNaN(figure)) return 'not measured'
  const missedBy = atMost !== undefined ? figure / atMost - 1 : 1 - figure / atLeast!
  if (missedBy <= 0) return 'met'
  return missedBy <= noise ? 'missed, by less than the 15 % noise' : 'missed'
}
