import { Unavailable } from './database.ts'

const [busy, readOnly, ioError, full] = [5, 8, 10, 13]
/** busy, locked, read-only, I/O error, full, cannot open: https://sqlite.org/rescode.html */
const storageFailures = new Set([busy, 6, readOnly, ioError, full, 14])
/** Writing, forcing or growing a file failed: a quota or a limit of size is reported so, not as a full disk. */
const writeFailures = new Set([(3 << 8) | ioError, (4 << 8) | ioError, (19 << 8) | ioError])

export function isBusy(error: unknown): boolean {
  return code(error) === busy
}

/** There is no space to write: a full disk, a quota, a limit on the size of a file. */
export function isFull(error: unknown): boolean {
  return code(error) === full || writeFailures.has((error as { errcode?: number } | null)?.errcode ?? 0)
}

/** Locks, a full or failing disk: storage cannot answer now. What is wrong with one request stays as it is. */
export function unavailableOr(error: unknown): unknown {
  const reason = code(error)
  return reason === undefined || !storageFailures.has(reason)
    ? error
    : new Unavailable('SQLite could not write', { cause: error })
}

/** SQLite's primary result code; the extended ones carry it in their low byte. */
function code(error: unknown): number | undefined {
  const errcode = (error as { errcode?: number } | null)?.errcode
  return errcode === undefined ? undefined : errcode & 0xff
}
