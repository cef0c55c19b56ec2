// Interleaved slices: every server gets one slice a round, the order of the servers turning round each time.
import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
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

  /** Loads one server for one slice. What a chain needs beforehand is not measured. */
  async slice(measured: Measured, workload: Workload, milliseconds: number): Promise<Slice> {
    const { fixture, roots, tokens } = measured
    this.#child.send({ fixture, workload, milliseconds, tokens } satisfies LoadRequest)
    await this.#next<'ready'>()
    const before = cpuSeconds(roots)
    this.#child.send('go')
    const { latencies, ...counted } = await this.#next<LoadResult>()
    const used = cpuSeconds(roots) - before
    latencies.sort()
    return { ...counted, cpuSeconds: used, p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99) }
  }

  stop() {
    this.#child.kill()
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

export type Rounds = { slices: number; milliseconds: number; progress: (text: string) => void }

/** Runs one workload over all servers; the slices of each server by its id, one a round. */
export async function interleave(
  load: LoadGenerator,
  all: Measured[],
  workload: Workload,
  { slices, milliseconds, progress }: Rounds,
): Promise<Map<string, Slice[]>> {
  const bySlice = new Map<string, Slice[]>(all.map(({ id }) => [id, []]))
  for (const measured of all) {
    progress(`${workload}: warming ${measured.id}`)
    await load.slice(measured, workload, milliseconds)
  }
  for (let round = 0; round < slices; round += 1) {
    for (const measured of round % 2 === 0 ? all : all.toReversed()) {
      progress(`${workload}: round ${round + 1} of ${slices}, ${measured.id}`)
      bySlice.get(measured.id)!.push(await load.slice(measured, workload, milliseconds))
    }
  }
  return bySlice
}
