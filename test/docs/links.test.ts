// What the documents point to exists: links, files, commands.

import assert from 'node:assert/strict'
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const documents = [
  ...globSync('*.md', { cwd: root }),
  ...globSync('{docs,src,examples}/**/*.md', { cwd: root, exclude: (path) => path.endsWith('node_modules') }),
].sort()
const text = new Map(documents.map((file) => [file, readFileSync(join(root, file), 'utf8')]))

/** As GitHub makes it from a heading. */
function anchorOf(heading: string): string {
  return heading
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')
}

function anchorsOf(file: string): Set<string> {
  const headings = readFileSync(join(root, file), 'utf8').matchAll(/^#{1,6} (.+)$/gm)
  const named = readFileSync(join(root, file), 'utf8').matchAll(/<a (?:id|name)="([^"]+)"/g)
  return new Set([
    ...[...headings].map((match) => anchorOf(match[1]!)),
    ...[...named].map((match) => match[1]!),
  ])
}

describe('documents', () => {
  test('link to files and headings that exist', () => {
    const broken: string[] = []
    let links = 0
    for (const [file, content] of text) {
      for (const [, target] of content.matchAll(/\]\(([^)\s]+)\)/g)) {
        // The README stands on npm as well, where nothing is beside it.
        const published = target!.replace(
          /^https:\/\/github\.com\/gatehouse-auth\/gatehouse\/blob\/main\//,
          '/',
        )
        const link = published.replace(
          /^https:\/\/raw\.githubusercontent\.com\/gatehouse-auth\/gatehouse\/main\//,
          '/',
        )
        if (/^[a-z]+:/.test(link)) continue
        links++
        const [path, anchor] = link.split('#') as [string, string | undefined]
        const to = path === '' ? file : path.startsWith('/') ? path.slice(1) : join(dirname(file), path)
        if (!existsSync(join(root, to))) broken.push(`${file}: ${target}`)
        else if (anchor && to.endsWith('.md') && !anchorsOf(to).has(anchor)) broken.push(`${file}: ${target}`)
      }
    }
    assert.ok(links > 100)
    assert.deepEqual(broken, [])
  })

  test('that are published link to nothing beside them', () => {
    const { files, repository, homepage, bugs } = JSON.parse(
      readFileSync(join(root, 'package.json'), 'utf8'),
    ) as { files: string[]; repository: { url: string }; homepage: string; bugs: string }
    const home = 'https://github.com/gatehouse-auth/gatehouse'
    assert.equal(repository.url, `git+${home}.git`)
    assert.ok(homepage.startsWith(home) && bugs.startsWith(home))
    const published = files.filter((file) => file.endsWith('.md'))
    assert.ok(published.includes('README.md'))
    for (const file of published) {
      const targets = [...text.get(file)!.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1]!)
      assert.deepEqual(
        targets.filter((target) => !/^(https:|mailto:|#)/.test(target)),
        [],
        file,
      )
    }
  })

  test('name files and folders of the project that exist', () => {
    const broken: string[] = []
    for (const [file, content] of text) {
      for (const [, path] of content.matchAll(/`((?:src|test|bench|scripts|examples|docs)\/[\w./-]*)`/g)) {
        if (!existsSync(join(root, path!))) broken.push(`${file}: ${path}`)
      }
    }
    assert.deepEqual(broken, [])
  })

  test('name npm scripts and commands that exist', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>
    }
    const commands = readdirSync(join(root, 'src/cli')).map((name) => name.replace('.ts', ''))
    const broken: string[] = []
    for (const [file, content] of text) {
      for (const [, name] of content.matchAll(/npm run ([\w:-]+)/g)) {
        if (!(name! in scripts)) broken.push(`${file}: npm run ${name}`)
      }
      for (const [, name] of content.matchAll(/(?:npx |`)gatehouse ([a-z]+)/g)) {
        if (!commands.includes(name!)) broken.push(`${file}: gatehouse ${name}`)
      }
    }
    assert.deepEqual(broken, [])
  })
})

test('docs/decisions/README.md lists every decision under its title', () => {
  const index = text.get('docs/decisions/README.md')!
  const decisions = documents.filter((file) => /^docs\/decisions\/\d{4}-/.test(file))
  assert.ok(decisions.length > 10)
  for (const file of decisions) {
    const [, number, title] = /^# (\d+)\. (.+)$/m.exec(text.get(file)!)!
    const name = file.split('/').at(-1)!
    assert.equal(Number(name.slice(0, 4)), Number(number), name)
    assert.ok(index.includes(`| [${name.slice(0, 4)}](${name}) | ${title} |`), name)
  }
})

test('docs/decisions/0012-dependencies.md has a row for every dependency, with its version', () => {
  const page = text.get('docs/decisions/0012-dependencies.md')!
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>
    devDependencies: Record<string, string>
  }
  for (const [name, version] of Object.entries(dependencies)) {
    const row = page.split('\n').find((line) => line.startsWith(`| \`${name}\` |`))
    assert.ok(row?.includes(` ${version.replace('^', '')}, `), `${name} ${version}`)
  }
  for (const name of Object.keys(devDependencies)) assert.ok(page.includes(`\`${name}\``), name)
})

describe('docs/architecture.md', () => {
  test('shows every room of src', () => {
    const page = text.get('docs/architecture.md')!
    const rooms = readdirSync(join(root, 'src'), { withFileTypes: true }).map((entry) =>
      entry.isDirectory() ? `src/${entry.name}/` : `src/${entry.name}`,
    )
    assert.ok(rooms.length > 10)
    assert.deepEqual(
      rooms.filter((room) => !page.includes(`\`${room}\``)),
      [],
    )
  })
})
