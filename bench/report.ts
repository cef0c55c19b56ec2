// From slices to rows, and from rows to tables that read the same in a terminal and in Markdown.
import { cpus } from 'node:os'
import { plainOf, type Workload } from './fixture.ts'
import { cpuPerThousand, median, pairedRatio, type Slice } from './measure.ts'
import type { Plan } from './plans.ts'
import { measurable } from './process-tree.ts'
import { resourceTargets, type Target, verdict } from './targets.ts'

export type Row = {
  id: string
  label: string
  durable: boolean
  requestsPerSecond: number
  p50: number
  p99: number
  cpuPerThousand: number
  /** CPU a request as a multiple of each base's, paired by round. */
  ratios: Record<string, number>
  /** CPU a request as a multiple of the same request without what the workload is about, measured before. */
  plain: number
  errors: number
  firstError: string | undefined
  /** Median share of a core the load generator used. */
  generatorLoad: number
  /** Right answers a second of the load beside it, where there is one. */
  meanwhile: number
  slices: Slice[]
}

export type Judged = Target & { figure: number; verdict: string }

export type Resources = {
  id: string
  label: string
  /** Whether a database of its own counts in. */
  postgres: boolean
  idleMegabytes: number
  loadMegabytes: number
  coldStarts: number[]
}

export type Measurement = { workload: Workload; during: Workload | undefined; rows: Row[]; targets: Judged[] }

