// From slices to rows, and from rows to tables that read the same in a terminal and in Markdown.
import { cpus } from 'node:os'
import type { Workload } from './fixture.ts'
import { cpuPerThousand, median, pairedRatio, type Slice } from './measure.ts'
import { measurable } from './process-tree.ts'
import type { Server } from './server.ts'
import { atLeast, atMost, resourceTargets, targets, type Verdict } from './targets.ts'

type Judged = { limit: string; verdict: Verdict }

export type Row = {
  id: string
  label: string
  durable: boolean
  requestsPerSecond: number
  p50: number
  p99: number
  cpuPerThousand: number
  /** CPU a request as a multiple of the floor's and of Gatehouse's, paired by round. */
  timesFloor: number | undefined
  timesGatehouse: number | undefined
  target: Judged | undefined
  errors: number
  firstError: string | undefined
  /** Median share of a core the load generator used. */
  generatorLoad: number
  slices: Slice[]
}

export type Resources = {
  id: string
  label: string
  idleMegabytes: number
  loadMegabytes: number
  coldStarts: number[]
}

export type Report = {
  environment: Record<string, string | number>
  workloads: { workload: Workload; rows: Row[] }[]
  resources: Resources[]
}

/** What the figures depend on beside the code. */
export function environment(slices: number, milliseconds: number): Record<string, string | number> {
  const processors = cpus()
  return {
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    processor: processors[0]?.model ?? 'unknown',
    cores: processors.length,
    slices,
    milliseconds,
  }
}

/** One workload's rows, Gatehouse's against the floor and every peer's against Gatehouse. */
export function rowsOf(workload: Workload, servers: Server[], measured: Map<string, Slice[]>): Row[] {
  const against = (id: string, other: string) => {
    const [of, to] = [measured.get(id), measured.get(other)]
    return of && to && measurable && id !== other ? pairedRatio(of, to) : undefined
  }
  return servers.map(({ id, label, durable }) => {
    const slices = measured.get(id)!
    const timesFloor = against(id, 'floor')
    const timesGatehouse = against(id, 'gatehouse')
    return {
      id,
      label,
      durable,
      requestsPerSecond: median(slices.map((slice) => slice.count / slice.seconds)),
      p50: median(slices.map((slice) => slice.p50)),
      p99: median(slices.map((slice) => slice.p99)),
      cpuPerThousand: measurable ? median(slices.map(cpuPerThousand)) : Number.NaN,
      timesFloor,
      timesGatehouse,
      target: judge(workload, id, timesFloor, timesGatehouse),
      errors: slices.reduce((sum, slice) => sum + slice.errors, 0),
      firstError: slices.find((slice) => slice.firstError)?.firstError,
      generatorLoad: median(slices.map((slice) => slice.ownLoad)),
      slices,
    }
  })
}

function judge(
  workload: Workload,
  id: string,
  timesFloor?: number,
  timesGatehouse?: number,
): Judged | undefined {
  const { floor, peers } = targets[workload]
  if (id === 'gatehouse' && timesFloor !== undefined) {
    return { limit: `≤ ${floor} × floor`, verdict: atMost(timesFloor, floor) }
  }
  const limit = peers[id]
  if (limit === undefined || timesGatehouse === undefined) return undefined
  return { limit: `≥ ${limit} × Gatehouse`, verdict: atLeast(timesGatehouse, limit) }
}

const times = (ratio: number | undefined) => (ratio === undefined ? '' : `${ratio.toFixed(2)} ×`)
const fixed = (value: number, digits: number) => (Number.isNaN(value) ? '–' : value.toFixed(digits))

function table(columns: string[], rows: string[][]): string {
  const widths = columns.map((name, at) => Math.max(name.length, ...rows.map((row) => row[at]!.length)))
  const line = (cells: string[]) =>
    `| ${cells.map((cell, at) => (at === 0 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!))).join(' | ')} |`
  const rule = `|${widths.map((width, at) => (at === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`
  return [line(columns), rule, ...rows.map(line)].join('\n')
}

