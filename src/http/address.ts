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
export function trustedProxies(list: readonly string[]): BlockList {
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

/** Where a request comes from, as limits count it. */
export interface Network {
  /** The whole IPv4 address, the /64 of an IPv6 one; `unknown` where nothing told the address. */
  name: string
  /** What one party may hold as easily: the /24 or /48 around it. */
  block: string
  /** The /16 or /32 around it, unless the address is unknown. */
  region?: string
  /** Everybody may come from there: no address was told, or it is one of our own network, most likely a proxy's. */
  shared: boolean
}

/** `proxiesKnown`: the addresses of proxies are configured, so that what is left is the client's own. */
export function networkOf(address: string, proxiesKnown: boolean): Network {
  const family = isIP(address)
  if (family === 0) return { name: address || 'unknown', block: address || 'unknown', shared: address === '' }
  const shared = !proxiesKnown && contains(own, address.split('%')[0]!)
  if (family === 4) {
    const bytes = address.split('.')
    const first = (count: number) => [...bytes.slice(0, count), ...Array(4 - count).fill('0')].join('.')
    return { name: address, block: `${first(3)}/24`, region: `${first(2)}/16`, shared }
  }
  const groups = groupsOf(address)
  const first = (count: number) => `${groups.slice(0, count).join(':')}::/${count * 16}`
  return { name: first(4), block: first(3), region: first(2), shared }
}

/** Addresses of this machine and of private networks (RFC 1918, RFC 6598, RFC 4193, RFC 3927, RFC 4291 §2.5.6). */
const own = new BlockList()
for (const [address, bits] of [
  ['127.0.0.0', 8],
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['100.64.0.0', 10],
  ['169.254.0.0', 16],
] as const)
  own.addSubnet(address, bits, 'ipv4')
own.addAddress('::1', 'ipv6')
own.addSubnet('fc00::', 7, 'ipv6')
own.addSubnet('fe80::', 10, 'ipv6')

/** The first four groups of an IPv6 address, without leading zeros. */
function groupsOf(address: string): string[] {
  const [head = '', tail = ''] = address.split('%')[0]!.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === '' ? [] : tail.split(':')
  const groups = address.includes('::')
    ? [...left, ...Array(Math.max(0, 8 - left.length - right.length)).fill('0'), ...right]
    : left
  return groups.slice(0, 4).map((group) => Number.parseInt(group || '0', 16).toString(16))
}

function contains(list: BlockList, address: string): boolean {
  const family = isIP(address)
  return family !== 0 && list.check(address, family === 4 ? 'ipv4' : 'ipv6')
}

function unmapped(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
}
