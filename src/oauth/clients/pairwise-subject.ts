// OpenID Connect Core §8, §8.1; OpenID Connect Registration §5: users who are called otherwise in each sector, so that clients
// cannot compare notes.

import { randomText } from '../../crypto/random.ts'
import { isFailure, type Outbound } from '../../http/guarded-fetch.ts'
import { findPairwiseSubject, insertPairwiseSubject } from '../records/pairwise-subjects.ts'
import type { Server, User } from '../server.ts'
import type { Client } from './clients.ts'

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
 * URIs. A program on the user's own computer stands for itself.
 */
function sectorOf({ id, redirectUris, registered }: Client): string {
  const uri = registered.sectorIdentifierUri ?? redirectUris.find((one) => one.startsWith('https:'))
  return uri === undefined ? id : new URL(uri).hostname
}

/** Whether the sector a client names knows it: the document there must list every redirect URI (Registration §5). */
export async function sectorKnows(
  outbound: Outbound,
  url: string,
  redirectUris: readonly string[],
): Promise<boolean> {
  const answer = await outbound.getJson(url)
  const listed: unknown = isFailure(answer) ? undefined : answer.json
  return Array.isArray(listed) && redirectUris.every((uri) => listed.includes(uri))
}
