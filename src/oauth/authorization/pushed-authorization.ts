// RFC 9126 §2, §2.1, §2.2, §2.3, §4, §7.3; RFC 9449 §10.1: a client pushes its authorization request over the back channel and
// sends the user with a name for it. It is checked as a whole when it is pushed, and again when the user arrives; it is good
// for one flow.

import { networkLimit } from '../../core.ts'
import { makeToken, readToken } from '../../crypto/tokens.ts'
import { type Form, formOf, pairsOf } from '../../http/forms.ts'
import { type Answer, concerning, type Incoming, json } from '../../http/message.ts'
import { isSelfRegistered } from '../../protocol/client-source.ts'
import type { Proof } from '../../protocol/dpop.ts'
import { uncached } from '../../protocol/error-answer.ts'
import { readBackChannelForm } from '../../protocol/form-endpoint.ts'
import { isRefusal, type Refusal, refuse } from '../../protocol/refusals.ts'
import { authenticateClient } from '../clients/client-authentication.ts'
import type { Client } from '../clients/clients.ts'
import { type Asking, limitPending, pendingWindow } from '../guards/pending-limits.ts'
import { findPushed, insertPushedRequest } from '../records/pushed-requests.ts'
import { beginFlow } from '../registration/client-id-metadata.ts'
import type { Server } from '../server.ts'
import { nextNonce, proofOf, spendProof } from '../token/sender-constraint.ts'
import {
  type AuthorizationRequest,
  knownParameters,
  type RequestSource,
  readAuthorizationRequest,
} from './authorization-request.ts'
import { readRequestObject } from './request-object.ts'

const namePrefix = 'urn:ietf:params:oauth:request_uri:'
/** Says who the client is, not what it asks; nothing of it is kept. */
const credentials = ['client_secret', 'client_assertion', 'client_assertion_type']

/** `POST /oauth/par` */
export async function pushedAuthorization(server: Server, request: Incoming): Promise<Answer | Refusal> {
  const { pushedRequests } = server.settings
  if (pushedRequests === null) return refuse('pushed_request_unaccepted')
  const form = await readBackChannelForm(request, ['resource'])
  if (isRefusal(form)) return form
  const proof = proofOf(server, request)
  if (isRefusal(proof)) return proof
  const unwelcome = await beginFlow(server, form, request.address)
  if (unwelcome) return unwelcome
  const client = await authenticateClient(server, request, form)
  if (isRefusal(client)) return client
  if (form.get('request_uri') !== undefined) return refuse('pushed_request_nested', { client: client.id })
  const blamed = blamedFor(server, request, client, pushedRequests.perNetwork)

  const now = server.now()
  const object = form.get('request')
  const parameters =
    object === undefined
      ? ownParameters(form, client)
      : await readRequestObject(server, client, object, { arrived: now, address: request.address })
  if (isRefusal(parameters)) return parameters
  const bound = bindKey(knownParameters(parameters), client, proof)
  if (isRefusal(bound)) return bound
  const made = makeToken('gh_pr', now)
  const source: RequestSource = {
    form: bound,
    pushed: { id: made.id, subject: null },
    signed: object !== undefined,
  }
  const asked = await checkPushed(server, source, request.address)
  if (isRefusal(asked)) return asked
  // What the hint says of the user has a column of its own.
  const kept = pairsOf(bound).filter(([name]) => name !== 'id_token_hint')
  const text = JSON.stringify({ signed: source.signed, parameters: kept } satisfies Pushed)
  const full = limitPending(server, 'pushed_authorization_requests', {
    address: request.address,
    client,
    bytes: Buffer.byteLength(text),
    ...(blamed && { party: blamed }),
  })
  if (full) return full
  if (proof) {
    const replayed = await spendProof(server, proof)
    if (replayed) return replayed
  }
  const inserted = await server.db.write(insertPushedRequest, {
    id: made.id,
    hash: made.hash,
    client_id: client.id,
    request: text,
    subject: asked.boundSubject,
    client_method: client.method,
    now,
    expires_at: now + pushedRequests.lifetime,
  })
  if (inserted.length === 0) return refuse('client_inactive', { client: client.id })
  const answer = { request_uri: namePrefix + made.token, expires_in: pushedRequests.lifetime / 1_000 }
  return concerning(json(201, answer, { ...uncached, ...nextNonce(proof) }), { client: client.id })
}

/** What is kept of a pushed request. */
interface Pushed {
  signed: boolean
  parameters: [name: string, value: string][]
}

/**
 * The request behind a `request_uri`, for the client that pushed it, as long as its flow has not ended. Every reason why it
 * is none looks the same. `arrived` is when the user first came with it.
 */
export async function findPushedRequest(
  server: Server,
  client: Client,
  uri: string,
  arrived: number,
): Promise<RequestSource | Refusal> {
  if (server.settings.pushedRequests === null) return refuse('request_uri_unsupported', { client: client.id })
  if (!uri.startsWith(namePrefix)) return refuse('request_uri_unknown', { client: client.id })
  const stored = readToken('gh_pr', uri.slice(namePrefix.length))
  const row = stored && (await server.db.one(findPushed, { id: stored.id, hash: stored.hash }))
  const state = !row
    ? 'unknown'
    : row.client_id !== client.id
      ? 'foreign'
      : row.used_at !== null
        ? 'used'
        : row.expires_at <= arrived
          ? 'expired'
          : undefined
  if (!row || state) return refuse('pushed_request_unknown', { client: client.id, state })
  const { signed, parameters } = JSON.parse(row.request) as Pushed
  return { form: formOf(parameters), pushed: { id: row.id, subject: row.subject }, signed }
}

/** A public client's id is known to everyone: what is pushed in its name is its network's. One that came by itself and authenticated answers for itself. */
function blamedFor(
  { settings }: Server,
  { address }: Incoming,
  client: Client,
  perNetwork: number,
): Asking['party'] {
  const full = 'too_many_pushed_requests'
  const window = pendingWindow
  if (!client.confidential)
    return { limit: networkLimit(settings, address, 'pushed', { most: perNetwork, window }), full }
  const itself = { key: `pushed by:${client.id}`, most: perNetwork * 10, window }
  return isSelfRegistered(client) ? { limit: itself, full } : undefined
}

function ownParameters(form: Form, client: Client): Form {
  const own = pairsOf(form).filter(([name]) => name !== 'client_id' && !credentials.includes(name))
  return formOf([['client_id', client.id], ...own])
}

/** The key that signed the proof beside the request is the one its code is bound to (RFC 9449 §10.1). */
function bindKey(form: Form, client: Client, proof: Proof | null): Form | Refusal {
  if (!proof) return form
  if (client.rules.algorithms?.includes(proof.alg) === false)
    return refuse('dpop_proof_key', { client: client.id, alg: proof.alg })
  const named = form.get('dpop_jkt')
  if (named !== undefined)
    return named === proof.jkt ? form : refuse('pushed_request_key', { client: client.id })
  return formOf([...pairsOf(form), ['dpop_jkt', proof.jkt]])
}

/** The rules of the authorization endpoint; what is a page there, for want of a redirect, is an answer here. */
async function checkPushed(
  server: Server,
  source: RequestSource,
  address: string,
): Promise<AuthorizationRequest | Refusal> {
  const asked = await readAuthorizationRequest(server, source, address)
  if ('refusal' in asked) return asked.refusal
  if (!('page' in asked)) return asked
  const { page } = asked
  return page.refusal === 'response_mode_unsupported'
    ? refuse('pushed_response_mode_unsupported', page.facts, { description: page.description })
    : page
}
