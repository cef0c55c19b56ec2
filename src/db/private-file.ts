import { chmodSync, closeSync, openSync, statSync } from 'node:fs'

/**
 * Makes a file that only its user can read, before SQLite makes one by the umask; its log and index take over its mode. One
 * that is there already is closed to everybody else, as far as it is ours; whom its group lets in is the operator's.
 */
export function keepPrivate(file: string): void {
  try {
    closeSync(openSync(file, 'wx', 0o600))
    return
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') return
  }
  for (const one of [file, `${file}-wal`, `${file}-shm`]) {
    try {
      const { mode } = statSync(one)
      if ((mode & 0o007) !== 0) chmodSync(one, mode & 0o770)
    } catch {
      // Missing, or somebody else's: `npx gatehouse-auth doctor` names it.
    }
  }
}
