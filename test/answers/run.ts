// Proof that a redesign leaves the wire as it was: the answers the test suite draws from the server, before and after.
//
//   npm run answers -- record before.jsonl [what npm test takes]
//   npm run answers -- compare before.jsonl after.jsonl
//
// An answer is compared by method, path, status, headers and JSON members; ids, times, secrets and text for people are
// masked (mask.ts). `compare` prints what only one side has and exits 1 where there is any.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const [command, ...given] = process.argv.slice(2)
if (command === 'record' && given[0]) process.exitCode = record(given[0], given.slice(1))
else if (command === 'compare' && given[1]) process.exitCode = compare(given[0]!, given[1])
else {
  console.error('npm run answers -- record <file> [what npm test takes], or compare <before> <after>')
  process.exitCode = 2
}

/** Their requests are made up anew in every run. */
const random = ['answers', 'fuzz', 'properties']

function record(file: string, given: string[]): number {
  const tests = given.length > 0 ? given : withoutRandom()
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-answers-'))
  const hook = new URL('hook.ts', import.meta.url).href
  const { status } = spawnSync(
    process.execPath,
    [fileURLToPath(new URL('../../scripts/test.ts', import.meta.url)), ...tests],
    {
      stdio: 'inherit',
      env: {
        ...process.env,
        RECORD_ANSWERS: folder,
        NODE_OPTIONS: `${process.env['NODE_OPTIONS'] ?? ''} --import=${hook}`.trim(),
      },
    },
  )
  const lines = new Set(readdirSync(folder).flatMap((each) => linesOf(join(folder, each))))
  rmSync(folder, { recursive: true, force: true })
  writeFileSync(
    file,
    [...lines]
      .sort()
      .map((line) => `${line}\n`)
      .join(''),
  )
  console.log(`${lines.size} different answers in ${file}`)
  return status ?? 1
}

function withoutRandom(): string[] {
  const all = readdirSync(new URL('..', import.meta.url), { withFileTypes: true })
  return all
    .filter(
      (entry) => (entry.isDirectory() || entry.name.endsWith('.test.ts')) && !random.includes(entry.name),
    )
    .map(({ name }) => `test/${name}`)
}

function compare(before: string, after: string): number {
  const [former, present] = [new Set(linesOf(before)), new Set(linesOf(after))]
  const gone = [...former].filter((line) => !present.has(line))
  const come = [...present].filter((line) => !former.has(line))
  for (const line of gone) console.log(`- ${line}`)
  for (const line of come) console.log(`+ ${line}`)
  console.log(`${former.size} answers before, ${present.size} after; ${gone.length} gone, ${come.length} new`)
  return gone.length + come.length === 0 ? 0 : 1
}

function linesOf(file: string): string[] {
  return readFileSync(file, 'utf8').split('\n').filter(Boolean)
}
