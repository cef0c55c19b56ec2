// docs/clients.md is generated; here it is held to the tests.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import {
  checklists,
  clientProofsIn,
  clientsDocument,
  clientsFile,
  readClientProofs,
} from '../../scripts/clients.ts'

describe('docs/clients.md', () => {
  const proofs = readClientProofs()
  const items = Object.values(checklists).flatMap((list) => Object.keys(list))

  test('is what scripts/clients.ts writes', () => {
    assert.equal(readFileSync(clientsFile, 'utf8'), clientsDocument(proofs), 'run: node scripts/clients.ts')
  })

  test('has a proof for every item, and no proof of an item that is not on it', () => {
    const proved = new Set(proofs.map((proof) => proof.item))
    assert.deepEqual(
      items.filter((one) => !proved.has(one)),
      [],
    )
    assert.deepEqual(
      [...proved].filter((one) => !items.includes(one)),
      [],
    )
  })

  test('finds the items at the beginning of a name and in parentheses, and nothing else', () => {
    const text = `test('A4, CL2: one', () => {}); describe("H1–H3: two", () => {})
      test('RFC 8414 §3: three (B1)', () => {}); const x = 'B2'; test('four A5 of five', () => {})`
    assert.deepEqual(
      clientProofsIn('x', text).map((proof) => proof.item),
      ['A4', 'CL2', 'H1', 'H2', 'H3', 'B1'],
    )
  })
})
