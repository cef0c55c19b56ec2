// RFC 6749 §4.1.1, RFC 9126 §4: which client's authorization request waits behind an address, for pages that stand in front of it.

import { parseForm } from '../../http/forms.ts'
import { paths } from '../../protocol/paths.ts'
import { isRefusal } from '../../protocol/refusals.ts'
import type { Server } from '../server.ts'
import { readReplyTo } from './authorization-request.ts'
import { unfold } from './kept-request.ts'
import { expandRequest } from './request-source.ts'
import { cancelledParameter } from './return-address.ts'

/** The name of an active client, and where the user goes to give up; undefined for any other address. */
export async function pendingRequest(
  server: Server,
  address: string,
): Promise<{ client: string; cancelUrl: string } | undefined> {
  const start = `${server.settings.issuer}${paths.authorization}?`
  const sent = address.startsWith(start) ? parseForm(address.slice(start.length)) : undefined
  const form = sent && (await unfold(server, sent))
  if (isRefusal(form)) return undefined
  const source = form && (await expandRequest(server, form, ''))
  if (!source || 'page' in source || 'refusal' in source) return undefined
  const asked = await readReplyTo(server, source.form)
  if ('page' in asked) return undefined
  return { client: asked.client.name, cancelUrl: `${address}&${cancelledParameter}=1` }
}
