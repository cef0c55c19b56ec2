import { BlockList, isIP } from 'node:net'

/** Decides which hop of `x-forwarded-for` is the client: the last one that no trusted proxy vouches against. */
export function clientAddress(
  peer: string,
  forwarded: string | undefined,
  trusted: BlockList | undefined,
): string {
  const own = unmapped(peer)
  if (!trusted || !forwarded || !isTrustedProxy(peer, trusted)) return own
  const hops = forwarded.split(',').map((hop) => unmapped(hop.trim()))
  for (let n = hops.length - 1; n >= 0; n--) {
    const hop = hops[n]!
    if (isIP(hop) === 0) return own
    if (!contains(trusted, hop) || n === 0) return hop
  }
  return own
}

/** Whether the peer of a connection is one of the trusted proxies, so that what it says of the client may be believed. */
export function isTrustedProxy(peer: string, trusted: BlockList | undefined): boolean {
  return trusted !== undefined && contains(trusted, unmapped(peer))
}

/** Addresses and subnets (`10.0.0.0/8`) of the proxies in front. Throws a plain sentence for one that is neither. */
export function trustedProxies(list: readonly string[]): BlockList | undefined {
  if (list.length === 0) return undefined
  const trusted = new BlockList()
  for (const entry of list) {
    const [address, bits] = entry.split('/') as [string, string | undefined]
    const family = isIP(address)
    // An empty text would be the number 0, and so the whole internet.
    const width = bits === undefined ? undefined : /^\d{1,3}$/.test(bits) ? Number(bits) : Infinity
    if (family === 0 || (width !== undefined && width > (family === 4 ? 32 : 128))) {
      throw new Error(`${entry} is neither an address nor a subnet`)
    }
    if (width === undefined) trusted.addAddress(address, family === 4 ? 'ipv4' : 'ipv6')
    else trusted.addSubnet(address, width, family === 4 ? 'ipv4' : 'ipv6')
  }
  return trusted
}

/** The network a limit counts by: the whole IPv4 address, the /64 of an IPv6 one. */
export function networkOf(address: string): string {
  if (isIP(address) !== 6) return address
  const [head = '', tail = ''] = address.split('%')[0]!.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === '' ? [] : tail.split(':')
  const groups = address.includes('::')
    ? [...left, ...Array(Math.max(0, 8 - left.length - right.length)).fill('0'), ...right]
    : left
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group || '0', 16).toString(16))
    .join(':')}::/64`
}

function contains(list: BlockList, address: string): boolean {
  const family = isIP(address)
  return family !== 0 && list.check(address, family === 4 ? 'ipv4' : 'ipv6')
}

function unmapped(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
}
