// `node scripts/configuration.ts` writes the table of docs/configuration.md from the options themselves (src/config.ts, and
// those of the domains) and the comments above them. test/docs/configuration.test.ts fails while it is out of date.

import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { domainOptions } from '../src/app.ts'
import type { Options } from '../src/config/section.ts'
import { configuration } from '../src/config.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

/** One option: its path, its allowed values, its default, and its comment. */
export interface DocumentedOption {
  path: string
  type: string
  required: boolean
  standard?: number | boolean | string
  text: string
}

/** Every option, in the order of the sources. */
export function documentedOptions(): DocumentedOption[] {
  const sources = [
    'src/config.ts',
    ...globSync('src/{config/**/*,*/config,*/config/**/*}.ts', { cwd: root }).sort(),
  ]
  const blocks = sources.flatMap((file) => blocksOf(readFileSync(join(root, file), 'utf8')))
  return optionsIn({ ...configuration.inside!.options, ...domainOptions }, '', blocks)
}

function optionsIn(options: Options, prefix: string, blocks: Block[]): DocumentedOption[] {
  const comments = commentsFor(Object.keys(options), blocks)
  return Object.entries(options).flatMap(([name, { type, required = false, standard, inside }]) => {
    const path = prefix + name
    const option = {
      path,
      type,
      required,
      ...(standard === undefined ? {} : { standard }),
      text: comments[name] ?? '',
    }
    if (!inside) return [option]
    const each = inside.each === 'key' ? `.<${keyOf(name)}>` : inside.each === 'entry' ? '[]' : ''
    return [option, ...optionsIn(inside.options, `${path}${each}.`, blocks)]
  })
}

/** What the keys of an option are, in one word. */
function keyOf(name: string): string {
  return { resources: 'uri', scopes: 'scope' }[name] ?? 'name'
}

/** An object in a source: the comment above each of its members. */
type Block = Record<string, string>

/** The comments of the object with these members; those that are spread into it stand in an object of their own. */
function commentsFor(names: readonly string[], blocks: Block[]): Block {
  const parts = blocks.filter((block) => Object.keys(block).every((name) => names.includes(name)))
  const whole = parts.find((block) => Object.keys(block).length === names.length)
  const found =
    whole ?? Object.assign({}, ...parts.sort((a, b) => Object.keys(a).length - Object.keys(b).length))
  const missing = names.filter((name) => !Object.hasOwn(found, name))
  if (missing.length > 0) throw new Error(`src/config has no object with ${missing.join(', ')}`)
  return found
}

/** Every object literal whose members each begin a line. */
function blocksOf(source: string): Block[] {
  const blocks: Block[] = []
  const open: { block: Block; depth: number }[] = []
  let depth = 0
  let comment: string[] | undefined
  let text = ''
  for (const line of source.split('\n')) {
    const trimmed = line.trim()
    if (comment || trimmed.startsWith('/**')) {
      comment = [...(comment ?? []), trimmed]
      if (!trimmed.endsWith('*/')) continue
      text = plain(comment)
      comment = undefined
      continue
    }
    const member = /^(\w+)(?::|,$)/.exec(trimmed)?.[1]
    const innermost = open.at(-1)
    if (member && innermost?.depth === depth) innermost.block[member] = text
    text = ''
    const code = trimmed.replace(/'(?:\\.|[^'\\])*'|`[^`]*`|"[^"]*"|\/\^.*?[^\\]\/\w*(?=[,.)\s])/g, '')
    depth += (code.match(/[({[]/g) ?? []).length - (code.match(/[)}\]]/g) ?? []).length
    if (/(?:section\(|= )\{$/.test(trimmed)) open.push({ block: {}, depth })
    while (open.length > 0 && depth < open.at(-1)!.depth) blocks.push(open.pop()!.block)
  }
  return blocks.filter((block) => Object.keys(block).length > 0)
}

function plain(comment: string[]): string {
  return comment
    .map((line) =>
      line
        .replace(/^\/\*\*|\*\/$/g, '')
        .replace(/^\s*\* ?/, '')
        .trim(),
    )
    .filter((line) => line !== '')
    .join(' ')
}

const begin = '<!-- written by scripts/configuration.ts -->'
const end = '<!-- end of what scripts/configuration.ts writes -->'

function render(options: readonly DocumentedOption[]): string {
  const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('<', '&lt;')
  const rows = options.map(({ path, type, required, text }) => {
    const shown = /^an? (object|list)/.test(type) ? type : `\`${type.replaceAll('|', '\\|')}\``
    return `| \`${path}\`${required ? ' (required)' : ''} | ${shown} | ${cell(text)} |`
  })
  return `| Option | Type | Meaning |\n|---|---|---|\n${rows.join('\n')}`
}

/** The page with its table brought up to date. */
export function withOptions(page: string): string {
  const [from, to] = [page.indexOf(begin), page.indexOf(end)]
  if (from < 0 || to < from) throw new Error('docs/configuration.md has lost its marks')
  return `${page.slice(0, from)}${begin}\n\n${render(documentedOptions())}\n\n${page.slice(to)}`
}

if (import.meta.main) {
  const file = join(root, 'docs/configuration.md')
  writeFileSync(file, withOptions(readFileSync(file, 'utf8')))
}
