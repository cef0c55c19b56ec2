import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo, BlockList, Socket } from 'node:net'
import { Readable } from 'node:stream'
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import { exactText } from '../exact-text.ts'
import { clientAddress, isTrustedProxy } from './address.ts'
import {
  type ConnectionLimits,
  enterConnection,
  hasTooManyHeaders,
  limitConnections,
  standardConnections,
  timeLimits,
} from './connections.ts'
import { type Answer, BodyCutOff, BodyNotText, BodyTooLarge, type Incoming } from './message.ts'
import { pathBelow } from './web.ts'

// An import of node:http also loads the whole fetch client behind its WebSocket export, a third of the time a start takes.
// It is loaded where a server is made, not by a host that has one of its own.
const http = () => process.getBuiltinModule('node:http')

/** How long a proxy may take from its connection to its first request, in milliseconds. */
const firstRequestWithin = 1_000
/** Servers that still answer, and keep no connection any more. */
const draining = new WeakSet<Server>()

export interface NodeOptions {
  /** Origin of the issuer: what a request's URL is built from, never its Host header. */
  origin: string
  base: string
  trustedProxies: BlockList | undefined
  /** Where trusted proxies name the client, in lower case. Default `x-forwarded-for`. */
  forwardedHeader?: string
  /** What connections may take; the standard where it is left out. */
  connections?: ConnectionLimits
}

/** A plain Node server in front of `answer`, without the cost of web-standard objects on the hot path. */
export function nodeServer(answer: (request: Incoming) => Promise<Answer>, options: NodeOptions): Server {
  // Answers that are ready in one turn of the event loop leave together: waking the peer is dearer than the answer itself.
  let ready: { message: IncomingMessage; response: ServerResponse; answer: Answer }[] = []
  function sendReady() {
    const batch = ready
    ready = []
    for (const { message, response, answer } of batch) {
      if (draining.has(server) || !server.listening) response.shouldKeepAlive = false
      try {
        send(response, message, answer)
      } catch {
        response.destroy()
      }
    }
  }
  const { connections = standardConnections } = options
  const server = http().createServer(timeLimits(connections), (message, response) => {
    const leave = enterConnection(message)
    if (!leave) return
    response.once('close', leave)
    if (hasTooManyHeaders(message)) {
      response.writeHead(431, { connection: 'close', 'cache-control': 'no-store' }).end()
      return
    }
    answer(incomingFromNode(message, options)).then(
      (result) => {
        if (ready.length === 0) setImmediate(sendReady)
        ready.push({ message, response, answer: result })
      },
      () => response.destroy(),
    )
  })
  limitConnections(server, connections, options.trustedProxies)
  return server
}

/** A server that accepts connections. */
export interface Listening {
  /** Where it does: `http://127.0.0.1:4400`. */
  readonly url: string
  readonly port: number
  /**
   * For `drain` milliseconds (default none) goes on answering, and closes each connection behind its answer. Then accepts
   * no more, lets the requests under way be answered, and cuts what is not done after `grace` milliseconds (default 10,000).
   */
  close(times?: { drain?: number; grace?: number }): Promise<void>
}

