// OAuth Client ID Metadata Document (draft-ietf-oauth-client-id-metadata-document-02) §3, §4, §4.1, §5, §5.1, §5.2, §6, §7.2,
// §8.2, §8.4, §8.6, §8.7, §8.9, §9.1; RFC 9111 §4.2.1, §5.2.2: clients whose id is the URL of a document about them.

import { eventInput } from '../../events/append.ts'
import type { Form } from '../../http/forms.ts'
import { freshness, isOutage, staleFor } from '../../http/freshness.ts'
import { isFailure, type JsonAnswer, type OutboundFailure } from '../../http/guarded-fetch.ts'
import { toldUrl } from '../../log.ts'
import { isSelfRegistered } from '../../protocol/client-source.ts'
import { isRefusal, type Refusal, refuse } from '../../protocol/refusals.ts'
import type { Client } from '../clients/clients.ts'
import { type ClientRow, findClient } from '../records/clients.ts'
import { confirmDocument, described, noteFlow, saveDocument } from '../records/self-registered-clients.ts'
import type { Server } from '../server.ts'
import {
  checkUrls,
  type Description,
  hostIsAmong,
  isUnfit,
  readDescription,
  type Unfit,
} from './client-metadata-rules.ts'
import { countTry, reserveChange, reserveRegistration, triesAreUp } from './registration-limits.ts'

/** Bytes of a document that are read (§8.7). */
const longestDocument = 5 * 1024
/** A document counts as fresh for at least so long, in milliseconds: a flow reads its client several times. */
const leastFreshness = 60_000
/** Where its server says nothing about caching, in milliseconds. */
const usualFreshness = 600_000
/** After a failed attempt to read a known document again authentication asks no more for so long, in milliseconds. */
const failurePause = 30_000
/** Documents of one host that are not known here are asked for so often a minute, for whomever. */
const mostUnknownOfHost = 100
const minute = 60_000
const longestUrl = 512

/**
 * To be called where a flow begins, before its client is looked up: reads the document that the client's id names, unless
 * the one that is known is fresh, and notes that a self-registered client is in use. A refusal is for the caller.
 */
export async function beginFlow(server: Server, form: Form, address: string): Promise<Refusal | undefined> {
  const clientId = form.get('client_id')
  if (clientId === undefined || form.repeated.includes('client_id')) return undefined
  const known = await server.clients.find(clientId)
  const refusal =
    known && known.source !== 'cimd' ? undefined : await requireDocument(server, clientId, known, address)
  if (!refusal && known?.active && isSelfRegistered(known)) await noteUse(server, known)
  return refusal
}

async function requireDocument(
  server: Server,
  id: string,
  known: Client | undefined,
  address: string,
): Promise<Refusal | undefined> {
  const { clientIdMetadata } = server.settings
  // What is no address is no document; one that was suspended stays as it is.
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(id) || known?.active === false) return undefined
  const facts = { client: known ? id : toldUrl(id) }
  if (!clientIdMetadata) return known && refuse('client_host_untrusted', facts)
  const wrong = clientUrlProblem(id)
  if (wrong !== undefined) return refuse('client_url_malformed', { ...facts, wrong })
  if (clientIdMetadata.hosts && !hostIsAmong(clientIdMetadata.hosts, new URL(id).hostname))
    return refuse('client_host_untrusted', facts)
  return known && (known.metadataExpiresAt ?? 0) > server.now()
    ? undefined
    : readDocument(server, id, address)
}

/** Written at most so often; far more often than an unused client is removed. */
const notedEvery = 3_600_000

/** A client that is being removed is not found. */
async function noteUse(server: Server, client: Client): Promise<void> {
  const now = server.now()
  if ((client.lastUsedAt ?? 0) > now - notedEvery) return
  await server.db.write(noteFlow, { id: client.id, now })
  server.clients.forget(client.id)
}

