// `node scripts/oauth-index.ts`: writes the tables of src/oauth/README.md, from a section of a specification to the file
// that holds its rule and the tests that prove it. test/docs/oauth-index.test.ts fails while they are out of date.

import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { aliases, namePattern, titles } from './specifications.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

/** A section of a specification; an empty one means the specification as a whole. */
export interface Reference {
  specification: string
  section: string
}

/** What the tables are made from, by path from the project's root. */
export interface Texts {
  sources: ReadonlyMap<string, string>
  tests: ReadonlyMap<string, string>
}

/** `§4.1–4.3`, `§4.1-§4.3` and `§4.1-4.3` are ranges; `§5.3-2` is the second item of a list there. */
const reference = new RegExp(
  `\\b(${namePattern})(?:-\\d\\d)?(?: 1\\.0)?|(?:§|(?=Appendix ))(Appendix [A-Z]|[0-9A-Z]+(?:\\.[0-9]+)*)(?:(?:-§|–§?|-(?=[0-9]+\\.))([0-9]+(?:\\.[0-9]+)*)|-[0-9]+)?`,
  'g',
)

/** Every section a text names, each under the specification named last before it: `RFC 6749 §4.1.3, §5.2; RFC 7636 §4.6`. */
export function referencesIn(text: string): Reference[] {
  const found: Reference[] = []
  let specification = ''
  let sections = 0
  const whole = () => {
    if (specification !== '' && sections === 0) found.push({ specification, section: '' })
  }
  for (const [, name, section, last] of text.matchAll(reference)) {
    if (name !== undefined) {
      whole()
      specification = aliases[name] ?? name
      sections = 0
    } else if (specification !== '') {
      for (const each of last === undefined ? [section!] : range(section!, last)) {
        found.push({ specification, section: each })
      }
      sections++
    }
  }
  whole()
  return found
}

/** `4.1` to `4.6`: the sections between two siblings. */
function range(first: string, last: string): string[] {
  const parent = first.slice(0, first.lastIndexOf('.') + 1)
  const [from, to] = [first, last].map((one) => Number(one.slice(one.lastIndexOf('.') + 1)))
  if (!last.startsWith(parent) || !(to! > from!)) return [first, last]
  return Array.from({ length: to! - from! + 1 }, (_, n) => `${parent}${from! + n}`)
}

/** The comment a file begins with, as one line. */
export function firstComment(source: string): string {
  const lines = /^(?:\/\/.*\n?)+/.exec(source)?.[0] ?? ''
  return lines
    .split('\n')
    .map((line) => line.replace(/^\/\/ ?/, ''))
    .join(' ')
    .trim()
}

/** Every comment behind the first one. */
function laterComments(source: string): string[] {
  const first = /^(?:\/\/.*\n?)+/.exec(source)?.[0].length ?? 0
  return [...source.slice(first).matchAll(/\/\*\*[\s\S]*?\*\/|(?<=^|\s)\/\/ .*/gm)].map((match) => match[0])
}

/** Names of tests that begin with a section, wherever the file keeps them: in the call or in a table of cases. */
function provenSections(source: string): Reference[] {
  const names = source.matchAll(
    new RegExp(`(['"\`])((?:${namePattern})(?:-\\d\\d)?(?: 1\\.0)? (?:§|Appendix )[^:'"\`]*):`, 'g'),
  )
  return [...names].flatMap((match) => referencesIn(match[2]!))
}

interface Row {
  rule: Set<string>
  also: Set<string>
  proof: Set<string>
}

/** The index: specification → section → files. */
export function indexOf({ sources, tests }: Texts): Map<string, Map<string, Row>> {
  const index = new Map<string, Map<string, Row>>()
  const rowOf = ({ specification, section }: Reference): Row => {
    const sections = index.get(specification) ?? new Map<string, Row>()
    index.set(specification, sections)
    const row = sections.get(section) ?? { rule: new Set(), also: new Set(), proof: new Set() }
    sections.set(section, row)
    return row
  }
  for (const [file, source] of sources) {
    if (ofProtocol(file)) {
      for (const each of referencesIn(firstComment(source))) rowOf(each).rule.add(file)
    }
    const comments = ofProtocol(file)
      ? laterComments(source)
      : [firstComment(source), ...laterComments(source)]
    for (const each of comments.flatMap(referencesIn)) {
      const row = rowOf(each)
      if (!row.rule.has(file)) row.also.add(file)
    }
  }
  for (const [file, source] of tests) for (const each of provenSections(source)) rowOf(each).proof.add(file)
  for (const sections of index.values()) {
    const whole = sections.get('')
    if (whole && whole.rule.size === 0 && whole.proof.size === 0) sections.delete('')
  }
  return index
}

