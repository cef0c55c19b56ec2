import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import type { SecureContext } from 'node:tls'
import { parseJson } from '../crypto/bounded-json.ts'
import { told } from '../log.ts'
import { limitConcurrency } from './concurrency.ts'
import { isSpecialAddress } from './special-addresses.ts'

/** What the operator decides about requests this server makes to addresses somebody else chose. */
export interface OutboundSettings {
  /** `host:port` as they stand in a URL, reached whatever they resolve to. */
  allow: readonly string[]
  /** Certificates trusted beside the usual authorities, PEM. */
  ca: readonly string[]
  /** The server itself is on loopback, so documents on the same interface may be fetched. */
  loopback: boolean
}

export interface OutboundOptions {
  /** Longest answer that is read, in bytes. Default 65536. */
  maxBytes?: number
  /** Milliseconds for everything: waiting, resolving, connecting, reading. Default 5000. */
  deadline?: number
}

export interface GetOptions extends OutboundOptions {
  /** Default `application/json`. */
  accept?: string
  /** An entity tag: the answer may then be 304 without a body. */
  ifNoneMatch?: string
}

/** Why there is no answer. `detail` is for the log and names no secret. */
export interface OutboundFailure {
  failed: 'url_refused' | 'address_refused' | 'busy' | 'timed_out' | 'unreachable' | 'answer_refused'
  detail: string
  /** Where there was an answer, and its status is why it is refused. */
  status?: number
}

export interface OutboundAnswer {
  status: number
  /** One header by lower-case name. */
  header(name: string): string | undefined
  body: string
}

/** `json` is undefined exactly when the status is 304. */
export type JsonAnswer = Omit<OutboundAnswer, 'body'> & { json: unknown }

/** Requests to URLs that a client or anybody else chose. */
export interface Outbound {
  /** A JSON document (`application/json` or `…+json`) served with 200, or with 304 when `ifNoneMatch` was given. */
  getJson(url: string, options?: GetOptions): Promise<JsonAnswer | OutboundFailure>
  /** Posts a form; any status is an answer. */
  post(
    url: string,
    form: URLSearchParams,
    options?: OutboundOptions,
  ): Promise<OutboundAnswer | OutboundFailure>
  /** Why a URL may not be reached, found out without a connection; undefined when it may or when that cannot be told. */
  check(url: string): Promise<OutboundFailure | undefined>
  /** Breaks off what is under way and refuses what comes. */
  close(): void
}

/** Every address of a host; `chosenHere` when the operator's own configuration names it. */
export type Resolve = (host: string, chosenHere: boolean, signal: AbortSignal) => Promise<string[]>

