// `node scripts/refusals.ts` writes docs/refusals.md: each row of the refusal catalogue with the tests that prove it.
// A test proves a row when its name begins with a section of a specification and names the row: `RFC 6749 §5.2: … (N61)`.

import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { namePattern } from './specifications.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
export const refusalsFile = join(root, 'docs/refusals.md')

export interface Proof {
  row: number
  /** The test's name without the row. */
  rule: string
  /** From the root of the project. */
  file: string
}

/** Every row of the catalogue, by endpoint. */
export const areas: Record<string, readonly number[]> = {
  'Authorization endpoint: the redirect is not trusted yet': span(1, 17),
  'Authorization endpoint: redirect with an error': span(18, 42),
  'Consent and sign-in pages': span(43, 48),
  'Pushed authorization requests': span(49, 53),
  'Token endpoint: every grant': span(54, 64),
  'Client assertions': span(65, 70),
  'Token endpoint: authorization code': span(71, 79),
  'Token endpoint: refresh': span(80, 87),
  'Token endpoint: other grants': span(88, 95),
  DPoP: span(96, 103),
  'Registration and its management': span(104, 109),
  'Introspection and revocation': span(110, 115),
  'Resource server': span(116, 122),
  'Logout and mix-up': span(123, 125),
}

function span(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, n) => first + n)
}

const section = `(?:${namePattern})[^\\n:(]*`
const rows = '\\((N\\d+(?:, N\\d+)*)\\)'
/** A name with its rows at the end, or right behind its section. */
const named = new RegExp(
  `(['"\`])(?:(${section}: [^\\n]*?) ${rows}|(${section}) ${rows}(: [^\\n]*?))\\1(?=\\s*[,:])`,
  'g',
)

/** Every proof in the text of a test file. */
export function proofsIn(file: string, text: string): Proof[] {
  return [...text.matchAll(named)].flatMap(([, , rule, atEnd, start, behind, rest]) =>
    (atEnd ?? behind)!
      .split(', ')
      .map((row) => ({ row: Number(row.slice(1)), rule: rule ?? `${start}${rest}`, file })),
  )
}

/** Every proof in the tests, by row, file and name. */
export function readProofs(): Proof[] {
  const files = globSync('test/**/*.ts', { cwd: root, exclude: (path) => path.endsWith('node_modules') })
  return files
    .flatMap((file) => proofsIn(file, readFileSync(join(root, file), 'utf8')))
    .sort((a, b) => a.row - b.row || compare(a.file, b.file) || compare(a.rule, b.rule))
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** The whole of docs/refusals.md. */
export function refusalsDocument(proofs: readonly Proof[]): string {
  const sections = Object.entries(areas).map(([area, rows]) => {
    const lines = rows.flatMap((row) =>
      proofs
        .filter((proof) => proof.row === row)
        .map(({ rule, file }) => `| N${row} | ${rule.replaceAll('|', '\\|')} | [${file}](../${file}) |`),
    )
    return [`## ${area}`, '', '| Row | Rule | Proof |', '|---|---|---|', ...lines, ''].join('\n')
  })
  return `# Refusals and their tests

Every rule of the refusal catalogue, with the tests that prove it. A test checks the status, the code and the form of the
response, what the refusal must not change, and the same request without the fault. Each test runs on SQLite and on
PostgreSQL. [Errors](errors.md) lists the responses.

This page is generated from the names of the tests: \`node scripts/refusals.ts\`.

${sections.join('\n')}
`
}

if (import.meta.main) writeFileSync(refusalsFile, refusalsDocument(readProofs()))
