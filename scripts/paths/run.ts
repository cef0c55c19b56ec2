// `npm run paths`: the files of src/ that a request passes, in the order in which they are first called.
//
//   npm run paths                        the table, the files and the returns of each request
//   npm run paths -- --against <commit>  the same requests to that commit too: before → after
//   npm run paths -- --write             writes the table and the files into docs/architecture.md as well
//
// Only what serves the request counts, on SQLite, with statements prepared and clients not cached.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { exported } from './exported.ts'
import { filesInOrder, foundation, tableOf, type Way, wayOf } from './way.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const page = join(root, 'docs/architecture.md')
const begin = '<!-- npm run paths -- --write: begin -->'
const end = '<!-- npm run paths -- --write: end -->'

const definitions = `A domain is a first folder of \`src/\`; \`app\` stands for the files beside the folders. A folder is a domain, with the folders inside \`oauth\` told apart. A return is a call into a domain (or folder) that is still at work further down the call stack; calls of the same function from the same function count once. The foundation (\`${foundation.join('`, `')}\`, configuration and settings) is listed among the files and not counted otherwise.`

function waysOf(source: string): Way[] {
  const scratch = mkdtempSync(join(tmpdir(), 'gatehouse-paths-'))
  try {
    const out = execFileSync(
      process.execPath,
      [
        `--import=${new URL('hook.ts', import.meta.url)}`,
        fileURLToPath(new URL('requests.ts', import.meta.url)),
      ],
      {
        encoding: 'utf8',
        maxBuffer: 2 ** 28,
        timeout: 120_000,
        stdio: ['ignore', 'pipe', 'inherit'],
        env: {
          ...process.env,
          NODE_OPTIONS: '',
          TRACED_SOURCE: source,
          TRACED_DATABASE: join(scratch, 'paths.db'),
        },
      },
    )
    return (JSON.parse(out) as Parameters<typeof wayOf>[0][]).map(wayOf)
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

/** The section of the page. */
function sectionOf(now: readonly Way[], former: { commit: string; ways: Way[] } | undefined): string {
  const table = former ? `Before (\`${former.commit}\`) → now:\n\n${tableOf(former.ways, now)}` : tableOf(now)
  const lists = now.map((way) => `**\`${way.name}\`**: ${filesInOrder(way)}.`)
  return [definitions, table, ...lists].join('\n\n')
}

const { values } = parseArgs({ options: { against: { type: 'string' }, write: { type: 'boolean' } } })

const now = waysOf(join(root, 'src'))
let former: { commit: string; ways: Way[] } | undefined
if (values.against !== undefined) {
  using past = exported(root, values.against)
  former = { commit: past.commit, ways: waysOf(join(past.folder, 'src')) }
}

const print = (text: string) => process.stdout.write(`${text}\n`)
print(`${sectionOf(now, former)}\n`)
for (const [title, ways] of [[former?.commit ?? '', former?.ways ?? []] as const, ['now', now] as const]) {
  for (const way of ways) {
    print(`${title}: ${way.name}\n  domains: ${way.domains.join(' ')}\n  folders: ${way.folders.join(' ')}`)
    print(`  returns between domains: ${way.returns.length}`)
    for (const one of way.returns) print(`    ${one}`)
    print(`  returns between folders: ${way.folderReturns.length}`)
    for (const one of way.folderReturns) print(`    ${one}`)
  }
}

if (values.write) {
  const text = readFileSync(page, 'utf8')
  const [from, to] = [text.indexOf(begin), text.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`${page} has no region for the way of a request`)
  writeFileSync(page, `${text.slice(0, from)}${begin}\n\n${sectionOf(now, former)}\n\n${text.slice(to)}`)
}
