// `node scripts/configuration.ts`: writes the tables of docs/configuration.md from the Config type and its comments in
// src/config.ts and its sections in src/config/. test/docs/configuration.test.ts fails while they are out of date.

import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** One option: its path, the type as it is written, and what its comment says. */
export interface Option {
  path: string
  type: string
  optional: boolean
  text: string
}

/** The interface a type leads to, itself or by name; undefined where the option ends. */
function interfaceIn(type: string): { name: string; byKey: boolean } | undefined {
  const [, key, name] = /^(?:(Record<string, ))?(\w+Config)>?$/.exec(type) ?? []
  return name === undefined ? undefined : { name, byKey: key !== undefined }
}

/** src/config.ts and its sections as one text. */
export function configurationSource(): string {
  const files = ['src/config.ts', ...globSync('src/config/*.ts', { cwd: root }).sort()]
  return files.map((file) => readFileSync(join(root, file), 'utf8')).join('\n')
}

/** Every option of `Config`, in the order of the file. */
export function optionsOf(source: string): Option[] {
  return members(source, 'Config', '')
}

function members(source: string, name: string, prefix: string): Option[] {
  const start = source.indexOf(`export interface ${name} {\n`)
  if (start < 0) throw new Error(`src/config has no interface ${name}`)
  const end = source.indexOf('\n}\n', start)
  const lines = source.slice(start, end).split('\n').slice(1)
  return block(source, lines, prefix)
}

function block(source: string, lines: string[], prefix: string): Option[] {
  const found: Option[] = []
  let comment: string[] = []
  for (let n = 0; n < lines.length; n++) {
    const line = lines[n]!.trim()
    if (line.startsWith('/**')) {
      comment = []
      while (!lines[n]!.includes('*/')) comment.push(lines[n++]!)
      comment.push(lines[n]!)
      continue
    }
    const member = /^(\w+)(\??): (.*)$/.exec(line)
    if (!member) continue
    const [, name, question, type] = member
    const path = prefix + name
    const option = { path, optional: question === '?', text: plain(comment) }
    comment = []
    if (type === '{') {
      const inner: string[] = []
      while (!/^ {2}\}$/.test(lines[++n]!)) inner.push(lines[n]!.slice(2))
      found.push(...block(source, inner, `${path}.`))
      continue
    }
    found.push({ ...option, type: type! })
    const other = interfaceIn(type!)
    if (other)
      found.push(...members(source, other.name, `${path}.${other.byKey ? `<${keyOf(name!)}>.` : ''}`))
  }
  return found
}

/** What the keys of an option are, in one word. */
function keyOf(name: string): string {
  return { resources: 'uri', scopes: 'scope' }[name] ?? 'name'
}

function plain(comment: string[]): string {
  return comment
    .map((line) =>
      line
        .trim()
        .replace(/^\/\*\*|\*\/$/g, '')
        .replace(/^\s*\* ?/, '')
        .trim(),
    )
    .filter((line) => line !== '')
    .join(' ')
}

const begin = '<!-- written by scripts/configuration.ts -->'
const end = '<!-- end of what scripts/configuration.ts writes -->'

export function renderOptions(options: readonly Option[]): string {
  const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('<', '&lt;')
  const rows = options.map(({ path, type, optional, text }) => {
    const inside = interfaceIn(type)
    const shown = inside
      ? inside.byKey
        ? 'an object by key'
        : 'an object'
      : `\`${type.replaceAll('|', '\\|')}\``
    return `| \`${path}\`${optional ? '' : ' (required)'} | ${shown} | ${cell(text)} |`
  })
  return `| Option | Type | Meaning |\n|---|---|---|\n${rows.join('\n')}`
}

/** The page with its tables brought up to date. */
export function withOptions(page: string, source: string): string {
  const [from, to] = [page.indexOf(begin), page.indexOf(end)]
  if (from < 0 || to < from) throw new Error('docs/configuration.md has lost its marks')
  return `${page.slice(0, from)}${begin}\n\n${renderOptions(optionsOf(source))}\n\n${page.slice(to)}`
}

if (import.meta.main) {
  const file = join(root, 'docs/configuration.md')
  writeFileSync(file, withOptions(readFileSync(file, 'utf8'), configurationSource()))
}
