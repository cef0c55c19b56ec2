// How long a program takes that imports an entry of the package and makes what it is for, from its start to its end; beside a
// program that does nothing, and beside a former build.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { formerSource } from './servers/gatehouse.ts'

const root = join(import.meta.dirname, '..')
const api = "resourceServer({ issuer: 'https://auth.example.com', resource: 'https://api.example.com' })"

function build(source: string, directory: string): string {
  const args = [join(source, 'scripts', 'build.ts'), directory]
  const { status } = spawnSync(process.execPath, args, { stdio: ['ignore', 2, 2] })
  if (status !== 0) throw new Error('Gatehouse could not be built')
  return directory
}

/** Programs by what is measured, written beside the builds. */
function programs(directory: string, against: string | undefined): Record<string, string> {
  const here = build(root, join(directory, 'here'))
  const texts: Record<string, string> = {
    'node alone': '',
    api: `import { resourceServer } from '${here}/api.js'\n${api}\n`,
    'api, from the main entry': `import { resourceServer } from '${here}/index.js'\n${api}\n`,
  }
  if (against !== undefined) {
    const former = build(formerSource(against, directory), join(directory, 'former-build'))
    const own = join(former, 'resource-server.js')
    const entry = existsSync(own) ? own : join(former, 'index.js')
    texts[`resource-server, ${against}`] = `import { resourceServer } from '${entry}'\n${api}\n`
  }
  return Object.fromEntries(
    Object.entries(texts).map(([name, text], n) => {
      const file = join(directory, `program-${n}.mjs`)
      writeFileSync(file, text)
      return [name, file]
    }),
  )
}

/** Prints the median and the least milliseconds of `times` starts of each, in turn. */
export function measureEntries(directory: string, times: number, against: string | undefined): void {
  mkdirSync(directory, { recursive: true })
  const measured = programs(directory, against)
  const took = new Map<string, number[]>(Object.keys(measured).map((name) => [name, []]))
  for (let time = 0; time < times; time++) {
    for (const [name, file] of Object.entries(measured)) {
      const began = performance.now()
      execFileSync(process.execPath, [file])
      took.get(name)!.push(performance.now() - began)
    }
  }
  console.log('| start of an API, ms | median | least |\n|---|--:|--:|')
  for (const [name, list] of took) {
    list.sort((a, b) => a - b)
    console.log(`| ${name} | ${list[list.length >> 1]!.toFixed(0)} | ${list[0]!.toFixed(0)} |`)
  }
}
