import type { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { exactText } from '../exact-text.ts'

/** Names of attribute types that are one and the same, by object identifier or by habit. Upper case. */
const attributeNames: Readonly<Record<string, string>> = {
  '2.5.4.3': 'CN',
  '2.5.4.5': 'SERIALNUMBER',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  S: 'ST',
  '2.5.4.9': 'STREET',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
  '2.5.4.15': 'BUSINESSCATEGORY',
  '2.5.4.97': 'ORGANIZATIONIDENTIFIER',
  '0.9.2342.19200300.100.1.1': 'UID',
  USERID: 'UID',
  '0.9.2342.19200300.100.1.25': 'DC',
  '1.2.840.113549.1.9.1': 'EMAILADDRESS',
  E: 'EMAILADDRESS',
  EMAIL: 'EMAILADDRESS',
  '1.3.6.1.4.1.311.60.2.1.3': 'JURISDICTIONC',
  JURISDICTIONCOUNTRYNAME: 'JURISDICTIONC',
}

/**
 * A distinguished name as text (RFC 4514: the most specific part first), as a list that two spellings of one name share.
 * Attribute types are compared without regard to case, values exactly. Undefined for what is none.
 */
export function parseDistinguishedName(text: string): string[] | undefined {
  const parts = splitUnescaped(text, ',').map(parsePart)
  return parts.every((part) => part !== undefined) ? parts : undefined
}

/** The subject of a certificate in the same form. */
export function subjectOf(certificate: X509Certificate): string[] | undefined {
  // Node writes the most specific part last, one on a line, escaped as RFC 2253 has it, line breaks included.
  return certificate.subject === undefined
    ? undefined
    : parseDistinguishedName(certificate.subject.split('\n').reverse().join(','))
}

/** One relative distinguished name; the order of several attributes in it means nothing. */
function parsePart(text: string): string | undefined {
  const attributes = splitUnescaped(text, '+').map((attribute) => {
    const [, type, value] =
      /^ *(?:OID\.)?([A-Za-z][A-Za-z0-9-]*|\d+(?:\.\d+)+) *=(.*)$/is.exec(attribute) ?? []
    if (type === undefined || value === undefined) return undefined
    const plain = plainValue(value)
    const name = type.toUpperCase()
    return plain === undefined ? undefined : JSON.stringify([attributeNames[name] ?? name, plain])
  })
  return attributes.every((one) => one !== undefined) ? attributes.sort().join('+') : undefined
}

function splitUnescaped(text: string, separator: string): string[] {
  const parts = ['']
  for (let at = 0; at < text.length; at++) {
    if (text[at] === separator) parts.push('')
    else parts[parts.length - 1] += text[at] === '\\' ? text[at]! + (text[++at] ?? '') : text[at]!
  }
  return parts
}

/** Without its escapes and the space around it; `#` begins the hexadecimal BER of a string (RFC 4514 §2.4). */
function plainValue(escaped: string): string | undefined {
  const characters = [...escaped.matchAll(/\\[0-9a-f]{2}|\\.|[^\\]|\\$/gisu)].map(([one]) => one)
  while (characters[0] === ' ') characters.shift()
  while (characters.at(-1) === ' ') characters.pop()
  if (characters[0] === '#' && characters.length > 1) return shortString(characters.slice(1).join(''))
  if (characters.at(-1) === '\\') return undefined
  const bytes = characters.map((one) =>
    /^\\[0-9a-f]{2}$/i.test(one) ? Buffer.from(one.slice(1), 'hex') : Buffer.from(one.replace(/^\\/, '')),
  )
  return exactText(Buffer.concat(bytes))
}

/** A UTF8String, PrintableString or IA5String of at most 127 bytes. */
function shortString(hexadecimal: string): string | undefined {
  const bytes = Buffer.from(hexadecimal, 'hex')
  const [tag = 0, length = 0] = bytes
  const isOne = [0x0c, 0x13, 0x16].includes(tag) && length === bytes.length - 2 && length < 128
  return isOne ? exactText(bytes.subarray(2)) : undefined
}

export type AlternativeName = 'DNS' | 'URI' | 'IP Address' | 'email'

/** The subject alternative names of one kind; none when the list cannot be read to its end. */
export function alternativeNames(certificate: X509Certificate, kind: AlternativeName): string[] {
  const names: string[] = []
  let rest = certificate.subjectAltName ?? ''
  while (rest !== '') {
    // Node puts a value in the quotes of JSON when it holds anything that could be taken for the next one.
    const match = /^([^:,"]+):("(?:[^"\\]|\\.)*"|[^,"]*)(?:, |$)/.exec(rest)
    if (!match) return []
    const [whole, type, value = ''] = match
    if (type === kind) names.push(value.startsWith('"') ? (JSON.parse(value) as string) : value)
    rest = rest.slice(whole.length)
  }
  return names
}

/** An address in its one spelling; undefined for what is none. */
export function canonicalAddress(text: string): string | undefined {
  const family = isIP(text)
  if (family === 0) return undefined
  return new URL(`http://${family === 6 ? `[${text}]` : text}`).hostname
}
