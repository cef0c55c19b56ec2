// RFC 8628 §6.1, §5.1: the code a person carries from one device to another, and how it is kept.

import { randomInt } from 'node:crypto'
import type { Secrets } from '../crypto/secrets.ts'

/** Letters that are hard to confuse, and no vowels, so that no words appear. */
const alphabet = 'BCDFGHJKLMNPQRSTVWXZ'
const length = 8

/** Eight of twenty letters: 34 bits, against which guesses are counted. */
export function makeUserCode(): string {
  return Array.from({ length }, () => alphabet[randomInt(alphabet.length)]).join('')
}

/** As it is shown: `WDJB-MJHT`. */
export function shownUserCode(code: string): string {
  return `${code.slice(0, length / 2)}-${code.slice(length / 2)}`
}

/** What a person typed, in upper case and without what stands between the letters; undefined when it cannot be a code. */
export function readUserCode(typed: string | undefined): string | undefined {
  if (typed === undefined || typed.length > 64) return undefined
  const code = typed.toUpperCase().replace(/[^\p{L}\p{N}]/gu, '')
  return code.length === length && [...code].every((letter) => alphabet.includes(letter)) ? code : undefined
}

/** So few codes could all be tried against a plain hash, so the hash is keyed. */
export function hashUserCode(secrets: Secrets, code: string): string {
  return secrets.mac('user code', code)
}

/** The same under every root secret that is in use, newest first. */
export function userCodeHashes(secrets: Secrets, code: string): string[] {
  return secrets.macs('user code', code)
}
