// `npm run lines`: the lines of src/ by area: code, comments, and blank ones counted with neither.
//
//   npm run lines                        of this checkout
//   npm run lines -- --against <commit>  that commit → this checkout; an area that is new or gone has a dash
//
// An area is a folder of `src/`, with the folders inside `oauth` told apart. Generated modules and SQL are not counted.

import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { exported } from './exported.ts'

interface Lines {
  files: number
  code: number
  comments: number
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const generated = 'src/db/migrations/'

/** A line is a comment if nothing but a comment stands on it. */
function count(text: string): Omit<Lines, 'files'> {
  let [code, comments, inComment] = [0, 0, false]
  for (const line of text.split('\n').map((one) => one.trim())) {
    if (line === '') continue
    const begins = !inComment && line.startsWith('/*')
    if (inComment || begins || line.startsWith('//')) comments++
    else code++
    if (inComment || begins) inComment = !line.includes('*/')
  }
  return { code, comments }
}

function areaOf(file: string): string {
  const [, first, second, third] = file.split('/')
  if (second === undefined) return '(files of src/)'
  return first === 'oauth' && third !== undefined ? `oauth/${second}` : first!
}

function areasOf(folder: string): Map<string, Lines> {
  const areas = new Map<string, Lines>()
  for (const file of globSync('src/**/*.ts', { cwd: folder })) {
    if (file.startsWith(generated)) continue
    const { code, comments } = count(readFileSync(join(folder, file), 'utf8'))
    for (const area of [areaOf(file), 'all']) {
      const sum = areas.get(area) ?? { files: 0, code: 0, comments: 0 }
      areas.set(area, { files: sum.files + 1, code: sum.code + code, comments: sum.comments + comments })
    }
  }
  return areas
}

const { values } = parseArgs({ options: { against: { type: 'string' } } })
const now = areasOf(root)
let before: Map<string, Lines> | undefined
let title = '| Area | files | code | comments |\n|---|---|---|---|'
if (values.against !== undefined) {
  using past = exported(root, values.against)
  before = areasOf(past.folder)
  title = `${past.commit} → this checkout\n\n${title}`
}

const names = [...new Set([...(before?.keys() ?? []), ...now.keys()])].filter((one) => one !== 'all').sort()
const rows = [...names, 'all'].map((area) => {
  const cells = (['files', 'code', 'comments'] as const).map((key) => {
    const here = now.get(area)?.[key] ?? '–'
    return before ? `${before.get(area)?.[key] ?? '–'} → ${here}` : `${here}`
  })
  return `| ${area} | ${cells.join(' | ')} |`
})
process.stdout.write(`${[title, ...rows].join('\n')}\n`)
