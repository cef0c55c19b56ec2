// docs/mission.md names, for each row of the mission, tests that exist.

import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const page = readFileSync(join(root, 'docs/mission.md'), 'utf8')

interface Row {
  id: string
  proofs: { file: string; name: string }[]
}

/** `test/x.test.ts`: “one name”, “another”; `test/y.test.ts`: “a third” */
function proofsIn(cell: string): Row['proofs'] {
  return [...cell.matchAll(/`(test\/[^`]+)`: ((?:“[^”]*”(?:, )?)+)/g)].flatMap(([, file, names]) =>
    [...names!.matchAll(/“([^”]*)”/g)].map(([, name]) => ({ file: file!, name: name! })),
  )
}

const rows: Row[] = page
  .split('\n')
  .map((line) => line.split(' | '))
  .filter(([first]) => /^\| [RC]\d+$/.test(first!))
  .map((cells) => ({ id: cells[0]!.slice(2), proofs: proofsIn(cells.at(-1)!) }))

/** Names of tests as they are written; what a template fills in stands as “…”. */
function namesIn(file: string): string[] {
  const source = readFileSync(join(root, file), 'utf8')
  return [...source.matchAll(/\b(?:test|it)\(\s*(['"`])((?:\\.|(?!\1)[\s\S])*?)\1/g)].map((match) =>
    match[2]!.replaceAll(/\$\{[^}]*\}/g, '…').replaceAll("\\'", "'"),
  )
}

const range = (letter: string, from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, n) => `${letter}${from + n}`)

describe('docs/mission.md', () => {
  test('has each row of this part once', () => {
    const expected = [
      ...range('R', 1, 24),
      ...range('R', 27, 28),
      ...range('R', 73, 83),
      'R85',
      'C1',
      ...range('C', 3, 14),
      ...['C18', 'C19', 'C20', 'C21', 'C23', 'C24', 'C26', 'C29', 'C30'],
    ]
    assert.deepEqual(
      rows.map(({ id }) => id),
      expected,
    )
  })

  test('names at least one test for each row', () => {
    assert.deepEqual(
      rows.filter(({ proofs }) => proofs.length === 0).map(({ id }) => id),
      [],
    )
  })

  test('names tests that exist', () => {
    const wrong = rows.flatMap(({ id, proofs }) =>
      proofs
        .filter(({ file, name }) => !existsSync(join(root, file)) || !namesIn(file).includes(name))
        .map(({ file, name }) => `${id}: ${file}: ${name}`),
    )
    assert.deepEqual(wrong, [])
  })
})
