import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

/**
 * Compiles slow-disk.c into the directory: the environment in which every fsync and fdatasync of a process takes so
 * many milliseconds longer. Linux only, with a C compiler.
 */
export function delayedBy(milliseconds: number, directory: string): Record<string, string> {
  if (process.platform !== 'linux') throw new Error('--slow-disk works by LD_PRELOAD, which only Linux has')
  const library = join(directory, 'slow-disk.so')
  const args = ['-shared', '-fPIC', '-O2', '-o', library, join(import.meta.dirname, 'slow-disk.c')]
  const { status, error } = spawnSync('cc', args, { stdio: ['ignore', 2, 2] })
  if (status !== 0) {
    const why = error ? error.message : `cc ended with ${status}`
    throw new Error(`--slow-disk needs a C compiler named cc, and ${why}`)
  }
  return { LD_PRELOAD: library, SLOW_DISK_MICROSECONDS: String(milliseconds * 1000) }
}
