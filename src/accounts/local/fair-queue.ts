/** Too many wait already: the client may try again after `retryAfter` seconds. */
export class QueueFull extends Error {
  override name = 'QueueFull'
  readonly retryAfter = 2
}

export interface QueueBounds {
  /** Work done at the same time. */
  atOnce: number
  /** Turns that may wait. */
  waiting: number
  /** Of these, as many as one party may hold, from the largest party to the smallest. */
  shares: readonly number[]
}

/**
 * Runs work for parties within parties (a network, in it an address, in it a login), named from the largest to the smallest.
 * Rejects with `QueueFull`, at once or while it waits, when others have more right to the place.
 */
export type FairQueue = <T>(party: readonly string[], work: () => Promise<T>) => Promise<T>

interface Turn {
  start(): void
  shed(): void
}

/** Who waits, in order of their next turn. Only the smallest parties hold turns. */
interface Party {
  waiting: number
  within: Map<string, Party>
  turns: Turn[]
}

const newParty = (): Party => ({ waiting: 0, within: new Map(), turns: [] })

/**
 * Takes turns round the largest parties, in each round the parties in it. When there is no room, the party that holds most
 * gives up its oldest turn, whose client has waited longest already, to one that holds less.
 */
export function fairQueue({ atOnce, waiting, shares }: QueueBounds): FairQueue {
  const all = newParty()
  let running = 0

  function largestIn(party: Party): [string, Party] | undefined {
    let largest: [string, Party] | undefined
    for (const one of party.within) if (!largest || one[1].waiting > largest[1].waiting) largest = one
    return largest
  }

  /** The path to the turn that has to go for a newcomer; undefined when that is the newcomer itself. */
  function findVictim(path: readonly string[]): string[] | undefined {
    const full = (party: Party, depth: number) =>
      party.waiting >= (depth === 0 ? waiting : (shares[depth - 1] ?? waiting))
    // From the smallest party that has no room left downwards.
    let depth = 0
    let at: Party | undefined = all
    for (let n = 0; n <= path.length && at; n++) {
      if (full(at, n)) depth = n
      at = n < path.length ? at.within.get(path[n]!) : undefined
    }
    let party = path.slice(0, depth).reduce((one, name) => one.within.get(name)!, all)
    for (let n = depth; n < path.length; n++) {
      const own: Party | undefined = party.within.get(path[n]!)
      const largest = largestIn(party)
      if (largest && largest[1].waiting > (own?.waiting ?? 0) + 1) return descend(path.slice(0, n), party)
      if (!own) return undefined
      party = own
    }
    return undefined
  }

  function descend(path: string[], party: Party): string[] {
    const largest = largestIn(party)
    return largest ? descend([...path, largest[0]], largest[1]) : path
  }

  function hasRoom(path: readonly string[]): boolean {
    let party: Party | undefined = all
    if (all.waiting >= waiting) return false
    for (const [n, name] of path.entries()) {
      party = party.within.get(name)
      if (!party) return true
      if (party.waiting >= (shares[n] ?? waiting)) return false
    }
    return true
  }

  function add(path: readonly string[], turn: Turn): void {
    let party = all
    party.waiting++
    for (const name of path) {
      let next = party.within.get(name)
      if (!next) party.within.set(name, (next = newParty()))
      next.waiting++
      party = next
    }
    party.turns.push(turn)
  }

  /** Takes the oldest turn at the end of a path; each party on it goes to the end of its round. */
  function take(path: readonly string[]): Turn {
    const [name, ...rest] = path
    return takeFrom(all, name!, rest)
  }

  function takeFrom(party: Party, name: string, rest: readonly string[]): Turn {
    const next = party.within.get(name)!
    party.waiting--
    party.within.delete(name)
    if (next.waiting > 1) party.within.set(name, next)
    if (rest.length > 0) return takeFrom(next, rest[0]!, rest.slice(1))
    next.waiting--
    return next.turns.shift()!
  }

  function nextPath(): string[] {
    const path: string[] = []
    let party = all
    for (;;) {
      const [first] = party.within
      if (!first) return path
      path.push(first[0])
      party = first[1]
    }
  }

  function waitFor(path: readonly string[]): Promise<void> {
    if (!hasRoom(path)) {
      const victim = findVictim(path)
      if (!victim) throw new QueueFull('too many wait already')
      take(victim).shed()
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    add(path, { start: resolve, shed: () => reject(new QueueFull('others had more right to the place')) })
    return promise
  }

  return async (path, work) => {
    if (running < atOnce) running++
    else await waitFor(path)
    try {
      return await work()
    } finally {
      const next = nextPath()
      if (next.length > 0) take(next).start()
      else running--
    }
  }
}
