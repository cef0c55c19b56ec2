// RFC 6749 §4.1.1: which client's authorization request waits behind an address, for pages that stand in front of it.

import { parseForm } from '../http/forms.ts'
import { cancelledParameter } from './authorization-request.ts'
import { paths } from './paths.ts'
import { matchRedirectUri } from './redirect-uri.ts'
import type { Server } from './server.ts'

/**
 * The name of an active client, the registered redirect URI its answer goes to, and where the user goes to give up; undefined
 * for any other address.
 */
export async function waitingRequest(
  server: Pick<Server, 'settings' | 'clients'>,
  address: string,
): Promise<{ client: string; redirectUri: string; cancelUrl: string } | undefined> {
  const start = `${server.settings.issuer}${paths.authorization}?`
  const form = address.startsWith(start) ? parseForm(address.slice(start.length)) : undefined
  const id = form?.get('client_id')
  const client = id === undefined ? undefined : await server.clients.find(id)
  if (!form || !client?.active) return undefined
  const asked = form.get('redirect_uri') ?? client.redirectUris[0]
  if (asked === undefined || matchRedirectUri(client.redirectUris, asked) === undefined) return undefined
  return { client: client.name, redirectUri: asked, cancelUrl: `${address}&${cancelledParameter}=1` }
}
