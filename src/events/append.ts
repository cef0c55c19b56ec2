import { timeOrderedId } from '../crypto/ids.ts'
import { insert, type Refs, type Sql, sql } from '../db/sql.ts'
import { isoTime } from '../iso-time.ts'
import { withoutTokens } from '../log.ts'

/** Types this package writes. The set is open: the host appends its own with `events.append`. */
export type EventType =
  | 'authorize'
  | 'authorize_denied'
  | 'token_exchange'
  | 'token_refresh'
  | 'token_revoke'
  | 'client_credentials'
  | 'device_approved'
  | 'device_denied'
  | 'token_delegated'
  | 'token_impersonated'
  | 'assertion_granted'
  | 'reuse_detected'
  | 'code_replayed'
  | 'foreign_token'
  | 'session_revoked'
  | 'session_evicted'
  | 'consent_withdrawn'
  | 'sign_up'
  | 'sign_in'
  | 'sign_in_failed'
  | 'sign_out'
  | 'logout'
  | 'password_changed'
  | 'password_link_created'
  | 'password_set'
  | 'user_created'
  | 'user_disabled'
  | 'user_enabled'
  | 'user_deleted'
  | 'client_created'
  | 'client_updated'
  | 'client_suspended'
  | 'client_restored'
  | 'client_revoked'
  | 'client_secret_rotated'
  | 'client_registered'
  | 'client_deleted'
  | 'client_reaped'
  | 'initial_access_token_created'
  | 'initial_access_token_revoked'
  | 'signing_key_created'
  | 'signing_key_retired'
  | (string & {})

/** Whom an event concerns and where the request came from. */
export interface EventContext {
  userId?: string | null
  clientId?: string | null
  sessionId?: string | null
  address?: string | null
  userAgent?: string | null
}

/** Columns an operation declares when it appends an event in its own transaction. */
export const eventColumns = {
  event_id: 'text',
  event_type: 'text',
  event_user: 'text?',
  event_client: 'text?',
  event_session: 'text?',
  event_address: 'text?',
  event_agent: 'text?',
  event_body: 'text',
  event_at: 'int',
} as const

/** The part of an operation that appends its event. */
export function appendEvent(i: Refs<typeof eventColumns>): Sql {
  return insert('events', {
    id: i.event_id,
    type: i.event_type,
    version: sql`1`,
    user_id: i.event_user,
    client_id: i.event_client,
    session_id: i.event_session,
    ip_address: i.event_address,
    user_agent: i.event_agent,
    body: i.event_body,
    created_at: i.event_at,
  })
}

/** The inputs of `eventColumns` for one event. `facts` become its `data`; nothing secret may be among them. */
export function eventInput(
  now: number,
  type: EventType,
  context: EventContext,
  facts: Record<string, unknown> = {},
) {
  const id = `evt_${timeOrderedId(now)}`
  return {
    event_id: id,
    event_type: type,
    event_user: context.userId ?? null,
    event_client: context.clientId ?? null,
    event_session: context.sessionId ?? null,
    event_address: context.address ?? null,
    event_agent:
      context.userAgent === undefined || context.userAgent === null
        ? null
        : withoutTokens(context.userAgent.slice(0, 256)),
    event_body: JSON.stringify({ id, type, timestamp: isoTime(now), data: facts }),
    event_at: now,
  }
}
