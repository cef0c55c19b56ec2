// RFC 7591 §2: what the value of a client's member may be, and how it is kept in its column.

import { canonicalAddress, parseDistinguishedName } from '../../../crypto/certificate.ts'
import { algorithmNamed, algorithms } from '../../../crypto/jws.ts'
import { canonicalScope, scopeSet } from '../../../protocol/scope.ts'

/** One kind of value. */
export interface Form {
  /** How an option of the CLI is read. */
  kind: 'text' | 'list' | 'words' | 'flag' | 'seconds' | 'count' | 'json'
  /** In words, for the person who wrote something else. */
  allowed: string
  example?: string
  fits(value: unknown): boolean
  /** How a value that fits is kept. Default: as it is. */
  kept?(value: unknown): unknown
  toColumn(value: unknown): unknown
  fromColumn(column: unknown): unknown
}

const longestText = 2_048
const asItIs = {
  toColumn: (value: unknown) => value ?? null,
  fromColumn: (column: unknown) => column ?? undefined,
}
const asWords = {
  toColumn: (value: unknown) => [...new Set((value ?? []) as string[])].join(' '),
  fromColumn: (column: unknown) => scopeSet(column as string),
}
const asJson = {
  toColumn: (value: unknown) => (value === undefined ? null : JSON.stringify(value)),
  fromColumn: (column: unknown) => (column === null ? undefined : JSON.parse(column as string)),
}

const isString = (value: unknown) => typeof value === 'string'
const isText = (value: unknown) => isString(value) && value !== '' && (value as string).length <= longestText
const isList = (value: unknown, fits: (one: unknown) => boolean) => Array.isArray(value) && value.every(fits)
const isHttps = (value: unknown) =>
  isString(value) && URL.canParse(value as string) && new URL(value as string).protocol === 'https:'

export const anyText: Form = { kind: 'text', allowed: 'a text', fits: isString, ...asItIs }
export const text: Form = { ...anyText, fits: isText }
export const displayName: Form = {
  ...anyText,
  allowed: 'a name of 1 to 200 characters',
  example: 'Job board GPT',
  fits: (value) => isString(value) && (value as string).trim() !== '' && (value as string).length <= 200,
}
export const httpsLink: Form = {
  ...anyText,
  allowed: 'an https URL',
  example: 'https://example.com/logo.png',
  fits: isHttps,
}
export const https: Form = {
  ...anyText,
  allowed: 'an https URL without fragment',
  fits: (value) =>
    isText(value) && /^https:\/\/[^#]+$/i.test(value as string) && URL.canParse(value as string),
}
export const oneOf = (words: readonly string[]): Form => ({
  ...anyText,
  allowed: words.join(', '),
  fits: (value) => words.includes(value as string),
})
export const texts: Form = {
  kind: 'list',
  allowed: 'a list of texts',
  fits: (value) => isList(value, isText) && (value as unknown[]).length <= 100,
  ...asJson,
}
/** Without a limit of its own; each value is judged by what it means. */
export const uris: Form = {
  ...texts,
  fits: (value) => isList(value, isString),
  toColumn: (value) => JSON.stringify([...new Set((value ?? []) as string[])]),
}
export const words: Form = { ...uris, kind: 'words', ...asWords }
export const scopes: Form = { ...words, toColumn: (value) => canonicalScope((value ?? []) as string[]) }
export const flag: Form = {
  kind: 'flag',
  allowed: 'true or false',
  fits: (value) => typeof value === 'boolean',
  toColumn: (value) => (value === true ? 1 : 0),
  fromColumn: (column) => column === 1,
}
/** Seconds for people, milliseconds in the column. */
export const lifetime = ([least, most]: readonly [number, number]): Form => ({
  kind: 'seconds',
  allowed: `a whole number of seconds from ${least / 1_000} to ${most / 1_000}`,
  fits: (value) => Number.isInteger(value) && isWithin((value as number) * 1_000, least, most),
  toColumn: (value) => (value === undefined || value === null ? null : (value as number) * 1_000),
  fromColumn: (column) => (column === null ? undefined : (column as number) / 1_000),
})
export const count: Form = {
  kind: 'count',
  allowed: 'a whole number of at least 1',
  fits: (value) => Number.isInteger(value) && (value as number) >= 1,
  ...asItIs,
}
export const age: Form = {
  ...count,
  kind: 'seconds',
  allowed: 'a whole number of seconds',
  fits: (value) => Number.isInteger(value) && isWithin(value as number, 0, 999_999_999),
}
export const anyObject: Form = {
  kind: 'json',
  allowed: 'an object',
  fits: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  toColumn: (value) => JSON.stringify(value ?? {}),
  fromColumn: asJson.fromColumn,
}
/** Judged where the keys are read; a problem never shows what was given, which may be a private key. */
export const keySet: Form = { ...anyObject, allowed: 'a JWK set', fits: () => true, ...asJson }

/** Taken by either name of EdDSA, and told by the one (RFC 9864 §2.2). */
export const algorithm: Form = {
  ...anyText,
  allowed: algorithms.join(', '),
  fits: (value) => algorithmNamed(value) !== undefined,
  kept: algorithmNamed,
}
export const distinguishedName: Form = {
  ...text,
  allowed: 'a distinguished name, the most specific part first (RFC 4514)',
  fits: (value) => isText(value) && parseDistinguishedName(value as string) !== undefined,
}
export const ipAddress: Form = {
  ...text,
  allowed: 'an IP address',
  fits: (value) => isText(value) && canonicalAddress(value as string) !== undefined,
}

function isWithin(value: number, least: number, most: number): boolean {
  return value >= least && value <= most
}
