import { livingClient } from '../../db/living.ts'
import { andFrom, from, insert, type Refs, returning, select, selecting, sql, write } from '../../db/sql.ts'

/** A pushed authorization request (RFC 9126), its parameters in JSON. */
export interface PushedRequestRow {
  id: string
  client_id: string
  request: string
  /** `sub` of the user it is for, where the client showed an ID token of theirs. */
  subject: string | null
  expires_at: number
  used_at: number | null
}

/** No row for a client that is not active any more, or authenticates in another way now. */
export const insertPushedRequest = write(
  'insert_pushed_request',
  {
    id: 'text',
    hash: 'text',
    client_id: 'text',
    request: 'text',
    subject: 'text?',
    client_method: 'text',
    now: 'int',
    expires_at: 'int',
  },
  (i) => ({
    guard: sql<{ id: string }>`${selecting} k.id from clients k ${andFrom}
      where k.id = ${i.client_id} and ${livingClient(i.client_id, i.client_method)}`,
    effects: [
      insert('pushed_authorization_requests', {
        id: i.id,
        hash: i.hash,
        client_id: i.client_id,
        request: i.request,
        subject: i.subject,
        created_at: i.now,
        expires_at: i.expires_at,
      }),
    ],
  }),
)

export const findPushed = select(
  'find_pushed_request',
  { id: 'text', hash: 'text' },
  (
    i,
  ) => sql<PushedRequestRow>`select id, client_id, request, subject, expires_at, used_at from pushed_authorization_requests
    where id = ${i.id} and hash = ${i.hash}`,
)

export const pushedRequestIsOpen = select(
  'pushed_request_is_open',
  { id: 'text' },
  (i) =>
    sql<{ id: string }>`select id from pushed_authorization_requests where id = ${i.id} and used_at is null`,
)

/** The guard of whatever ends the flow of a pushed request: of any number of tabs in any number of processes one gets it. */
export const spendPushedRequest = (i: Refs<{ pushed_id: 'text'; now: 'int' }>, more = sql`true`) =>
  sql<{ id: string }>`update pushed_authorization_requests set used_at = ${i.now} ${from}
    where pushed_authorization_requests.id = ${i.pushed_id} and pushed_authorization_requests.used_at is null
      and ${more}
    ${returning} pushed_authorization_requests.id`

/** The flow ends with an error: no code comes of it any more. */
export const endPushedRequest = write('end_pushed_request', { pushed_id: 'text', now: 'int' }, (i) => ({
  guard: spendPushedRequest(i),
}))
