// One fault after another: load, the fault, its end, a while without errors, and a look at every token that was answered.

import { setTimeout as sleep } from 'node:timers/promises'
import type { Dialect } from '../support/gatehouse.ts'
import type { Fault } from './faults.ts'
import { openStage, type Stage } from './stage.ts'

export interface Row {
  fault: string
  dialect: Dialect
  requests: number
  errors: Record<string, number>
  /** Seconds from the end of the fault to the last error; undefined when they did not end. */
  recovery: number | undefined
  deadSessions: number
  tokens: number
  lost: number
}

export interface FaultOptions {
  processes: number
  people: number
  /** Milliseconds. */
  lasts: number
  onRow?: (row: Row) => void
}

/** Milliseconds without an error after which a deployment has recovered, and after which it will not. */
const [calm, hopeless] = [3_000, 90_000]

/** Does every fault that the database can have. Answers a row for each, and where the journal is when something was lost. */
export async function proveFaults(
  dialect: Dialect,
  faults: readonly Fault[],
  options: FaultOptions,
): Promise<{ rows: Row[]; journal: string | undefined }> {
  const stage = await openStage(dialect, options.processes)
  const rows: Row[] = []
  let bad = true
  try {
    stage.load.start(options.people)
    await untilServed(stage)
    for (const fault of faults) {
      if (!fault.on.includes(dialect)) continue
      const row = await prove(stage, fault, options)
      options.onRow?.(row)
      rows.push(row)
    }
    await stage.load.stop()
    bad = rows.some(isBad)
  } finally {
    await stage.load.stop()
    await stage.close(bad)
  }
  return { rows, journal: bad ? stage.folder : undefined }
}

/** An answered token is gone, or something was answered 500. */
export function isBad(row: Row): boolean {
  return row.lost > 0 || row.deadSessions > 0 || (row.errors['500'] ?? 0) > 0
}

async function prove(stage: Stage, fault: Fault, { lasts }: FaultOptions): Promise<Row> {
  const { load } = stage
  load.takeTally()
  await sleep(500)
  await fault.run(stage, lasts)
  const healed = performance.now()
  let recovered: boolean
  for (;;) {
    await sleep(100)
    const now = performance.now()
    recovered = now - Math.max(healed, load.lastError) > calm && load.oldestWaiting > now - calm
    if (recovered || now - healed > hopeless) break
  }
  const { requests, errors, lastError, deadSessions } = load.takeTally()
  const lost = await load.verify()
  load.takeTally()
  return {
    fault: fault.name,
    dialect: stage.dialect,
    requests,
    errors: Object.fromEntries([...errors].sort()),
    recovery: recovered ? Math.max(0, lastError - healed) / 1_000 : undefined,
    deadSessions,
    tokens: load.answeredTokens,
    lost: lost.length,
  }
}

async function untilServed({ load }: Stage): Promise<void> {
  while (load.answeredTokens < 20) await sleep(50)
}

export const heading =
  '| fault | requests | errors by status | recovered after | answered tokens looked at | lost tokens | dead sessions |\n|---|--:|---|--:|--:|--:|--:|'

export function tableRow(row: Row): string {
  const errors = Object.entries(row.errors).map(([kind, count]) => `${kind}: ${count}`)
  const cells = [
    `${row.fault} (${row.dialect === 'sqlite' ? 'SQLite' : 'PostgreSQL'})`,
    row.requests.toLocaleString('en'),
    errors.join(', ') || 'none',
    row.recovery === undefined ? 'never' : `${row.recovery.toFixed(1)} s`,
    row.tokens.toLocaleString('en'),
    row.lost,
    row.deadSessions,
  ]
  return `| ${cells.join(' | ')} |`
}
