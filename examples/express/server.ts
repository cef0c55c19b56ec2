// Express, with Gatehouse below /auth.

import express from 'express'
import { gatehouse, sendResponse, toNodeHandler } from 'gatehouse-auth'
import { addDemoClient } from '../demo-client.ts'
import { existingSite } from '../existing-site.ts'
import { ownSecret } from '../own-secret.ts'

const port = Number(process.env['PORT'] ?? 4400)
const origin = `http://localhost:${port}`
const site = existingSite(origin)
const auth = await gatehouse({
  issuer: `${origin}/auth`,
  secret: ownSecret(),
  database: process.env['DATABASE'] ?? '.gatehouse/example-express.db',
  accounts: site.accounts,
  scopes: { 'jobs:read': 'Search open jobs' },
  resources: { [`${origin}/api`]: { name: 'Job board' } },
  log: 'warn',
})
await addDemoClient(auth)

const app = express()

// Before body parsers: Gatehouse reads its forms itself.
const handler = toNodeHandler(auth)
app.use('/auth', handler)
// Clients look for the two documents at the root of the host, with the path after the well-known name.
app.get('/.well-known/oauth-authorization-server/auth', handler)
app.get('/.well-known/oauth-protected-resource/*path', handler)

app.all('/sign-in', toNodeHandler({ issuer: origin, fetch: site.signIn }))

app.use(express.json())
app.get('/api/jobs', async (request, response) => {
  const access = await auth.authenticate(request, { scope: 'jobs:read' })
  if (!access.ok) return sendResponse(access.response, response)
  response.json({ for: access.subject, jobs: ['Baker', 'Carpenter'] })
})

const server = app.listen(port, 'localhost', () => console.log(`Listening on ${origin}`))
process.once('SIGTERM', () => server.close(() => auth.close()))
