// RFC 7591 §2 (client metadata), RFC 6749 §2, §4.2.2, §10.1: what an administrator does with clients. The CLI and the admin API
// share it.

import { ConfigError, type ConfigProblem } from '../../config-error.ts'
import { timeOrderedId } from '../../crypto/ids.ts'
import { sql } from '../../db/sql.ts'
import { eventInput } from '../../events/append.ts'
import {
  type ClientRow,
  findClient,
  insertClient,
  restoreClient,
  revokeClient,
  rotateClientSecret,
  suspendClient,
  updateClient,
} from '../records/clients.ts'
import type { Server } from '../server.ts'
import { type ClientInput, columnsFrom, inputFrom } from './client-input.ts'
import { makeClientSecret, storeBcryptHash } from './client-secret.ts'
import { sectorKnows } from './pairwise-subject.ts'
import { type ShownClient, shownClient } from './shown-client.ts'

/** A made client; the secret is shown this once. */
export interface CreatedClient {
  client: ShownClient
  secret?: string
}

/** 90 days, in seconds. */
const longestOverlap = 7_776_000
/** Many sign-in libraries read nothing but the ID token, so a client for sign-in has the user's claims there. */
function withSignInDefaults(input: ClientInput): ClientInput {
  // Without a scope of its own it may ask for all there are.
  const signsIn =
    (input.redirectUris?.length ?? 0) > 0 && (!Array.isArray(input.scope) || input.scope.includes('openid'))
  return signsIn ? { claimsInIdToken: true, ...input } : input
}

/** Registers a client. Throws `ConfigError` with every problem of the input. */
export async function createClient(
  server: Server,
  input: ClientInput,
  source: ClientRow['source'] = 'admin',
): Promise<CreatedClient> {
  const { columns, problems, hasSecret } = columnsFrom(server.settings, withSignInDefaults(input))
  if (problems.length > 0) throw new ConfigError(problems)
  const now = server.now()
  const id = input.id ?? `cl_${timeOrderedId(now)}`
  const made = hasSecret && input.bcryptSecretHash === undefined ? makeClientSecret() : undefined
  const imported = input.bcryptSecretHash === undefined ? undefined : storeBcryptHash(input.bcryptSecretHash)
  if (await server.db.one(findClient, { id })) {
    throw new ConfigError([{ path: 'id', given: id, allowed: 'an id that no client has yet' }])
  }
  await checkSector(server, input)
  await server.db.write(insertClient, {
    id,
    source,
    registration_token_hash: null,
    metadata_expires_at: null,
    now,
    ...columns,
    secret_hash: made?.stored ?? imported ?? null,
    ...eventInput(
      now,
      'client_created',
      { clientId: id },
      { name: input.name, source, profile: columns.profile },
    ),
  })
  server.clients.forget(id)
  return { client: shownClient((await server.db.one(findClient, { id }))!), secret: made?.secret }
}

/** A sector must list each of its clients (OpenID Connect Registration §5), also those an administrator registers. */
async function checkSector(
  { outbound }: Server,
  {
    sectorIdentifierUri: given,
    redirectUris = [],
  }: Pick<ClientInput, 'sectorIdentifierUri' | 'redirectUris'>,
): Promise<void> {
  if (given === undefined || (await sectorKnows(outbound, given, redirectUris))) return
  const allowed = 'the address of a JSON list that can be read now and holds every redirect URI'
  throw new ConfigError([{ path: 'sectorIdentifierUri', given, allowed }])
}

/** Changes what is given and keeps the rest. Throws `ConfigError`; answers undefined for an unknown client. */
export async function changeClient(
  server: Server,
  id: string,
  changes: Partial<Omit<ClientInput, 'id' | 'bcryptSecretHash'>>,
): Promise<ShownClient | undefined> {
  for (let attempt = 0; attempt < 5; attempt++) {
    const row = await server.db.one(findClient, { id })
    if (!row) return undefined
    const { columns, problems, hasSecret } = columnsFrom(server.settings, { ...inputFrom(row), ...changes })
    if (hasSecret !== (row.secret_hash !== null)) {
      problems.push({
        path: 'tokenEndpointAuthMethod',
        allowed: 'the same kind as before: a client with a secret keeps one, and one without stays without',
      })
    }
    if (problems.length > 0) throw new ConfigError(problems)
    if ('sectorIdentifierUri' in changes || 'redirectUris' in changes)
      await checkSector(server, { ...inputFrom(row), ...changes })
    const now = Math.max(server.now(), row.updated_at + 1)
    const changed = await server.db.write(updateClient, {
      id,
      now,
      seen_at: row.updated_at,
      ...columns,
      secret_hash: null,
      ...eventInput(now, 'client_updated', { clientId: id }, { changed: Object.keys(changes) }),
    })
    if (changed.length > 0) {
      server.clients.forget(id)
      return showClient(server, id)
    }
  }
  throw new Error('the client is being changed by somebody else')
}

