import { createInterface } from 'node:readline/promises'
import { Failure, Usage } from './failures.ts'
import { printable } from './table.ts'

/** Asks on the terminal, and throws unless the answer is yes. Where nobody can answer, `--yes` is needed. */
export async function confirm(asked: string): Promise<void> {
  const question = printable(asked)
  if (!process.stdin.isTTY) throw new Usage(`${question} Nobody can answer here: --yes says so`)
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  const answer = await lines.question(`${question} Type yes: `)
  lines.close()
  if (answer.trim() !== 'yes') throw new Failure('nothing was changed')
}
