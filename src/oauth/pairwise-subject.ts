// OpenID Connect Core §8, §8.1; OpenID Connect Registration §5: users who are called otherwise in each sector, so that clients
// cannot compare notes.

import { ConfigError } from '../config-error.ts'
import { randomText } from '../crypto/random.ts'
import { isFailure } from '../http/guarded-fetch.ts'
import type { ClientInput } from './client-input.ts'
import type { Client } from './clients.ts'
import { findPairwiseSubject, insertPairwiseSubject } from './records/pairwise-subjects.ts'
import type { Server, User } from './server.ts'

/**
 * What a user is called in everything that is issued to a client: the same for all, or random for the client's sector. It is
 * made once and kept, so that no change of secrets changes it.
 */
export async function subjectFor(
  server: Pick<Server, 'db' | 'now'>,
  client: Client,
  user: Pick<User, 'id' | 'subject'>,
): Promise<string> {
  if (client.registered.subjectType !== 'pairwise') return user.subject
  const key = { user_id: user.id, sector: sectorOf(client) }
  const known = await server.db.one(findPairwiseSubject, key)
  if (known) return known.subject
  await server.db.write(insertPairwiseSubject, { ...key, subject: randomText(32), now: server.now() })
  return (await server.db.one(findPairwiseSubject, key))!.subject
}

/**
 * Clients of one sector share a user's name (§8.1): the host of the registered `sector_identifier_uri`, or of the redirect
 * URIs. A program on the user's own computer and a document that describes a client stand for themselves.
 */
function sectorOf({ id, source, redirectUris, registered }: Client): string {
  if (source === 'cimd') return id
  const uri = registered.sectorIdentifierUri ?? redirectUris.find((one) => one.startsWith('https:'))
  return uri === undefined ? id : new URL(uri).hostname
}

/**
 * Asks the sector that a client names whether the client belongs to it: the document there must list every redirect URI
 * (Registration §5). Throws `ConfigError` when it does not.
 */
export async function checkSector(
  { outbound }: Pick<Server, 'outbound'>,
  { sectorIdentifierUri, redirectUris = [] }: Pick<ClientInput, 'sectorIdentifierUri' | 'redirectUris'>,
): Promise<void> {
  if (sectorIdentifierUri === undefined) return
  const answer = await outbound.getJson(sectorIdentifierUri)
  const listed: unknown[] = isFailure(answer) ? [] : Array.isArray(answer.json) ? answer.json : []
  if (redirectUris.every((uri) => listed.includes(uri)) && !isFailure(answer)) return
  throw new ConfigError([
    {
      path: 'sectorIdentifierUri',
      given: sectorIdentifierUri,
      allowed: isFailure(answer)
        ? `the address of a JSON document that can be read (${answer.failed}: ${answer.detail})`
        : 'the address of a JSON list of every redirect URI of the client',
    },
  ])
}
