// RFC 6819 §5.1.4.2.3: where a client's imported secret was right before, failures from elsewhere do not keep it out.

const mostKnown = 10_000

/** Pairs of a client and a network from which it has authenticated lately, as this process saw it. */
export interface KnownNetworks {
  has(clientId: string, network: string): boolean
  add(clientId: string, network: string): void
}

/** Remembers so many pairs, the last ones used. */
export function knownNetworks(): KnownNetworks {
  const known = new Set<string>()
  const pair = (clientId: string, network: string) => JSON.stringify([clientId, network])
  return {
    has: (clientId, network) => known.has(pair(clientId, network)),
    add(clientId, network) {
      const one = pair(clientId, network)
      known.delete(one)
      if (known.size >= mostKnown) known.delete(known.values().next().value!)
      known.add(one)
    },
  }
}
