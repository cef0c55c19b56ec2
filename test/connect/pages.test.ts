// What the index of docs/connect claims, and what its pages print.

import assert from 'node:assert/strict'
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { emptyFolder, run } from '../cli/command-line.ts'
import { readPage } from './page.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const index = readFileSync(join(root, 'docs/connect/README.md'), 'utf8')
const pages = readdirSync(join(root, 'docs/connect')).filter((name) => name !== 'README.md')
const rows = index.split('\n').filter((line) => /^\| \[[^\]]+\]\([\w-]+\.md\) \|/.test(line))

/** Versions of a package that are installed for the folders under test/clients that ask for it. */
function installedVersions(name: string): string[] {
  return globSync('test/clients/*/package.json', { cwd: root })
    .filter((file) => {
      const { devDependencies = {} } = JSON.parse(readFileSync(join(root, file), 'utf8'))
      return name in devDependencies
    })
    .map((file) => {
      let folder = join(root, dirname(file))
      while (!existsSync(join(folder, 'node_modules', name, 'package.json'))) folder = dirname(folder)
      return JSON.parse(readFileSync(join(folder, 'node_modules', name, 'package.json'), 'utf8')).version
    })
}

test('every page has its row in the index', () => {
  assert.deepEqual(
    pages.filter((page) => !rows.some((row) => row.includes(`](${page})`))),
    [],
  )
})

test('the index names the versions that are installed, or says that a page was tried by hand or not at all', () => {
  const named = rows.flatMap((row) => [...row.matchAll(/`([@\w/-]+)` (\d[\w.-]*)/g)])
  assert.ok(named.length > 10)
  for (const [, name, version] of named)
    assert.ok(installedVersions(name!).includes(version!), `${name} ${version}: ${installedVersions(name!)}`)
  for (const row of rows) assert.match(row, /\| (`|by hand: |not run \|)/)
})

test('a page that no test runs says so in its first lines', () => {
  for (const row of rows) {
    const [, page] = /\]\(([\w-]+)\.md\)/.exec(row)!
    const first = readPage(page!).text.split('\n').slice(0, 4).join('\n')
    if (row.includes('| not run |')) assert.match(first, /^Not run here; written from its documentation/m)
    else if (row.includes('| by hand: ')) assert.match(first, /^Tried by hand with /m)
  }
})

test('pages are short', () => {
  for (const page of pages) {
    const lines = readFileSync(join(root, 'docs/connect', page), 'utf8')
      .trimEnd()
      .split('\n').length
    assert.ok(lines <= 60, `${page}: ${lines} lines`)
  }
})

test('the command of a page that no test runs makes a client', async () => {
  const unrun = rows.filter((row) => !row.includes('`')).map((row) => /\]\(([\w-]+)\.md\)/.exec(row)![1]!)
  assert.ok(unrun.length > 4)
  const folder = emptyFolder()
  const env = { GATEHOUSE_ISSUER: 'http://localhost:4400', GATEHOUSE_SECRET: 's'.repeat(44) }
  const up = await run(folder, ['migrate', 'up'], env)
  assert.equal(up.code, 0, up.stderr)
  for (const page of unrun) {
    const { commands } = readPage(page)
    assert.equal(commands.length, 1, page)
    const made = await run(folder, [...commands[0]!, '--json'], env)
    assert.equal(made.code, 0, `${page}: ${made.stderr}`)
    assert.match(String(made.lines()[0]?.['client_id']), /^cl_/)
  }
})
