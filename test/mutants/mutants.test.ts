// The table of mutants is whole and fits the source, and a sample of it is caught; `npm run mutants` tries all.

import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { describe, test } from 'node:test'
import { allRefusals } from '../../scripts/refusal-tables.ts'
import { checks } from '../../src/verify/catalogue.ts'
import { edited, fileOf, type Mutant, rules } from './mutant.ts'
import { mutants } from './table.ts'
import { tryMutant } from './try.ts'

const nameOf = ({ rule, edits }: Mutant) => `${rule}: ${edits[0]!.find.trim()}`

/** What `verify` once passed, and one of each kind beside. */
const sample = [
  'user_denied',
  'iss in every response',
  'dpop_proof_replayed',
  'a pushed request is not overruled',
  'redirect URIs are compared whole',
  'pkce_missing',
  'code_replayed',
  'old refresh tokens end their session',
  'client_secret_wrong',
  'consent_required',
  'initial_access_token_invalid',
  'inactive tokens are inactive',
]

describe('mutants, the table', () => {
  test('has a mutant for every reason a request is refused, and for every rule beside', () => {
    const tried = new Set<string>(mutants.map(({ rule }) => rule))
    assert.deepEqual(
      [...Object.keys(allRefusals), ...rules].filter((rule) => !tried.has(rule)),
      [],
    )
  })

  test('every place stands in its file exactly once, and what replaces it still parses', () => {
    for (const mutant of mutants) {
      const files = Map.groupBy(mutant.edits, ({ file }) => file)
      for (const edits of files.values()) {
        const source = readFileSync(fileOf(edits[0]!), 'utf8')
        const text = edited(edits, source)
        assert.notEqual(text, source, nameOf(mutant))
        assert.doesNotThrow(() => stripTypeScriptTypes(text), nameOf(mutant))
      }
    }
  })

  test('none stands there twice', () => {
    const edits = mutants.map((mutant) => JSON.stringify(mutant.edits))
    assert.deepEqual(
      edits.filter((one, at) => edits.indexOf(one) !== at),
      [],
    )
  })

  test('what is visible names a rule of verify, what is hidden says why and which test sees it', () => {
    const ids = new Set(checks.map(({ id }) => id))
    for (const mutant of mutants) {
      const { by, hidden } = mutant
      if (hidden) assert.ok(existsSync(new URL(`../../${hidden.test}`, import.meta.url)), hidden.test)
      else assert.ok(by.length > 0 && by.every((id) => ids.has(id)), nameOf(mutant))
    }
  })
})

describe('mutants, a sample', () => {
  for (const rule of sample) {
    const mutant = mutants.find((one) => one.rule === rule)!
    test(`${rule}: caught by ${mutant.by.join(' ')}`, async () => {
      const verdict = await tryMutant(mutant, mutant.by)
      assert.equal(verdict.verdict, 'caught', JSON.stringify(verdict))
    })
  }
})
