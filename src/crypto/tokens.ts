import { hash } from 'node:crypto'
import { idLength, timeOrderedId } from './ids.ts'
import { randomText } from './random.ts'

/** Kinds of opaque token, by the prefix people and secret scanners recognise them by. */
export type TokenKind =
  | 'gh_at'
  | 'gh_rt'
  | 'gh_ac'
  | 'gh_rq'
  | 'gh_pr'
  | 'gh_kr'
  | 'gh_si'
  | 'gh_dc'
  | 'gh_ia'
  | 'gh_ra'
  | 'gh_pl'

/** A token as it is stored: a row id that is no secret, and the SHA-256 of the whole token. */
export interface StoredToken {
  id: string
  hash: string
}

const secretLength = 43
const shape = /^[0-9a-hjkmnp-tv-z]{26}[A-Za-z0-9_-]{43}$/

/** `kind_` + time-ordered row id + 256 random bits (or the given secret part, base64url). */
export function makeToken(
  kind: TokenKind,
  now: number,
  from: { id?: string; secret?: string } = {},
): StoredToken & { token: string } {
  const id = from.id ?? timeOrderedId(now)
  const token = `${kind}_${id}${from.secret ?? randomText(32)}`
  return { token, id, hash: sha256(token) }
}

/** Where a presented token would be stored, or undefined when it cannot be one of ours. */
export function readToken(kind: TokenKind, token: string): StoredToken | undefined {
  const start = kind.length + 1
  if (token.length !== start + idLength + secretLength || !token.startsWith(`${kind}_`)) return undefined
  if (!shape.test(token.slice(start))) return undefined
  return { id: token.slice(start, start + idLength), hash: sha256(token) }
}

export function sha256(text: string): string {
  return hash('sha256', text, 'base64url')
}
