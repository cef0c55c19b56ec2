import type { DatabaseSync } from 'node:sqlite'
import { isBusy } from './sqlite-errors.ts'

/** Loaded where SQLite is used; a Node without it then learns of its age instead of a module it does not know. */
const sqlite = () => process.getBuiltinModule('node:sqlite')

/** How long a write waits for another process's transaction before it is refused, in milliseconds. */
export const busyLimit = 10_000

export function openConnection(file: string): DatabaseSync {
  const database = new (sqlite().DatabaseSync)(file, { timeout: busyLimit })
  // NORMAL leaves the log unforced at commit, because `force` does it for the whole batch before any answer.
  database.exec('pragma synchronous = normal; pragma foreign_keys = on')
  return database
}

/** Two processes that open a new file at once both want to be the one that turns it to WAL. */
export function becomeWal(database: DatabaseSync) {
  const end = Date.now() + busyLimit
  for (;;) {
    try {
      database.exec('pragma journal_mode = wal')
      database.exec('begin immediate; commit')
      return
    } catch (error) {
      if (!isBusy(error) || Date.now() > end) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5)
    }
  }
}

/** Whether another process has the file open. This process must not: it would take itself for the other one. */
export function isOpenElsewhere(file: string): boolean {
  const database = new (sqlite().DatabaseSync)(file, { timeout: 0 })
  try {
    // Every connection to a database in WAL mode holds a shared lock on it.
    database.exec('pragma locking_mode = exclusive; begin exclusive; commit')
    return false
  } catch (error) {
    if (isBusy(error)) return true
    throw error
  } finally {
    database.close()
  }
}
