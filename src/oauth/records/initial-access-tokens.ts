import { from, insert, returning, select, sql, write } from '../../db/sql.ts'
import { appendEvent, eventColumns } from '../../events/append.ts'

/** What lets so many clients register themselves. */
export interface InitialAccessTokenRow {
  id: string
  hash: string
  name: string
  uses_left: number
  created_at: number
  expires_at: number
  revoked_at: number | null
}

export const insertInitialAccessToken = write(
  'insert_initial_access_token',
  {
    id: 'text',
    hash: 'text',
    name: 'text',
    uses: 'int',
    now: 'int',
    expires_at: 'int',
    ...eventColumns,
  },
  (i) => ({
    effects: [
      insert('initial_access_tokens', {
        id: i.id,
        hash: i.hash,
        name: i.name,
        uses_left: i.uses,
        created_at: i.now,
        expires_at: i.expires_at,
      }),
      appendEvent(i),
    ],
  }),
)

export const findInitialAccessToken = select(
  'find_initial_access_token',
  { id: 'text', hash: 'text' },
  (i) =>
    sql<InitialAccessTokenRow>`select * from initial_access_tokens where id = ${i.id} and hash = ${i.hash}`,
)

export const revokeInitialAccessToken = write(
  'revoke_initial_access_token',
  { id: 'text', now: 'int', ...eventColumns },
  (i) => ({
    guard: sql<{ id: string }>`update initial_access_tokens set revoked_at = ${i.now}
      ${from} where initial_access_tokens.id = ${i.id} and initial_access_tokens.revoked_at is null
      ${returning} initial_access_tokens.id`,
    effects: [appendEvent(i)],
  }),
)
