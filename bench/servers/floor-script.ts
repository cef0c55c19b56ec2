import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/**
 * Compiles the floor into a directory and names the file to run. The packages beside it come as JavaScript too: node
 * takes about 25 MB and 50 ms to strip types itself, which is no part of the floor.
 */
export function floorScript(directory: string): string {
  const script = join(directory, 'servers', 'floor.js')
  if (existsSync(script)) return script
  const typescript = dirname(createRequire(import.meta.url).resolve('typescript/package.json'))
  const project = join(import.meta.dirname, '..', 'tsconfig.floor.json')
  const args = [join(typescript, 'bin', 'tsc'), '-p', project, '--outDir', directory]
  const { status } = spawnSync(process.execPath, args, { stdio: ['ignore', 2, 2] })
  if (status !== 0) throw new Error('the floor could not be compiled')
  return script
}
