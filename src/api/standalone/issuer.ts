// RFC 8414 §3, §3.3; RFC 7517 §5: what an API that stands apart learns from its authorization server over HTTP: where the
// endpoints are and which keys sign.

import type { KeyObject } from 'node:crypto'
import { parseJson } from '../../crypto/bounded-json.ts'
import { type PublicJwk, publicKeyFrom } from '../../crypto/jws.ts'
import type { Log } from '../../log.ts'
import { paths } from '../../protocol/paths.ts'
import type { TokenAlgorithm } from '../bearer.ts'

/** How long the authorization server may take to answer, in milliseconds. */
export const answerDeadline = 8_000
const longestAnswer = 1024 * 1024
/** Documents are read again after so long; while that fails they stay good until `staleAfter`. */
const freshFor = 10 * 60_000
const staleAfter = 60 * 60_000
/** An unknown key makes the set be read again, but not more often than this. */
const unknownKeyPause = 10_000
/** No new request for so long after a failure, to spare a server with problems. */
const failurePause = 1_000
/** The same while known documents are good. */
const stalePause = 30_000

/** The authorization server cannot be asked, or what it answers cannot be believed. No fault of the request. */
export class IssuerUnavailable extends Error {
  override name = 'IssuerUnavailable'
  /** Seconds. */
  readonly retryAfter: number

  constructor(message: string, options: { cause?: unknown; retryAfter?: number } = {}) {
    super(message, { cause: options.cause })
    this.retryAfter = options.retryAfter ?? 1
  }
}

export interface Issuer {
  /** The key of a `kid` for an algorithm, or undefined when the server publishes none such. Rejects with `IssuerUnavailable`. */
  key(kid: string, alg: TokenAlgorithm): Promise<KeyObject | undefined>
  introspectionEndpoint(): Promise<string>
}

export interface IssuerOptions {
  issuer: string
  allowInsecure: boolean
  log: Log
  now(): number
  /** Milliseconds. */
  deadline: number
}

interface Known {
  /** By `alg` and `kid`, a space between. */
  keys: Map<string, KeyObject>
  introspectionEndpoint: string | undefined
  readAt: number
}

/** Reads the server's metadata and keys when they are first needed. */
export function watchIssuer(options: IssuerOptions): Issuer {
  const { issuer, log, now } = options
  let known: Known | undefined
  let reading: Promise<Known> | undefined
  let failure: { error: unknown; at: number } | undefined

  function read(pause = failurePause): Promise<Known> {
    if (failure && now() - failure.at < pause) return Promise.reject(failure.error)
    reading ??= readIssuer(options)
      .then(
        (found) => {
          failure = undefined
          return (known = found)
        },
        (error) => {
          failure = { error, at: now() }
          log.error('authorization server unavailable', { issuer, error: String(error) })
          throw error
        },
      )
      .finally(() => (reading = undefined))
    return reading
  }

  async function current(): Promise<Known> {
    const last = known
    if (!last || now() - last.readAt > staleAfter) return read()
    // A key that was withdrawn must not be taken once more.
    return now() - last.readAt > freshFor ? read(stalePause).catch(() => last) : last
  }

  return {
    async key(kid, alg) {
      const name = `${alg} ${kid}`
      const found = await current()
      const key = found.keys.get(name)
      if (key || now() - found.readAt < unknownKeyPause) return key
      return (await read()).keys.get(name)
    },
    async introspectionEndpoint() {
      const { introspectionEndpoint } = await current()
      if (introspectionEndpoint === undefined)
        throw new IssuerUnavailable(`${issuer} offers no introspection endpoint`)
      return introspectionEndpoint
    },
  }
}

async function readIssuer(options: IssuerOptions): Promise<Known> {
  const { issuer, now } = options
  const metadata = await readMetadata(options)
  // Byte for byte (RFC 8414 §3.3): an answer for another issuer is not accepted.
  if (metadata['issuer'] !== issuer)
    throw new IssuerUnavailable(`${issuer} calls itself ${JSON.stringify(metadata['issuer'])}`)
  const set = await getJson(endpoint(metadata, 'jwks_uri', options), {}, options.deadline)
  if (!Array.isArray(set['keys'])) throw new IssuerUnavailable(`the key set of ${issuer} has no keys`)
  return {
    keys: new Map(set['keys'].flatMap(readKey)),
    introspectionEndpoint:
      metadata['introspection_endpoint'] === undefined
        ? undefined
        : endpoint(metadata, 'introspection_endpoint', options),
    readAt: now(),
  }
}

/** For an issuer with a path, first where RFC 8414 §3.1 puts the document, then below the issuer, where it is mounted anyway. */
async function readMetadata({ issuer, deadline }: IssuerOptions): Promise<Record<string, unknown>> {
  const { origin, pathname } = new URL(issuer)
  if (pathname === '/') return getJson(origin + paths.serverMetadata, {}, deadline)
  try {
    return await getJson(origin + paths.serverMetadata + pathname, {}, deadline)
  } catch (error) {
    if (!(error instanceof UnexpectedStatus && error.status === 404)) throw error
    return getJson(issuer + paths.serverMetadata, {}, deadline)
  }
}

function endpoint(metadata: Record<string, unknown>, name: string, options: IssuerOptions): string {
  const url = metadata[name]
  if (typeof url !== 'string' || !URL.canParse(url))
    throw new IssuerUnavailable(`${options.issuer} names no ${name}`)
  if (new URL(url).protocol !== 'https:' && !options.allowInsecure)
    throw new IssuerUnavailable(`${options.issuer} names an ${name} without TLS`)
  return url
}

/** A key of another kind, or a broken one, verifies nothing; the others do. */
function readKey(jwk: PublicJwk): [string, KeyObject][] {
  if (typeof jwk?.kid !== 'string') return []
  const alg =
    jwk.kty === 'EC' && jwk.crv === 'P-256'
      ? 'ES256'
      : jwk.kty === 'RSA' && jwk.alg === 'RS256'
        ? 'RS256'
        : undefined
  if (!alg) return []
  try {
    return [[`${alg} ${jwk.kid}`, publicKeyFrom(jwk)]]
  } catch {
    return []
  }
}

export class UnexpectedStatus extends IssuerUnavailable {
  override name = 'UnexpectedStatus'
  readonly status: number

  constructor(url: string, response: Response) {
    const wait = Number(response.headers.get('retry-after'))
    super(`${url} answered ${response.status}`, { retryAfter: Number.isInteger(wait) && wait > 0 ? wait : 1 })
    this.status = response.status
  }
}

/** Asks for a JSON object: no redirects, 200 only, at most a megabyte, all within the deadline. */
export async function getJson(
  url: string,
  init: RequestInit,
  deadline: number,
): Promise<Record<string, unknown>> {
  try {
    const response = await fetch(url, {
      ...init,
      headers: { accept: 'application/json', ...init.headers },
      redirect: 'error',
      signal: AbortSignal.timeout(deadline),
    })
    if (response.status !== 200) {
      await response.body?.cancel()
      throw new UnexpectedStatus(url, response)
    }
    const value = parseJson(await limitedText(response))
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>
    throw new IssuerUnavailable(`${url} answered no JSON object`)
  } catch (error) {
    if (error instanceof IssuerUnavailable) throw error
    throw new IssuerUnavailable(`${url} cannot be asked: ${reasonOf(error)}`, { cause: error })
  }
}

function reasonOf(error: unknown): string {
  const { message, cause } = error as Error
  return cause instanceof Error ? `${message} (${cause.message})` : message
}

async function limitedText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength
    if (size > longestAnswer) throw new Error('the answer is too long')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
