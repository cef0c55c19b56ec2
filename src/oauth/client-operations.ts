// RFC 7591 §2 (client metadata), RFC 6749 §2, §4.2.2, §10.1: what an administrator does with clients. The CLI and the admin API
// share it.

import { bounds, isResourceUri } from '../config.ts'
import { ConfigError, type ConfigProblem } from '../config-error.ts'
import { timeOrderedId } from '../crypto/ids.ts'
import { sql } from '../db/sql.ts'
import { eventInput } from '../events/append.ts'
import { makeClientSecret, storeBcryptHash } from './client-secret.ts'
import { authenticationMethods, type ClientProfile, clientProfiles } from './clients.ts'
import {
  type ClientRow,
  findClient,
  insertClient,
  restoreClient,
  revokeClient,
  rotateClientSecret,
  suspendClient,
  updateClient,
} from './records/clients.ts'
import { redirectUriProblem } from './redirect-uri.ts'
import { canonicalScope } from './scope.ts'
import type { Server } from './server.ts'

/** What an administrator says about a client. Lifetimes and windows in seconds. */
export interface ClientInput {
  /** Given only on import; otherwise made. */
  id?: string
  name: string
  description?: string
  logoUri?: string
  clientUri?: string
  policyUri?: string
  tosUri?: string
  /** Bundles what a kind of client needs; `gpt_action` lifts PKCE, `zapier` widens the reuse window to 120 s. Default `default`. */
  profile?: ClientProfile
  /** `none` makes a public client. Default `client_secret_basic`; a confidential client may use basic and post alike. */
  tokenEndpointAuthMethod?: (typeof authenticationMethods)[number]
  redirectUris?: string[]
  /** Default: code and refresh, or client credentials when there is no redirect URI. */
  grantTypes?: string[]
  /** Scopes it may ask for. Default: all of the registry. */
  scope?: string[]
  /** APIs it may ask tokens for. Default: all. */
  resources?: string[]
  /** APIs it serves, whose tokens it may introspect. */
  resourceServerFor?: string[]
  /** Only a confidential client may do without. */
  requirePkce?: boolean
  tokenFormat?: 'jwt' | 'opaque'
  accessTokenLifetime?: number
  refreshTokenLifetime?: number
  codeLifetime?: number
  reuseWindow?: number
  requestsPerHour?: number
  owner?: string
  metadata?: Record<string, unknown>
  /** An existing bcrypt hash to import instead of making a secret. */
  bcryptSecretHash?: string
}

/** A made client; the secret is shown this once. */
export interface CreatedClient {
  client: ShownClient
  secret?: string
}

/** 90 days, in seconds. */
const longestOverlap = 7_776_000
/** A client as it is shown: everything but what its secrets are checked against. */
export type ShownClient = Omit<ClientRow, 'secret_hash' | 'previous_secret_hash'>

export function shownClient(row: ClientRow): ShownClient {
  // A row of PostgreSQL also carries the number of its request.
  const { secret_hash, previous_secret_hash, n, ...shown } = row as ClientRow & { n?: number }
  return shown
}

const knownGrantTypes = ['authorization_code', 'refresh_token', 'client_credentials']