export type Report = {
  environment: Record<string, string | number>
  workloads: Measurement[]
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

/** One workload's rows, with the ratios to the bases and the targets judged. */
export function measurement(
  workload: Workload,
  { servers, bases, targets }: Plan,
  measured: Map<string, Slice[]>,
  { during, plain }: { during?: Workload; plain?: Measurement } = {},
): Measurement {
  const ratio = (of: string, to: string, figure: (slice: Slice) => number) => {
    const [dividend, divisor] = [measured.get(of), measured.get(to)]
    return dividend && divisor ? pairedRatio(dividend, divisor, figure) : Number.NaN
  }
  const cpu = (slice: Slice) => (measurable ? cpuPerThousand(slice) : Number.NaN)
  const able = servers.filter(({ id }) => measured.has(id))
  const rows = able.map(({ id, label, durable }): Row => {
    const slices = measured.get(id)!
    return {
      id,
      label,
      durable,
      requestsPerSecond: median(slices.map((slice) => slice.count / slice.seconds)),
      p50: median(slices.map((slice) => slice.p50)),
      p99: median(slices.map((slice) => slice.p99)),
      cpuPerThousand: median(slices.map(cpu)),
      ratios: Object.fromEntries(
        bases.map((base) => [base, base === id ? Number.NaN : ratio(id, base, cpu)]),
      ),
      plain:
        median(slices.map(cpu)) / (plain?.rows.find((row) => row.id === id)?.cpuPerThousand ?? Number.NaN),
      errors: slices.reduce((sum, slice) => sum + slice.errors, 0),
      firstError: slices.find((slice) => slice.firstError)?.firstError,
      generatorLoad: median(slices.map((slice) => slice.ownLoad)),
      meanwhile: median(slices.map((slice) => slice.meanwhile ?? Number.NaN)),
      slices,
    }
  })
  const measures: Record<Target['measure'], (slice: Slice) => number> = {
    cpu,
    'p99 ms': (slice) => slice.p99,
    'req/s': (slice) => slice.count / slice.seconds,
  }
  const judged = targets
    .filter((target) => target.workload === workload && target.during === during)
    .filter(({ of, to = of }) => measured.has(of) && measured.has(to))
    .map((target) => {
      const { of, to, measure } = target
      const figure =
        to === undefined ? median(measured.get(of)!.map(measures[measure])) : ratio(of, to, measures[measure])
      return { ...target, figure, verdict: verdict(figure, target) }
    })
  return { workload, during, rows, targets: judged }
}

/** What was measured, as a heading. */
export const titleOf = ({ workload, during }: Pick<Measurement, 'workload' | 'during'>) =>
  during === undefined ? workload : `${workload} during ${during}`

const fixed = (value: number, digits: number) => (Number.isNaN(value) ? '–' : value.toFixed(digits))

function table(columns: string[], rows: string[][]): string {
  const widths = columns.map((name, at) => Math.max(name.length, ...rows.map((row) => row[at]!.length)))
  const line = (cells: string[]) =>
    `| ${cells.map((cell, at) => (at === 0 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!))).join(' | ')} |`
  const rule = widths.map((width, at) => (at === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`))
  return [line(columns), `|${rule.join('|')}|`, ...rows.map(line)].join('\n')
}

/** One workload as a table, and its targets as a list. */
export function workloadText({ workload, during, rows, targets }: Measurement): string {
  const known = new Set(rows.map(({ id }) => id))
  const all = Object.keys(rows[0]?.ratios ?? {}).filter((base) => known.has(base))
  const bases = during === undefined ? all : []
  const hasPlain = rows.some(({ plain }) => !Number.isNaN(plain))
  const columns = [
    'server',
    'durable',
    'req/s',
    'p50 ms',
    'p99 ms',
    'cpu/1k',
    ...bases.map((base) => `÷ ${base}`),
    ...(hasPlain ? [`÷ ${plainOf[workload]}`] : []),
    ...(during === undefined ? [] : [`${during}/s meanwhile`]),
  ]
  const text = table(
    columns,
    rows.map((row) => [
      row.label,
      row.durable ? 'yes' : 'no',
      Math.round(row.requestsPerSecond).toLocaleString('en'),
      fixed(row.p50, 2),
      fixed(row.p99, 2),
      fixed(row.cpuPerThousand, 3),
      ...bases.map((base) => fixed(row.ratios[base]!, 2)),
      ...(hasPlain ? [fixed(row.plain, 2)] : []),
      ...(during === undefined ? [] : [Math.round(row.meanwhile).toLocaleString('en')]),
    ]),
  )
  const list = targets.map(({ of, to, measure, figure, verdict, ...limit }) => {
    return `- ${measure} of ${to === undefined ? of : `${of} ÷ ${to}`}: ${fixed(figure, 2)}, target ${limitText(limit)}: ${verdict}`
  })
  return list.length > 0 ? `${text}\n\n${list.join('\n')}` : text
}

const limitText = ({ atMost, atLeast }: Pick<Target, 'atMost' | 'atLeast'>) =>
  atMost !== undefined ? `≤ ${atMost}` : `≥ ${atLeast}`

/** Memory and cold start as a table, and Gatehouse's targets as a list. */
export function resourceText(resources: Resources[]): string {
  const cold = resources.some(({ coldStarts }) => coldStarts.length > 0)
  const columns = ['server', 'idle MB', 'after load MB', ...(cold ? ['cold start ms'] : [])]
  const rows = resources.map((row) => [
    row.label,
    fixed(row.idleMegabytes, 0),
    fixed(row.loadMegabytes, 0),
    ...(cold ? [fixed(median(row.coldStarts), 0)] : []),
  ])
  const list = resourceTargetsOf(resources).map(([what, figure, atMost]) => {
    return `- ${what}: ${fixed(figure, figure < 10 ? 2 : 0)}, target ≤ ${atMost}: ${verdict(figure, { atMost })}`
  })
  return list.length > 0 ? `${table(columns, rows)}\n\n${list.join('\n')}` : table(columns, rows)
}

function resourceTargetsOf(resources: Resources[]): [what: string, figure: number, atMost: number][] {
  const limits = resourceTargets
  const filled = resources.find(({ id, postgres }) => id === 'gatehouse-filled' && !postgres)
  if (filled) return [['gatehouse-filled, after load MB', filled.loadMegabytes, limits.filledMegabytes]]
  const own = resources.find(({ id, coldStarts }) => id === 'gatehouse' && coldStarts.length > 0)
  if (!own) return []
  const cold = median(own.coldStarts)
  const judged: [string, number, number][] = [
    ['gatehouse, idle MB', own.idleMegabytes, limits.idleMegabytes],
    ['gatehouse, after load MB', own.loadMegabytes, limits.loadMegabytes],
    ['gatehouse, cold start ms', cold, limits.coldStartMilliseconds],
  ]
  const peer = resources.find(({ id }) => id === 'oidc-provider')
  if (peer) {
    const share = own.loadMegabytes / peer.loadMegabytes
    judged.push(['after load, gatehouse ÷ oidc-provider', share, limits.loadShare])
    judged.push([
      'cold start, gatehouse ÷ oidc-provider',
      cold / median(peer.coldStarts),
      limits.coldStartShare,
    ])
  }
  return judged
}

/** Everything that was wrong or that a reader of the figures must know. */
export function remarks(report: Report): string[] {
  const lines: string[] = []
  for (const measured of report.workloads) {
    for (const row of measured.rows) {
      const of = `${titleOf(measured)}, ${row.label}`
      if (row.errors > 0) lines.push(`${of}: ${row.errors} wrong answers, first: ${row.firstError}`)
      if (row.generatorLoad <= 0.9) continue
      const share = Math.round(row.generatorLoad * 100)
      lines.push(`${of}: the load generator used ${share} % of a core and so limits req/s, not cpu/1k`)
    }
  }
  if (!measurable)
    lines.push('CPU and memory are read from /proc, which this system lacks: only req/s and latencies')
  return lines
}

/** The whole report as Markdown. */
export function markdown(report: Report): string {
  const facts = Object.entries(report.environment).map(([name, value]) => `${name} ${value}`)
  const parts = [
    `Measured with ${facts.join(', ')}. cpu/1k: CPU seconds of the process tree per 1,000 answers.`,
  ]
  for (const each of report.workloads) parts.push(`### ${titleOf(each)}`, workloadText(each))
  if (report.resources.length > 0) parts.push('### Memory', resourceText(report.resources))
  const wrong = remarks(report)
  if (wrong.length > 0) parts.push(wrong.map((line) => `- ${line}`).join('\n'))
  return `${parts.join('\n\n')}\n`
}
