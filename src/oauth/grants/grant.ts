// RFC 6749 §5.1: what every grant type takes and gives.

import type { EventContext } from '../../events/append.ts'
import type { Form } from '../../http/forms.ts'
import type { GrantTypeRule } from '../../protocol/grant-types.ts'
import type { Refusal } from '../../protocol/refusals.ts'
import type { Client } from '../clients/clients.ts'
import type { Server } from '../server.ts'
import type { MadeAccessToken } from '../token/access-token.ts'

export interface TokenRequest {
  client: Client
  form: Form
  /** The key or certificate this request proved to hold, as tokens are bound to it (`sender-constraint.ts`); null without one. */
  binding: string | null
  /** Address and user agent, for the audit log. */
  origin: Pick<EventContext, 'address' | 'userAgent'>
}

/** A successful token answer before it is written to the wire. */
export interface TokenGrant {
  access: MadeAccessToken
  refreshToken?: string
  /** Where `openid` was granted (OpenID Connect Core §3.1.3.3, §12.2). */
  idToken?: string
  /** Further members of the answer, in wire names; they may replace the standard ones. */
  more?: Record<string, unknown>
}

export interface GrantType extends GrantTypeRule {
  /** Parameters that may come more than once; default `resource` (RFC 8707 §2). */
  readonly mayRepeat?: readonly string[]
  /** Its token requests may narrow authorization details that a user granted (RFC 9396 §6). */
  readonly narrowsDetails?: boolean
  redeem(server: Server, request: TokenRequest): Promise<TokenGrant | Refusal>
}
