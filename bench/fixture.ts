import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** What a server must tell the load generator before it can be measured. */
export type Fixture = {
  /** One port a process; the connections are shared out over them. The first is the issuer's. */
  ports: number[]
  /** Without `push` the server takes no pushed requests and is left out where they are measured. */
  paths: { authorize: string; token: string; introspect: string; push?: string }
  /** Whether tokens are bound to a key where a proof of it is sent; without it the server is left out there. */
  dpop?: true
  /** Whether introspection is answered with a signed JWT where one is asked for; without it the server is left out there. */
  signedIntrospection?: true
  client: { id: string; secret: string; redirectUri: string }
  /** Clients without a secret, alike but for how the server knows them; without them the server is left out there. */
  publicClients?: Record<PublicWorkload, string>
  /** Extra parameters of each request, by what is asked for. */
  params: {
    /** Client credentials answered with an ES256 JWT. */
    machine: Record<string, string>
    /** Client credentials answered with an opaque token, for introspection. */
    opaque: Record<string, string>
    /** The authorization request, beside client, redirect URI, state and PKCE. */
    authorize: Record<string, string>
    /** The code's redemption. */
    code: Record<string, string>
    /** Refresh rotation. */
    refresh: Record<string, string>
  }
  /** One `Cookie` header for each signed-in person who has already consented; at least one a chain. */
  cookies: string[]
}

export const workloads = [
  'client_credentials',
  'refresh',
  'introspection',
  'signed_introspection',
  'code',
  'pushed_code',
  'public_code',
  'cimd_code',
  'dpop_client_credentials',
  'dpop_refresh',
] as const
export type Workload = (typeof workloads)[number]

/** The code flow of a client that was registered, and of one whose cached document describes it. */
export type PublicWorkload = 'public_code' | 'cimd_code'

/** The same requests without what the workload is about: a proof of a key, a document. */
export const plainOf: Partial<Record<Workload, Workload>> = {
  dpop_client_credentials: 'client_credentials',
  dpop_refresh: 'refresh',
  cimd_code: 'public_code',
}

/** Whether a server can be loaded with a workload at all. */
export function serves(
  { paths, dpop, publicClients, signedIntrospection }: Fixture,
  workload: Workload,
): boolean {
  switch (workload) {
    case 'pushed_code':
      return paths.push !== undefined
    case 'public_code':
    case 'cimd_code':
      return publicClients !== undefined
    case 'dpop_client_credentials':
    case 'dpop_refresh':
      return dpop === true
    case 'signed_introspection':
      return signedIntrospection === true
    default:
      return true
  }
}

/** So many of the people have consented to the clients without a secret, too. */
export const peopleOfPublicClients = 1024

/** Tokens that were in the database before the load, by the workload that walks through them. */
export type StoredTokens = { refresh: string[]; introspection: string[] }

/** Concurrent connections of the load generator; every one is a chain with a session of its own. */
export const chains = 32

export const fixtureFile = (directory: string) => join(directory, 'fixture.json')

/** The fixture a server left in its directory, with the ports it listens on now. */
export function readFixture(directory: string, ports: number[]): Fixture {
  return { ...(JSON.parse(readFileSync(fixtureFile(directory), 'utf8')) as Fixture), ports }
}
