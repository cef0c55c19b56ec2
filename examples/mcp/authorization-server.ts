// Gatehouse for the MCP server in apart.ts, which it starts as a second process with credentials of its own.

import { spawn } from 'node:child_process'
import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import { type FetchHandler, gatehouse, toNodeHandler } from 'gatehouse-auth'
import { existingSite } from '../existing-site.ts'
import { ownSecret } from '../own-secret.ts'
import { scopes } from './tools.ts'

const port = Number(process.env['PORT'] ?? 4400)
const mcpPort = Number(process.env['MCP_PORT'] ?? 4401)
const origin = `http://localhost:${port}`
const resource = `http://localhost:${mcpPort}/mcp`
const site = existingSite(origin)
const auth = await gatehouse({
  issuer: origin,
  secret: ownSecret(),
  database: process.env['DATABASE'] ?? '.gatehouse/example-mcp-apart.db',
  accounts: site.accounts,
  scopes,
  resources: { [resource]: { name: 'Job board', scopes: Object.keys(scopes) } },
  clientIdMetadata: {},
  registration: { policy: 'open' },
  log: 'warn',
})

const app: FetchHandler = {
  issuer: origin,
  fetch(request, connection) {
    return new URL(request.url).pathname === '/sign-in'
      ? site.signIn(request)
      : auth.fetch(request, connection)
  },
}
const server = createServer(toNodeHandler(app))
server.listen(port, 'localhost', async () => {
  console.log(`Authorization server on ${origin}`)
  const env = {
    ...process.env,
    PORT: String(mcpPort),
    ISSUER: origin,
    API_CLIENT_ID: 'mcp-server',
    API_CLIENT_SECRET: await apiSecret(),
  }
  const api = spawn(
    process.execPath,
    [...process.execArgv, fileURLToPath(new URL('apart.ts', import.meta.url))],
    { env, stdio: 'inherit' },
  )
  process.once('SIGTERM', () => {
    api.kill('SIGTERM')
    server.close(() => auth.close())
    server.closeAllConnections()
  })
})

/** The MCP server introspects tokens as a client of its own, which may ask only about tokens for itself. */
async function apiSecret(): Promise<string> {
  const known = await auth.clients.rotateSecret('mcp-server', 0)
  if (known !== undefined) return known
  const { secret } = await auth.clients.create({
    id: 'mcp-server',
    name: 'Job board (MCP server)',
    resourceServerFor: [resource],
  })
  return secret!
}
