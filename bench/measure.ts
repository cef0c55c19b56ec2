// Interleaved slices: every server gets one slice a round, the order of the servers turning round each time.
import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Workload } from './fixture.ts'
import type { LoadRequest, LoadResult } from './load.ts'
import { cpuSeconds } from './process-tree.ts'
import type { Running } from './server.ts'

export type Slice = {
  count: number
  seconds: number
  cpuSeconds: number
  p50: number
  p99: number
  errors: number
  firstError: string | undefined
  ownLoad: number
  /** Right answers a second of the load beside it. */
  meanwhile?: number
}

/** A server under load: its process trees are what the CPU is counted over. */
export type Measured = Pick<Running, 'fixture' | 'roots'> & { id: string; tokens?: string }

/** The load generator's process, as a function that runs one slice. */
export class LoadGenerator {
  readonly #child: ChildProcess
  #ended = false

  constructor() {
    this.#child = fork(join(import.meta.dirname, 'load.ts'), { serialization: 'advanced' })
    this.#child.once('exit', () => {
      this.#ended = true
    })
    this.#child.on('error', () => {})
  }

  #next<T>(): Promise<T> {
    return new Promise((resolve, reject) => {
      const ended = () => reject(new Error('the load generator ended'))
      if (this.#ended) return ended()
      this.#child.once('exit', ended)
      this.#child.once('message', (message: T | { failed: string }) => {
        this.#child.off('exit', ended)
        const failed = typeof message === 'object' && message !== null && 'failed' in message
        if (failed) reject(new Error(message.failed))
        else resolve(message as T)
      })
    })
  }

  /** Makes what the chains of a slice need, which is not measured. */
  async prepare(
    { fixture, tokens }: Measured,
    request: Pick<LoadRequest, 'workload' | 'milliseconds' | 'perSecond'>,
  ) {
    this.#child.send({ fixture, tokens, ...request } satisfies LoadRequest)
    await this.#next<'ready'>()
  }

  /** Runs the slice that was prepared. */
  go(): Promise<LoadResult> {
    this.#child.send('go')
    return this.#next<LoadResult>()
  }

  stop() {
    this.#child.kill()
  }
}

function sliceOf({ latencies, ...counted }: LoadResult, used: number): Slice {
  latencies.sort()
  return { ...counted, cpuSeconds: used, p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99) }
}

/** How one server is loaded for one slice. */
export type Load = (measured: Measured) => Promise<Slice>

/** As many requests of one workload as the server answers, or so many a second. */
export function fullLoad(
  generator: LoadGenerator,
  workload: Workload,
  milliseconds: number,
  perSecond?: number,
): Load {
  return async (measured) => {
    await generator.prepare(measured, { workload, milliseconds, perSecond })
    const before = cpuSeconds(measured.roots)
    const result = await generator.go()
    return sliceOf(result, cpuSeconds(measured.roots) - before)
  }
}

/** Introspections a second during refresh: few beside what a server can do, so that their latency is its own doing. */
const introspectionsPerSecond = 1000

/** Introspection at a steady rate, while another generator refreshes as fast as the server answers. */
export function introspectionDuringRefresh(
  introspecting: LoadGenerator,
  refreshing: LoadGenerator,
  milliseconds: number,
): Load {
  const margin = 100
  const steady = { workload: 'introspection', milliseconds, perSecond: introspectionsPerSecond } as const
  return async (measured) => {
    await introspecting.prepare(measured, steady)
    await refreshing.prepare(measured, { workload: 'refresh', milliseconds: milliseconds + 2 * margin })
    const background = refreshing.go()
    background.catch(() => {})
    await sleep(margin)
    const result = await introspecting.go()
    const { count, seconds, errors, firstError } = await background
    return {
      // The CPU is that of both loads, and so says nothing about either.
      ...sliceOf(result, Number.NaN),
      errors: result.errors + errors,
      firstError: result.firstError ?? firstError,
      meanwhile: count / seconds,
    }
  }
}

function quantile(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

export function median(values: number[]): number {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b)
  const middle = sorted.length >> 1
  if (sorted.length === 0) return Number.NaN
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** CPU seconds per 1,000 answers of one slice. */
export const cpuPerThousand = (slice: Slice) => (slice.cpuSeconds / slice.count) * 1000

/** The median over the rounds of one server's figure divided by another's in the same round. */
export function pairedRatio(of: Slice[], to: Slice[], figure: (slice: Slice) => number): number {
  return median(of.map((slice, round) => figure(slice) / figure(to[round]!)))
}

/** Runs one load over all servers; the slices of each server by its id, one a round. */
export async function interleave(
  load: Load,
  all: Measured[],
  slices: number,
  progress: (text: string) => void,
): Promise<Map<string, Slice[]>> {
  const bySlice = new Map<string, Slice[]>(all.map(({ id }) => [id, []]))
  for (const measured of all) {
    progress(`warming ${measured.id}`)
    await load(measured)
  }
  for (let round = 0; round < slices; round += 1) {
    for (const measured of round % 2 === 0 ? all : all.toReversed()) {
      progress(`round ${round + 1} of ${slices}, ${measured.id}`)
      bySlice.get(measured.id)!.push(await load(measured))
    }
  }
  return bySlice
}