/** Where one specification is one file, and a file begins with the sections it implements. */
function ofProtocol(file: string): boolean {
  return /^src\/(oauth|protocol|api)\//.test(file)
}

/** The generated part of src/oauth/README.md. */
export function renderIndex(texts: Texts): string {
  const index = indexOf(texts)
  const known = Object.keys(titles)
  const order = (name: string) => (known.includes(name) ? known.indexOf(name) : known.length)
  const names = [...index.keys()]
    .filter((name) => index.get(name)!.size > 0)
    .sort((a, b) => order(a) - order(b) || a.localeCompare(b))
  const parts = names.map((name) => {
    const rows = [...index.get(name)!].sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }))
    const title = titles[name] ? `${name}: ${titles[name]}` : name
    const lines = rows.map(
      ([section, { rule, also, proof }]) =>
        `| ${section === '' ? 'as a whole' : `${name.startsWith('RFC') ? `${name} ` : ''}${section.startsWith('Appendix') ? '' : '§'}${section}`} | ${links(rule)} | ${links(also)} | ${links(proof)} |`,
    )
    return `### ${title}\n\n| Section | Rule | Also at work in | Proof |\n|---|---|---|---|\n${lines.join('\n')}`
  })
  return `## From section to file\n\n${parts.join('\n\n')}\n\n## From file to section\n\n${renderFiles(texts)}`
}

function renderFiles({ sources }: Texts): string {
  const rows = [...sources]
    .filter(([file]) => ofProtocol(file))
    .map(([file, source]) => `| ${link(file)} | ${purposeOf(file, source)} |`)
  return `| File | What it holds |\n|---|---|\n${rows.join('\n')}`
}

function purposeOf(file: string, source: string): string {
  const comment = firstComment(source)
  if (comment !== '' || !file.includes('/records/')) return cell(comment)
  const statements = [
    ...source.matchAll(/^export (?:const|function) (\w+)(?: = (?:select|write)\(|\([^)]*\)[^{]*\{)/gm),
  ].map((match) => `\`${match[1]}\``)
  const table = file.split('/').at(-1)!.replace('.ts', '').replaceAll('-', '_')
  const used = new RegExp(`(from|update|insert\\(') ?${table}\\b`).test(source)
  return `${used ? `table \`${table}\`` : 'SQL'}: ${statements.join(', ')}`
}

function links(files: ReadonlySet<string>): string {
  return [...files].sort().map(link).join(', ')
}

function link(file: string): string {
  const short = file.replace(/^src\/(oauth\/)?/, '').replace(/^test\//, '')
  return `[${short}](${relative('src/oauth', file)})`
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;')
}

export function readTexts(): Texts {
  const read = (pattern: string) =>
    new Map(
      globSync(pattern, { cwd: root, exclude: (path) => path.endsWith('node_modules') })
        .sort()
        .map((file) => [file, readFileSync(join(root, file), 'utf8')]),
    )
  return { sources: read('src/**/*.ts'), tests: read('test/**/*.ts') }
}

const begin = '<!-- written by scripts/oauth-index.ts -->'

/** The file with its generated part brought up to date. */
export function withIndex(readme: string, texts: Texts): string {
  const at = readme.indexOf(begin)
  if (at < 0) throw new Error(`src/oauth/README.md has lost the line ${begin}`)
  return `${readme.slice(0, at)}${begin}\n\n${renderIndex(texts)}\n`
}

if (import.meta.main) {
  const file = join(root, 'src/oauth/README.md')
  writeFileSync(file, withIndex(readFileSync(file, 'utf8'), readTexts()))
}
