// The name `gatehouse` belongs to somebody else on npm: no page and no message may lead a reader to install or run it.

import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const read = (file: string) => readFileSync(`${root}/${file}`, 'utf8')
const { bin, name } = JSON.parse(read('package.json')) as { name: string; bin: Record<string, string> }

const commands = globSync('src/cli/*.ts', { cwd: root })
  .filter((file) => /export const command\b/.test(read(file)))
  .map((file) => file.replace(/^.*\/|\.ts$/g, ''))
const [first] = commands

/** What installs, imports or runs the package `gatehouse`. */
const strangers = [
  /\b(?:npx|npm (?:i|install|add|exec)|pnpm (?:add|dlx|exec)|yarn (?:add|dlx)|bunx?(?: add| x)?) (?:-\S+ )*gatehouse(?![-\w/])/,
  /(?:from|import|require)\s*\(?\s*['"]gatehouse(?:\/[^'"]*)?['"]/,
  new RegExp(`(?<![-\\w./])gatehouse (?:${commands.join('|')})\\b`),
]
const wrong = (text: string) => strangers.some((pattern) => pattern.test(text))

test('the package and its first command bear a name of ours; installed, `gatehouse` runs, too', () => {
  assert.equal(name, 'gatehouse-auth')
  assert.deepEqual(Object.keys(bin), ['gatehouse-auth', 'gatehouse'])
  assert.equal(bin.gatehouse, bin['gatehouse-auth'])
})

test('the old forms are known when they are seen', () => {
  for (const text of [
    'npx gatehouse serve',
    'npx --yes gatehouse',
    'npm i gatehouse',
    "import { gatehouse } from 'gatehouse'",
    "require('gatehouse/admin')",
    `run gatehouse ${first} now`,
  ]) {
    assert.ok(wrong(text), text)
    assert.ok(!wrong(text.replace(/gatehouse(?! \})/, 'gatehouse-auth')), text)
  }
})

test('no page, example, message or generated file installs or runs the package of somebody else', () => {
  const files = globSync(
    [
      '*.md',
      'package.json',
      'docs/**/*.md',
      'examples/**/*',
      'src/**/*.ts',
      'scripts/**/*.ts',
      'bench/*.{ts,md}',
    ],
    { cwd: root, exclude: (path) => path.includes('node_modules') },
  ).filter((file) => /\.(md|ts|tsx|js|mjs|json)$/.test(file))
  assert.ok(files.length > 300)
  const found = files.flatMap((file) =>
    read(file)
      .split('\n')
      .flatMap((line, n) => (wrong(line) ? [`${file}:${n + 1}: ${line.trim()}`] : [])),
  )
  assert.deepEqual(found, [])
})
