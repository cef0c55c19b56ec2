import type { IncomingMessage, Server, ServerOptions } from 'node:http'
import type { BlockList, Socket } from 'node:net'
import { isTrustedProxy } from './address.ts'

/** Limits of one connection. Times in milliseconds. */
export interface ConnectionLimits {
  /** From the connection, or the answer before, until a request's headers are there. */
  headerTime: number
  /** Until the whole request is there. */
  requestTime: number
  /** Between an answer and the next request. */
  idleTime: number
  /** Connections of one address; those of trusted proxies and of this machine itself are not counted. */
  perAddress: number
  inAll: number
  /** Default true. */
  exemptLoopback?: boolean
}

export const standardConnections: ConnectionLimits = {
  headerTime: 10_000,
  requestTime: 30_000,
  idleTime: 65_000,
  perAddress: 256,
  inAll: 5_000,
}

/** Headers of a request. Node would pass over those beyond a count of its own, which a proxy in front has read. */
const mostHeaders = 100
/** Requests a client may have sent ahead on one connection (RFC 9112 §9.3.2). */
const mostAhead = 16

/** For `createServer`. Node looks for what is too late only every half minute unless told otherwise. */
export function timeLimits({ headerTime, requestTime, idleTime }: ConnectionLimits): ServerOptions {
  return {
    headersTimeout: Math.min(headerTime, requestTime),
    requestTimeout: requestTime,
    keepAliveTimeout: idleTime,
    connectionsCheckingInterval: Math.min(1_000, Math.ceil(headerTime / 2)),
  }
}

/** Closes at once what comes beyond the limits on connections. */
export function limitConnections(
  server: Server,
  { perAddress, inAll, exemptLoopback = true }: ConnectionLimits,
  trustedProxies: BlockList | undefined,
): void {
  const open = new Map<string, number>()
  server.maxConnections = inAll
  server.maxHeadersCount = 0
  server.on('connection', (socket: Socket) => {
    const address = socket.remoteAddress ?? ''
    const ofThisMachine = /^(?:::ffff:)?127\.|^::1$/.test(address)
    if ((exemptLoopback && ofThisMachine) || isTrustedProxy(address, trustedProxies)) return
    const count = (open.get(address) ?? 0) + 1
    if (count > perAddress) {
      socket.destroy()
      return
    }
    open.set(address, count)
    socket.once('close', () => {
      const left = open.get(address)! - 1
      if (left === 0) open.delete(address)
      else open.set(address, left)
    })
  })
}

const ahead = new WeakMap<Socket, number>()

/** Counts a request as under way on its connection until `done`; undefined, and the connection ends, where there are too many. */
export function enterConnection({ socket }: IncomingMessage): (() => void) | undefined {
  const count = (ahead.get(socket) ?? 0) + 1
  if (count > mostAhead) {
    socket.destroy()
    return undefined
  }
  ahead.set(socket, count)
  return () => ahead.set(socket, ahead.get(socket)! - 1)
}

export function hasTooManyHeaders({ rawHeaders }: IncomingMessage): boolean {
  return rawHeaders.length > mostHeaders * 2
}
