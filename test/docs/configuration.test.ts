// docs/configuration.md says what src/config.ts and the command line read, no more and no less.

import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { configurationSource, optionsOf, withOptions } from '../../scripts/configuration.ts'
import { resolveConfig } from '../../src/config.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const page = readFileSync(join(root, 'docs/configuration.md'), 'utf8')
const source = configurationSource()

describe('docs/configuration.md', () => {
  test('has every option of Config with its comment', () => {
    assert.ok(
      withOptions(page, source) === page,
      'docs/configuration.md is out of date; run: node scripts/configuration.ts',
    )
    const paths = optionsOf(source).map(({ path }) => path)
    for (const path of ['issuer', 'tokens.reuseWindow', 'resources.<uri>.tokenFormat', 'sessions.whenFull']) {
      assert.ok(paths.includes(path), path)
    }
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

  test('tells the defaults that a configuration without them gets', () => {
    const { tokens, sessions, limits, signingKeys, events } = resolveConfig({
      issuer: 'http://localhost:4400',
      secret: 'a secret that is long enough for a test',
    })
    const [second, day] = [1_000, 86_400_000]
    const told: [string, string][] = [
      ['tokens.accessTokenLifetime', `Default ${tokens.accessTokenLifetime / second}.`],
      ['tokens.codeLifetime', `Default ${tokens.codeLifetime / second}.`],
      ['tokens.refreshTokenLifetime', `Default ${tokens.refreshTokenLifetime / day} days.`],
      ['tokens.sessionLifetime', `Default ${tokens.sessionLifetime / day} days.`],
      ['tokens.reuseWindow', `Default ${tokens.reuseWindow / second};`],
      ['tokens.format', `Default \`${tokens.format}\``],
      ['sessions.quota', `Default ${sessions.quota}.`],
      ['sessions.whenFull', `Default \`${sessions.whenFull}\`.`],
      ['sessions.keepDays', `Default ${sessions.keep / day}.`],
      ['limits.signInFailuresPerAccount', `Default ${limits.signInFailuresPerAccount}.`],
      ['limits.failuresPerNetwork', `Default ${limits.failuresPerNetwork}.`],
      ['limits.clientAuthenticationFailures', `Default ${limits.clientAuthenticationFailures}.`],
      ['signingKeys.rotateEveryDays', `Default ${signingKeys.rotateEvery / day}.`],
      ['events.keepDays', `Default ${events.keep / day}.`],
      ['events.keepTokenDays', `Default ${events.keepToken / day}.`],
    ]
    const texts = new Map(optionsOf(source).map(({ path, text }) => [path, text]))
    for (const [path, said] of told) {
      assert.ok(texts.get(path)?.includes(said), `${path} says “${said}”: ${texts.get(path)}`)
    }
  })
})
