import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** `src/` of another commit in a folder of its own, with this checkout's dependencies. Removed when disposed of. */
export function exported(root: string, commit: string): Disposable & { folder: string; commit: string } {
  const git = (...args: string[]) => execFileSync('git', args, { cwd: root, maxBuffer: 2 ** 28 })
  const short = git('rev-parse', '--short', `${commit}^{commit}`).toString().trim()
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-commit-'))
  const archive = git('archive', short, 'src', 'package.json')
  execFileSync('tar', ['-x', '-C', folder], { input: archive })
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  return {
    folder,
    commit: short,
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  }
}
