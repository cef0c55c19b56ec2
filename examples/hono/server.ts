// Hono, with Gatehouse at the root of the app: your own routes first, everything else is Gatehouse's.

import { serve } from '@hono/node-server'
import { getConnInfo } from '@hono/node-server/conninfo'
import { gatehouse } from 'gatehouse-auth'
import { Hono } from 'hono'
import { addDemoClient } from '../demo-client.ts'
import { existingSite } from '../existing-site.ts'
import { ownSecret } from '../own-secret.ts'

const port = Number(process.env['PORT'] ?? 4400)
const origin = `http://localhost:${port}`
const site = existingSite(origin)
const auth = await gatehouse({
  issuer: origin,
  secret: ownSecret(),
  database: process.env['DATABASE'] ?? '.gatehouse/example-hono.db',
  accounts: site.accounts,
  scopes: { 'jobs:read': 'Search open jobs' },
  resources: { [`${origin}/api`]: { name: 'Job board' } },
  log: 'warn',
})
await addDemoClient(auth)

const app = new Hono()
app.on(['GET', 'POST'], '/sign-in', (c) => site.signIn(c.req.raw))

app.get('/api/jobs', async (c) => {
  const access = await auth.authenticate(c.req.raw, { scope: 'jobs:read' })
  if (!access.ok) return access.response
  return c.json({ for: access.subject, jobs: ['Baker', 'Carpenter'] })
})

app.all('*', (c) => auth.fetch(c.req.raw, { address: getConnInfo(c).remote.address }))

const server = serve({ fetch: app.fetch, port, hostname: 'localhost' }, () =>
  console.log(`Listening on ${origin}`),
)
process.once('SIGTERM', () => server.close(() => auth.close()))
