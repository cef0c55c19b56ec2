// `npm run nightly`: the matrices and the long runs that `npm test` tries at their smallest size, one after the other.
//
//   npm run nightly                          all of them; hours on a small machine
//   npm run nightly -- --only races,mutants  some of them
//   npm run nightly -- --out nightly.md      the report to a file, too
//
// Prints a dated report with what each run printed last. Exit code: 0 when every run ended with 0, 1 otherwise, 2 for wrong
// options.

import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Name, command of package.json, its arguments. */
const runs: readonly (readonly [name: string, script: string, ...args: string[]])[] = [
  ['races', 'races', '--rounds', '200'],
  ['crashes', 'crashes', '--rounds', '10'],
  ['faults', 'faults', '--long'],
  ['growth', 'growth'],
  ['mutants', 'mutants'],
  ['invisible', 'mutants', '--prove-invisible'],
  ['bench', 'bench'],
  ['bench-postgres', 'bench', '--postgres'],
  ['rows', 'bench', '--rows', '5000000'],
  ['rows-postgres', 'bench', '--rows', '5000000', '--postgres'],
  ['clean-up', 'bench', '--clean-up', '1000000'],
  ['clean-up-postgres', 'bench', '--clean-up', '1000000', '--postgres'],
  ['slow-disk', 'bench', '--slow-disk', '2'],
  ['steady', 'bench', '--steady', '3600'],
]
const names = runs.map(([name]) => name)
const shownLines = 60

process.exitCode = await nightly()

async function nightly(): Promise<number> {
  const options = readOptions()
  if (!options) return 2
  const { only, out } = options
  const lines = [heading()]
  let failed = 0
  for (const [name, script, ...args] of runs.filter(([name]) => only.includes(name))) {
    const command = ['npm', 'run', script, ...(args.length > 0 ? ['--', ...args] : [])].join(' ')
    console.log(`\n## ${name}: ${command}`)
    const started = performance.now()
    const { code, output } = await run(script, args)
    const minutes = ((performance.now() - started) / 60_000).toFixed(1)
    if (code !== 0) failed += 1
    const last = output.trimEnd().split('\n').slice(-shownLines).join('\n')
    lines.push(
      `## ${name}\n\n\`${command}\`, ${minutes} minutes, exit code ${code}\n\n\`\`\`\n${last}\n\`\`\``,
    )
    if (out !== undefined) writeFileSync(out, `${lines.join('\n\n')}\n`)
  }
  console.log(`\n${lines.join('\n\n')}`)
  return failed === 0 ? 0 : 1
}

function readOptions(): { only: string[]; out: string | undefined } | undefined {
  try {
    const { values } = parseArgs({ options: { only: { type: 'string' }, out: { type: 'string' } } })
    const only = values.only?.split(',') ?? names
    const unknown = only.find((name) => !names.includes(name))
    if (unknown === undefined) return { only, out: values.out }
    console.error(`--only: ${unknown} is not one of ${names.join(', ')}`)
  } catch (error) {
    console.error((error as Error).message)
  }
  return undefined
}

/** What the figures were measured on. */
function heading(): string {
  const git = (...args: string[]) => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim()
  const changed = git('status', '--porcelain') === '' ? '' : ', with changes that are not committed'
  const day = new Date().toISOString().slice(0, 10)
  const memory = Math.round(totalmem() / 2 ** 30)
  return `# Nightly run of ${day}\n\nCommit ${git('rev-parse', '--short', 'HEAD')}${changed}; Node ${process.versions.node}, ${process.platform} ${process.arch}, ${cpus().length} × ${cpus()[0]?.model.trim()}, ${memory} GiB.`
}

/** Runs a script of package.json; what it prints is shown as it comes and kept. */
async function run(script: string, args: string[]): Promise<{ code: number; output: string }> {
  const child = spawn('npm', ['run', '--silent', script, '--', ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    process.stdout.write(text)
    output += text
  })
  const [code, signal] = await once(child, 'close')
  return { code: code ?? (signal ? 1 : 0), output }
}