/** Why a URL can be no client's id (§3), or undefined. Compared as text, so it must be a URL as it is written. */
export function clientUrlProblem(text: string): string | undefined {
  if (text.length > longestUrl) return `is longer than ${longestUrl} characters`
  if (!text.startsWith('https://')) return 'is not https'
  if (text.includes('#')) return 'has a fragment'
  const parts = /^https:\/\/([^/?]*)([^?]*)/.exec(text)!
  const [, authority = '', path = ''] = parts
  if (authority === '') return 'has no host'
  if (authority.includes('@')) return 'has user information'
  if (!/^[A-Za-z0-9\-._~:/?[\]!$&'()*+,;=%]+$/.test(text) || !URL.canParse(text)) return 'is no URL'
  if (path === '') return 'has no path'
  const segments = path.split('/').map((one) => one.replaceAll(/%2e/gi, '.'))
  return segments.includes('.') || segments.includes('..') ? 'has dot segments' : undefined
}

interface Reading {
  /** By URL: one request at a time for a document. */
  underWay: Map<string, Promise<Refusal | undefined>>
  /** Known documents that could not be read again lately. */
  failed: Map<string, { refusal: Refusal; at: number }>
}

const readings = new WeakMap<Server, Reading>()
const mostFailed = 10_000

function readingOf(server: Server): Reading {
  let reading = readings.get(server)
  if (!reading) readings.set(server, (reading = { underWay: new Map(), failed: new Map() }))
  return reading
}

/**
 * To be called where a client authenticates: the client as its document says now. While the document cannot be had, what is
 * known stays good for an hour after its time; one that is gone, or no longer this client's, takes effect at once.
 */
export async function withFreshDocument(server: Server, known: Client): Promise<Client | Refusal> {
  const { id, metadataExpiresAt } = known
  const now = server.now()
  if (known.source !== 'cimd' || !known.active || (metadataExpiresAt ?? 0) > now) return known
  const { failed } = readingOf(server)
  const last = failed.get(id)
  const refusal =
    last && now - last.at < failurePause ? last.refusal : await requireDocument(server, id, known, '')
  if (!refusal) return (await server.clients.find(id)) ?? refuse('client_unknown', { client: id })
  if (last?.refusal !== refusal) {
    if (failed.size >= mostFailed) failed.delete(failed.keys().next().value!)
    failed.set(id, { refusal, at: now })
  }
  const facts = { ...refusal.facts, client: id }
  if (refusal.refusal === 'too_many_registrations') return refusal
  if (refusal.retryAfter === undefined) return refuse('client_document_withdrawn', facts)
  return now <= (metadataExpiresAt ?? 0) + staleFor
    ? known
    : refuse('client_document_stale', facts, { retryAfter: refusal.retryAfter })
}

function readDocument(server: Server, url: string, address: string): Promise<Refusal | undefined> {
  const { underWay, failed } = readingOf(server)
  const same = underWay.get(url)
  if (same) return same
  const mine = fetchDocument(server, url, address)
    .then((refusal) => {
      if (!refusal) failed.delete(url)
      return refusal
    })
    .finally(() => underWay.delete(url))
  underWay.set(url, mine)
  return mine
}

async function fetchDocument(server: Server, url: string, address: string): Promise<Refusal | undefined> {
  const row = await server.db.one(findClient, { id: url })
  // What is known is read again at no cost, as long as it can be.
  const full = row
    ? await triesAreUp(server, address)
    : ((await countTry(server, address)) ?? (await countUnknown(server, url)))
  if (full) return full
  const etag = row ? (JSON.parse(row.metadata) as { etag?: string }).etag : undefined
  const answer = await server.outbound.getJson(url, {
    maxBytes: longestDocument,
    ...(etag === undefined ? {} : { ifNoneMatch: etag }),
  })
  if (!isFailure(answer) && row && answer.status === 304) {
    await confirm(server, url, row.metadata, freshUntil(server, answer))
    return undefined
  }
  const read = await describe(server, url, answer)
  if (isRefusal(read)) {
    if (row) await countTry(server, address)
    return read
  }
  return keep(server, url, row, read, address)
}

/** Anybody can name addresses at somebody else's host. */
async function countUnknown({ counters }: Server, url: string): Promise<Refusal | undefined> {
  const key = `documents:${new URL(url).host}`
  const wait = await counters.take([{ key, most: mostUnknownOfHost, window: minute }])
  if (wait === 0) return undefined
  return refuse('too_many_registrations', { client: toldUrl(url) }, { retryAfter: Math.ceil(wait / 1_000) })
}

type Read = Description & { freshUntil: number }

async function describe(
  server: Server,
  url: string,
  answer: JsonAnswer | OutboundFailure,
): Promise<Read | Refusal> {
  if (isFailure(answer)) {
    const { failed, detail } = answer
    return refuse(
      'client_document_unavailable',
      { client: toldUrl(url), failed, detail },
      isOutage(answer) ? { retryAfter: failurePause / 1_000 } : {},
    )
  }
  const etag = answer.header('etag')
  const kept = etag === undefined || etag.length > 200 ? {} : { etag }
  const unsaid = { method: 'none', name: new URL(url).hostname } as const
  const document = answer.json as Record<string, unknown>
  const said = documentProblem(document, url) ?? readDescription(server.settings, document, unsaid, kept)
  const unfit = isUnfit(said) ? said : await checkUrls(server.outbound, said)
  if (unfit) {
    const { member, why } = unfit
    return refuse('client_document_invalid', { client: toldUrl(url), member, why })
  }
  const { leftOut } = said as Description
  if (leftOut.length > 0)
    server.log.info('client document has members that are not taken', {
      client: url,
      members: leftOut.map(({ member, why }) => `${member} ${why}`).join('; '),
    })
  return { ...(said as Description), freshUntil: freshUntil(server, answer) }
}

/** What no other description of a client has to heed (§4, §4.1). */
function documentProblem(document: unknown, url: string): Unfit | undefined {
  if (typeof document !== 'object' || document === null || Array.isArray(document))
    return { member: 'document', why: 'must be a JSON object' }
  const { client_id, token_endpoint_auth_method: method } = document as Record<string, unknown>
  if (client_id !== url) return { member: 'client_id', why: 'must be the URL of the document' }
  for (const member of ['client_secret', 'client_secret_expires_at']) {
    if (member in document) return { member, why: 'must not be in a public document' }
  }
  return typeof method === 'string' && method.startsWith('client_secret_')
    ? { member: 'token_endpoint_auth_method', why: 'must not need a shared secret' }
    : undefined
}

async function confirm(
  server: Server,
  id: string,
  metadata: string,
  metadata_expires_at: number,
): Promise<void> {
  await server.db.write(confirmDocument, { id, metadata, metadata_expires_at })
  server.clients.forget(id)
}

/**
 * Keeps a good document. Who may authenticate in another way than before is another client, so its sessions end (§8.4); what
 * else the document no longer gives is no longer granted.
 */
async function keep(
  server: Server,
  url: string,
  row: ClientRow | undefined,
  { columns, freshUntil }: Read,
  address: string,
): Promise<Refusal | undefined> {
  const changed = described.filter((name) => name !== 'metadata' && row?.[name] !== columns[name])
  if (changed.length === 0) {
    await confirm(server, url, columns.metadata, freshUntil)
    return undefined
  }
  const overFull = await (row
    ? reserveChange(server, url, { host: new URL(url).hostname })
    : reserveRegistration(server, address))
  if (overFull) return overFull
  const now = server.now()
  const event = row
    ? eventInput(now, 'client_updated', { clientId: url }, { by: 'its document', changed })
    : eventInput(now, 'client_registered', { clientId: url }, { source: 'cimd', name: columns.name })
  await server.db.write(saveDocument, {
    id: url,
    ...columns,
    secret_hash: null,
    metadata_expires_at: freshUntil,
    ends: row && changed.includes('token_endpoint_auth_method') ? 1 : 0,
    now,
    ...event,
  })
  server.clients.forget(url)
  return undefined
}

/** How long the answer is fresh for us (RFC 9111 §4.2.1), within bounds of our own (CIMD §5.2). */
function freshUntil(server: Server, { header }: JsonAnswer): number {
  const { longestFreshness } = server.settings.clientIdMetadata!
  const said = freshness((name) => header(name))
  return server.now() + Math.min(Math.max(said ?? usualFreshness, leastFreshness), longestFreshness)
}
