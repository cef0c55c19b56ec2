// RFC 6749 §4.1.1; RFC 6819 §4.4.1.11: a request that is too long for the addresses of ours that lead back to it is kept here, and
// the address names it. What anyone can send has a bounded place; beyond it the address is as long as the request.

import { networkLimit } from '../../core.ts'
import { makeToken, readToken, type StoredToken } from '../../crypto/tokens.ts'
import { type Form, formOf, pairsOf } from '../../http/forms.ts'
import { type Refusal, refuse } from '../../protocol/refusals.ts'
import { limitPending, pendingWindow } from '../guards/pending-limits.ts'
import { findPushed, insertPushedRequest } from '../records/pushed-requests.ts'
import type { Server } from '../server.ts'
import { type AuthorizationRequest, knownParameters } from './authorization-request.ts'
import { keptParameter, ours, patience, returnAddress, type Visit } from './return-address.ts'

/**
 * Characters an address may have: it stands escaped in that of a sign-in page, which proxies let through in 4 KiB of headers
 * (nginx, `proxy_buffer_size`).
 */
const longestAddress = 1_200
/** How long it is kept: for the sign-in, the decision, and who comes too late and starts again. In milliseconds. */
const keptFor = 2 * patience
/** Pieces that one network may have kept in a window. */
const perNetwork = 1_000

/** An address of ours that leads back to a request. */
export interface WayBack {
  /** The same whenever it is asked for. */
  address(): string
  /** To be awaited before the address is sent anywhere. */
  keep(): Promise<void>
}

export function wayBack(server: Server, visit: Visit, asked: AuthorizationRequest, userId?: string): WayBack {
  const { form, browser, request } = visit
  let address: string | undefined
  let made: (StoredToken & { token: string }) | undefined
  // A request object and the name of a pushed request are looked at again on the way back; nothing else counts.
  const beside = ['request', 'request_uri'].flatMap((name) =>
    form.all(name).map((value) => [name, value] as const),
  )
  const text = () => JSON.stringify([...pairsOf(knownParameters(form)), ...beside])

  function begin(): string {
    const whole = returnAddress(server, browser, form, asked)
    if (whole.length <= longestAddress) return whole
    const limit = networkLimit(server.settings, request.address, 'kept', {
      most: perNetwork,
      window: pendingWindow,
    })
    const full = limitPending(server, 'kept_requests', {
      ...(userId === undefined ? {} : { user: userId }),
      address: request.address,
      client: asked.client,
      bytes: Buffer.byteLength(text()),
      party: { limit, full: 'no_room' },
      authenticated: false,
    })
    if (full) return whole
    made = makeToken('gh_kr', server.now())
    return returnAddress(server, browser, formOf([...pairsOf(form), [keptParameter, made.token]]), asked)
  }

  return {
    address: () => (address ??= begin()),
    async keep() {
      if (!made) return
      const { id, hash } = made
      made = undefined
      const now = server.now()
      await server.db.write(insertPushedRequest, {
        id,
        hash,
        client_id: asked.client.id,
        request: text(),
        subject: null,
        client_method: asked.client.method,
        now,
        // From here on it is kept for an hour, as every row of this table.
        expires_at: now,
      })
    },
  }
}

/** The request that an address stands for, with what else the address says of it. */
export async function unfold(server: Server, sent: Form): Promise<Form | Refusal> {
  const token = sent.get(keptParameter)
  if (token === undefined) return sent
  const stored = readToken('gh_kr', token)
  const row = stored && (await server.db.one(findPushed, { id: stored.id, hash: stored.hash }))
  if (!row || row.expires_at + keptFor <= server.now())
    return refuse('pushed_request_unknown', { state: row ? 'expired' : 'unknown' })
  const kept = JSON.parse(row.request) as [name: string, value: string][]
  return formOf([...kept, ...pairsOf(sent).filter(([name]) => ours.includes(name))])
}