export const loopbackAddresses: readonly string[] = ['127.0.0.1', '::1']
const standardDeadline = 5_000
const checkDeadline = 2_000
const standardMaxBytes = 64 * 1024
/** Requests under way at the same time; more wait within their deadline. */
const turns = { perKey: 4, inAll: 64, waiting: 256 }
const jsonType = /^application\/(json|[a-z0-9!#$&^_.+-]+\+json) *(;|$)/i

interface Target {
  url: URL
  /** Without the brackets of an IPv6 literal. */
  host: string
  allowed: boolean
}

interface Exchange {
  method: 'GET' | 'POST'
  headers: Record<string, string>
  body?: string
  maxBytes: number
  reads(status: number): boolean
}

/**
 * Requests that cannot be turned against the network this server stands in: https only, no redirects, one resolution whose
 * addresses are all checked before a connection is made to one of them, and bounds on time, size and number.
 */
export function openOutbound(settings: OutboundSettings, resolve: Resolve = resolveHost): Outbound {
  const allow = new Set(settings.allow.map((one) => one.toLowerCase()))
  const secureContext = settings.ca.length > 0 ? contextOf(settings.ca) : undefined
  const closing = new AbortController()
  const enter = limitConcurrency(turns)

  async function send(
    url: string,
    exchange: Exchange,
    deadline: number,
  ): Promise<OutboundAnswer | OutboundFailure> {
    const target = readTarget(url, allow)
    if (isFailure(target)) return target
    const signal = AbortSignal.any([AbortSignal.timeout(deadline), closing.signal])
    const leave = await enter(target.host, signal)
    if (!leave) return signal.aborted ? timedOut() : fail('busy', 'too many requests are under way')
    try {
      const addresses = await addressesOf(target, signal)
      if (isFailure(addresses)) return addresses
      return await converse(target.url, addresses, exchange, signal, secureContext)
    } finally {
      leave()
    }
  }

  async function addressesOf(target: Target, signal: AbortSignal): Promise<string[] | OutboundFailure> {
    let addresses: string[]
    try {
      addresses =
        knownAddresses(target.host) ??
        (await Promise.race([resolve(target.host, target.allowed, signal), aborted(signal)]))
    } catch (error) {
      return signal.aborted ? timedOut() : fail('unreachable', codeOf(error))
    }
    if (signal.aborted) return timedOut()
    if (addresses.length === 0) return fail('unreachable', 'the host has no address')
    const refused = addresses.find((address) => !target.allowed && !mayReach(address))
    return refused === undefined ? addresses : fail('address_refused', refused)
  }

  function mayReach(address: string): boolean {
    return !isSpecialAddress(address) || (settings.loopback && loopbackAddresses.includes(address))
  }

  return {
    async getJson(url, options = {}) {
      const { accept = 'application/json', ifNoneMatch } = options
      const answer = await send(
        url,
        {
          method: 'GET',
          headers: { accept, ...(ifNoneMatch === undefined ? {} : { 'if-none-match': ifNoneMatch }) },
          maxBytes: options.maxBytes ?? standardMaxBytes,
          reads: (status) => status === 200,
        },
        options.deadline ?? standardDeadline,
      )
      return isFailure(answer) ? answer : readJson(answer, ifNoneMatch !== undefined)
    },
    post(url, form, options = {}) {
      const exchange: Exchange = {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: form.toString(),
        maxBytes: options.maxBytes ?? standardMaxBytes,
        reads: () => true,
      }
      return send(url, exchange, options.deadline ?? standardDeadline)
    },
    async check(url) {
      const target = readTarget(url, allow)
      if (isFailure(target)) return target
      const signal = AbortSignal.any([AbortSignal.timeout(checkDeadline), closing.signal])
      const addresses = await addressesOf(target, signal)
      return isFailure(addresses) && addresses.failed === 'address_refused' ? addresses : undefined
    },
    close: () => closing.abort(),
  }
}

function contextOf(ca: readonly string[]): SecureContext {
  const { createSecureContext, getCACertificates } = process.getBuiltinModule('node:tls')
  return createSecureContext({ ca: [...getCACertificates('default'), ...ca] })
}

export function isFailure(value: object): value is OutboundFailure {
  return 'failed' in value
}

function fail(failed: OutboundFailure['failed'], detail: string): OutboundFailure {
  return { failed, detail: detail.slice(0, 200) }
}

/** Rejects when the signal aborts: the system's own resolver does not listen to it. */
function aborted(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>()
  promise.catch(() => {})
  if (signal.aborted) reject(signal.reason)
  else signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  return promise
}

const timedOut = () => fail('timed_out', 'no complete answer in time')

function readTarget(text: string, allow: ReadonlySet<string>): Target | OutboundFailure {
  if (!URL.canParse(text)) return fail('url_refused', 'no absolute URL')
  const url = new URL(text)
  if (url.protocol !== 'https:') return fail('url_refused', `the scheme ${url.protocol}`)
  if (url.username !== '' || url.password !== '') return fail('url_refused', 'user information')
  const host = url.hostname.replace(/^\[|\]$/g, '')
  return { url, host, allowed: allow.has(`${url.hostname}:${url.port || 443}`) }
}

function readJson(answer: OutboundAnswer, conditional: boolean): JsonAnswer | OutboundFailure {
  const { status, header, body } = answer
  if (status === 304 && conditional) return { status, header, json: undefined }
  if (status !== 200) return { ...fail('answer_refused', `status ${status}`), status }
  const type = header('content-type') ?? ''
  if (!jsonType.test(type)) return fail('answer_refused', `content type ${told(type)}`)
  try {
    return { status, header, json: parseJson(body) }
  } catch {
    return fail('answer_refused', 'no JSON')
  }
}

/** One request over a connection of its own, to one of the checked addresses and no other. */
function converse(
  url: URL,
  addresses: readonly string[],
  { method, headers, body, maxBytes, reads }: Exchange,
  signal: AbortSignal,
  secureContext: SecureContext | undefined,
): Promise<OutboundAnswer | OutboundFailure> {
  const { promise, resolve } = Promise.withResolvers<OutboundAnswer | OutboundFailure>()
  const checked = addresses.map((address) => ({ address, family: isIP(address) }))
  // Not loaded before it is needed: most servers never ask anybody.
  const request = process.getBuiltinModule('node:https').request(url, {
    method,
    headers: { 'user-agent': 'gatehouse', ...headers, 'content-length': Buffer.byteLength(body ?? '') },
    // No connection made for one caller serves another.
    agent: false,
    lookup: (_host, { all }, found) => {
      if (all) found(null, checked)
      else found(null, checked[0]!.address, checked[0]!.family)
    },
    signal,
    ...(secureContext ? { secureContext } : {}),
  })
  const give = (answer: OutboundAnswer | OutboundFailure) => {
    resolve(answer)
    request.destroy()
  }
  request.on('error', (error) => give(signal.aborted ? timedOut() : fail('unreachable', codeOf(error))))
  request.on('close', () => give(fail('unreachable', 'the connection was closed')))
  request.on('response', (response) => {
    const status = response.statusCode ?? 0
    const header = (name: string) => headerOf(response, name)
    if (!reads(status)) return give({ status, header, body: '' })
    if ((header('content-encoding') ?? 'identity') !== 'identity') {
      return give(fail('answer_refused', 'a content encoding that was not asked for'))
    }
    const chunks: Buffer[] = []
    let size = 0
    response.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size > maxBytes) give(fail('answer_refused', `more than ${maxBytes} bytes`))
      else chunks.push(chunk)
    })
    response.on('end', () => {
      try {
        const text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks))
        give({ status, header, body: text })
      } catch {
        give(fail('answer_refused', 'no UTF-8'))
      }
    })
  })
  request.end(body)
  return promise
}

