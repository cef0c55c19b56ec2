import { createPrivateKey, type JsonWebKey } from 'node:crypto'
import { NotApplicable, NotShown, OutOfRequests } from './failures.ts'
import { type ClientKey, keyFrom, makeKey } from './jose.ts'
import { type Metadata, offersGrant } from './metadata.ts'
import { type Answer, encode, type Parameters, sayAnswer, type Wire } from './wire.ts'

export type AuthenticationMethod = 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt' | 'none'

/** A client the checks act as. */
export interface Client {
  id: string
  method: AuthenticationMethod
  secret?: string
  /** Signs its assertions and request objects. */
  key?: ClientKey
  redirectUris: string[]
  grantTypes: string[]
  /** What it may ask for, where the server said so. */
  scope?: string
  /** Its management (RFC 7592), where it registered itself. */
  management?: { url: string; token: string }
  /** The registration as the server answered it. */
  registered: Record<string, unknown>
}

/** A client in the words of RFC 7591 §3.2.1, as a person gives it; `private_jwk` signs its assertions. */
export interface GivenClient {
  client_id: string
  client_secret?: string
  redirect_uris?: string[]
  token_endpoint_auth_method?: string
  grant_types?: string[]
  scope?: string
  private_jwk?: JsonWebKey & { alg?: string; kid?: string }
}

/** What the checks need clients for. */
export type Role =
  /** Authenticates by a secret; code and refresh. */
  | 'confidential'
  /** Another one like it. */
  | 'other'
  /** Without authentication. */
  | 'public'
  /** Authenticates by `private_key_jwt`. */
  | 'signing'
  /** Acts for itself alone: `client_credentials`. */
  | 'machine'

export interface Clients {
  /** The client of a role, registered when it is first needed. Throws `NotShown` where there is none. */
  of(role: Role): Promise<Client>
  /**
   * A client that may use one more grant type beside the code flow; another one than `but`. Throws `NotShown` where
   * none can be had.
   */
  withGrant(type: string, method: AuthenticationMethod, but?: Client): Promise<Client>
  /** A client of its own for one check. Throws `NotShown` where none can be registered. */
  register(metadata: Record<string, unknown>, key?: ClientKey): Promise<Client>
  /** A registration request as it is, for what is refused. */
  tryRegister(metadata: Record<string, unknown>): Promise<Answer>
  /** Takes note of a client a check registered by itself, so that it is deleted in the end. */
  adopt(answer: Answer): Client
  /** Deletes every client that was registered and can be (RFC 7592 §2.3). */
  deleteAll(): Promise<void>
  readonly all: readonly Client[]
  readonly redirectUri: string
  /** What a registration carries where only invited ones may register. */
  readonly authorization: Record<string, string>
}

/** Addresses under a reserved name (RFC 2606 §3): nothing is ever sent there. */
export const ownRedirectUris = ['https://client.example/callback', 'https://client.example/second']
const mostRegistrations = 40

export interface ClientSource {
  wire: Wire
  server: Metadata
  given: readonly GivenClient[]
  /** Instead of `ownRedirectUris`, for clients that are registered. */
  redirectUris?: readonly string[]
  /** For a server where only invited ones may register. */
  initialAccessToken?: string
}

