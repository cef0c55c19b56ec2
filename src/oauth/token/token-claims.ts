// RFC 9068 §2.2.2, §2.2.3; RFC 7662 §2.2: claims of the host's own in access tokens, beside those that are the server's.

import { fromHost } from '../../accounts/account.ts'
import { accountSubject } from '../../accounts/users.ts'
import type { TokenFacts } from '../config/tokens.ts'
import type { Server } from '../server.ts'

/** Most that the host may add, in bytes of JSON: the token travels in a header of every request. */
const mostBytes = 4_096

/** What this server says itself, or readers of tokens and of introspection answers take from it. */
const reserved: ReadonlySet<string> = new Set([
  'iss',
  'sub',
  'aud',
  'exp',
  'nbf',
  'iat',
  'jti',
  'client_id',
  'scope',
  'auth_time',
  'acr',
  'amr',
  'sid',
  'cnf',
  'act',
  'may_act',
  'authorization_details',
  'asserted_by',
  'active',
  'token_type',
])

/**
 * What `tokens.claims` adds to a token that is about to be made; null where it adds nothing. To be asked before anything is
 * spent: it throws where the host cannot answer, or answers what no token may hold.
 */
export async function hostClaims(
  server: Server,
  ask: NonNullable<Server['settings']['tokens']['claims']>,
  grant: { userId: string | null } & Omit<TokenFacts, 'account'>,
): Promise<Record<string, unknown> | null> {
  const { userId, ...facts } = grant
  const account = userId === null ? null : ((await accountSubject(server, userId)) ?? null)
  let answer: unknown
  try {
    answer = await fromHost(ask({ account, ...facts }))
  } catch (cause) {
    if (cause instanceof Error && cause.name === 'AccountsUnavailable') throw cause
    throw wrong(`threw: ${cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)}`)
  }
  if (answer === null || answer === undefined) return null
  // What a map holds is not written as JSON: a token without its roles would be issued.
  if (typeof answer !== 'object' || [Array, Map, Set].some((kind) => answer instanceof kind))
    throw wrong('must answer an object of claims')
  let text: string | undefined
  try {
    text = JSON.stringify(answer)
  } catch (cause) {
    throw wrong(`must answer what can be written as JSON: ${String(cause)}`)
  }
  // What counts is what is written: an object may say so itself (`toJSON`).
  if (!text?.startsWith('{')) throw wrong('must answer an object of claims')
  if (Buffer.byteLength(text) > mostBytes)
    throw wrong(`must answer at most ${mostBytes} bytes of JSON, not ${Buffer.byteLength(text)}`)
  const claims = JSON.parse(text) as Record<string, unknown>
  const taken = Object.keys(claims).find((name) => reserved.has(name))
  if (taken !== undefined) throw wrong(`must not answer ${taken}: that claim is the server's`)
  return Object.keys(claims).length === 0 ? null : claims
}

const wrong = (what: string) => new Error(`tokens.claims ${what}`)
