import {
  fn,
  type Given,
  list,
  oneOf,
  optional,
  required,
  section,
  text,
  type Value,
} from '../../config/section.ts'

/** An exchange that a rule allows, as the deployment's own policy sees it. */
export interface ExchangeFacts {
  /** The client that asks. */
  client: string
  kind: 'delegation' | 'impersonation'
  /** Whom the new token is about, and the client the exchanged token was issued to. */
  subject: string
  subjectClient: string
  /** Who acts: the subject of the actor token, or the client itself. */
  actor: string
  /** What the new token would be good for. */
  scope: readonly string[]
  resources: readonly string[]
}

const clientId = text('the id of a client', undefined, { example: 'cl_…' })

/** One thing one client may do. */
const rule = section({
  /** The client that exchanges, by its id. It must be confidential. */
  client: required(clientId),
  /**
   * `delegation`: the new token says in `act` who acts for the user. `impersonation`: it does not, and no one who sees it can
   * tell the client from the user's own. Default `delegation`.
   */
  kind: oneOf(['delegation', 'impersonation'], 'delegation'),
  /** APIs the new token may be for. */
  resources: required(list(text('one of the configured resources'), { least: 1 })),
  /** Scopes it may carry, at most. Default: those of the token that is exchanged. */
  scope: optional(list(text())),
  /** Clients whose tokens are taken, by id. Default: any, if the token is for an API of this client's, or its own. */
  subjectClients: optional(list(clientId)),
  /** Who alone may act with the new token in a further exchange: a client id, or a subject (`may_act`, RFC 8693 §4.4). */
  mayAct: optional(clientId),
})

/** Exchanging an access token for another (RFC 8693). What no rule names is refused. */
export const tokenExchange = section({
  /** What may be exchanged. Of several rules that fit the first decides. */
  rules: required(list(rule)),
  /** Asked about every exchange that a rule allows; anything but `true` refuses it. */
  allows: optional(
    fn<(exchange: ExchangeFacts) => boolean | Promise<boolean>>(
      'a function that answers true or false',
      '(exchange: ExchangeFacts) => boolean | Promise<boolean>',
    ),
  ),
})
export type TokenExchangeConfig = Given<typeof tokenExchange>
/** As it is read. */
export type ExchangeRule = Value<typeof rule>
