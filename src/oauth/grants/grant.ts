// RFC 6749 §5.1: what every grant type takes and gives.

import type { EventContext } from '../../events/append.ts'
import type { Form } from '../../http/forms.ts'
import type { MadeAccessToken } from '../access-token.ts'
import type { Client } from '../clients.ts'
import type { Refusal } from '../refusals.ts'
import type { Server } from '../server.ts'

export interface TokenRequest {
  client: Client
  form: Form
  /** Address and user agent, for the audit log. */
  origin: Pick<EventContext, 'address' | 'userAgent'>
}

/** A successful token answer before it is written to the wire. */
export interface TokenGrant {
  access: MadeAccessToken
  refreshToken?: string
}

export interface GrantType {
  /** The value of `grant_type`. */
  readonly name: string
  redeem(server: Server, request: TokenRequest): Promise<TokenGrant | Refusal>
}
