import { createInterface } from 'node:readline/promises'
import { Failure, Usage } from './failures.ts'
import { printable } from './table.ts'

/** Asks on the terminal, and throws unless the answer is yes. Without a terminal, `--yes` is needed. */
export async function confirm(asked: string): Promise<void> {
  const question = printable(asked)
  if (!process.stdin.isTTY) throw new Usage(`${question} There is no terminal to answer on: add --yes`)
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  const answer = await lines.question(`${question} Type yes: `)
  lines.close()
  if (answer.trim() !== 'yes') throw new Failure('nothing was changed')
}
