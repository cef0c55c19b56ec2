import { BlockList, isIP } from 'node:net'

/** Whose word about clients is believed, and in which header it stands. */
export interface Forwarding {
  trustedProxies: BlockList | undefined
  /** Lower case, default `x-forwarded-for`. `forwarded` is read as RFC 7239 has it, any other as a list of addresses. */
  forwardedHeader?: string
}

/**
 * The client's address: the peer's own, or, where that is a trusted proxy, the last hop of the header that is none. '' where
 * the proxy names no address that can be read (`unknown`, an obfuscated name): never the proxy's own in its place. A trusted
 * peer that sends no such header is a client itself.
 */
export function clientAddress(
  peer: string,
  header: (name: string) => string | undefined,
  { trustedProxies: trusted, forwardedHeader = 'x-forwarded-for' }: Forwarding,
): string {
  const own = unmapped(peer)
  if (!trusted || !contains(trusted, own)) return own
  const value = header(forwardedHeader)
  if (value === undefined) return headersOfProxies.some((name) => header(name) !== undefined) ? '' : own
  let hop: string | undefined
  for (const element of forwardedHeader === 'forwarded' ? forwardedElements(value) : listElements(value)) {
    hop = forwardedHeader === 'forwarded' ? forwardedNode(element) : nodeAddress(element)
    if (hop === undefined) return ''
    if (!contains(trusted, hop)) return hop
  }
  return hop ?? ''
}

/** What proxies name clients in: one of these without the configured header says that the configuration is wrong. */
const headersOfProxies = ['x-forwarded-for', 'forwarded']

/** From the last to the first: what a client sent before the proxies added theirs is never reached. */
function listElements(value: string): string[] {
  return value
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '')
    .reverse()
}

/**
 * The elements of a `Forwarded` header (RFC 7239 §4), from the last to the first. They are taken off the end, where the trusted
 * proxies wrote: a quote that a client opened in its part cannot swallow theirs.
 */
function* forwardedElements(value: string): Generator<string> {
  let end = value.length
  while (end >= 0) {
    let start = end
    let element: string
    do {
      start = start === 0 ? -1 : value.lastIndexOf(',', start - 1)
      element = value.slice(start + 1, end)
    } while (start >= 0 && element.length <= longestElement && !quotesAreClosed.test(element))
    if (element.trim() !== '') yield element.trim()
    end = start
  }
}

/** What is longer is looked at no further: a quote that is never closed would be, once for each comma in it. */
const longestElement = 1_000
const quotesAreClosed = /^(?:[^"]|"(?:[^"\\]|\\.)*")*$/
const pair = /\s*([!#$%&'*+.^_`|~0-9a-z-]+)=([!#$%&'*+.^_`|~0-9a-z:[\]-]+|"(?:[^"\\]|\\.)*")\s*(;|$)/iy

/** The address in `for` of one element (RFC 7239 §4, §5.2); undefined where there is none, or more than one. */
function forwardedNode(element: string): string | undefined {
  const found: string[] = []
  for (pair.lastIndex = 0; pair.lastIndex < element.length; ) {
    const [, name, value] = pair.exec(element) ?? []
    if (name === undefined) return undefined
    if (name.toLowerCase() === 'for') found.push(value!)
  }
  return found.length === 1 ? nodeAddress(found[0]!) : undefined
}

/** An address with or without a port (RFC 7239 §6), as proxies write it: IPv6 in brackets or bare, quoted or not. */
function nodeAddress(node: string): string | undefined {
  const text = /^"(.*)"$/.exec(node)?.[1]?.replace(/\\(.)/g, '$1') ?? node
  const [, bracketed, ofBracketed] = /^\[([^\]]+)\](?::(\d{1,5}))?$/.exec(text) ?? []
  const [, plain, ofPlain] = /^(\d+\.\d+\.\d+\.\d+):(\d{1,5})$/.exec(text) ?? []
  // Nine groups: some proxies write a port behind an IPv6 address without brackets.
  const [, long, ofLong] = /^((?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}):(\d{1,5})$/i.exec(text) ?? []
  if (Number(ofBracketed ?? ofPlain ?? ofLong ?? 0) > 65_535) return undefined
  const address = (bracketed ?? plain ?? long ?? text).split('%')[0]!
  const family = isIP(address)
  return family === 0 || (bracketed !== undefined && family === 4) ? undefined : unmapped(address)
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

/** The IPv4 address in an IPv6 one (RFC 4291 §2.5.5.2), written either way. */
function unmapped(address: string): string {
  if (!/^::ffff:/i.test(address)) return address
  const rest = address.slice(7)
  if (rest.includes('.')) return rest
  const [, high, low] = /^([0-9a-f]{1,4}):([0-9a-f]{1,4})$/i.exec(rest) ?? []
  if (high === undefined || low === undefined) return address
  const [a, b] = [Number.parseInt(high, 16), Number.parseInt(low, 16)]
  return `${a >> 8}.${a & 255}.${b >> 8}.${b & 255}`
}
