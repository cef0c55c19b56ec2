import type { Log } from '../log.ts'

/** Writes what is counted in memory, again and again, until it is closed. */
export interface Flushing {
  /** Writes it once more, and ends. Never rejects. */
  end(): Promise<void>
  /** No further one begins. */
  stop(): void
}

/** The timer keeps no process alive. */
export function flushEvery(milliseconds: number, counts: readonly Counted[], log: Log): Flushing {
  const flush = () =>
    Promise.all(counts.map((one) => one.flush())).then(
      () => {},
      (error) => log.warn('counts could not be written yet', { error: String(error) }),
    )
  const timer = setInterval(flush, milliseconds)
  timer.unref()
  return { end: flush, stop: () => clearInterval(timer) }
}

interface Counted {
  flush(): Promise<void>
}
