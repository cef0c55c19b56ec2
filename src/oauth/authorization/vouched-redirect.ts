// RFC 9700 §4.11.2; RFC 6749 §4.1.2.1; OpenID Connect Core §3.1.2.6: whether an error may go to a redirect URI before the user was
// asked anything.

import { AccountsUnavailable } from '../../accounts/account.ts'
import { Unavailable } from '../../db/database.ts'
import type { Incoming } from '../../http/message.ts'
import { isResponse } from '../../http/web.ts'
import { isSelfRegistered } from '../../protocol/client-source.ts'
import { consentHost } from '../../protocol/redirect-uri.ts'
import type { Client } from '../clients/clients.ts'
import { findConsent } from '../records/consents.ts'
import type { Server } from '../server.ts'
import type { ReplyTo } from './authorization-request.ts'

/** Whether the operator vouches for the client; undefined where the user's own consent decides. */
export function isVouchedFor({ settings }: Pick<Server, 'settings'>, client: Client): boolean | undefined {
  if (!isSelfRegistered(client)) return true
  const { redirectErrors } = settings.selfRegisteredClients
  if (redirectErrors !== 'allowed') return redirectErrors === 'always'
  return client.invited || undefined
}

/** The user who is signed in allowed answers to that host, or somebody here vouches for the client. */
export async function mayRedirectErrors(
  server: Server,
  request: Incoming,
  { client, redirectUri }: Pick<ReplyTo, 'client' | 'redirectUri'>,
): Promise<boolean> {
  const vouched = isVouchedFor(server, client)
  if (vouched !== undefined) return vouched
  try {
    const user = await server.signedIn(request, {
      prompt: ['none'],
      returnTo: server.settings.issuer,
      interactive: false,
    })
    if (user === null || isResponse(user) || 'disabled' in user) return false
    const redirect_host = consentHost(client, redirectUri)
    const both = { user_id: user.id, client_id: client.id, redirect_host }
    return (await server.db.one(findConsent, both)) !== undefined
  } catch (error) {
    // The error on its way may be this very outage.
    if (error instanceof Unavailable || error instanceof AccountsUnavailable) return false
    throw error
  }
}
