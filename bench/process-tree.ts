// CPU time and memory of a server and all its descendants, from /proc (Linux only).
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

export const measurable = process.platform === 'linux'

const ticksPerSecond = measurable ? Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' })) : 100

function stat(pid: number): { parent: number; ticks: number } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    const ticks = [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0)
    return { parent: Number(fields[1]), ticks }
  } catch {
    return undefined
  }
}

/** The process and its living descendants. */
export function processTree(root: number): number[] {
  const children = new Map<number, number[]>()
  for (const name of readdirSync('/proc')) {
    const pid = Number(name)
    const parent = Number.isInteger(pid) ? stat(pid)?.parent : undefined
    if (parent === undefined) continue
    const known = children.get(parent)
    if (known) known.push(pid)
    else children.set(parent, [pid])
  }
  const tree = [root]
  for (const pid of tree) tree.push(...(children.get(pid) ?? []))
  return tree
}

/** CPU seconds (user and system) the trees have used so far, children already reaped included. */
export function cpuSeconds(roots: number[]): number {
  let ticks = 0
  for (const root of roots) for (const pid of processTree(root)) ticks += stat(pid)?.ticks ?? 0
  return ticks / ticksPerSecond
}

function kilobytes(file: string, label: string): number {
  try {
    const found = new RegExp(`^${label}:\\s+(\\d+) kB`, 'm').exec(readFileSync(file, 'latin1'))
    return Number(found?.[1] ?? 0)
  } catch {
    return 0
  }
}

/** Megabytes in use: VmRSS of one process; for several the sum of Pss, so that shared pages count once. */
export function memoryMegabytes(roots: number[]): number {
  const pids = roots.flatMap(processTree)
  if (pids.length === 1) return kilobytes(`/proc/${pids[0]}/status`, 'VmRSS') / 1024
  return pids.reduce((sum, pid) => sum + kilobytes(`/proc/${pid}/smaps_rollup`, 'Pss'), 0) / 1024
}
