// RFC 7591 §2, §3, §3.1, §3.2.1, §3.2.2; RFC 6750 §2.1, §3; RFC 8252 §8.4; RFC 9700 §2.1.1: clients that register themselves.

import { parseJson } from '../../crypto/bounded-json.ts'
import { timeOrderedId } from '../../crypto/ids.ts'
import { makeToken, readToken, type StoredToken } from '../../crypto/tokens.ts'
import { Unavailable } from '../../db/database.ts'
import { eventInput } from '../../events/append.ts'
import { type Answer, concerning, empty, type Incoming, json } from '../../http/message.ts'
import { wireError } from '../../http/refusal.ts'
import { jsonRefusal, uncached } from '../../protocol/error-answer.ts'
import { originOf } from '../../protocol/form-endpoint.ts'
import { paths } from '../../protocol/paths.ts'
import { isRefusal, type Refusal, refusals, refuse, sentAs } from '../../protocol/refusals.ts'
import { readBody } from '../../protocol/request-body.ts'
import { canonicalScope, scopeSet } from '../../protocol/scope.ts'
import { answerAlgorithms, fromWire, toWire } from '../clients/client-metadata.ts'
import { makeClientSecret } from '../clients/client-secret.ts'
import { columnMembers } from '../clients/members/members.ts'
import { type ClientRow, insertClient } from '../records/clients.ts'
import { findInitialAccessToken } from '../records/initial-access-tokens.ts'
import { registerInvited } from '../records/self-registered-clients.ts'
import type { Server } from '../server.ts'
import { checkUrls, type Description, isUnfit, readDescription, type Unfit } from './client-metadata-rules.ts'
import { countTry, reserveRegistration } from './registration-limits.ts'
import { withStatement } from './software-statement.ts'

/** Bytes of a request that are read. */
const bodyLimit = 16 * 1024
/** Of several who use one token at the same moment, one a round gets its use. */
const mostRounds = 100

/** `POST /oauth/register` */
export async function registerClient(server: Server, request: Incoming): Promise<Answer | Refusal> {
  const invited = server.settings.registration!.policy === 'initial_access_token'
  const token = invited ? await readInvitation(server, request) : undefined
  if (token && isRefusal(token)) return bearerRefusal(request, token)
  const full = invited ? undefined : await countTry(server, request.address)
  if (full) return full
  const read = await readMetadata(request)
  if (isRefusal(read)) return read
  const described = await describeClient(server, read, request.address)
  if (isRefusal(described)) return described
  const { columns, hasSecret } = described
  const overFull = token ? undefined : await reserveRegistration(server, request.address)
  if (overFull) return overFull

  const now = server.now()
  const id = `cl_${timeOrderedId(now)}`
  const secret = hasSecret ? makeClientSecret() : undefined
  const management = makeToken('gh_ra', now)
  const input = {
    id,
    registration_token_hash: management.hash,
    now,
    ...columns,
    secret_hash: secret?.stored ?? null,
    ...eventInput(
      now,
      'client_registered',
      { clientId: id, ...originOf(request) },
      { source: 'dcr', name: columns.name, ...(token ? { invitation: token.id } : {}) },
    ),
  }
  if (!token) await server.db.write(insertClient, { source: 'dcr', metadata_expires_at: null, ...input })
  else if (!(await spendInvitation(server, token, input))) {
    return bearerRefusal(request, refuse('initial_access_token_invalid'))
  }
  const row = { id, created_at: now, ...columns }
  const answer = json(
    201,
    {
      ...registrationOf(server, row, management.token),
      ...notTaken(described),
      ...(secret ? { client_secret: secret.secret, client_secret_expires_at: 0 } : {}),
    },
    uncached,
  )
  return concerning(answer, { client: id })
}

/** The token that lets its bearer register a client; looked at, not yet spent. */
async function readInvitation(server: Server, request: Incoming): Promise<StoredToken | Refusal> {
  const bearer = bearerOf(request)
  if (bearer === undefined) return refuse('initial_access_token_missing')
  const stored = readToken('gh_ia', bearer)
  if (stored && (await usesLeft(server, stored)) > 0) return stored
  return (await countTry(server, request.address)) ?? refuse('initial_access_token_invalid')
}

async function usesLeft(server: Server, { id, hash }: StoredToken): Promise<number> {
  const row = await server.db.one(findInitialAccessToken, { id, hash })
  return row && row.revoked_at === null && row.expires_at > server.now() ? row.uses_left : 0
}

type Registration = NonNullable<(typeof registerInvited)['types']>['input']

/** Spends one use for this client. Of requests that come together some may have to try again while uses are left. */
async function spendInvitation(
  server: Server,
  { id, hash }: StoredToken,
  input: Omit<Registration, 'token_id' | 'token_hash'>,
): Promise<boolean> {
  for (let round = 0; round < mostRounds; round++) {
    const [spent] = await server.db.write(registerInvited, { token_id: id, token_hash: hash, ...input })
    if (spent) return true
    if ((await usesLeft(server, { id, hash })) === 0) return false
  }
  throw new Unavailable('too many registrations with one initial access token')
}

