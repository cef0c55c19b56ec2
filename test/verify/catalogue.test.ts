// The rules as a list: each once, each with its section, and all of them in docs/verify.md.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { checks } from '../../src/verify/catalogue.ts'

const root = new URL('../../', import.meta.url)

describe('gatehouse verify, the rules', () => {
  test('each has an id and a section of its own specification, and stands once', () => {
    const ids = checks.map(({ id }) => id)
    assert.deepEqual(
      ids,
      [...new Set(ids)].sort((a, b) => Number(a.slice(1)) - Number(b.slice(1))),
    )
    for (const { id, section, title } of checks) {
      assert.match(id, /^N\d{1,3}$/)
      assert.match(
        section,
        /^(RFC \d{4}|OpenID Connect Core|RP-Initiated Logout|draft-ietf-[a-z-]+) §[\d.]+$/,
      )
      assert.doesNotMatch(title, /^[A-Z][a-z]|\.$/, 'a title goes on after the section')
    }
  })

  test('docs/verify.md lists them, and names those of the catalogue that cannot be tried from outside', () => {
    const page = readFileSync(new URL('docs/verify.md', root), 'utf8')
    const rows = [...page.matchAll(/^\| (N\d+) \| (.*) \| (.*) \|$/gm)].map(([, id, section, title]) => ({
      id,
      section,
      title,
    }))
    assert.deepEqual(
      rows,
      checks.map(({ id, section, title }) => ({ id, section, title })),
    )
    const tried = new Set(checks.map(({ id }) => id))
    const others = Array.from({ length: 125 }, (_, at) => `N${at + 1}`).filter((id) => !tried.has(id))
    const paragraph = page.split('\n').find((line) => line.startsWith('Seven rules'))!
    assert.deepEqual(paragraph.match(/\bN\d+\b/g), others)
  })
})
