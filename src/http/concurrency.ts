/** How many may be under way for one key and in all, and how many may wait. */
export interface ConcurrencyLimits {
  perKey: number
  inAll: number
  waiting: number
}

/** Waits for a turn until the signal aborts. Answers how to end it, or undefined when there is no room or no time left. */
export type Enter = (key: string, signal: AbortSignal) => Promise<(() => void) | undefined>

/** Lets so many in at once, first come first served among those whose key has room. */
export function limitConcurrency(limits: ConcurrencyLimits): Enter {
  const underWay = new Map<string, number>()
  const waiting: { key: string; start(): void }[] = []
  let all = 0

  const hasRoom = (key: string) => all < limits.inAll && (underWay.get(key) ?? 0) < limits.perKey

  function start(key: string): () => void {
    all++
    underWay.set(key, (underWay.get(key) ?? 0) + 1)
    return () => {
      all--
      const left = underWay.get(key)! - 1
      if (left === 0) underWay.delete(key)
      else underWay.set(key, left)
      const next = waiting.findIndex((one) => hasRoom(one.key))
      if (next >= 0) waiting.splice(next, 1)[0]!.start()
    }
  }

  return async (key, signal) => {
    if (signal.aborted) return undefined
    if (hasRoom(key)) return start(key)
    if (waiting.length >= limits.waiting) return undefined
    const { promise, resolve } = Promise.withResolvers<(() => void) | undefined>()
    const turn = { key, start: () => resolve(start(key)) }
    const giveUp = () => {
      const at = waiting.indexOf(turn)
      if (at >= 0) waiting.splice(at, 1)
      resolve(undefined)
    }
    waiting.push(turn)
    signal.addEventListener('abort', giveUp, { once: true })
    return promise.finally(() => signal.removeEventListener('abort', giveUp))
  }
}
