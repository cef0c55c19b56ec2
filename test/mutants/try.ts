// One mutant against the suite: a process serves it, `verify` looks at it from outside.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { CannotRun } from '../../src/verify/failures.ts'
import { type Report, type Verification, verify } from '../../src/verify/run.ts'
import type { Mutant } from './mutant.ts'

/** How long a server may take to start, in milliseconds: longer than any, even on a busy machine. */
const startTime = 60_000
/** How long it may take to end. */
const endTime = 30_000
const program = fileURLToPath(new URL('serve.ts', import.meta.url))
const hook = new URL('hook.ts', import.meta.url).href

export type Verdict =
  | { verdict: 'caught'; by: string; what: string }
  | { verdict: 'missed'; notShown: readonly string[] }
  | { verdict: 'not visible'; because: string }

/** What a process needs to load a mutant; for tests as well as for servers. */
export function environmentOf({ edits }: Pick<Mutant, 'edits'>): NodeJS.ProcessEnv {
  const own = process.env['NODE_OPTIONS'] ?? ''
  return {
    ...process.env,
    MUTANT: JSON.stringify(edits),
    // Most of a start is reading files that are the same in every mutant.
    NODE_COMPILE_CACHE: join(tmpdir(), 'gatehouse-mutants'),
    NODE_OPTIONS: `${own} --import=${hook}`.trim(),
  }
}

/** Tries the rules that are expected to see it, and then all; `only` these where they are given. */
export async function tryMutant(mutant: Mutant, only?: readonly string[]): Promise<Verdict> {
  if (mutant.hidden) return { verdict: 'not visible', because: mutant.hidden.because }
  if (only) return tryRules(mutant, only)
  const first = mutant.by.length > 0 ? await tryRules(mutant, mutant.by) : undefined
  return first?.verdict === 'caught' ? first : tryRules(mutant)
}

async function tryRules(mutant: Mutant, only?: readonly string[]): Promise<Verdict> {
  const child = spawn(process.execPath, ['--conditions=gatehouse-source', program, mutant.server], {
    env: environmentOf(mutant),
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  const exit = once(child, 'exit')
  try {
    const server = await started(child)
    if (!server) return { verdict: 'caught', by: 'start', what: 'the server does not start' }
    return verdictOf(await verify({ ...server, ...(only && { only }) }))
  } catch (error) {
    if (error instanceof CannotRun) return { verdict: 'caught', by: 'flow', what: error.message }
    throw error
  } finally {
    child.stdin!.end()
    const late = setTimeout(() => child.kill('SIGKILL'), endTime)
    await exit
    clearTimeout(late)
  }
}

async function started(child: ChildProcess): Promise<Verification | undefined> {
  const timer = setTimeout(() => child.kill(), startTime)
  try {
    for await (const line of createInterface({ input: child.stdout! })) {
      if (line.startsWith('{')) return JSON.parse(line) as Verification
    }
    return undefined
  } finally {
    clearTimeout(timer)
  }
}

function verdictOf({ checks }: Report): Verdict {
  const caught = checks.filter(({ result }) => result === 'fell_short')
  const notShown = checks.filter(({ result }) => result === 'not_shown')
  const [finding] = caught[0]?.findings ?? []
  return finding
    ? { verdict: 'caught', by: caught.map(({ id }) => id).join(' '), what: finding.what }
    : { verdict: 'missed', notShown: notShown.map(({ id, reason }) => `${id}: ${reason}`) }
}
