// What the calls of a request amount to: files, domains, folders, returns.

import type { Call } from './hook.ts'

export interface Way {
  name: string
  /** Files below `src`, in the order in which they are first called. */
  files: string[]
  /** First folders below `src`; `app` is the entry: the files beside the folders. Without the foundation. */
  domains: string[]
  /** The same, with the folders inside `oauth` told apart. */
  folders: string[]
  /** Calls into a domain that is still at work further down the stack, each pair of file and function once. */
  returns: string[]
  /** The same between folders. */
  folderReturns: string[]
}

/** What every domain stands on. It is not counted, and a call that comes back through it is its caller's. */
export const foundation = ['db', 'crypto', 'http', 'config', 'log']
const foundationFiles = [
  'config-error.ts',
  'config.ts',
  'core.ts',
  'deadline.ts',
  'exact-text.ts',
  'iso-time.ts',
  'log.ts',
  'settings.ts',
  'spelling.ts',
  'unavailable.ts',
]

function domainOf(file: string): string | undefined {
  const [first] = file.split('/')
  if (!file.includes('/')) return foundationFiles.includes(file) ? undefined : 'app'
  return foundation.includes(first!) ? undefined : first
}

function folderOf(file: string): string | undefined {
  const [, second, third] = file.split('/')
  const domain = domainOf(file)
  return domain === 'oauth' && third !== undefined ? `oauth/${second}` : domain
}

export function wayOf({ name, calls }: { name: string; calls: readonly Call[] }): Way {
  const distinct = (of: (file: string) => string | undefined) => [
    ...new Set(calls.map(({ file }) => of(file)).filter((one) => one !== undefined)),
  ]
  return {
    name,
    files: [...new Set(calls.map(({ file }) => file))],
    domains: distinct(domainOf),
    folders: distinct(folderOf),
    returns: returnsOf(calls, domainOf),
    folderReturns: returnsOf(calls, folderOf),
  }
}

function returnsOf(calls: readonly Call[], of: (file: string) => string | undefined): string[] {
  const found = new Set<string>()
  for (const call of calls) {
    const entered = of(call.file)
    if (entered === undefined) continue
    let below = calls[call.from]
    while (below && of(below.file) === undefined) below = calls[below.from]
    if (!below || of(below.file) === entered) continue
    const caller = below
    while (below && of(below.file) !== entered) below = calls[below.from]
    if (below) found.add(`${caller.file} ${caller.name}() → ${call.file} ${call.name}()`)
  }
  return [...found]
}

/** One line a request; with two ways, before → after. */
export function tableOf(before: readonly Way[], after?: readonly Way[]): string {
  const rows = before.map((way) => {
    const other = after?.find(({ name }) => name === way.name)
    const columns = (['files', 'domains', 'folders', 'returns', 'folderReturns'] as const).map((key) =>
      other ? `${way[key].length} → ${other[key].length}` : String(way[key].length),
    )
    return `| \`${way.name}\` | ${columns.join(' | ')} |`
  })
  return [
    '| Request | files | domains | folders | returns between domains | returns between folders |',
    '|---|---|---|---|---|---|',
    ...rows,
  ].join('\n')
}

/** The files in order, those of a folder that follow each other together. */
export function filesInOrder({ files }: Way): string {
  const groups: { folder: string; names: string[] }[] = []
  for (const file of files) {
    const at = file.lastIndexOf('/') + 1
    const folder = file.slice(0, at)
    const name = file.slice(at).replace(/\.ts$/, '')
    const last = groups.at(-1)
    if (last?.folder === folder) last.names.push(name)
    else groups.push({ folder, names: [name] })
  }
  return groups.map(({ folder, names }) => `\`${folder}\` ${names.join(', ')}`.replace('`` ', '')).join(' → ')
}
