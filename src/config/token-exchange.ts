import type { ExchangeFacts, Settings } from '../settings.ts'
import type { Checks } from './checks.ts'

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
