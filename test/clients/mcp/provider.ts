// What a host application keeps for the client libraries of MCP: in memory, apart for every authorization server where the
// library says which one it means.

import { randomUUID } from 'node:crypto'

export interface ClientInformation {
  client_id: string
  client_secret?: string | undefined
  token_endpoint_auth_method?: string | undefined
  scope?: string | undefined
  issuer?: string | undefined
  [member: string]: unknown
}

export interface StoredTokens {
  access_token: string
  token_type: string
  refresh_token?: string | undefined
  scope?: string | undefined
  issuer?: string | undefined
}

interface Said {
  issuer?: string | undefined
}

/** Both generations take it as their `OAuthClientProvider`. */
export class MemoryProvider {
  readonly redirectUrl: string
  /** Where the person is sent, instead of opening a browser. */
  sentTo: URL | undefined
  /** What the library threw away, in order. */
  invalidated: string[] = []
  readonly clients = new Map<string, ClientInformation>()
  readonly held = new Map<string, StoredTokens>()
  readonly clientMetadata: {
    client_name: string
    redirect_uris: string[]
    token_endpoint_auth_method?: string
    scope?: string
    [member: string]: unknown
  }
  clientMetadataUrl?: string
  lastState = ''
  #verifier = ''
  #discovered: unknown

  constructor(metadata: Partial<MemoryProvider['clientMetadata']> = {}) {
    this.clientMetadata = {
      client_name: 'Desk tool',
      redirect_uris: ['http://127.0.0.1:3199/callback'],
      token_endpoint_auth_method: 'none',
      ...metadata,
    }
    this.redirectUrl = this.clientMetadata.redirect_uris[0]!
  }

  /** The only entry, for the tests. */
  get client(): ClientInformation | undefined {
    return [...this.clients.values()].at(-1)
  }

  get tokensHeld(): StoredTokens | undefined {
    return [...this.held.values()].at(-1)
  }

  state(): string {
    this.lastState = randomUUID()
    return this.lastState
  }

  clientInformation(said?: Said): ClientInformation | undefined {
    return said?.issuer === undefined ? this.client : this.clients.get(said.issuer)
  }

  saveClientInformation(information: ClientInformation, said?: Said): void {
    this.clients.set(said?.issuer ?? information.issuer ?? '', information)
  }

  tokens(said?: Said): StoredTokens | undefined {
    return said?.issuer === undefined ? this.tokensHeld : this.held.get(said.issuer)
  }

  saveTokens(tokens: StoredTokens, said?: Said): void {
    this.held.set(said?.issuer ?? tokens.issuer ?? '', tokens)
  }

  redirectToAuthorization(url: URL): void {
    this.sentTo = url
  }

  saveCodeVerifier(verifier: string): void {
    this.#verifier = verifier
  }

  codeVerifier(): string {
    return this.#verifier
  }

  saveDiscoveryState(state: unknown): void {
    this.#discovered = state
  }

  discoveryState(): never {
    return this.#discovered as never
  }

  invalidateCredentials(scope: string): void {
    this.invalidated.push(scope)
    if (scope === 'all' || scope === 'client') this.clients.clear()
    if (scope === 'all' || scope === 'tokens') this.held.clear()
    if (scope === 'all' || scope === 'discovery') this.#discovered = undefined
  }
}
