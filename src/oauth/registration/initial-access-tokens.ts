// RFC 7591 §3 (initial access tokens): what lets somebody register clients where not everyone may.

import { ConfigError, type ConfigProblem } from '../../config-error.ts'
import { makeToken } from '../../crypto/tokens.ts'
import { raw, sql } from '../../db/sql.ts'
import { eventInput } from '../../events/append.ts'
import {
  type InitialAccessTokenRow,
  insertInitialAccessToken,
  revokeInitialAccessToken,
} from '../records/initial-access-tokens.ts'
import type { Server } from '../server.ts'

export interface InitialAccessTokenInput {
  /** Who it is for, in the audit log and in lists. */
  name: string
  /** Clients it may register. Default 1. */
  uses?: number
  /** Seconds until it ends. Default a week, at most a year. */
  lifetime?: number
}

/** Everything but what it is checked against. */
export type ShownInitialAccessToken = Omit<InitialAccessTokenRow, 'hash'>

const week = 604_800
const year = 31_536_000
const mostUses = 10_000

/** Makes one; the token is shown this once. Throws `ConfigError`. */
export async function createInitialAccessToken(
  server: Server,
  { name, uses = 1, lifetime = week }: InitialAccessTokenInput,
): Promise<{ id: string; token: string; expiresAt: number }> {
  const problems: ConfigProblem[] = []
  if (typeof name !== 'string' || name.trim() === '' || name.length > 200)
    problems.push({ path: 'name', given: name, allowed: 'a name of 1 to 200 characters', example: 'Partner' })
  for (const [path, given, most] of [
    ['uses', uses, mostUses],
    ['lifetime', lifetime, year],
  ] as const) {
    if (!Number.isInteger(given) || given < 1 || given > most)
      problems.push({ path, given, allowed: `a whole number from 1 to ${most}`, example: '1' })
  }
  if (problems.length > 0) throw new ConfigError(problems)
  const now = server.now()
  const { id, hash, token } = makeToken('gh_ia', now)
  const expiresAt = now + lifetime * 1_000
  await server.db.write(insertInitialAccessToken, {
    id,
    hash,
    name,
    uses,
    now,
    expires_at: expiresAt,
    ...eventInput(now, 'initial_access_token_created', {}, { id, name, uses }),
  })
  return { id, token, expiresAt }
}

/** Initial access tokens, the oldest first: all that are kept, or a page. */
export function listInitialAccessTokens(
  { db }: Pick<Server, 'db'>,
  page: { limit?: number; after?: string } = {},
): Promise<ShownInitialAccessToken[]> {
  return db.query(
    sql<ShownInitialAccessToken>`select id, name, uses_left, created_at, expires_at, revoked_at
      from initial_access_tokens where id > ${page.after ?? ''} order by id
      ${page.limit === undefined ? raw('') : sql`limit ${page.limit}`}`,
  )
}

/** Ends one; clients it has registered stay. False for one that is unknown or has ended. */
export async function endInitialAccessToken(server: Server, id: string): Promise<boolean> {
  const now = server.now()
  const event = eventInput(now, 'initial_access_token_revoked', {}, { id })
  return (await server.db.write(revokeInitialAccessToken, { id, now, ...event })).length > 0
}
