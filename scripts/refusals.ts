// `node scripts/refusals.ts` writes docs/refusals.md: each row of the refusal catalogue with the tests that prove it.
// A test proves a row when its name begins with a section of a specification and names the row: `RFC 6749 §5.2: … (N61)`.

import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
export const refusalsFile = join(root, 'docs/refusals.md')

export interface Proof {
  row: number
  /** The test's name without the row. */
  rule: string
  /** From the root of the project. */
  file: string
}

/** Rows of the catalogue that concern what is built, by the endpoint they are asked at. */
export const areas: Record<string, readonly number[]> = {
  'Authorization endpoint: the redirect is not trusted yet': span(1, 12),
  'Authorization endpoint: redirect with an error': [...span(18, 30), 32, 33, 37, 39, 41],
  'Consent and sign-in pages': span(43, 48),
  'Token endpoint: every grant': span(54, 64),
  'Client assertions': [70],
  'Token endpoint: authorization code': span(71, 79),
  'Token endpoint: refresh': span(80, 86),
  'Token endpoint: client credentials': [88, 89],
  'Introspection and revocation': span(110, 115),
  'Resource server': span(116, 121),
  'Mix-up': [125],
}

/** Rows of what is not built: a request for it is refused as something that is not supported. */
export const later: Record<string, readonly number[]> = {
  'Pushed authorization requests': [13, 14, 38, ...span(49, 53)],
  'Client documents by URL and registration': [15, 16, 17, ...span(104, 109)],
  'Request objects': span(34, 36),
  'OpenID Connect: acr, nonce policy, userinfo, logout': [31, 42, 122, 123, 124],
  'Rich authorization requests': [40],
  'Client assertions with keys': span(65, 69),
  DPoP: [87, ...span(96, 103)],
  'Token exchange, JWT bearer and device grants': span(90, 95),
}

function span(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, n) => first + n)
}

const section = '(?:RFC \\d+|OAuth 2\\.1|OpenID Connect Core)[^\\n:(]*'
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
  const rest = Object.entries(later).map(
    ([feature, rows]) => `| ${feature} | ${rows.map((row) => `N${row}`).join(', ')} |`,
  )
  return `# What is refused, and where that is proved

Every row of the refusal catalogue that concerns what is built, with the tests that prove it: the status, the code and
the form of the answer, what the refusal must not change, and the same request made right. Each runs on SQLite and on
PostgreSQL. The answers themselves stand in [errors.md](errors.md).

This page is generated from the names of the tests: \`node scripts/refusals.ts\`.

${sections.join('\n')}
## What is not built

Rows of features that are not there. Their parameters and grant types are refused as not supported, or ignored as
unknown where the specifications say so.

| Feature | Rows |
|---|---|
${rest.join('\n')}
`
}

if (import.meta.main) writeFileSync(refusalsFile, refusalsDocument(readProofs()))
