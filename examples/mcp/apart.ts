// The same MCP server in its own process: it knows only the issuer and its own identifier. Only `auth` is different.

import { createServer } from 'node:http'
import { type FetchHandler, resourceServer, toNodeHandler } from 'gatehouse-auth/api'
import { mcpEndpoint, scopes } from './tools.ts'

const port = Number(process.env['PORT'] ?? 4401)
const origin = `http://localhost:${port}`
const resource = `${origin}/mcp`
const { API_CLIENT_ID: clientId, API_CLIENT_SECRET: clientSecret } = process.env
const auth = resourceServer({
  issuer: process.env['ISSUER'] ?? 'http://localhost:4400',
  resource,
  name: 'Job board',
  scopes: Object.keys(scopes),
  // Without introspection a revoked token is accepted until it expires.
  ...(clientId && clientSecret ? { introspection: { clientId, clientSecret } } : {}),
})
const mcp = mcpEndpoint(auth, resource)

const app: FetchHandler = {
  issuer: origin,
  fetch(request) {
    const { pathname } = new URL(request.url)
    if (pathname === '/mcp') return mcp(request)
    if (pathname === auth.metadataPath || pathname === '/.well-known/oauth-protected-resource')
      return auth.metadata()
    return new Response(null, { status: 404 })
  },
}

const server = createServer(toNodeHandler(app))
server.listen(port, 'localhost', () => console.log(`Listening on ${origin}, an MCP server at ${resource}`))
process.once('SIGTERM', () => {
  server.close()
  server.closeAllConnections()
})
