// docs/configuration.md says what the configuration and the command line read, no more and no less.

import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { documentedOptions, withOptions } from '../../scripts/configuration.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const page = readFileSync(join(root, 'docs/configuration.md'), 'utf8')
const options = documentedOptions()

describe('docs/configuration.md', () => {
  test('has every option of Config with its comment', () => {
    assert.ok(
      withOptions(page) === page,
      'docs/configuration.md is out of date; run: node scripts/configuration.ts',
    )
    const paths = options.map(({ path }) => path)
    for (const path of [
      'issuer',
      'tokens.reuseWindow',
      'resources.<uri>.tokenFormat',
      'tokenExchange.rules[].kind',
    ]) {
      assert.ok(paths.includes(path), path)
    }
  })

  test('says something of every option', () => {
    const silent = options.filter(({ text }) => text === '').map(({ path }) => path)
    assert.deepEqual(silent, [])
  })

  test('names every environment variable the command line reads, and no other', () => {
    const named = new Set([...page.matchAll(/`([A-Z][A-Z_]{3,})`/g)].map((match) => match[1]!))
    const read = new Set(
      globSync('src/cli/**/*.ts', { cwd: root })
        .map((file) => readFileSync(join(root, file), 'utf8'))
        .flatMap((text) => [...text.matchAll(/\benv\.([A-Z][A-Z_]+)/g)].map((match) => match[1]!)),
    )
    assert.ok(read.has('GATEHOUSE_ISSUER'))
    assert.deepEqual([...named].sort(), [...read].sort())
  })

  test('tells the default that stands where nothing is given', () => {
    const days = (standard: unknown) =>
      typeof standard === 'number' && standard % 86_400 === 0 ? [`${standard / 86_400} days`] : []
    for (const { path, standard, text } of options) {
      if (standard === undefined) continue
      const told = [String(standard), `\`${standard}\``, ...days(standard)].some(
        (one) =>
          text.replaceAll('default true on', '').includes(`Default ${one}`) ||
          text.includes(`Default: ${one}`),
      )
      assert.ok(told, `${path} is ${standard} by default, and says: ${text}`)
    }
  })
})
