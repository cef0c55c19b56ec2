// No framework: one function from request to response, for Deno, Bun, service workers and Node's own server.

import { createServer } from 'node:http'
import { type FetchHandler, gatehouse, toNodeHandler } from 'gatehouse-auth'
import { addDemoClient } from '../demo-client.ts'
import { existingSite } from '../existing-site.ts'
import { ownSecret } from '../own-secret.ts'

const port = Number(process.env['PORT'] ?? 4400)
const origin = `http://localhost:${port}`
const site = existingSite(origin)
const auth = await gatehouse({
  issuer: origin,
  secret: ownSecret(),
  database: process.env['DATABASE'] ?? '.gatehouse/example-fetch.db',
  accounts: site.accounts,
  scopes: { 'jobs:read': 'Search open jobs' },
  resources: { [`${origin}/api`]: { name: 'Job board' } },
  log: 'warn',
})
await addDemoClient(auth)

const app: FetchHandler = {
  issuer: origin,
  async fetch(request, connection) {
    const { pathname } = new URL(request.url)
    if (pathname === '/sign-in') return site.signIn(request)
    if (pathname === '/api/jobs') {
      const access = await auth.authenticate(request, { scope: 'jobs:read' })
      if (!access.ok) return access.response
      return Response.json({ for: access.subject, jobs: ['Baker', 'Carpenter'] })
    }
    return auth.fetch(request, connection)
  },
}

const server = createServer(toNodeHandler(app))
server.listen(port, 'localhost', () => console.log(`Listening on ${origin}`))
process.once('SIGTERM', () => server.close(() => auth.close()))
