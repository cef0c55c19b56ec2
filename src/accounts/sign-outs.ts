// OpenID Connect Back-Channel Logout §2.1, §2.7; Front-Channel Logout §3 (sid): what ends when a browser is signed out.
import type { Core } from '../core.ts'
import { sha256 } from '../crypto/tokens.ts'
import { endSessionsOfSignIn, endSessionsWithClient } from '../sessions/endings.ts'
import type { Account } from './account.ts'

/** What clients know a browser's sign-in by (`sid`); it says nothing about the provider's own session. */
export function sidOf({
  provider,
  issuer,
  sessionId,
}: Pick<Account, 'provider' | 'issuer' | 'sessionId'>): string {
  return sha256(`${provider} ${issuer} ${sessionId}`)
}

/**
 * Ends what came from a browser's sign-in and has its clients told. Where the provider names no sign-in it can only be what
 * the client that asks has.
 */
export async function endSignedOut(
  core: Pick<Core, 'db' | 'now'>,
  user: { id: string; sid?: string },
  clientId: string | undefined,
): Promise<void> {
  const of = { user_id: user.id, now: core.now() }
  if (user.sid !== undefined) await core.db.write(endSessionsOfSignIn, { ...of, sid: user.sid })
  else if (clientId !== undefined) await core.db.write(endSessionsWithClient, { ...of, client_id: clientId })
}
