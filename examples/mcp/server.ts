// An MCP server with Gatehouse inside: one process, one port.

import { createServer } from 'node:http'
import { type FetchHandler, gatehouse, toNodeHandler } from 'gatehouse-auth'
import { existingSite } from '../existing-site.ts'
import { ownSecret } from '../own-secret.ts'
import { mcpEndpoint, scopes } from './tools.ts'

const port = Number(process.env['PORT'] ?? 4400)
const origin = `http://localhost:${port}`
const resource = `${origin}/mcp`
const site = existingSite(origin)
const auth = await gatehouse({
  issuer: origin,
  secret: ownSecret(),
  database: process.env['DATABASE'] ?? '.gatehouse/example-mcp.db',
  accounts: site.accounts,
  scopes,
  resources: { [resource]: { name: 'Job board', scopes: Object.keys(scopes) } },
  // Clients that are not known in advance: most use the URL of their metadata document, the others register themselves.
  clientIdMetadata: {},
  registration: { policy: 'open' },
  log: 'warn',
})
const mcp = mcpEndpoint(auth, resource)

const app: FetchHandler = {
  issuer: origin,
  fetch(request, connection) {
    const { pathname } = new URL(request.url)
    if (pathname === '/mcp') return mcp(request)
    if (pathname === '/sign-in') return site.signIn(request)
    return auth.fetch(request, connection)
  },
}

const server = createServer(toNodeHandler(app))
server.listen(port, 'localhost', () => console.log(`Listening on ${origin}, an MCP server at ${resource}`))
process.once('SIGTERM', () => {
  server.close(() => auth.close())
  server.closeAllConnections()
})
