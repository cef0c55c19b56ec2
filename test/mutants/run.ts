// `npm run mutants`: turns off one rule of the server after the other and lets `verify` look at it from outside.
//
//   npm run mutants                                  every mutant, as a table
//   npm run mutants -- --only code_replayed          one reason or rule; may be repeated
//   npm run mutants -- --from 100 --count 20         a part of the table
//   npm run mutants -- --jobs 1 --json               one at a time, one JSON value a line
//   npm run mutants -- --prove-invisible             runs the project's own test against each that is not visible
//
// Exit code: 0 when every visible mutant is caught (or every proof holds), 1 when one is missed, 2 for wrong options.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { startPostgres } from '../support/postgres.ts'
import { type Mutant, rules } from './mutant.ts'
import { mutants } from './table.ts'
import { environmentOf, tryMutant, type Verdict } from './try.ts'

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    from: { type: 'string', default: '1' },
    count: { type: 'string' },
    jobs: { type: 'string', default: '2' },
    json: { type: 'boolean', default: false },
    'prove-invisible': { type: 'boolean', default: false },
  },
})

interface Line {
  number: number
  rule: string
  mutant: string
  verdict: Verdict['verdict']
  detail: string
}

let postgres: ReturnType<typeof startPostgres> | undefined
const chosen = choose()
const lines = await inTurn(chosen, values['prove-invisible'] ? prove : look)
await (await postgres)?.stop()
const missed = lines.filter(({ verdict }) => verdict === 'missed')
if (!values.json) {
  const count = (verdict: Verdict['verdict']) => lines.filter((line) => line.verdict === verdict).length
  const reasons = new Set(
    chosen.map(({ mutant: { rule } }) => rule).filter((rule) => !rules.includes(rule as never)),
  )
  console.log(
    `\n${lines.length} mutants of ${reasons.size} reasons and ${new Set(chosen.map(({ mutant }) => mutant.rule)).size - reasons.size} other rules: ` +
      `${count('caught')} caught, ${count('missed')} missed, ${count('not visible')} not visible from outside.`,
  )
}
process.exitCode = missed.length > 0 ? 1 : 0

function choose(): { number: number; mutant: Mutant }[] {
  const all = mutants.map((mutant, at) => ({ number: at + 1, mutant }))
  const { only } = values
  const unknown = only?.find((one) => !mutants.some(({ rule }) => rule === one))
  if (unknown !== undefined) {
    console.error(`${unknown} is no reason of src/*/refusals.ts and no rule of test/mutants/mutant.ts`)
    process.exit(2)
  }
  const named = all.filter(({ mutant }) => only?.includes(mutant.rule) ?? true)
  const fit = values['prove-invisible'] ? named.filter(({ mutant }) => mutant.hidden) : named
  const first = Number(values.from) - 1
  return fit.slice(first, values.count === undefined ? undefined : first + Number(values.count))
}

/** As many at a time as `--jobs` says, told in the order of the table; as JSON, as they come. */
async function inTurn(
  list: { number: number; mutant: Mutant }[],
  run: (mutant: Mutant) => Promise<Pick<Line, 'verdict' | 'detail'>>,
): Promise<Line[]> {
  const results = list.map(() => Promise.withResolvers<Line>())
  let next = 0
  const worker = async () => {
    for (let at = next++; at < list.length; at = next++) {
      const { number, mutant } = list[at]!
      const line = { number, rule: mutant.rule, mutant: sayEdit(mutant), ...(await run(mutant)) }
      if (values.json) console.log(JSON.stringify(line))
      results[at]!.resolve(line)
    }
  }
  const workers = Promise.all(Array.from({ length: Number(values.jobs) }, worker))
  const lines: Line[] = []
  if (!values.json) console.log('| | Rule | Mutant | Verdict | |\n|--:|---|---|---|---|')
  for (const { promise } of results) {
    const line = await Promise.race([promise, workers.then(() => promise)])
    if (!values.json) console.log(sayLine(line))
    lines.push(line)
  }
  return lines
}

async function look(mutant: Mutant): Promise<Pick<Line, 'verdict' | 'detail'>> {
  const verdict = await tryMutant(mutant)
  if (verdict.verdict === 'caught') return { verdict: 'caught', detail: `${verdict.by}: ${verdict.what}` }
  if (verdict.verdict === 'missed') return { verdict: 'missed', detail: verdict.notShown.join('; ') }
  return { verdict: 'not visible', detail: `${verdict.because} (${mutant.hidden!.test})` }
}

/** The test that sees what nobody outside does, against the mutant: it must fail. On one database it fails as well. */
async function prove(mutant: Mutant): Promise<Pick<Line, 'verdict' | 'detail'>> {
  const { test } = mutant.hidden!
  const { url } = await (postgres ??= startPostgres({ fsync: false }))
  const options = [
    ...['--test', '--conditions=gatehouse-source', '--test-reporter=tap', '--test-timeout=60000'],
    '--test-skip-pattern=\\(postgres\\)',
    '--test-force-exit',
  ]
  const child = spawn(process.execPath, [...options, test], {
    env: { ...environmentOf(mutant), TEST_POSTGRES_URL: url },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  let text = ''
  child.stdout.on('data', (chunk) => {
    text += chunk
  })
  await once(child, 'exit')
  const failed = [...text.matchAll(/^ *not ok \d+ - (.*)$/gm)].map(([, name]) => name!)
  return failed.length > 0
    ? { verdict: 'caught', detail: `${test}: ${failed[0]}` }
    : { verdict: 'missed', detail: test }
}

function sayEdit({ edits }: Mutant): string {
  const brief = (text: string) => text.replace(/\s+/g, ' ').trim().slice(0, 120)
  return edits
    .map(({ file, find, replace }) => `${file}: ${brief(find)} → ${brief(replace) || '(nothing)'}`)
    .join('; ')
}

function sayLine({ number, rule, mutant, verdict, detail }: Line): string {
  const cell = (text: string) => text.replace(/\|/g, '\\|').replace(/\s+/g, ' ')
  return `| ${number} | ${rule} | \`${cell(mutant)}\` | ${verdict} | ${cell(detail).slice(0, 200)} |`
}