/** Rejects when the address cannot be had (`EADDRINUSE`, `EACCES` …). Port 0 takes any free one. */
export async function listen(server: Server, at: { port: number; host: string }): Promise<Listening> {
  // Node counts a connection that has not sent its first request as busy; browsers open such ones ahead.
  const unused = new Map<Socket, number>()
  server.on('connection', (socket) => {
    unused.set(socket, performance.now())
    socket.once('close', () => unused.delete(socket))
  })
  server.on('request', (message) => unused.delete(message.socket))
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(at.port, at.host, () => {
      server.off('error', reject)
      resolve()
    })
  })
  const { address, port, family } = server.address() as AddressInfo
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`,
    port,
    async close({ drain = 0, grace = 10_000 } = {}) {
      draining.add(server)
      if (drain > 0) {
        await sleep(drain)
        await nothingArrives()
      }
      // The close of http.Server first looks through its connections, and more arrive meanwhile.
      const closed = new Promise<void>((resolve) => {
        process.getBuiltinModule('node:net').Server.prototype.close.call(server, () => resolve())
      })
      // Behind a drain, what was accepted last may come from a proxy that is about to send its request.
      const closeUnused = () => {
        const before = performance.now() - (drain > 0 ? firstRequestWithin : 0)
        for (const [socket, since] of unused) if (since <= before) socket.destroy()
      }
      closeUnused()
      // In the same turn: whatever had been sent on them has been read.
      server.closeIdleConnections()
      const sweep = setInterval(() => {
        server.closeIdleConnections()
        closeUnused()
      }, 20)
      const cut = setTimeout(() => server.closeAllConnections(), grace)
      await closed
      clearInterval(sweep)
      clearTimeout(cut)
    },
  }
}

/**
 * Resolves in a moment in which every connection that arrived has just been accepted: the kernel resets those that a
 * listener leaves behind in its queue. A turn of the event loop that took next to no time had nothing to accept; a process
 * that has just slept is not interrupted in the next one.
 */
async function nothingArrives(): Promise<void> {
  const end = performance.now() + 5_000
  while (performance.now() < end) {
    await sleep(2)
    let before = performance.now()
    for (let turns = 0; turns < 20; turns++) {
      await turn()
      const now = performance.now()
      if (now - before < 0.03) return
      before = now
    }
  }
}

export function incomingFromNode(message: IncomingMessage, options: NodeOptions): Incoming {
  const url = originForm(message.url ?? '/')
  const mark = url.indexOf('?')
  const path = mark < 0 ? url : url.slice(0, mark)
  let body: Promise<string> | undefined
  return {
    method: message.method ?? 'GET',
    ...pathBelow(path, options.base),
    search: mark < 0 ? '' : url.slice(mark + 1),
    address: clientAddress(message.socket.remoteAddress ?? '', (name) => one(message.headers[name]), options),
    viaTrustedProxy:
      options.trustedProxies !== undefined &&
      isTrustedProxy(message.socket.remoteAddress ?? '', options.trustedProxies),
    header: (name) => one(message.headers[name]),
    text: (limit) => (body ??= readText(message, limit)),
    request: () => webRequest(message, options.origin + url),
  }
}

/** A proxy may send the absolute form (RFC 9112 §3.2.2); the host in it says nothing about who we are. */
function originForm(target: string): string {
  if (target.startsWith('/')) return target
  const rest = target.replace(/^https?:\/\/[^/?#]*/i, '')
  return rest.startsWith('/') ? rest : `/${rest}`
}

function one(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(', ') : value
}

function readText(message: IncomingMessage, limit: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let size = 0
    const chunks: Buffer[] = []
    message.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size > limit) {
        message.removeAllListeners('data')
        message.resume()
        reject(new BodyTooLarge())
      } else chunks.push(chunk)
    })
    message.on('end', () => {
      const text = exactText(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks))
      if (text === undefined) reject(new BodyNotText())
      else resolve(text)
    })
    message.on('error', (cause) => reject(new BodyCutOff('the body broke off', { cause })))
  })
}

export function webRequest(message: IncomingMessage, url: string): Request {
  const headers = new Headers()
  for (const [name, value] of Object.entries(message.headers)) {
    if (name.startsWith(':')) continue
    for (const each of Array.isArray(value) ? value : [value ?? '']) headers.append(name, each)
  }
  const bodiless = message.method === 'GET' || message.method === 'HEAD'
  return new Request(url, {
    method: message.method,
    headers,
    ...(bodiless || message.readableEnded ? {} : { body: untouchedBody(message), duplex: 'half' }),
  } as RequestInit)
}

/** The body, for the first reader: until then the message is untouched, so that its text can still be read. */
function untouchedBody(message: IncomingMessage): ReadableStream<Uint8Array> {
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined
  return new ReadableStream(
    {
      async pull(controller) {
        reader ??= (Readable.toWeb(message) as ReadableStream<Uint8Array>).getReader()
        const { done, value } = await reader.read().catch((cause) => {
          throw new BodyCutOff('the body broke off', { cause })
        })
        if (done) controller.close()
        else controller.enqueue(value)
      },
      cancel: (reason) => reader?.cancel(reason),
    },
    { highWaterMark: 0 },
  )
}

function send(response: ServerResponse, message: IncomingMessage, answer: Answer): void {
  const { headers, body } = answer
  headers['content-length'] = String(Buffer.byteLength(body))
  response.writeHead(answer.status, headers)
  response.end(message.method === 'HEAD' ? undefined : body)
}