/** The members of a JSON body. */
export async function readMetadata(request: Incoming): Promise<Record<string, unknown> | Refusal> {
  if (!/^application\/json *(;|$)/i.test(request.header('content-type') ?? ''))
    return refuse('registration_not_json')
  const text = await readBody(request, bodyLimit)
  if (isRefusal(text)) return text
  let metadata: unknown
  try {
    metadata = parseJson(text)
  } catch {
    return refuse('registration_not_json')
  }
  return typeof metadata === 'object' && metadata !== null && !Array.isArray(metadata)
    ? (metadata as Record<string, unknown>)
    : refuse('registration_not_json')
}

/** What a client says about itself, by its request and its software statement, checked wholly. */
export async function describeClient(
  server: Server,
  said: Readonly<Record<string, unknown>>,
  address: string,
): Promise<Description | Refusal> {
  const read = await withStatement(server, said, address)
  if (isRefusal(read)) return read
  const { metadata, statement } = read
  const kept = statement === undefined ? {} : { software_statement: statement }
  const described = readDescription(server.settings, metadata, { method: 'client_secret_basic' }, kept)
  const unfit = isUnfit(described) ? described : await checkUrls(server.outbound, described)
  if (unfit) return refuseMember(unfit)
  const description = described as Description
  return { ...description, columns: withRoomToAsk(server, description.columns) }
}

/**
 * The scope a client names is what it gets when it asks for none; what it may ask for is what the policy allows (§2 leaves the
 * meaning to the server). The libraries of MCP register with the scope of the request at hand, and ask for more when a tool
 * needs more. What a software statement says stays as it is, and so does the scope of a client that no user is asked about.
 */
function withRoomToAsk(server: Server, columns: Description['columns']): Description['columns'] {
  const { scopes, selfRegisteredClients } = server.settings
  const scope = canonicalScope(selfRegisteredClients.scope ?? Object.keys(scopes))
  const stated = 'software_statement' in JSON.parse(columns.metadata)
  if (stated || columns.scope === scope || !columns.grant_types.includes('authorization_code')) return columns
  const registered = fromWire(JSON.parse(columns.registered_metadata))
  return {
    ...columns,
    scope,
    registered_metadata: JSON.stringify(toWire({ ...registered, defaultScope: columns.scope.split(' ') })),
  }
}

function refuseMember({ member, why, sent }: Unfit): Refusal {
  return refuse(
    member.startsWith('redirect_uris') ? 'registration_redirect_uri' : 'registration_metadata',
    { member, why },
    { description: `${member} ${why}${sent === undefined ? '' : `; sent: ${sentAs(sent)}`}` },
  )
}

/** What of the registration was not taken as it was sent, for the client's developer (§3.2.1). */
export function notTaken({ leftOut }: Pick<Description, 'leftOut'>): {
  ignored_metadata?: { member: string; why: string }[]
} {
  return leftOut.length === 0 ? {} : { ignored_metadata: leftOut.map(({ member, why }) => ({ member, why })) }
}

/** The client information response (§3.2.1), without a secret. */
export function registrationOf(
  server: Server,
  row: Description['columns'] & Pick<ClientRow, 'id' | 'created_at'>,
  registrationToken: string,
): Record<string, unknown> {
  const { issuer } = server.settings
  const { software_statement } = JSON.parse(row.metadata) as { software_statement?: string }
  const { defaultScope, ...registered } = fromWire(JSON.parse(row.registered_metadata))
  const algorithms = answerAlgorithms(server.settings, row.profile, registered)
  const columns = row as unknown as Readonly<Record<string, unknown>>
  const own = columnMembers
    .filter(([, { self }]) => self)
    .map(([, { wire, column, form }]) => [wire, form.fromColumn(columns[column])])
  return {
    client_id: row.id,
    client_id_issued_at: Math.floor(row.created_at / 1_000),
    ...Object.fromEntries(own.filter(([, value]) => value !== undefined)),
    response_types: scopeSet(row.response_types),
    scope: defaultScope?.join(' ') ?? row.scope,
    ...(software_statement === undefined ? {} : { software_statement }),
    ...toWire({
      ...registered,
      idTokenSignedResponseAlg: algorithms.idToken,
      authorizationSignedResponseAlg: algorithms.authorization,
      introspectionSignedResponseAlg: algorithms.introspection,
    }),
    registration_access_token: registrationToken,
    registration_client_uri: `${issuer}${paths.clientConfiguration}?client_id=${encodeURIComponent(row.id)}`,
  }
}

/** The token of an `Authorization: Bearer` header. */
export function bearerOf(request: Incoming): string | undefined {
  return /^bearer +([A-Za-z0-9._~+/-]+=*) *$/i.exec(request.header('authorization') ?? '')?.[1]
}

/** A challenge without an error where no token came, with one where it is wrong (RFC 6750 §3.1). */
export function bearerRefusal(request: Incoming, refusal: Refusal): Answer {
  const { status, error } = refusals[refusal.refusal]
  if (status !== 401) return jsonRefusal(request, refusal)
  if (error === '') return empty(401, { ...uncached, 'www-authenticate': 'Bearer realm="gatehouse"' })
  const wire = wireError(refusal)
  const challenge = `Bearer realm="gatehouse", error="${wire.error}", error_description="${wire.error_description}"`
  return json(401, wire, { ...uncached, 'www-authenticate': challenge })
}
