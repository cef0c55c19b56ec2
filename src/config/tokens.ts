import type { ExchangeFacts, HostClaims, Settings, TokenFacts } from '../settings.ts'
import type { Checks } from './checks.ts'

export interface TokenConfig {
  /** Default `jwt` (RFC 9068, ES256). */
  format?: 'jwt' | 'opaque'
  /** Default 900. A client may have its own, 60 to 86400. */
  accessTokenLifetime?: number
  /** Default 300. A client may have its own, 30 to 600. */
  codeLifetime?: number
  /** Refresh tokens end when unused for so long. Default 30 days. A client may have its own, up to `sessionLifetime`. */
  refreshTokenLifetime?: number
  /** A session ends after so long whatever happens. Default 90 days. */
  sessionLifetime?: number
  /** A rotated refresh token is answered with the same successor for so long. Default 60, at most 300; an administrator may give a client 0 to 86400. */
  reuseWindow?: number
  /**
   * Adds claims of your own to access tokens (`roles`, `groups`, a tenant), at most 4,096 bytes of JSON, none that this server
   * sets itself. Asked for every token that is issued, at each refresh too; while it throws, none is. Introspection answers
   * what it said for that token. Default: nothing is added.
   */
  claims?: (token: TokenFacts) => HostClaims | Promise<HostClaims>
}

const second = 1_000
const day = 86_400 * second

/** Bounds of what a client may override, in milliseconds. */
export const bounds = {
  accessTokenLifetime: [60 * second, day],
  codeLifetime: [30 * second, 600 * second],
  refreshTokenLifetime: [60 * second, 365 * day],
  reuseWindow: [0, day],
} as const

/** Longest reuse window of clients about which nothing was said, in milliseconds. */
export const longestUsualWindow = 300 * second

export function tokenSettings(config: TokenConfig, { problem, seconds }: Checks): Settings['tokens'] {
  const { format = 'jwt', claims } = config
  if (format !== 'jwt' && format !== 'opaque') problem('tokens.format', 'jwt or opaque', format, 'jwt')
  if (claims !== undefined && typeof claims !== 'function')
    problem('tokens.claims', 'a function that answers an object of claims', claims)
  const lifetime = (
    name: 'accessTokenLifetime' | 'codeLifetime' | 'refreshTokenLifetime' | 'sessionLifetime' | 'reuseWindow',
    standard: number,
    least: number,
    most: number,
  ) => seconds(`tokens.${name}`, config[name], standard, least, most)
  return {
    format,
    accessTokenLifetime: lifetime('accessTokenLifetime', 900, 60, 86_400),
    codeLifetime: lifetime('codeLifetime', 300, 30, 600),
    refreshTokenLifetime: lifetime('refreshTokenLifetime', 30 * 86_400, 60, 365 * 86_400),
    sessionLifetime: lifetime('sessionLifetime', 90 * 86_400, 300, 3650 * 86_400),
    reuseWindow: lifetime('reuseWindow', 60, 0, longestUsualWindow / second),
    claims: claims ?? null,
  }
}

/** Exchanging an access token for another (RFC 8693). What no rule names is refused. */
export interface TokenExchangeConfig {
  rules: TokenExchangeRuleConfig[]
  /** Asked about every exchange that a rule allows; anything but `true` refuses it. */
  allows?: (exchange: ExchangeFacts) => boolean | Promise<boolean>
}

/** One thing one client may do. Of several rules that fit the first decides. */
export interface TokenExchangeRuleConfig {
  /** The client that exchanges, by its id. It must be confidential. */
  client: string
  /**
   * `delegation`: the new token says in `act` who acts for the user. `impersonation`: it does not, and nobody who sees it can
   * tell the client from the user's own. Default `delegation`.
   */
  kind?: 'delegation' | 'impersonation'
  /** APIs the new token may be for. */
  resources: string[]
  /** Scopes it may carry, at most. Default: those of the token that is exchanged. */
  scope?: string[]
  /** Clients whose tokens are taken, by id. Default: any, if the token is for an API of this client's, or its own. */
  subjectClients?: string[]
  /** Who alone may act with the new token in a further exchange: a client id, or a subject (`may_act`, RFC 8693 §4.4). */
  mayAct?: string
}

export function tokenExchangeSettings(
  config: TokenExchangeConfig | undefined,
  known: { scopes: Record<string, string>; resources: readonly string[] },
  { problem }: Checks,
): Settings['tokenExchange'] {
  if (config === undefined) return null
  const { rules, allows } = config
  if (!Array.isArray(rules)) problem('tokenExchange.rules', 'a list of rules', rules, '[]')
  if (allows !== undefined && typeof allows !== 'function')
    problem('tokenExchange.allows', 'a function that answers true or false', allows)
  const list = Array.isArray(rules) ? rules : []
  for (const [n, rule] of list.entries()) {
    const path = `tokenExchange.rules[${n}]`
    const { client, kind = 'delegation', resources = [], scope = [], subjectClients = [], mayAct } = rule
    for (const [member, id] of [
      ['client', client],
      ...subjectClients.map((one, at) => [`subjectClients[${at}]`, one]),
      ...(mayAct === undefined ? [] : [['mayAct', mayAct]]),
    ] as [string, unknown][]) {
      if (typeof id !== 'string' || id === '') problem(`${path}.${member}`, 'the id of a client', id, 'cl_…')
    }
    if (kind !== 'delegation' && kind !== 'impersonation')
      problem(`${path}.kind`, 'delegation or impersonation', kind, 'delegation')
    if (resources.length === 0) problem(`${path}.resources`, 'at least one of the configured resources', '[]')
    for (const uri of resources) {
      if (!known.resources.includes(uri))
        problem(`${path}.resources`, `of the configured resources: ${known.resources.join(' ')}`, uri)
    }
    for (const name of scope) {
      if (!Object.hasOwn(known.scopes, name)) problem(`${path}.scope`, 'scopes that `scopes` names', name)
    }
  }
  return {
    rules: list.map(({ client, kind = 'delegation', resources, scope, subjectClients, mayAct }) => ({
      client,
      kind,
      resources: resources ?? [],
      scope: scope ?? null,
      subjectClients: subjectClients ?? null,
      mayAct: mayAct ?? null,
    })),
    allows: allows ?? null,
  }
}