/** Registers a client. Throws `ConfigError` with every problem of the input. */
export async function createClient(
  server: Server,
  input: ClientInput,
  source: ClientRow['source'] = 'admin',
): Promise<CreatedClient> {
  const columns = columnsFrom(server, input)
  const now = server.now()
  const id = input.id ?? `cl_${timeOrderedId(now)}`
  const confidential = columns.token_endpoint_auth_method !== 'none'
  const made = confidential && input.bcryptSecretHash === undefined ? makeClientSecret() : undefined
  const imported = input.bcryptSecretHash === undefined ? undefined : storeBcryptHash(input.bcryptSecretHash)
  if (await server.db.one(findClient, { id })) {
    throw new ConfigError([{ path: 'id', given: id, allowed: 'an id that no client has yet' }])
  }
  await server.db.write(insertClient, {
    id,
    source,
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

/** Changes what is given and keeps the rest. Throws `ConfigError`; answers undefined for an unknown client. */
export async function changeClient(
  server: Server,
  id: string,
  changes: Partial<Omit<ClientInput, 'id' | 'bcryptSecretHash'>>,
): Promise<ClientRow | undefined> {
  for (let attempt = 0; attempt < 5; attempt++) {
    const row = await server.db.one(findClient, { id })
    if (!row) return undefined
    const columns = columnsFrom(server, { ...inputFrom(row), ...changes })
    if ((columns.token_endpoint_auth_method === 'none') !== (row.token_endpoint_auth_method === 'none')) {
      throw new ConfigError([
        {
          path: 'tokenEndpointAuthMethod',
          allowed: 'the same kind as before: a public client stays public, a confidential one confidential',
        },
      ])
    }
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
      return server.db.one(findClient, { id })
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
): Promise<ClientRow | undefined> {
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

export async function showClient(server: Pick<Server, 'db'>, id: string): Promise<ClientRow | undefined> {
  return server.db.one(findClient, { id })
}

export async function listClients(server: Server): Promise<ClientRow[]> {
  return server.db.query(sql<ClientRow>`select * from clients order by created_at, id`)
}

/** Checks an input wholly and turns it into columns. */
function columnsFrom(server: Server, input: ClientInput) {
  const problems: ConfigProblem[] = []
  const problem = (path: string, given: unknown, allowed: string, example?: string) =>
    problems.push({ path, given, allowed, example })
  const { settings } = server
  const profile = input.profile ?? 'default'
  const method = input.tokenEndpointAuthMethod ?? 'client_secret_basic'
  const confidential = method !== 'none'
  const redirectUris = input.redirectUris ?? []
  const grantTypes =
    input.grantTypes ??
    (redirectUris.length > 0 ? ['authorization_code', 'refresh_token'] : ['client_credentials'])
  const requirePkce = input.requirePkce ?? profile !== 'gpt_action'

  if (input.id !== undefined && !/^[\x21-\x7e]{1,255}$/.test(input.id))
    problem('id', input.id, '1 to 255 visible ASCII characters')
  if (!input.name?.trim() || input.name.length > 200)
    problem('name', input.name, 'a name of 1 to 200 characters', 'Job board GPT')
  if (!clientProfiles.includes(profile)) problem('profile', profile, clientProfiles.join(', '))
  if (!authenticationMethods.includes(method))
    problem('tokenEndpointAuthMethod', method, authenticationMethods.join(', '))
  redirectUris.forEach((uri, n) => {
    const why = redirectUriProblem(uri)
    if (why)
      problem(
        `redirectUris[${n}]`,
        uri,
        `a URI that works as redirect target; this one ${why}`,
        'https://app.example.com/callback',
      )
  })
  for (const grantType of grantTypes) {
    if (!knownGrantTypes.includes(grantType)) problem('grantTypes', grantType, knownGrantTypes.join(', '))
  }
  if (grantTypes.includes('authorization_code') && redirectUris.length === 0) {
    problem('redirectUris', '[]', 'at least one, since the client uses authorization_code')
  }
  if (grantTypes.includes('client_credentials') && !confidential) {
    problem('grantTypes', 'client_credentials', 'only for a confidential client (RFC 6749 §4.4)')
  }
  if (!requirePkce && !confidential) problem('requirePkce', false, 'true, since the client is public')
  if (profile === 'gpt_action' && !confidential)
    problem(
      'tokenEndpointAuthMethod',
      method,
      'client_secret_basic or client_secret_post for the profile gpt_action',
    )
  for (const scope of input.scope ?? []) {
    if (!Object.hasOwn(settings.scopes, scope))
      problem('scope', scope, `scopes of the registry: ${Object.keys(settings.scopes).join(' ')}`)
  }
  for (const path of ['resources', 'resourceServerFor'] as const) {
    for (const uri of input[path] ?? []) {
      if (!isResourceUri(uri)) problem(path, uri, 'absolute URIs without fragment (RFC 8707 §2)')
      else if (uri !== settings.issuer && !Object.hasOwn(settings.resources, uri)) {
        problem(
          path,
          uri,
          `resources of the configuration: ${[...Object.keys(settings.resources), settings.issuer].join(' ')}`,
        )
      }
    }
  }
  for (const path of ['logoUri', 'clientUri', 'policyUri', 'tosUri'] as const) {
    const uri = input[path]
    if (uri !== undefined && !(URL.canParse(uri) && new URL(uri).protocol === 'https:')) {
      problem(path, uri, 'an https URL', 'https://example.com/logo.png')
    }
  }
  const lifetime = (path: keyof typeof bounds) => {
    const given = input[path]
    if (given === undefined) return null
    const [least, most] = bounds[path]
    if (!Number.isInteger(given) || given * 1_000 < least || given * 1_000 > most) {
      problem(path, given, `a whole number of seconds from ${least / 1_000} to ${most / 1_000}`)
    }
    return given * 1_000
  }
  if (input.bcryptSecretHash !== undefined && storeBcryptHash(input.bcryptSecretHash) === undefined) {
    problems.push({ path: 'bcryptSecretHash', allowed: 'a bcrypt hash of cost 4 to 14 ($2a$, $2b$ or $2y$)' })
  }
  if (input.bcryptSecretHash !== undefined && !confidential) {
    problems.push({ path: 'bcryptSecretHash', allowed: 'nothing, since the client is public' })
  }
  if (input.tokenFormat !== undefined && input.tokenFormat !== 'jwt' && input.tokenFormat !== 'opaque')
    problem('tokenFormat', input.tokenFormat, 'jwt or opaque')
  const perHour = input.requestsPerHour
  if (perHour !== undefined && (!Number.isInteger(perHour) || perHour < 1))
    problem('requestsPerHour', perHour, 'a whole number of at least 1')

  const columns = {
    name: input.name,
    description: input.description ?? null,
    logo_uri: input.logoUri ?? null,
    client_uri: input.clientUri ?? null,
    policy_uri: input.policyUri ?? null,
    tos_uri: input.tosUri ?? null,
    profile,
    token_endpoint_auth_method: method,
    redirect_uris: JSON.stringify([...new Set(redirectUris)]),
    grant_types: [...new Set(grantTypes)].join(' '),
    scope: canonicalScope(input.scope ?? Object.keys(settings.scopes)),
    resources: canonicalScope(input.resources ?? []),
    resource_server_for: canonicalScope(input.resourceServerFor ?? []),
    require_pkce: requirePkce ? 1 : 0,
    token_format: input.tokenFormat ?? null,
    access_token_lifetime: lifetime('accessTokenLifetime'),
    refresh_token_lifetime: lifetime('refreshTokenLifetime'),
    code_lifetime: lifetime('codeLifetime'),
    reuse_window: lifetime('reuseWindow') ?? (profile === 'zapier' ? 120_000 : null),
    rate_limit_per_hour: perHour ?? null,
    owner: input.owner ?? null,
    metadata: JSON.stringify(input.metadata ?? {}),
  }
  if (problems.length > 0) throw new ConfigError(problems)
  return columns
}

/** A row as the input it could have come from. */
function inputFrom(row: ClientRow): ClientInput {
  const seconds = (milliseconds: number | null) => (milliseconds === null ? undefined : milliseconds / 1_000)
  const words = (text: string) => (text === '' ? [] : text.split(' '))
  return {
    name: row.name,
    description: row.description ?? undefined,
    logoUri: row.logo_uri ?? undefined,
    clientUri: row.client_uri ?? undefined,
    policyUri: row.policy_uri ?? undefined,
    tosUri: row.tos_uri ?? undefined,
    profile: row.profile,
    tokenEndpointAuthMethod: row.token_endpoint_auth_method,
    redirectUris: JSON.parse(row.redirect_uris),
    grantTypes: words(row.grant_types),
    scope: words(row.scope),
    resources: words(row.resources),
    resourceServerFor: words(row.resource_server_for),
    requirePkce: row.require_pkce === 1,
    tokenFormat: row.token_format ?? undefined,
    accessTokenLifetime: seconds(row.access_token_lifetime),
    refreshTokenLifetime: seconds(row.refresh_token_lifetime),
    codeLifetime: seconds(row.code_lifetime),
    reuseWindow: seconds(row.reuse_window),
    requestsPerHour: row.rate_limit_per_hour ?? undefined,
    owner: row.owner ?? undefined,
    metadata: JSON.parse(row.metadata),
  }
}
