// Every option but `accounts`, which needs the seam above.

import type { BlockList } from 'node:net'
import { events } from '../events/config.ts'
import { trustedProxies } from '../http/address.ts'
import type { Log, LogLevel } from '../log.ts'
import { assertionIssuers } from '../oauth/config/assertion-issuers.ts'
import { authentication } from '../oauth/config/authentication.ts'
import { authorizationDetails } from '../oauth/config/authorization-details.ts'
import { clientIdMetadata } from '../oauth/config/client-id-metadata.ts'
import { device } from '../oauth/config/device.ts'
import { dpop } from '../oauth/config/dpop.ts'
import { fapi2 } from '../oauth/config/fapi2.ts'
import { mutualTls } from '../oauth/config/mutual-tls.ts'
import { openid } from '../oauth/config/openid.ts'
import { pushedRequests } from '../oauth/config/pushed-requests.ts'
import { registration } from '../oauth/config/registration.ts'
import { resources } from '../oauth/config/resources.ts'
import { scopes } from '../oauth/config/scopes.ts'
import { selfRegisteredClients } from '../oauth/config/self-registered-clients.ts'
import { signingKeys } from '../oauth/config/signing-keys.ts'
import { tokenExchange } from '../oauth/config/token-exchange.ts'
import { tokens } from '../oauth/config/tokens.ts'
import { sessions } from '../sessions/config.ts'
import { connections } from './connections.ts'
import { issuer } from './issuer.ts'
import { limits } from './limits.ts'
import { outbound } from './outbound.ts'
import { pages } from './pages.ts'
import {
  count,
  custom,
  flag,
  list,
  mapped,
  type Options,
  optional,
  type Place,
  required,
  seconds,
  text,
} from './section.ts'
import { storage } from './storage.ts'

/** In seconds. */
export const longestDrain = 600