function headerOf(response: IncomingMessage, name: string): string | undefined {
  const value = response.headers[name]
  return Array.isArray(value) ? value.join(', ') : value
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? (error instanceof Error ? error.message : 'an error')
}

/** What needs no name server: an address itself, and the name of this machine (RFC 6761 §6.3). */
function knownAddresses(host: string): string[] | undefined {
  if (isIP(host)) return [host]
  return /^(.*\.)?localhost\.?$/.test(host) ? [...loopbackAddresses] : undefined
}

/**
 * Names that others chose are asked of the name server directly: the system's own resolver works on the threads that also
 * force the database to disk, and a slow name server would hold them.
 */
async function resolveHost(host: string, chosenHere: boolean, signal: AbortSignal): Promise<string[]> {
  const { lookup, Resolver } = process.getBuiltinModule('node:dns/promises')
  if (chosenHere) return (await lookup(host, { all: true })).map((one) => one.address)
  const resolver = new Resolver({ timeout: 2_000, tries: 2 })
  const cancel = () => resolver.cancel()
  signal.addEventListener('abort', cancel, { once: true })
  try {
    const answers = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)])
    const found = answers.flatMap((one) => (one.status === 'fulfilled' ? one.value : []))
    if (found.length === 0 && answers[0].status === 'rejected') throw answers[0].reason
    return found
  } finally {
    signal.removeEventListener('abort', cancel)
  }
}
