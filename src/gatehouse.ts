import { administer, type Consents, type Events, type Sessions, type Users } from './administration.ts'
import type { Access, AccessNeeds, BearerRequest } from './api/bearer.ts'
import { type ApiDescription, type OpenApiDocument, openapiDocument } from './api/openapi.ts'
import { metadataOf, type ResourceMetadata } from './api/resource-metadata.ts'
import { type App, openApp } from './app.ts'
import type { Config } from './config.ts'
import { proxiesUnknown } from './core.ts'
import { clientAddress, isTrustedProxy } from './http/address.ts'
import { listen, nodeServer } from './http/node.ts'
import { type Connection, incomingFrom, responseFrom } from './http/web.ts'
import type { ClientInput } from './oauth/clients/client-input.ts'
import {
  type CreatedClient,
  changeClient,
  createClient,
  listClients,
  replaceGptId,
  restore,
  revoke,
  rotateSecret,
  suspend,
} from './oauth/clients/client-operations.ts'
import type { ShownClient } from './oauth/clients/shown-client.ts'
import { watchMounted } from './oauth/mounted.ts'
import {
  createInitialAccessToken,
  endInitialAccessToken,
  type InitialAccessTokenInput,
  listInitialAccessTokens,
  type ShownInitialAccessToken,
} from './oauth/registration/initial-access-tokens.ts'
import { guardResources } from './oauth/token/resource-server.ts'

/** An authorization server inside your app. */
export interface Gatehouse {
  /** Answers every request below the issuer; mount it where the issuer's path is. */
  fetch(request: Request, connection?: Connection): Promise<Response>
  readonly issuer: string
  /**
   * Whether a request to an API of yours may do what it asks: a token that lives, for this API, with every scope the operation
   * needs. Otherwise the complete answer to send (RFC 6750 §3): 401, 403, 400, or 503 when the database cannot be asked.
   *
   * ```ts
   * const access = await auth.authenticate(request, { scope: 'jobs:read' })
   * if (!access.ok) return access.response
   * ```
   */
  authenticate(request: BearerRequest, needs?: AccessNeeds): Promise<Access>
  /** The metadata document of one of the configured APIs (RFC 9728 §2), for hosts that serve it themselves. Default: the first. */
  resourceMetadata(resource?: string): ResourceMetadata
  /** The OpenAPI 3.1.1 document of an API behind this server, as ChatGPT Actions read it. Throws `ConfigError`. */
  openapi(api: ApiDescription): OpenApiDocument
  /** Clients, as an administrator sees them. */
  readonly clients: {
    /** Registers a client; the secret of a confidential one is in the answer, this once. Throws `ConfigError`. */
    create(input: ClientInput): Promise<CreatedClient>
    /** Changes what is given and keeps the rest; undefined for an unknown client. Throws `ConfigError`. */
    change(id: string, changes: Parameters<typeof changeClient>[2]): Promise<ShownClient | undefined>
    /** A new secret beside the old one, which stays good for `overlapSeconds` (default a day). */
    rotateSecret(id: string, overlapSeconds?: number): Promise<string | undefined>
    replaceGptId(id: string, from: string, to: string): Promise<ShownClient | undefined>
    suspend(id: string, reason: string): Promise<boolean>
    restore(id: string): Promise<boolean>
    revoke(id: string, reason: string): Promise<boolean>
    list(): Promise<ShownClient[]>
    /**
     * Lets somebody register so many clients (RFC 7591 §3), where `registration.policy` is `initial_access_token`. The token
     * is in the answer, this once. Throws `ConfigError`.
     */
    createInitialAccessToken(
      input: InitialAccessTokenInput,
    ): Promise<{ id: string; token: string; expiresAt: number }>
    listInitialAccessTokens(): Promise<ShownInitialAccessToken[]>
    /** Ends one; clients it has registered stay. False for one that is unknown or has ended. */
    revokeInitialAccessToken(id: string): Promise<boolean>
  }
  /** Users, what they allowed, and what happened, as an administrator sees them. */
  readonly users: Users
  readonly sessions: Sessions
  readonly consents: Consents
  readonly events: Events
  /** Whether this process should be sent requests, as `/readyz` says, and what is wrong if not. */
  health(): Promise<{ ready: boolean; failing: string[] }>
  /**
   * Serves on a port of its own, on loopback unless a host is given; port 0 takes any free one. Ends with `close()`, after
   * the seconds of `drain` if that is configured.
   */
  listen(at: { port: number; host?: string }): Promise<{ url: string; close(): Promise<void> }>
  /**
   * Takes other root secrets, newest first, without a pause: what the former ones sealed, signed and derived stays good
   * as long as they are listed. Resolves when the newest one is in use and seals the signing keys.
   */
  replaceSecrets(secrets: readonly string[]): Promise<void>
  /** Writes what is counted in memory, ends jobs and closes the database. */
  close(): Promise<void>
}

