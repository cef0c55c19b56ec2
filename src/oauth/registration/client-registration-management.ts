// RFC 7592 §2, §2.1, §2.2, §2.3, §3: a client reads, replaces and ends its own registration.

import { sha256 } from '../../crypto/tokens.ts'
import { eventInput } from '../../events/append.ts'
import { parseForm } from '../../http/forms.ts'
import { type Answer, empty, type Incoming, json } from '../../http/message.ts'
import { uncached } from '../../protocol/error-answer.ts'
import { originOf } from '../../protocol/form-endpoint.ts'
import type { AuthenticationMethod } from '../../protocol/profiles.ts'
import { isRefusal, type Refusal, refuse } from '../../protocol/refusals.ts'
import { clientSecretCheck } from '../clients/client-secret.ts'
import { type ClientRow, findClient, updateClient } from '../records/clients.ts'
import { deleteRegistration, described } from '../records/self-registered-clients.ts'
import type { Server } from '../server.ts'
import {
  bearerOf,
  bearerRefusal,
  describeClient,
  notTaken,
  readMetadata,
  registrationOf,
} from './client-registration.ts'
import { countTry, reserveChange } from './registration-limits.ts'

const check = clientSecretCheck()
/** Given by this server; a client may not set them (§2.2). */
const ours = [
  'registration_access_token',
  'registration_client_uri',
  'client_secret_expires_at',
  'client_id_issued_at',
]

/** `GET`, `PUT` and `DELETE /oauth/register/client?client_id=…` */
export async function manageRegistration(server: Server, request: Incoming): Promise<Answer | Refusal> {
  const token = bearerOf(request)
  if (token === undefined) return bearerRefusal(request, refuse('registration_token_missing'))
  const row = await ownRow(server, request, token)
  if (!row) return bearerRefusal(request, refuse('registration_token_invalid'))
  if (request.method === 'DELETE') return remove(server, request, row)
  if (request.method === 'PUT') return replace(server, request, row, token)
  return json(200, registrationOf(server, row, token), uncached)
}

/** The token must be this very client's; that there is no such client is not told apart. */
async function ownRow(server: Server, request: Incoming, token: string): Promise<ClientRow | undefined> {
  const id = parseForm(request.search)?.get('client_id')
  const row = id === undefined || id.length > 512 ? undefined : await server.db.one(findClient, { id })
  const active = row && row.revoked_at === null && row.suspended_at === null
  return active && row.registration_token_hash === sha256(token) ? row : undefined
}

/** Replaces the whole registration: what is not given is gone, or as it is by itself. The secret stays (§2.2). */
async function replace(
  server: Server,
  request: Incoming,
  row: ClientRow,
  token: string,
): Promise<Answer | Refusal> {
  const full = await countTry(server, request.address)
  if (full) return full
  const read = await readMetadata(request)
  if (isRefusal(read)) return read
  const { client_id, client_secret, ...metadata } = read
  const set = ours.find((name) => name in metadata)
  if (set !== undefined) return unfit(set, 'cannot be set')
  if (client_id !== row.id) return unfit('client_id', 'must be the client the token is for')
  // What is null counts as left out (§2.2).
  if (
    client_secret !== undefined &&
    client_secret !== null &&
    !(await isItsSecret(server, row, client_secret))
  )
    return refuse('registration_secret_chosen', { client: row.id })
  const description = await describeClient(server, metadata, request.address)
  if (isRefusal(description)) return description
  const { columns } = description
  if (kindOf(columns.token_endpoint_auth_method) !== kindOf(row.token_endpoint_auth_method))
    return unfit('token_endpoint_auth_method', 'must be of the same kind as before')
  const overFull = await reserveChange(server, row.id, request)
  if (overFull) return overFull

  const now = Math.max(server.now(), row.updated_at + 1)
  const said = Object.fromEntries(described.map((name) => [name, columns[name]]))
  const next = { ...row, ...(said as Pick<typeof columns, (typeof described)[number]>), secret_hash: null }
  const [changed] = await server.db.write(updateClient, {
    ...next,
    now,
    seen_at: row.updated_at,
    ...eventInput(now, 'client_updated', { clientId: row.id, ...originOf(request) }, { by: 'itself' }),
  })
  if (!changed) return refuse('unavailable', { client: row.id, changed: 'meanwhile' }, { retryAfter: 1 })
  server.clients.forget(row.id)
  return json(200, { ...registrationOf(server, next, token), ...notTaken(description) }, uncached)
}

async function remove(server: Server, request: Incoming, row: ClientRow): Promise<Answer> {
  const event = eventInput(server.now(), 'client_deleted', { clientId: row.id, ...originOf(request) })
  const { id, registration_token_hash } = row
  await server.db.write(deleteRegistration, {
    id,
    registration_token_hash: registration_token_hash!,
    ...event,
  })
  server.clients.forget(id)
  return empty(204, uncached)
}

/** A client that authenticates in another way is another client; basic and post are the same one. */
function kindOf(method: AuthenticationMethod): string {
  return method.startsWith('client_secret_') ? 'secret' : method
}

async function isItsSecret(server: Server, row: ClientRow, secret: unknown): Promise<boolean> {
  return (
    typeof secret === 'string' &&
    row.secret_hash !== null &&
    check(secret, row.secret_hash, server.now(), () => true)
  )
}

function unfit(member: string, why: string): Refusal {
  return refuse('registration_metadata', { member, why }, { description: `${member} ${why}` })
}
