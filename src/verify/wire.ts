import { Agent, type IncomingMessage, request as overHttp } from 'node:http'
import { request as overHttps, Agent as SecureAgent } from 'node:https'
import { Elsewhere, OutOfRequests } from './failures.ts'

/** A request as it goes out. A header with several values is sent as several lines. */
export interface Outgoing {
  method: string
  url: string
  headers?: Record<string, string | string[]>
  body?: string
}

export interface Answer {
  /** 0 when the connection ended without an answer; `text` then says how. */
  status: number
  headers: Headers
  text: string
  /** The body if it is a JSON object, else an empty one. */
  json: Record<string, unknown>
  request: Outgoing
}

/**
 * Sends requests and counts them. It follows nothing, keeps no cookies, never sends more than it was allowed, and nothing to
 * another origin than the server's own.
 */
export interface Wire {
  /** Throws `Elsewhere` for another host than the server's own, and `OutOfRequests`. */
  send(request: Outgoing): Promise<Answer>
  /** Whether anything may be sent to this address. */
  isOwn(url: URL): boolean
  /** Opens as many connections as may be used at once, so that requests of a race leave together. */
  warm(url: string): Promise<void>
  readonly sent: number
  readonly atOnce: number
  close(): void
}

/** How long an answer may take, in milliseconds. */
const patience = 30_000
/** What is read of an answer, in bytes. */
const longestAnswer = 1 << 20

/** A wire for at most `most` requests to these origins, `atOnce` of them in flight. */
export function openWire(most: number, atOnce: number, own: ReadonlySet<string>): Wire {
  const isOwn = ({ origin }: URL) => own.has(origin)

  const options = { keepAlive: true, maxSockets: atOnce }
  const agents = { 'http:': new Agent(options), 'https:': new SecureAgent(options) }
  let sent = 0

  function attempt(request: Outgoing): Promise<Answer & { again?: true }> {
    const { promise, resolve } = Promise.withResolvers<Answer & { again?: true }>()
    const url = new URL(request.url)
    const secure = url.protocol === 'https:'
    const body = request.body === undefined ? undefined : Buffer.from(request.body)
    const headers = {
      accept: 'application/json, text/html;q=0.9, */*;q=0.8',
      'user-agent': 'gatehouse-verify',
      ...request.headers,
      ...(body === undefined ? {} : { 'content-length': String(body.length) }),
    }
    const call = (secure ? overHttps : overHttp)(
      url,
      {
        method: request.method,
        headers,
        agent: agents[secure ? 'https:' : 'http:'],
        signal: AbortSignal.timeout(patience),
      },
      (incoming) =>
        read(incoming).then(
          (text) => resolve(answerOf(request, incoming, text)),
          (error) => resolve(noAnswer(request, error)),
        ),
    )
    call.on('error', (error: NodeJS.ErrnoException) => {
      // A connection that was kept may end just as it is used again.
      const again = call.reusedSocket && error.code === 'ECONNRESET'
      resolve({ ...noAnswer(request, error), ...(again ? { again } : {}) })
    })
    call.end(body)
    return promise
  }

  async function send(request: Outgoing): Promise<Answer> {
    const url = new URL(request.url)
    if (!isOwn(url)) throw new Elsewhere('the server names an address', url.origin)
    if (sent >= most) throw new OutOfRequests(`the ${most} requests of this run are used up`)
    sent += 1
    const first = await attempt(request)
    return first.again ? attempt(request) : first
  }

  return {
    send,
    isOwn,
    async warm(url) {
      await Promise.all(Array.from({ length: atOnce }, () => send({ method: 'GET', url })))
    },
    get sent() {
      return sent
    },
    atOnce,
    close() {
      for (const agent of Object.values(agents)) agent.destroy()
    },
  }
}

async function read(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > longestAnswer) break
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function answerOf(request: Outgoing, incoming: IncomingMessage, text: string): Answer {
  const headers = new Headers()
  for (const [name, values] of Object.entries(incoming.headersDistinct)) {
    for (const value of values ?? []) headers.append(name, value)
  }
  return { status: incoming.statusCode ?? 0, headers, text, json: objectIn(text), request }
}

function noAnswer(request: Outgoing, error: NodeJS.ErrnoException): Answer {
  const text =
    error.name === 'TimeoutError' ? `no answer within ${patience / 1_000} s` : (error.code ?? error.message)
  return { status: 0, headers: new Headers(), text, json: {}, request }
}

function objectIn(text: string): Record<string, unknown> {
  if (!/^\s*\{/.test(text)) return {}
  try {
    return JSON.parse(text) as Record<string, unknown>
  } catch {
    return {}
  }
}

/** Parameters of a form or query; a list is sent as one parameter several times, undefined not at all. */
export type Parameters = Record<string, string | readonly string[] | undefined>

export function encode(parameters: Parameters): string {
  const text = new URLSearchParams()
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of value === undefined ? [] : [value].flat()) text.append(name, one as string)
  }
  return text.toString()
}

/** `url` with these parameters behind those it has. */
export function withQuery(url: string, parameters: Parameters): string {
  const query = encode(parameters)
  return query === '' ? url : `${url}${url.includes('?') ? '&' : '?'}${query}`
}

/** What came, in a few words and without secrets. */
export function sayAnswer({ status, json, text }: Answer): string {
  if (status === 0) return text
  const { error, error_description: words } = json
  return [status, error, words].filter((one) => typeof one === 'string' || typeof one === 'number').join(' ')
}