/** One workload as a table. */
export function workloadTable(rows: Row[]): string {
  const columns = [
    'server',
    'durable',
    'req/s',
    'p50 ms',
    'p99 ms',
    'cpu/1k',
    '÷ floor',
    '÷ Gatehouse',
    'target',
    '',
  ]
  return table(
    columns,
    rows.map((row) => [
      row.label,
      row.durable ? 'yes' : 'no',
      Math.round(row.requestsPerSecond).toLocaleString('en'),
      fixed(row.p50, 2),
      fixed(row.p99, 2),
      fixed(row.cpuPerThousand, 3),
      times(row.timesFloor),
      times(row.timesGatehouse),
      row.target?.limit ?? '',
      row.target?.verdict ?? '',
    ]),
  )
}

/** Memory and cold start as a table, Gatehouse's judged. */
export function resourceTable(resources: Resources[]): string {
  const columns = ['server', 'idle MB', 'after load MB', 'cold start ms']
  const rows = resources.map((row) => [
    row.label,
    fixed(row.idleMegabytes, 0),
    fixed(row.loadMegabytes, 0),
    fixed(median(row.coldStarts), 0),
  ])
  return [table(columns, rows), ...resourceVerdicts(resources)].join('\n')
}

function resourceVerdicts(resources: Resources[]): string[] {
  const own = resources.find(({ id }) => id === 'gatehouse')
  if (!own || !measurable) return []
  const peer = resources.find(({ id }) => id === 'oidc-provider')
  const limits = resourceTargets
  const cold = median(own.coldStarts)
  const judged: [string, number, number][] = [
    ['idle MB', own.idleMegabytes, limits.idleMegabytes],
    ['after load MB', own.loadMegabytes, limits.loadMegabytes],
    ['cold start ms', cold, limits.coldStartMilliseconds],
  ]
  if (peer) {
    judged.push(['after load ÷ oidc-provider', own.loadMegabytes / peer.loadMegabytes, limits.loadShare])
    judged.push(['cold start ÷ oidc-provider', cold / median(peer.coldStarts), limits.coldStartShare])
  }
  const lines = judged.map(([what, figure, limit]) => {
    return `- Gatehouse, ${what}: ${figure.toFixed(figure < 10 ? 2 : 0)}, target ≤ ${limit}: ${atMost(figure, limit)}`
  })
  return ['', ...lines]
}

/** Everything that was wrong or that a reader of the figures must know. */
export function remarks(report: Report): string[] {
  const lines: string[] = []
  for (const { workload, rows } of report.workloads) {
    for (const row of rows) {
      if (row.errors > 0)
        lines.push(`${workload}, ${row.label}: ${row.errors} wrong answers, first: ${row.firstError}`)
      if (row.generatorLoad > 0.9) {
        const share = Math.round(row.generatorLoad * 100)
        lines.push(
          `${workload}, ${row.label}: the load generator used ${share} % of a core and limits the throughput`,
        )
      }
    }
  }
  if (!measurable)
    lines.push('CPU and memory are read from /proc, which this system does not have: ratios are left out')
  return lines
}

/** The whole report as Markdown. */
export function markdown(report: Report): string {
  const facts = Object.entries(report.environment).map(([name, value]) => `${name} ${value}`)
  const parts = [
    `Measured with ${facts.join(', ')}. cpu/1k: CPU seconds of the process tree per 1,000 answers.`,
  ]
  for (const { workload, rows } of report.workloads) parts.push(`### ${workload}`, workloadTable(rows))
  if (report.resources.length > 0) parts.push('### Memory and cold start', resourceTable(report.resources))
  const wrong = remarks(report)
  if (wrong.length > 0) parts.push(wrong.map((line) => `- ${line}`).join('\n'))
  return `${parts.join('\n\n')}\n`
}
