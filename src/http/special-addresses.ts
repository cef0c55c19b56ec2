import { BlockList, isIP } from 'node:net'

/** IPv4 blocks of the special-purpose registry (RFC 6890 §2.2.2, as amended), multicast (RFC 5771), and one of a cloud's own. */
const special4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.31.196.0/24',
  '192.52.193.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '192.175.48.0/24',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  // Azure answers every machine's questions about itself under this otherwise public address.
  '168.63.129.16/32',
]

/**
 * Of IPv6 only 2000::/3 is given out for the public internet (RFC 4291 §2.4); these blocks of it are special-purpose
 * (RFC 6890 §2.2.3, as amended). What lies outside, IPv4-mapped addresses and NAT64 prefixes included, is special anyway.
 */
const public6 = '2000::/3'
const special6 = ['2001::/23', '2001:db8::/32', '2002::/16', '2620:4f:8000::/48', '3fff::/20']

/** Made when first needed: most servers fetch nothing. */
let lists: { special: BlockList; unicast6: BlockList } | undefined

/** Whether an address is no host of the public internet: private, loopback, link-local, shared, multicast, tunnel or reserved. */
export function isSpecialAddress(address: string): boolean {
  lists ??= { special: listOf([...special4, ...special6]), unicast6: listOf([public6]) }
  const { special, unicast6 } = lists
  switch (isIP(address)) {
    case 4:
      return special.check(address, 'ipv4')
    case 6:
      // A zone names an interface, which only addresses of the own link have.
      return address.includes('%') || !unicast6.check(address, 'ipv6') || special.check(address, 'ipv6')
    default:
      return true
  }
}

function listOf(blocks: readonly string[]): BlockList {
  const list = new BlockList()
  for (const block of blocks) {
    const [address, bits] = block.split('/') as [string, string]
    list.addSubnet(address, Number(bits), isIP(address) === 4 ? 'ipv4' : 'ipv6')
  }
  return list
}