export function openClients(source: ClientSource): Clients {
  const { wire, server } = source
  const redirectUris = [...(source.redirectUris ?? ownRedirectUris)]
  const given = source.given.map(readGiven)
  const roles = new Map<Role, Promise<Client>>()
  const all: Client[] = [...given]
  let registrations = 0
  const token = source.initialAccessToken
  const authorization: Record<string, string> =
    token === undefined ? {} : { authorization: `Bearer ${token}` }
  /** Grant types that no client gets by registration. */
  const unwanted = new Set<string>()

  async function tryRegister(metadata: Record<string, unknown>): Promise<Answer> {
    if (server.registration_endpoint === undefined) {
      throw new NotShown('the metadata names no registration_endpoint, and no fitting client was given')
    }
    if (++registrations > mostRegistrations) throw new NotShown('enough clients were registered')
    return wire.send({
      method: 'POST',
      url: server.registration_endpoint,
      headers: {
        'content-type': 'application/json',
        ...authorization,
      },
      body: JSON.stringify(metadata),
    })
  }

  async function register(metadata: Record<string, unknown>, key?: ClientKey): Promise<Client> {
    const answer = await tryRegister({ client_name: 'Gatehouse verify', ...metadata })
    if (answer.status !== 201 && answer.status !== 200) {
      const what = `such a client was not registered: ${sayAnswer(answer)}`
      throw answer.status === 429 ? new OutOfRequests(what) : new NotShown(what)
    }
    return adopt(answer, key)
  }

  function adopt({ json }: Answer, key?: ClientKey): Client {
    const client: Client = {
      ...readGiven(json as unknown as GivenClient),
      ...(key && { key }),
      registered: json,
    }
    const [url, token] = [json['registration_client_uri'], json['registration_access_token']]
    if (typeof url === 'string' && typeof token === 'string') client.management = { url, token }
    all.push(client)
    return client
  }

  function make(role: Role): Promise<Client> {
    const found = givenFor(role, given)
    if (found) return Promise.resolve(found)
    if (role === 'signing') {
      const key = makeKey(server.token_endpoint_auth_signing_alg_values_supported)
      if (!key)
        throw new NotShown('no algorithm of token_endpoint_auth_signing_alg_values_supported is spoken here')
      return register(
        {
          ...codeClient(server, 'private_key_jwt', redirectUris),
          token_endpoint_auth_signing_alg: key.alg,
          jwks: { keys: [key.publicJwk] },
        },
        key,
      )
    }
    const method = role === 'public' ? noMethod(server) : secretMethod(server)
    if (role !== 'machine') return register(codeClient(server, method, redirectUris))
    return register({
      token_endpoint_auth_method: method,
      grant_types: ['client_credentials'],
      response_types: [],
      redirect_uris: [],
    })
  }

  return {
    all,
    redirectUri: redirectUris[0]!,
    authorization,
    of(role) {
      let client = roles.get(role)
      if (!client) {
        client = Promise.resolve().then(() => make(role))
        roles.set(role, client)
      }
      return client
    },
    async withGrant(type, method, but) {
      const fits = ({ id, grantTypes, redirectUris: uris }: Client) =>
        grantTypes.includes(type) && uris.length > 0 && id !== but?.id
      const known = all.find(fits)
      if (known) return known
      const none = new NotShown(`no client may use the grant type ${type}`)
      if (unwanted.has(type)) throw none
      const metadata = codeClient(server, method, redirectUris)
      const grants = [...(metadata['grant_types'] as string[]), type]
      const client = await register({ ...metadata, grant_types: grants })
      if (fits(client)) return client
      unwanted.add(type)
      throw none
    },
    register,
    tryRegister,
    adopt,
    async deleteAll() {
      for (const { management } of all) {
        if (!management) continue
        const headers = { authorization: `Bearer ${management.token}` }
        await wire.send({ method: 'DELETE', url: management.url, headers })
      }
    },
  }
}

/** Metadata of a client that uses the code flow, with everything that belongs to it. */
export function codeClient(
  server: Metadata,
  method: AuthenticationMethod,
  redirectUris: readonly string[],
): Record<string, unknown> {
  return {
    redirect_uris: redirectUris,
    token_endpoint_auth_method: method,
    grant_types: ['authorization_code', ...(offersGrant(server, 'refresh_token') ? ['refresh_token'] : [])],
    response_types: ['code'],
  }
}

export function secretMethod({
  token_endpoint_auth_methods_supported: methods,
}: Metadata): AuthenticationMethod {
  // The default of RFC 8414 §2 is client_secret_basic.
  if (methods === undefined || methods.includes('client_secret_basic')) return 'client_secret_basic'
  if (methods.includes('client_secret_post')) return 'client_secret_post'
  throw new NotApplicable('no client authenticates by a secret here')
}

/** The default of RFC 8414 §2 says nothing about public clients. */
function noMethod({ token_endpoint_auth_methods_supported: methods }: Metadata): AuthenticationMethod {
  if (methods === undefined || methods.includes('none')) return 'none'
  throw new NotApplicable('token_endpoint_auth_methods_supported has no none: there are no public clients')
}

function givenFor(role: Role, given: readonly Client[]): Client | undefined {
  const withSecret = given.filter(
    ({ secret, redirectUris }) => secret !== undefined && redirectUris.length > 0,
  )
  if (role === 'confidential') return withSecret[0]
  if (role === 'other') return withSecret[1]
  if (role === 'public') return given.find(({ method }) => method === 'none')
  if (role === 'signing') return given.find(({ key }) => key !== undefined)
  return given.find(
    ({ secret, grantTypes }) => secret !== undefined && grantTypes.includes('client_credentials'),
  )
}

function readGiven(json: GivenClient): Client {
  const method =
    json.token_endpoint_auth_method ??
    (json.private_jwk ? 'private_key_jwt' : json.client_secret === undefined ? 'none' : 'client_secret_basic')
  const client: Client = {
    id: json.client_id,
    method: method as AuthenticationMethod,
    redirectUris: json.redirect_uris ?? [],
    grantTypes: json.grant_types ?? ['authorization_code'],
    registered: { ...json } as Record<string, unknown>,
  }
  if (json.client_secret !== undefined) client.secret = json.client_secret
  if (json.scope !== undefined) client.scope = json.scope
  if (json.private_jwk) {
    const { alg = 'ES256', kid } = json.private_jwk
    const key = createPrivateKey({ key: json.private_jwk, format: 'jwk' })
    client.key = keyFrom(alg as ClientKey['alg'], key, kid)
  }
  return client
}

/** How a request carries its client's authentication, right or wrong. */
export interface Credentials {
  headers: Record<string, string>
  form: Parameters
}

/** RFC 6749 §2.3.1: both halves are form-encoded before base64. */
export function basic(id: string, secret: string): string {
  const half = (text: string) => encode({ x: text }).slice(2)
  return `Basic ${Buffer.from(`${half(id)}:${half(secret)}`).toString('base64')}`
}
