// A TLS server on loopback that serves documents and counts what reaches it.

import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { type Authority, makeAuthority } from './certificates.ts'

export interface Documents {
  port: number
  /** `https://localhost:port` */
  origin: string
  /** The certificate to trust, PEM. */
  ca: string
  /** Connections and requests that came, whatever was asked. */
  connections: number
  requests: { method: string; url: string; headers: IncomingMessage['headers']; body: string }[]
  /** What a path answers: JSON, or whatever a function writes. */
  serve(path: string, answer: unknown | ((response: ServerResponse, request: IncomingMessage) => void)): void
  close(): Promise<void>
}

export async function openDocuments(
  host = '127.0.0.1',
  { names = ['localhost', '127.0.0.1', '::1'], authority = makeAuthority(), port = 0 } = {} as {
    names?: string[]
    authority?: Authority
    port?: number
  },
): Promise<Documents> {
  const answers = new Map<string, unknown>()
  const { cert, key } = authority.issue(names)
  const server = createServer({ cert, key }, async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    const { method = '', url = '', headers } = request
    documents.requests.push({ method, url, headers, body })
    const answer = answers.get(url)
    if (answer === undefined) response.writeHead(404).end()
    else if (typeof answer === 'function') answer(response, request)
    else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
  })
  server.on('connection', () => documents.connections++)
  server.on('tlsClientError', () => {})
  server.listen(port, host)
  await once(server, 'listening')
  const { port: bound } = server.address() as AddressInfo
  const documents: Documents = {
    port: bound,
    origin: `https://localhost:${bound}`,
    ca: authority.cert,
    connections: 0,
    requests: [],
    serve: (path, answer) => void answers.set(path, answer),
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return documents
}
