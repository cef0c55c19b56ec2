// The documentation keeps to its glossary, and to plain English.

import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const read = (file: string) => readFileSync(`${root}/${file}`, 'utf8')

/** Pages that a script writes: their sentences are mended in their sources. */
const generated = ['docs/clients.md', 'docs/configuration.md', 'docs/errors.md', 'docs/refusals.md']
/** Pages that quote test names, or describe earlier releases. */
const quoting = ['docs/mission.md', 'CHANGELOG.md']

const pages = [
  ...globSync('*.md', { cwd: root }),
  ...globSync('{docs,examples}/**/*.md', { cwd: root, exclude: (path) => path.endsWith('node_modules') }),
].sort()

/** The prose of a page: no code, no names of files, no addresses of links. */
function proseOf(file: string): string {
  return (
    read(file)
      .replaceAll(/^```[\s\S]*?^```$/gm, '')
      // Rows that `verify` and `mutants` print.
      .replaceAll(/^\| N\d+ \|.*$/gm, '')
      // What `npm run paths -- --write` writes: names of files, former ones too.
      .replaceAll(/<!-- npm run paths[^>]*begin -->[\s\S]*?<!-- npm run paths[^>]*end -->/g, '')
      .replaceAll(/`[^`\n]*`/g, '')
      .replaceAll(/\b[\w./-]+\.ts\b/g, '')
      .replaceAll(/\]\([^)\s]+\)/g, ']')
  )
}

/** Words that carry a conceit, or read as translated, with what to write instead. */
const banned: [RegExp, string][] = [
  [/\bhouses?\b/i, 'domain, layer, codebase'],
  [/\brooms?\b/i, 'folder, domain, space'],
  [/\bnobody\b/i, 'no one, no user, or the passive voice'],
  [/\bwhoever\b/i, 'anyone who, a client that'],
  [/\bstrangers?\b/i, 'unknown client, unauthenticated caller, third party'],
  [/\bvisitors?\b/i, 'user, browser'],
  [/\bneighbours?\b/i, 'name the thing'],
  [/\bhonest(?:ly|y)?\b/i, 'legitimate'],
  [/\barrivals?\b/i, 'pending request'],
  [/\btrouble\b/i, 'fault, failure'],
  [/\b(?:takes? turns|in turn|by turns)\b/i, 'one after the other, alternate'],
]

describe('documentation', () => {
  test('uses no banned word', () => {
    const found: string[] = []
    for (const file of pages.filter((page) => !generated.includes(page) && !quoting.includes(page))) {
      for (const line of proseOf(file).split('\n')) {
        for (const [word, instead] of banned) {
          const match = word.exec(line)
          if (match) found.push(`${file}: "${match[0]}" (write: ${instead}) in: ${line.slice(0, 160)}`)
        }
      }
    }
    assert.ok(pages.length > 50)
    assert.deepEqual(found, [])
  })

  test('finds a banned word where there is one', () => {
    for (const text of ['Nobody knows.', 'two rooms', 'They take turns.', 'an honest client']) {
      assert.ok(
        banned.some(([word]) => word.test(text)),
        text,
      )
    }
  })
})

describe('docs/glossary.md', () => {
  const glossary = read('docs/glossary.md')
  const [defined, reserved] = glossary.split('## Reserved terms') as [string, string]
  const termsOf = (text: string) => [...text.matchAll(/^### (.+)$/gm)].map((match) => match[1]!)

  test('defines each term once, in one sentence', () => {
    const terms = termsOf(glossary)
    assert.ok(terms.length > 40)
    assert.deepEqual(
      terms.filter((term, n) => terms.indexOf(term) !== n),
      [],
    )
    const entries = glossary.matchAll(/^### (.+)\n\n([^#]+?)\n(?=\n|$)/gm)
    const sentences = new Map([...entries].map((match) => [match[1]!, match[2]!]))
    assert.deepEqual(
      terms.filter((term) => !/^[^\n]+\.$/.test(sentences.get(term) ?? '')),
      [],
    )
  })

  test('defines only terms that the documentation uses', () => {
    const prose = pages
      .filter((page) => page !== 'docs/glossary.md')
      .map(proseOf)
      .join('\n')
      .toLowerCase()
    const unused = termsOf(defined).filter((term) => !prose.includes(term.toLowerCase()))
    assert.deepEqual(unused, [])
    assert.ok(termsOf(reserved).length > 0)
  })

  test('is linked from README.md, AGENTS.md and docs/architecture.md', () => {
    for (const file of ['README.md', 'AGENTS.md', 'docs/architecture.md']) {
      assert.match(read(file), /\((?:[^)\s]*\/)?glossary\.md\)/, file)
    }
  })
})
