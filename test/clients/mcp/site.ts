// An MCP server with Gatehouse inside, over real HTTP on loopback, that notes everything that reaches it. The MCP server is the
// one of the examples; time is the machine's own, and can be moved ahead.

import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { mcpEndpoint, scopes } from '../../../examples/mcp/tools.ts'
import type { Config } from '../../../src/config.ts'
import type { Resolve } from '../../../src/http/guarded-fetch.ts'
import { toNodeHandler } from '../../../src/http/mount.ts'
import { type Dialect, openTestServer, type TestServer } from '../../support/gatehouse.ts'
import { Visitor } from '../visitor.ts'

/** A request that reached the site, and what it got. */
export interface Exchange {
  method: string
  /** Without the query. */
  path: string
  query: URLSearchParams
  authorization: string | null
  /** The `DPoP` header. */
  proof: string | null
  body: string
  status: number
  challenge: string | null
  answer: string
}

export interface McpSite {
  testServer: TestServer
  origin: string
  issuer: string
  /** The MCP server, as `aud` and as the user types it. */
  resource: string
  exchanges: Exchange[]
  /** What went to one path since the last call. */
  seen(path: string): Exchange[]
  /** Everything since the last call as `POST /oauth/token`, in order. */
  steps(): string[]
  /** The person's browser. */
  visitor: Visitor
  /** Moves the site's time ahead. */
  advance(milliseconds: number): void
  /** The person proves again who they are. */
  signInAgain(): void
  close(): Promise<void>
}

export interface SiteOptions {
  /** Path of the issuer. Default: none. */
  base?: string
  config?: Partial<Config>
  /** MCP servers apart from it, by their URI. */
  elsewhere?: string[]
  resolve?: Resolve
}

export async function openMcpSite(dialect: Dialect, options: SiteOptions = {}): Promise<McpSite> {
  let answer = async (_request: Request, _address?: string) => new Response(null, { status: 503 })
  let handler: Parameters<typeof createServer>[1] = () => {}
  const server = createServer((request, response) => handler!(request, response))
  server.listen(0, 'localhost')
  await once(server, 'listening')
  const origin = `http://localhost:${(server.address() as AddressInfo).port}`
  handler = toNodeHandler({ issuer: origin, fetch: (request, { address } = {}) => answer(request, address) })
  const issuer = origin + (options.base ?? '')
  const resource = `${origin}/mcp`

  const testServer = await openTestServer(
    dialect,
    {
      issuer,
      scopes,
      resources: Object.fromEntries(
        [resource, ...(options.elsewhere ?? [])].map((uri) => [
          uri,
          { name: 'Job board', scopes: Object.keys(scopes) },
        ]),
      ),
      clientIdMetadata: {},
      registration: { policy: 'open' },
      ...options.config,
    },
    undefined,
    options.resolve,
  )
  const mcp = mcpEndpoint(testServer.g, resource)
  let ahead = 0
  const tick = () => testServer.clock.advance(Date.now() + ahead - testServer.clock.now())
  const signInAgain = () => {
    tick()
    testServer.signedIn.account = { ...testServer.signedIn.account!, authTime: testServer.clock.now() }
  }
  signInAgain()

  const exchanges: Exchange[] = []
  let read = 0
  answer = async (request, address) => {
    tick()
    const { pathname, searchParams } = new URL(request.url)
    const body = await request.clone().text()
    const response =
      pathname === '/mcp'
        ? await mcp(request)
        : await testServer.g.fetch(request, address === undefined ? {} : { address })
    exchanges.push({
      method: request.method,
      path: pathname,
      query: searchParams,
      authorization: request.headers.get('authorization'),
      proof: request.headers.get('dpop'),
      body,
      status: response.status,
      challenge: response.headers.get('www-authenticate'),
      answer: await response.clone().text(),
    })
    return response
  }

  const since = () => exchanges.slice(read)
  return {
    testServer,
    origin,
    issuer,
    resource,
    exchanges,
    seen: (path) => since().filter((one) => one.path === path),
    steps() {
      const steps = since().map(({ method, path }) => `${method} ${path}`)
      read = exchanges.length
      return steps
    },
    visitor: new Visitor(origin),
    advance(milliseconds) {
      ahead += milliseconds
    },
    signInAgain,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
      await testServer.close()
    },
  }
}

/** The form of a token request. */
export const formOf = ({ body }: Pick<Exchange, 'body'>): Record<string, string> =>
  Object.fromEntries(new URLSearchParams(body))
