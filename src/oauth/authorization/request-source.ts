// RFC 9126 §4; RFC 9101 §5, §6.3, §7; OpenID Connect Core §6: where the parameters of an authorization request are. A pushed
// request or a request object replaces everything beside it; nothing is merged, and no URL is fetched.

import type { Form } from '../../http/forms.ts'
import { isRefusal, type Refusal, refuse } from '../../protocol/refusals.ts'
import type { Client } from '../clients/clients.ts'
import type { Server } from '../server.ts'
import {
  type Refused,
  type RequestSource,
  readClient,
  readReplyTo,
  type Untrusted,
} from './authorization-request.ts'
import { findPushedRequest } from './pushed-authorization.ts'
import { readRequestObject } from './request-object.ts'
import { openedAt } from './return-address.ts'

/**
 * Turns what arrived at the authorization endpoint into the parameters that count, before any of them is believed. `address` is
 * the client's, '' when unknown.
 */
export async function expandRequest(
  server: Server,
  form: Form,
  address: string,
): Promise<RequestSource | Refused | Untrusted> {
  const [object, uri] = [form.get('request'), form.get('request_uri')]
  if (object === undefined && uri === undefined) return { form, pushed: null, signed: false }
  const client = await readClient(server, form)
  if ('page' in client) return client
  const repeated = ['request', 'request_uri'].find((name) => form.repeated.includes(name))
  if (repeated !== undefined)
    return outside(server, form, client, refuse('repeated_parameter', { parameter: repeated }))
  if (object !== undefined && uri !== undefined)
    return outside(server, form, client, refuse('request_object_ambiguous', { client: client.id }))

  if (uri !== undefined) {
    const found = await findPushedRequest(server, client, uri, openedAt(server, form))
    if (!isRefusal(found)) return found
    // What was pushed and is spent, expired or another's vouches for no redirect, not even one that stands beside it.
    return found.refusal === 'pushed_request_unknown'
      ? { page: found, client }
      : outside(server, form, client, found)
  }
  const signed = await readRequestObject(server, client, object!, {
    arrived: openedAt(server, form),
    address,
  })
  return isRefusal(signed)
    ? outside(server, form, client, signed)
    : { form: signed, pushed: null, signed: true }
}

/** A broken request vouches for nothing: its refusal is sent only to a redirect URI that stands outside it. */
async function outside(
  server: Server,
  form: Form,
  client: Client,
  refusal: Refusal,
): Promise<Refused | Untrusted> {
  if (form.get('redirect_uri') === undefined) return { page: refusal, client }
  const replyTo = await readReplyTo(server, form)
  return 'page' in replyTo ? replyTo : { replyTo, refusal }
}
