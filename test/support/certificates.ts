// Certificates for servers and clients under test, made on the spot: no key lies in the repository.

import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { isIP, isIPv4 } from 'node:net'

export interface Certificate {
  /** PEM. */
  cert: string
  /** PEM, PKCS #8. */
  key: string
}

/** A common name, or the attributes of a subject by object identifier, the most general first. */
export type Subject = string | readonly (readonly [oid: string, value: string])[]

export interface Authority extends Certificate {
  /**
   * A certificate for these host names, addresses, URIs and mail addresses, good as a server's and as a client's, unless
   * `usage` says by its object identifier what alone it is good for.
   */
  issue(names: readonly string[], subject?: Subject, usage?: string): Certificate
}

/** An authority of its own (P-256); its certificates are good for ten days, one of which has passed `at` that moment. */
export function makeAuthority(name = 'Test authority', at = Date.now()): Authority {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const basics = extension('2.5.29.19', sequence(boolean(true)), true)
  const root = certificate(name, pair.publicKey, name, pair.privateKey, [basics], at)
  return {
    ...root,
    issue(names, subject = names[0] ?? 'client', usage) {
      const leaf = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      const extensions = [
        ...(names.length > 0 ? [extension('2.5.29.17', sequence(...names.map(alternativeName)))] : []),
        ...(usage === undefined ? [] : [extension('2.5.29.37', sequence(oid(usage)))]),
      ]
      const signed = certificate(subject, leaf.publicKey, name, pair.privateKey, extensions, at)
      return { cert: signed.cert, key: pem('PRIVATE KEY', exportKey(leaf.privateKey)) }
    },
  }
}

/** A certificate that vouches for itself. */
export function makeSelfSigned(subject: string, at = Date.now()): Certificate {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return certificate(subject, pair.publicKey, subject, pair.privateKey, [], at)
}

function certificate(
  subject: Subject,
  publicKey: KeyObject,
  issuer: string,
  issuerKey: KeyObject,
  extensions: Buffer[],
  at: number,
): Certificate {
  const algorithm = sequence(oid('1.2.840.10045.4.3.2'))
  const day = 86_400_000
  const toBeSigned = sequence(
    der(0xa0, integer(Buffer.from([2]))),
    integer(Buffer.concat([Buffer.from([1]), randomBytes(15)])),
    algorithm,
    distinguishedName(issuer),
    sequence(time(at - day), time(at + 9 * day)),
    distinguishedName(subject),
    createPublicKey(publicKey.export({ format: 'pem', type: 'spki' })).export({
      format: 'der',
      type: 'spki',
    }),
    ...(extensions.length > 0 ? [der(0xa3, sequence(...extensions))] : []),
  )
  const signature = sign('sha256', toBeSigned, issuerKey)
  const whole = sequence(toBeSigned, algorithm, der(0x03, Buffer.concat([Buffer.from([0]), signature])))
  return { cert: pem('CERTIFICATE', whole), key: pem('PRIVATE KEY', exportKey(issuerKey)) }
}

const exportKey = (key: KeyObject) => key.export({ format: 'der', type: 'pkcs8' })

function pem(label: string, bytes: Buffer): string {
  const lines = bytes.toString('base64').replace(/.{64}/g, '$&\n').trimEnd()
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`
}

function der(tag: number, content: Buffer): Buffer {
  const { length } = content
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}

const sequence = (...parts: Buffer[]) => der(0x30, Buffer.concat(parts))
const integer = (bytes: Buffer) => der(0x02, bytes)
const boolean = (value: boolean) => der(0x01, Buffer.from([value ? 0xff : 0]))
const time = (at: number) =>
  der(0x18, Buffer.from(`${new Date(at).toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`))
const distinguishedName = (name: Subject) =>
  sequence(
    ...(typeof name === 'string' ? [['2.5.4.3', name] as const] : name).map(([id, value]) =>
      der(0x31, sequence(oid(id), der(0x0c, Buffer.from(value)))),
    ),
  )
const extension = (id: string, value: Buffer, critical = false) =>
  sequence(oid(id), ...(critical ? [boolean(true)] : []), der(0x04, value))

function alternativeName(name: string): Buffer {
  if (name.includes('://')) return der(0x86, Buffer.from(name))
  if (name.includes('@')) return der(0x81, Buffer.from(name))
  return isIP(name) ? der(0x87, addressBytes(name)) : der(0x82, Buffer.from(name))
}

function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number)
  const bytes = [first * 40 + second]
  for (const arc of rest) {
    const groups = [arc & 0x7f]
    for (let left = arc >> 7; left > 0; left >>= 7) groups.unshift((left & 0x7f) | 0x80)
    bytes.push(...groups)
  }
  return der(0x06, Buffer.from(bytes))
}

function addressBytes(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number))
  const [head = '', tail = ''] = address.split('::')
  const groups = (text: string) => (text === '' ? [] : text.split(':').map((one) => Number.parseInt(one, 16)))
  const [left, right] = [groups(head), groups(tail)]
  const all = [...left, ...Array<number>(8 - left.length - right.length).fill(0), ...right]
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 0xff]))
}
