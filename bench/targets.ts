import type { Workload } from './fixture.ts'

type Limits = {
  /** Gatehouse's CPU a request, at most this many times the floor's. */
  floor: number
  /** The peer's CPU a request, at least this many times Gatehouse's. */
  peers: Record<string, number>
}

/** What Gatehouse promises of CPU seconds per 1,000 requests, as a paired median. */
export const targets: Record<Workload, Limits> = {
  client_credentials: {
    floor: 1.25,
    peers: { 'oidc-provider': 1.5, 'oidc-provider-sqlite': 1.5, 'better-auth': 13 },
  },
  refresh: { floor: 1.35, peers: { 'oidc-provider': 1.5, 'oidc-provider-sqlite': 2.9, 'better-auth': 14 } },
  introspection: {
    floor: 1.5,
    peers: { 'oidc-provider': 2.7, 'oidc-provider-sqlite': 4.4, 'better-auth': 40 },
  },
  code: { floor: 1.35, peers: { 'oidc-provider': 2.2, 'oidc-provider-sqlite': 4.5, 'better-auth': 18 } },
}

/** Megabytes and milliseconds of Gatehouse itself, and its share of oidc-provider's in memory. */
export const resourceTargets = {
  idleMegabytes: 75,
  loadMegabytes: 130,
  loadShare: 0.45,
  coldStartMilliseconds: 110,
  coldStartShare: 0.5,
}

/** Ratios of one run on a noisy machine carry about this much error. */
export const noise = 0.15

export type Verdict = 'met' | 'missed' | 'missed, inside the 15 % noise'

/** Judges a figure against a limit that it must not exceed. */
export function atMost(figure: number, limit: number): Verdict {
  if (figure <= limit) return 'met'
  return figure <= limit * (1 + noise) ? 'missed, inside the 15 % noise' : 'missed'
}

/** Judges a figure against a limit that it must reach. */
export function atLeast(figure: number, limit: number): Verdict {
  if (figure >= limit) return 'met'
  return figure >= limit * (1 - noise) ? 'missed, inside the 15 % noise' : 'missed'
}
