import {
  closeSync,
  fdatasync,
  fstatSync,
  openSync,
  readFileSync,
  type Stats,
  statfsSync,
  statSync,
} from 'node:fs'
import type { Log } from '../log.ts'
import { Unavailable } from './database.ts'

/** Calls back once what was written to the file is on the disk. */
export type ForceToDisk = (file: number, done: (error: Error | null) => void) => void

/** Bytes at which the log is carried into the database file, and at which writes are refused. */
export interface LogLimits {
  carry: number
  most: number
}

/** So many bytes may be written until the file system is asked for its space again. */
const spaceChecked = 256 * 1024
const standardLimits: LogLimits = { carry: 16 * 2 ** 20, most: 2 ** 30 }

/** The write-ahead log as a file: forced to disk, measured, and watched. */
export interface WriteAheadLog {
  readonly limits: LogLimits
  /** Resolves with the log's size when everything that was committed is on the disk and can be found there again. */
  force(): Promise<number>
  size(): number
  /** The disk may soon have no room for what the log holds: carry it over before anything more is written. */
  isShort(size: number): boolean
  /** Why nothing more can be written, for good; undefined while it can. */
  broken(): string | undefined
  /** Throws `Unavailable` when its files are no longer those that a new start would find. */
  mustBeThere(): void
  /** Throws `Unavailable` when nothing may be written. */
  mustTakeWrites(): void
  /** Says once, and again at each doubling, that a reader keeps the log from beginning anew. */
  held(): void
  /** The log began anew. */
  begunAnew(): void
  close(): void
}

/**
 * Opens the log of a database that is open already. `onLost` is called once, when its file or the database's was removed
 * or replaced.
 */
export function openLog(
  file: string,
  options: { log?: Log; limits?: LogLimits; fdatasync?: ForceToDisk; onLost: () => void },
): WriteAheadLog {
  const { log, limits = standardLimits, onLost } = options
  const sync: ForceToDisk = options.fdatasync ?? fdatasync
  const name = `${file}-wal`
  const descriptor = openSync(name, 'r+')
  const own = { log: fstatSync(descriptor), database: statSync(file) }
  // Where a file system numbers an open file otherwise than a named one, only the count of names is compared.
  const comparable = isSame(statSync(name), own.log)
  let failed: Error | undefined
  let lost: string | undefined
  let warnedAt = 0
  let heldSince: number | undefined
  let space = { at: Number.NEGATIVE_INFINITY, free: 0 }

  // For an idle server. Each write checks before it is answered.
  const watch = setInterval(look, 1_000)
  watch.unref()

  function look(): Stats {
    const now = fstatSync(descriptor)
    if (lost !== undefined) return now
    if (now.nlink === 0 || (comparable && !isThere(name, own.log))) lost = name
    else if (!isThere(file, own.database)) lost = file
    if (lost === undefined) return now
    log?.error('a file of the database was removed or replaced while it was used: start this process again', {
      file: lost,
    })
    onLost()
    return now
  }

  /** The database's file grows by no more than what is in the log. */
  function isShort(size: number): boolean {
    if (Math.abs(size - space.at) >= spaceChecked) space = { at: size, free: freeSpace(file) }
    return size > space.free
  }

  function gone(): Unavailable {
    return new Unavailable(`${lost} was removed or replaced`)
  }

  return {
    limits,
    force() {
      return new Promise<number>((resolve, reject) => {
        sync(descriptor, (error) => {
          if (error) {
            // What the kernel dropped cannot be forced again: nothing after this may be called durable.
            if (!failed) log?.error('the database log could not be forced to disk', { error: error.message })
            failed = error
            return reject(new Unavailable('the database log could not be forced to disk', { cause: error }))
          }
          const { size } = look()
          if (lost !== undefined) reject(gone())
          else resolve(size)
        })
      })
    },
    size: () => fstatSync(descriptor).size,
    isShort,
    broken() {
      look()
      return lost !== undefined
        ? `${lost} was removed or replaced`
        : failed && 'the database log could not be forced to disk'
    },
    mustBeThere() {
      if (lost !== undefined) throw gone()
    },
    mustTakeWrites() {
      if (lost !== undefined) throw gone()
      if (failed) throw new Unavailable('the database log could not be forced to disk', { cause: failed })
      if (heldSince === undefined) return
      const { size } = fstatSync(descriptor)
      if (size > limits.most || isShort(size))
        throw new Unavailable('a reader keeps the database log from being carried over')
    },
    held() {
      heldSince ??= performance.now()
      const { size } = fstatSync(descriptor)
      if ((size < 4 * limits.carry && !isShort(size)) || size < 2 * warnedAt) return
      warnedAt = size
      log?.warn('a reader keeps the database log from beginning anew: end its transaction', {
        bytes: size,
        seconds: Math.round((performance.now() - heldSince) / 1_000),
        processes: readersOf(`${file}-shm`) || undefined,
      })
    },
    begunAnew() {
      space.at = Number.NEGATIVE_INFINITY
      if (warnedAt > 0) log?.info('the database log begins anew')
      warnedAt = 0
      heldSince = undefined
    },
    close() {
      clearInterval(watch)
      closeSync(descriptor)
    },
  }
}

function isSame(one: Stats, other: Stats): boolean {
  return one.ino === other.ino && one.dev === other.dev
}

function isThere(name: string, known: Stats): boolean {
  try {
    const found = statSync(name, { throwIfNoEntry: false })
    return found !== undefined && isSame(found, known)
  } catch {
    // It cannot be told now; the next look may.
    return true
  }
}

function freeSpace(file: string): number {
  try {
    const { bavail, bsize } = statfsSync(file)
    return bavail * bsize
  } catch {
    return Number.POSITIVE_INFINITY
  }
}

/** Other processes that read the database now, where the system tells: Linux lists who holds a lock on which file. */
function readersOf(shared: string): string {
  try {
    const { ino } = statSync(shared)
    const held = readFileSync('/proc/locks', 'utf8').matchAll(
      /^\d+: \S+ +\S+ +READ +(\d+) [0-9a-f]+:[0-9a-f]+:(\d+) (\d+) (\d+)/gm,
    )
    const readers = new Set<string>()
    for (const [, pid, inode, first, last] of held) {
      // The marks of readers in the shared index of the log: https://sqlite.org/walformat.html#locks
      if (Number(inode) === ino && Number(first) <= 127 && Number(last) >= 123 && Number(pid) !== process.pid)
        readers.add(pid!)
    }
    return [...readers].join(' ')
  } catch {
    return ''
  }
}
