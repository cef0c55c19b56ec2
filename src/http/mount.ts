import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ReadableStream as NodeReadableStream } from 'node:stream/web'
import { webRequest } from './node.ts'
import type { Connection } from './web.ts'

/** Anything that answers web-standard requests, at home at `issuer`: a `Gatehouse`, or a handler of your own around one. */
export interface FetchHandler {
  readonly issuer: string
  fetch(request: Request, connection?: Connection): Promise<Response> | Response
}

/** A request that passed through a framework first. */
type Passed = IncomingMessage & { originalUrl?: string; body?: unknown }

/** Somebody read the body of a request before it came here, and it cannot be told what was in it. */
export class BodyConsumed extends Error {
  override name = 'BodyConsumed'
}

/**
 * A handler for Node's own server, Express and Fastify:
 *
 * ```ts
 * app.use('/auth', toNodeHandler(auth)) // Express
 * ```
 *
 * Fastify answers 415 to a form before a route sees it, so there it needs a context that leaves bodies unread:
 *
 * ```ts
 * app.register(async (context) => {
 *   const handler = toNodeHandler(auth)
 *   context.removeAllContentTypeParsers()
 *   context.addContentTypeParser('*', (request, payload, done) => done(null))
 *   context.all('/auth/*', (request, reply) => {
 *     reply.hijack()
 *     return handler(request.raw, reply.raw)
 *   })
 * })
 * ```
 *
 * A form that a body parser has read is put together again. Any other consumed body is an error (`BodyConsumed`), handed to
 * `next` where there is one.
 */
export function toNodeHandler(
  handler: FetchHandler,
): (request: IncomingMessage, response: ServerResponse, next?: (error: unknown) => void) => Promise<void> {
  const { origin } = new URL(handler.issuer)
  return async (message, response, next) => {
    try {
      const request = requestFrom(message, origin)
      const answer = request
        ? await handler.fetch(request, { address: message.socket.remoteAddress ?? '' })
        : malformed()
      await sendResponse(answer, response)
    } catch (error) {
      if (next) next(error)
      else fail(response, error)
    }
  }
}

/** Sends a web-standard response through Node's; a stream of events as it comes, anything else whole. */
export async function sendResponse(answer: Response, response: ServerResponse): Promise<void> {
  const headers: Record<string, string | string[]> = {}
  for (const [name, value] of answer.headers) if (name !== 'set-cookie') headers[name] = value
  const cookies = answer.headers.getSetCookie()
  if (cookies.length > 0) headers['set-cookie'] = cookies
  if (answer.body && /^text\/event-stream\b/i.test(answer.headers.get('content-type') ?? '')) {
    response.writeHead(answer.status, headers)
    await sendEvents(answer.body, response)
    return
  }
  const body = Buffer.from(await answer.arrayBuffer())
  const bodiless = answer.status === 204 || answer.status === 304
  if (!bodiless) headers['content-length'] = String(body.byteLength)
  response.writeHead(answer.status, headers)
  response.end(bodiless || response.req.method === 'HEAD' ? undefined : body)
}

/** Until either side ends; a client that leaves ends the stream too. */
async function sendEvents(body: ReadableStream<Uint8Array>, response: ServerResponse): Promise<void> {
  response.flushHeaders()
  try {
    await pipeline(Readable.fromWeb(body as NodeReadableStream), response)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error
  }
}

/** Undefined for what no web-standard request can be: TRACE, `OPTIONS *`, the absolute form of a proxy. */
function requestFrom(message: Passed, origin: string): Request | undefined {
  // Express cuts the mount path off `url` and keeps the whole in `originalUrl`.
  const path = message.originalUrl ?? message.url ?? '/'
  if (!path.startsWith('/') || /^(TRACE|TRACK|CONNECT)$/.test(message.method ?? '')) return undefined
  const url = origin + path
  const bodiless = message.method === 'GET' || message.method === 'HEAD'
  const consumed = message.readableEnded || message.readableDidRead
  if (bodiless || !consumed) return webRequest(message, url)
  const headers = new Headers()
  for (const [name, value] of Object.entries(message.headers)) {
    if (name === 'content-length' || name === 'transfer-encoding') continue
    for (const one of [value ?? []].flat()) headers.append(name, one)
  }
  return new Request(url, { method: message.method ?? 'POST', headers, body: consumedBody(message) })
}

function malformed(): Response {
  return Response.json(
    { error: 'invalid_request', error_description: 'The request could not be understood' },
    { status: 400, headers: { 'cache-control': 'no-store' } },
  )
}

function consumedBody({ body, headers }: Passed): string | Uint8Array<ArrayBuffer> {
  if (typeof body === 'string') return body
  if (body instanceof Uint8Array) return Uint8Array.from(body)
  const isForm = /^application\/x-www-form-urlencoded *(;|$)/i.test(headers['content-type'] ?? '')
  if (isForm && typeof body === 'object' && body !== null) {
    const pairs = Object.entries(body).map(([name, value]) => [name, [value].flat()] as const)
    if (pairs.every(([, values]) => values.every((value) => typeof value === 'string'))) {
      return new URLSearchParams(
        pairs.flatMap(([name, values]) => values.map((value) => [name, value as string])),
      ).toString()
    }
  }
  if (headers['content-length'] === '0') return ''
  throw new BodyConsumed(
    'the body of this request was read before Gatehouse saw it: mount toNodeHandler before body parsers, or keep them off its paths',
  )
}

function fail(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
  response.writeHead(500, { 'content-type': 'application/json', 'cache-control': 'no-store' })
  response.end(
    JSON.stringify({ error: 'server_error', error_description: 'The server met an unexpected condition' }),
  )
}
