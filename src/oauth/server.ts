// Serves every endpoint of OAuth 2.1: what the protocol works with, and the user it works for.

import type { Account, Accounts, Ask } from '../accounts/account.ts'
import type { Core } from '../core.ts'
import type { Clock } from '../db/clock.ts'
import type { Counters } from '../db/counters.ts'
import type { Outbound } from '../http/guarded-fetch.ts'
import type { Answer, Incoming } from '../http/message.ts'
import type { Frame } from '../pages/views.ts'
import type { ProofNonces } from '../protocol/dpop-nonce.ts'
import type { Refusal } from '../protocol/refusals.ts'
import type { Activity } from './clients/activity.ts'
import type { ClientKeys } from './clients/client-keys.ts'
import type { Client, ClientCache } from './clients/clients.ts'
import type { SigningKeys } from './keys/signing-keys.ts'

/** A user of this server, resolved from the account the host's seam named. */
export interface User {
  id: string
  /** `sub` in tokens. */
  subject: string
  name: string
  email?: string
  authTime?: number
  /** How the user was authenticated (OpenID Connect Core §2), where the account provider says it. */
  acr?: string
  amr?: readonly string[]
  /** Names the browser's sign-in to clients (`sid`), where the provider has such a thing. */
  sid?: string
  /** The row of the browser's sign-in, where sign-ins are ours. */
  signInRow?: string
  /** When the account provider's statement ends, in epoch milliseconds; absent when it does not. */
  statementEnds?: number
}

/** What the protocol works with. Made once, in app.ts; never changed by a request. */
export interface Server extends Core {
  /** What `now` goes by, and whether it can be trusted. */
  readonly clock: Clock
  readonly keys: SigningKeys
  readonly clients: ClientCache
  /** A client that authenticates, as its metadata document says now where it has one. */
  freshClient(known: Client): Promise<Client | Refusal>
  readonly counters: Counters
  readonly activity: Activity
  /** The only way to a URL that somebody else chose. */
  readonly outbound: Outbound
  /** The public keys that clients sign with. */
  readonly clientKeys: ClientKeys
  /** The nonces that proofs of a key must hold. */
  readonly nonces: ProofNonces
  /** Asks the accounts seam who is signed in; an answer is a page or redirect that signs the user in. */
  signedIn(request: Incoming, ask: Ask): Promise<User | { disabled: Account } | Response | null>
  /** The user whom a statement that has ended since `after` was about, where the request still carries it. */
  endedStatement(request: Incoming, after: number): Promise<Pick<User, 'id' | 'sid'> | undefined>
  /** What is known of a user for these scopes, in the names of OpenID Connect Core §5.1. */
  claims(userId: string, scopes: readonly string[]): Promise<Record<string, unknown>>
  /** The one issuer whose subjects stand in tokens as they are, where the accounts adapter names one. */
  readonly authority: Accounts['authority']
  /** Every claim about a user that can be known. */
  readonly claimNames: readonly string[]
  /** Signs the browser out and sends it on to an address of ours; undefined where that is done elsewhere. */
  signOut: ((request: Incoming, returnTo: string) => Promise<Answer>) | undefined
  /** Where the user may choose another account and return; undefined where the accounts adapter has no such page. */
  switchUrl(returnTo: string): string | undefined
  frame(user?: { name: string; email?: string }): Frame
}