/**
 * Makes a new secret; the old one stays valid beside it for `overlap` seconds (0: it ends at once).
 * Undefined for an unknown or public client.
 */
export async function rotateSecret(
  server: Server,
  id: string,
  overlap = 86_400,
): Promise<string | undefined> {
  if (!Number.isInteger(overlap) || overlap < 0 || overlap > longestOverlap) {
    const allowed = `a whole number of seconds from 0 to ${longestOverlap}`
    throw new ConfigError([{ path: 'overlap', given: overlap, allowed, example: '86400' }])
  }
  const now = server.now()
  const { secret, stored } = makeClientSecret()
  const rotated = await server.db.write(rotateClientSecret, {
    id,
    now,
    secret_hash: stored,
    previous_until: overlap > 0 ? now + overlap * 1_000 : null,
    ...eventInput(now, 'client_secret_rotated', { clientId: id }, { overlap }),
  })
  server.clients.forget(id)
  return rotated.length > 0 ? secret : undefined
}

/** ChatGPT gives an edited GPT a new id: swaps it in every redirect URI of the client, exactly, never as a pattern. */
export async function replaceGptId(
  server: Server,
  id: string,
  from: string,
  to: string,
): Promise<ShownClient | undefined> {
  const row = await server.db.one(findClient, { id })
  if (!row) return undefined
  const gptId = /^g-[A-Za-z0-9-]{1,64}$/
  const problems = (['from', 'to'] as const).flatMap((path): ConfigProblem[] =>
    gptId.test(path === 'from' ? from : to)
      ? []
      : [{ path, given: path === 'from' ? from : to, allowed: 'a GPT id', example: 'g-0123abcd' }],
  )
  if (problems.length > 0) throw new ConfigError(problems)
  const uris = JSON.parse(row.redirect_uris) as string[]
  const redirectUris = uris.map((uri) =>
    uri.replace(`/aip/${from}/oauth/callback`, `/aip/${to}/oauth/callback`),
  )
  if (redirectUris.every((uri, n) => uri === uris[n])) {
    throw new ConfigError([
      { path: 'from', given: from, allowed: `a GPT id that a redirect URI of this client holds` },
    ])
  }
  return changeClient(server, id, { redirectUris })
}

/** Both redirect URIs a Custom GPT may come back to. */
export function gptRedirectUris(gptId: string): string[] {
  return ['https://chat.openai.com', 'https://chatgpt.com'].map(
    (origin) => `${origin}/aip/${gptId}/oauth/callback`,
  )
}

/** Refuses every request of the client and every token it holds, until restored. */
export async function suspend(server: Server, id: string, reason: string): Promise<boolean> {
  const now = server.now()
  const event = eventInput(now, 'client_suspended', { clientId: id }, { reason })
  const done = await server.db.write(suspendClient, { id, now, reason, ...event })
  server.clients.forget(id)
  return done.length > 0
}

export async function restore(server: Server, id: string): Promise<boolean> {
  const now = server.now()
  const done = await server.db.write(restoreClient, {
    id,
    now,
    ...eventInput(now, 'client_restored', { clientId: id }),
  })
  server.clients.forget(id)
  return done.length > 0
}

/** Ends the client and all its sessions for good. */
export async function revoke(server: Server, id: string, reason: string): Promise<boolean> {
  const now = server.now()
  const event = eventInput(now, 'client_revoked', { clientId: id }, { reason })
  const done = await server.db.write(revokeClient, { id, now, reason, ...event })
  server.clients.forget(id)
  return done.length > 0
}

export async function showClient(server: Pick<Server, 'db'>, id: string): Promise<ShownClient | undefined> {
  const row = await server.db.one(findClient, { id })
  return row && shownClient(row)
}

/** All clients, the oldest first; or a page of them in the order of their ids. */
export async function listClients(
  { db }: Pick<Server, 'db'>,
  page?: { limit: number; after?: string },
): Promise<ShownClient[]> {
  const rows = await db.query(
    page === undefined
      ? sql<ClientRow>`select * from clients order by created_at, id`
      : sql<ClientRow>`select * from clients where id > ${page.after ?? ''} order by id limit ${page.limit}`,
  )
  return rows.map(shownClient)
}