/** Opens the authorization server a configuration describes. Rejects with `ConfigError` naming every problem at once. */
export async function gatehouse(config: Config): Promise<Gatehouse> {
  return embed(await openApp(config))
}

/** The public face of an opened house. */
export function embed(app: App): Gatehouse {
  const { server, settings } = app
  const listeners = new Set<() => Promise<void>>()
  let addressMissed = false
  const mounted = watchMounted(server)
  return {
    issuer: settings.issuer,
    authenticate: guardResources(server),
    resourceMetadata: (resource) => metadataOf(settings, resource ?? settings.defaultResource),
    openapi: (api) => openapiDocument(settings, api),
    async fetch(request, connection) {
      mounted.asked()
      const peer = connection?.address ?? ''
      if (peer === '' && !addressMissed) {
        addressMissed = true
        server.log.warn(
          'requests come without the address of their peer: limits count all of them as one network, and the audit log cannot tell where they came from. Pass it: fetch(request, { address })',
        )
      }
      const incoming = incomingFrom(request, settings.base, {
        address: clientAddress(peer, (name) => request.headers.get(name) ?? undefined, settings),
        viaTrustedProxy: isTrustedProxy(peer, settings.trustedProxies),
      })
      return responseFrom(await app.answer(incoming))
    },
    clients: {
      create: (input) => createClient(server, input),
      change: (id, changes) => changeClient(server, id, changes),
      rotateSecret: (id, overlap) => rotateSecret(server, id, overlap),
      replaceGptId: (id, from, to) => replaceGptId(server, id, from, to),
      suspend: (id, reason) => suspend(server, id, reason),
      restore: (id) => restore(server, id),
      revoke: (id, reason) => revoke(server, id, reason),
      list: () => listClients(server),
      createInitialAccessToken: (input) => createInitialAccessToken(server, input),
      listInitialAccessTokens: () => listInitialAccessTokens(server),
      revokeInitialAccessToken: (id) => endInitialAccessToken(server, id),
    },
    ...administer(app),
    async health() {
      const failing = await app.health.failing()
      return { ready: failing.length === 0, failing }
    },
    async listen({ port, host = '127.0.0.1' }) {
      const warning = proxiesUnknown(settings)
      if (warning) server.log.warn(warning)
      const listening = await listen(nodeServer(app.answer, settings), { port, host })
      let closing: Promise<void> | undefined
      const close = () => {
        listeners.delete(close)
        if (listeners.size === 0) app.stopping()
        closing ??= listening.close({ drain: settings.drain ?? 0 })
        return closing
      }
      listeners.add(close)
      app.stopping(false)
      return { url: listening.url, close }
    },
    replaceSecrets: (secrets) => app.replaceSecrets(secrets),
    async close() {
      mounted.close()
      app.stopping()
      await Promise.all([...listeners].map((end) => end()))
      await app.close()
    },
  }
}
