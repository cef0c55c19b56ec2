// src/oauth/README.md leads from a section to its file and its proof. It is generated; here it is held to the code.

import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { firstComment, indexOf, readTexts, referencesIn, withIndex } from '../../scripts/oauth-index.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const readme = readFileSync(join(root, 'src/oauth/README.md'), 'utf8')
const texts = readTexts()

describe('src/oauth/README.md', () => {
  test('is what scripts/oauth-index.ts writes: it misses no file, section or proof, and names none that is gone', () => {
    const written = withIndex(readme, texts)
    if (written === readme) return
    const old = new Set(readme.split('\n'))
    const changed = written.split('\n').filter((line) => !old.has(line))
    assert.fail(
      `src/oauth/README.md is out of date; run: node scripts/oauth-index.ts\n${changed.slice(0, 5).join('\n')}`,
    )
  })

  test('links to files that exist', () => {
    const links = [...readme.matchAll(/\]\(([^)#]+)\)/g)].map((match) => match[1]!)
    assert.ok(links.length > 100)
    assert.deepEqual(
      links.filter((link) => !existsSync(join(root, 'src/oauth', link))),
      [],
    )
  })

  test('leads from every section that a file of src/oauth begins with to that file', () => {
    const index = indexOf(texts)
    let sections = 0
    for (const [file, source] of texts.sources) {
      if (!file.startsWith('src/oauth/')) continue
      for (const { specification, section } of referencesIn(firstComment(source))) {
        assert.ok(
          index.get(specification)?.get(section)?.rule.has(file),
          `${file}: ${specification} §${section}`,
        )
        sections++
      }
    }
    assert.ok(sections > 50)
  })

  test('leads from every section that a test of the protocol proves to a file', () => {
    const nowhere: string[] = []
    for (const [specification, sections] of indexOf(texts)) {
      if ([...sections.values()].every(({ rule }) => rule.size === 0)) continue
      for (const [section, { rule, also, proof }] of sections) {
        const own = [...proof].filter((file) => file.startsWith('test/oauth/'))
        if (own.length > 0 && rule.size === 0 && also.size === 0) {
          nowhere.push(
            `${specification} §${section} (${own.join(', ')}): name it in the first line of the file that holds the rule`,
          )
        }
      }
    }
    assert.deepEqual(nowhere, [])
  })

  test('knows a rule with its file and its proof', () => {
    const row = indexOf(texts).get('RFC 9700')?.get('4.14.2')
    assert.ok(row?.rule.has('src/oauth/grants/refresh-token.ts'))
    assert.ok(row?.proof.has('test/oauth/token.test.ts'))
  })
})

describe('the sections of a text', () => {
  const cases: [string, string[]][] = [
    ['RFC 6749 §4.1.3, §5.2; RFC 7636 §4.6: rules', ['RFC 6749 4.1.3', 'RFC 6749 5.2', 'RFC 7636 4.6']],
    ['RFC 7636 §4.1-§4.3: PKCE', ['RFC 7636 4.1', 'RFC 7636 4.2', 'RFC 7636 4.3']],
    ['RFC 7009, RFC 8414 §2: endpoints', ['RFC 7009 ', 'RFC 8414 2']],
    [
      'OpenID Connect Core 1.0 §3.1.2.1 (OAuth 2.1 §4.1.1)',
      ['OpenID Connect Core 3.1.2.1', 'OAuth 2.1 4.1.1'],
    ],
    ['see §4.2 of something unnamed', []],
  ]
  for (const [text, expected] of cases) {
    test(`are read from “${text}”`, () => {
      assert.deepEqual(
        referencesIn(text).map(({ specification, section }) => `${specification} ${section}`),
        expected,
      )
    })
  }
})
