// RFC 6749 §10.2, RFC 9700 §4.14.2: what a user allowed which client, and the end of it.

import { type EventContext, eventInput } from '../../events/append.ts'
import { scopeSet } from '../../protocol/scope.ts'
import {
  type ConnectedAppRow,
  connectedApps,
  useOfApp,
  withdrawConsent as withdraw,
} from '../records/consents.ts'
import type { Server } from '../server.ts'

/** A client a user is connected with. Times in epoch milliseconds. */
export interface ConnectedClient {
  client: string
  name: string
  logoUri: string | null
  clientUri: string | null
  scope: string[]
  /** The hosts it was allowed for, where there are several: not all may be allowed the same. */
  hosts: string[]
  since: number
  lastUsed: number
  uses: number
  /** Living sessions. */
  sessions: number
}

/** The clients a user is connected with, the last used first. */
export async function connectedClients(
  { db, now }: Pick<Server, 'db' | 'now'>,
  userId: string,
): Promise<ConnectedClient[]> {
  const consents = await db.all(connectedApps, { user_id: userId })
  const clients = [...Map.groupBy(consents, (row) => row.client_id).values()].map(joined)
  const used = await Promise.all(
    clients.map(async ({ updatedAt, ...client }) => {
      const use = await db.one(useOfApp, { user_id: userId, client_id: client.client, now: now() })
      const { last_active_at, uses, sessions } = use!
      return { ...client, uses, sessions, lastUsed: last_active_at ?? updatedAt }
    }),
  )
  return used.sort((a, b) => b.lastUsed - a.lastUsed || (a.client < b.client ? -1 : 1))
}

/** One client of all the consents to it. */
function joined(consents: ConnectedAppRow[]) {
  const first = consents[0]!
  const hosts = consents.map((row) => row.redirect_host).filter((host) => host !== '' && host !== '*')
  return {
    client: first.client_id,
    name: first.name,
    logoUri: first.logo_uri,
    clientUri: first.client_uri,
    scope: [...new Set(consents.flatMap((row) => scopeSet(row.scope)))].sort(),
    since: Math.min(...consents.map((row) => row.created_at)),
    updatedAt: Math.max(...consents.map((row) => row.updated_at)),
    hosts: hosts.length > 1 ? hosts : [],
  }
}

/** Ends what a user allowed a client: every consent to it, open forms, codes that are still out and every session of the two. */
export async function withdrawConsent(
  { db, now }: Pick<Server, 'db' | 'now'>,
  userId: string,
  clientId: string,
  origin: Pick<EventContext, 'address' | 'userAgent'> = {},
): Promise<void> {
  const at = now()
  const event = eventInput(at, 'consent_withdrawn', { userId, clientId, ...origin })
  await db.write(withdraw, { user_id: userId, client_id: clientId, now: at, ...event })
}