export const options = {
  /** The server's identity and public address, e.g. `https://auth.example.com` or `https://example.com/auth`. No trailing slash. */
  issuer: required(issuer, 'https://auth.example.com'),
  /**
   * The root of every key that seals or derives; at least 32 characters, e.g. 32 random bytes in base64. Several, newest
   * first, while one replaces another. Off loopback one that can be guessed, or stands in print, is refused.
   */
  secret: {
    ...custom<string | readonly string[], unknown[]>('string | string[]', (given) => [given ?? []].flat()),
    required: true,
  },
  /** `postgres://user@host/name`, or the path of an SQLite file. Default `.gatehouse/gatehouse.db`. */
  database: text('the URL of a PostgreSQL database, or the path of an SQLite file', undefined, {
    standard: '.gatehouse/gatehouse.db',
  }),
  /** Most connections a process holds to PostgreSQL for requests; two more serve lists and reports. Default 6. */
  databaseConnections: count(6),
  /**
   * Scopes with the sentence the consent page shows for each. Those of OpenID Connect (`openid`, `profile`, `email`,
   * `offline_access`) are there without being named; naming one words its sentence.
   */
  scopes,
  /** What a client may ask of the sign-in itself. */
  authentication,
  /** APIs the tokens are for (RFC 8707), by their URI. The first is the default audience; with none it is the issuer. */
  resources,
  /** Format and lifetimes of what is issued. */
  tokens,
  /** One authorization of one client by one user. */
  sessions,
  /** How often something may go wrong, or be asked for. */
  limits,
  /** How much unauthenticated clients and users may have stored. */
  storage,
  /** What connections to the server's own listener may take. */
  connections,
  /** Keys that sign tokens. They rotate by themselves. */
  signingKeys,
  /** How long the audit log is kept. */
  events,
  /** What the pages look like. */
  pages,
  /**
   * Addresses or subnets of proxies whose word about the client's address is believed; `[]` says that there is none, and every peer is a
   * client itself. Default: unknown, so that peers of a private network count as one that all users share.
   */
  trustedProxies: optional(custom<readonly string[], BlockList>('string[]', readProxies), undefined),
  /**
   * The header in which they name the client: `x-forwarded-for` (default), `forwarded` (RFC 7239), or one of a provider's own
   * that holds one address, e.g. `cf-connecting-ip`, `fly-client-ip`. Exactly the one your proxy sets: the others may be the
   * client's own words.
   */
  forwardedHeader: mapped(
    text('the name of a header', (given) => /^[a-z0-9-]{1,64}$/i.test(given), {
      standard: 'x-forwarded-for',
      example: 'x-forwarded-for',
    }),
    (name) => name.toLowerCase(),
  ),
  /** Origins whose browser code may call the token, revocation and metadata endpoints. Default: any, without credentials. */
  cors: custom<'*' | readonly string[], '*' | readonly string[]>("'*' | string[]", (given, place) =>
    given === undefined || given === '*' ? '*' : origins.read(given, place),
  ),
  /** Clients that register themselves (RFC 7591). Off unless given. */
  registration: optional(registration),
  /** Clients whose `client_id` is the URL of a document about them. Off unless given. */
  clientIdMetadata: optional(clientIdMetadata),
  /** What both kinds may be, and how many. */
  selfRegisteredClients,
  /** Clients that authenticate by a TLS certificate, or hold tokens bound to one (RFC 8705). Off unless given. */
  mutualTls: optional(mutualTls),
  /** Requests to URLs that clients chose. */
  outbound,
  /** Authorization requests that clients push before they send the user (RFC 9126). Accepted unless told otherwise. */
  pushedRequests,
  /** Types of `authorization_details` (RFC 9396) that clients may ask for, by name. */
  authorizationDetails,
  /** What ID tokens and other signed answers are signed with and hold, where a client says nothing. */
  openid,
  /** Tokens bound to a key of the client. */
  dpop,
  /** What clients of the profile `fapi2` must do. */
  fapi2: optional(fapi2),
  /** Devices without a browser of their own (RFC 8628). Off unless given; `{}` takes every default. */
  device: optional(device),
  /** Exchanging tokens (RFC 8693). Off unless given. */
  tokenExchange: optional(tokenExchange),
  /** Who may speak for users with signed assertions (RFC 7523, ID-JAG), by their `iss`. Off unless given. */
  assertionIssuers,
  /** Accept an http issuer outside loopback (a private network that ends TLS elsewhere). Default false. */
  allowInsecureIssuer: flag(false),
  /** Apply missing schema migrations at start. Default true on SQLite, false on PostgreSQL (run `npx gatehouse-auth migrate up`). */
  migrate: optional(flag(false)),
  /**
   * Seconds a listener goes on answering after it was told to end, while `/readyz` fails and kept connections are given up.
   * Default: 5 for `npx gatehouse-auth serve`, 0 on loopback and embedded.
   */
  drain: optional(seconds(5, 0, longestDrain)),
  /** Run the built-in scheduler (clean-up, key rotation). Default true. */
  jobs: flag(true),
  /** Least level that is logged, or a log of your own. Default `info`. */
  log: custom<LogLevel | Log>('LogLevel | Log', readLog),
} satisfies Options

const origins = list(
  text('origins, or *', (given) => URL.canParse(given) && new URL(given).origin === given, {
    example: 'https://app.example.com',
  }),
)

function readProxies(given: unknown, place: Place): BlockList {
  if (!Array.isArray(given)) place.problem('a list of addresses and subnets', given, "['10.0.0.0/8']")
  try {
    return trustedProxies(Array.isArray(given) ? given : [])
  } catch (error) {
    place.problem('addresses or subnets', (error as Error).message, '10.0.0.0/8')
    return trustedProxies([])
  }
}

const levels: readonly unknown[] = ['info', 'warn', 'error', 'silent'] satisfies LogLevel[]

function readLog(given: unknown, place: Place): LogLevel | Log {
  if (given === undefined) return 'info'
  if (levels.includes(given) || isLog(given)) return given as LogLevel | Log
  place.problem("'info', 'warn', 'error', 'silent', or an object with these three functions", given, "'info'")
  return 'info'
}

function isLog(given: unknown): boolean {
  const log = given as Record<string, unknown> | null
  return (
    typeof log === 'object' &&
    log !== null &&
    ['info', 'warn', 'error'].every((name) => typeof log[name] === 'function')
  )
}
